# SPDX-License-Identifier: Apache-2.0
"""What the book about a seller's pushed tables holds, whatever the engine: rows that stand, windows, progress."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Stood:
    """A row. sound: its record makes the hash that stands beside it."""

    modified: datetime
    version: int
    hash: str
    sound: bool


class Kept(NamedTuple):
    """A record in quarantine. source: stream, stream_seq and member_no, as in `rows.Row`; reason: why it is there."""

    id: int
    source: tuple[str, int, int]
    payload: bytes
    reason: str


class Window(NamedTuple):
    """A row of sys_info.jdp_audit; counts are of records."""

    table: str
    shop: str
    start: datetime
    end: datetime
    sent: int
    stood: int
    missing: int
    stale: int
    wrong: int
    quarantined: int
    extra: int
    repaired: int
    deep: bool
    at: datetime

    @property
    def clean(self) -> bool:
        return not (self.missing or self.stale or self.wrong)


@dataclass(frozen=True, slots=True)
class Progress:
    """A row of sys_info.jdp_backfill. at: (modified, key) of the last record that stands; None before the first."""

    since: datetime
    until: datetime
    at: tuple[datetime, int] | None
    records: int
    done: bool

    @property
    def begins(self) -> datetime:
        """From when on everything should stand."""
        return self.since if self.done else self.until

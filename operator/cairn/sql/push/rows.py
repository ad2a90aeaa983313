# SPDX-License-Identifier: Apache-2.0
"""Rows on their way into a pushed table, and which of them are news. Pure.

Which of two rows of one key is newer: `(modified, version, hash)`, in this order. The triple of a row in the table only
grows, so a row that was not newer when it was looked up never will be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

Order = tuple[datetime, int, str]


class Poison(NamedTuple):
    """A record that can't become a row. (stream, stream_seq, member_no) is the same at every delivery of it.

    member_no: its place in the message, -1 for the message as a whole
    """

    topic: str
    object_key: str | None
    seller_nick: str | None
    stream: str
    stream_seq: int
    member_no: int
    reason: str
    error_code: str | None
    error_text: str
    payload: bytes


class Row(NamedTuple):
    """order: what decides between two of one key. values: the stored columns, jdp_hashcode and jdp_response.

    source: stream, stream_seq and member_no, as in `Poison`
    """

    key: int
    order: Order
    values: tuple[Any, ...]
    source: tuple[str, int, int]


class Split(NamedTuple):
    """new: of no row there yet. changed: newer than the row there. stale: how many are neither."""

    new: list[Row]
    changed: list[Row]
    stale: int


@dataclass(frozen=True, slots=True)
class Written:
    """What a committed batch did.

    stale: not newer than what was there, or than another of the same batch
    quarantined: reasons of the records that were not in quarantine already
    fell_back: the database did not have all of what it had committed for this writer before, as it was found when the
    writer connected again
    """

    inserted: int = 0
    updated: int = 0
    stale: int = 0
    quarantined: tuple[str, ...] = ()
    fell_back: bool = False


def newest(rows: Iterable[Row]) -> list[Row]:
    """One row a key, the newest, by key: every writer locks in the same order."""
    best: dict[int, Row] = {}
    for row in rows:
        other = best.get(row.key)
        if other is None or other.order < row.order:
            best[row.key] = row
    return sorted(best.values(), key=_key)


def split(rows: Iterable[Row], there: Mapping[int, Order]) -> Split:
    """Rows of distinct keys against the orders of the rows that the table holds."""
    new: list[Row] = []
    changed: list[Row] = []
    stale = 0
    for row in rows:
        order = there.get(row.key)
        if order is None:
            new.append(row)
        elif order < row.order:
            changed.append(row)
        else:
            stale += 1
    return Split(new, changed, stale)


def _key(row: Row) -> int:
    return row.key

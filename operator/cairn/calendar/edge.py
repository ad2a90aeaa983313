# SPDX-License-Identifier: Apache-2.0
"""The next moment at which the calendar changes something, and what it is in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Edge:
    """A moment and what happens then."""

    at: datetime
    what: str


class Sized(Protocol):
    """As much of a capacity as can be told in words."""

    @property
    def plan(self) -> str | None: ...
    @property
    def floor(self) -> int: ...
    @property
    def ceiling(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def until(self) -> datetime | None: ...
    @property
    def frozen_until(self) -> datetime | None: ...
    @property
    def phase(self) -> str: ...


_BEGINS = {"WarmingUp": "the warm-up begins", "Active": "the window begins", "CoolingDown": "the cool-down begins"}


def what_changes(before: Sized, after: Sized) -> str:
    """What is new, such as "warm up to db.xlarge, 7 to 40 clones"."""
    found = []
    if after.plan != before.plan:
        found.append(f"warm up to {after.plan}" if after.phase == "WarmingUp" else f"change to {after.plan}")
        if not after.reason:
            found = [f"back to {after.plan}"]
    if (after.floor, after.ceiling) != (before.floor, before.ceiling):
        found.append(f"{after.floor} to {after.ceiling} clones")
    if not found and after.phase != before.phase:
        found.append(_BEGINS.get(after.phase, "the promotion is over"))
    if bool(after.frozen_until) != bool(before.frozen_until):
        found.append("the freeze begins" if after.frozen_until else "the freeze ends")
    if not found and (after.reason, after.until) != (before.reason, before.until):
        found.append(f"{after.reason} holds it until {after.until:%Y-%m-%dT%H:%M:%SZ}" if after.until else "")
    return ", ".join(part for part in found if part) or "a promotion ends"

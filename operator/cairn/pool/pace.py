# SPDX-License-Identifier: Apache-2.0
"""How fast a worker of the pool is, and what sets that pace. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

LATE_SECONDS = 120.0
"""A backlog that takes longer to write is late."""
BUSY = 0.8
"""Of what there is: then it sets the pace."""


class Limit(StrEnum):
    """What sets the pace of a worker that is late."""

    NONE = ""
    NEIGHBOURS = "neighbours"
    """They take the member's processors: more members help."""
    WORKER = "worker"
    """It takes all that one process can: no member more helps."""
    DATABASE = "database"
    """Its time passes in transactions: another worker would wait beside this one."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Pace:
    """Of the last minute. drain: seconds until the backlog is written. writing: of its time with work, what passed in
    transactions. cpu: processors. None while unknown, or never."""

    drain: float | None = None
    writing: float | None = None
    cpu: float | None = None


def heard(told: object) -> Pace:
    """As a worker tells it; nothing where that is no pace."""
    if not isinstance(told, dict):
        return Pace()
    return Pace(*(told[key] if isinstance(told.get(key), int | float) else None for key in ("drain", "writing", "cpu")))


def limit(pace: Pace, others: Collection[Pace], millicores: int) -> Limit:
    """others: of the other workers at this member. millicores: what the member has in all; it may get more while its
    machine has nothing else to do, but no less"""
    if pace.drain is None or pace.drain <= LATE_SECONDS:
        return Limit.NONE
    own, theirs = (pace.cpu or 0.0) * 1000, sum(one.cpu or 0.0 for one in others) * 1000
    if own >= BUSY * 1000 or own >= BUSY * millicores:
        return Limit.WORKER
    if own + theirs >= BUSY * millicores:
        return Limit.NEIGHBOURS
    return Limit.DATABASE if (pace.writing or 0.0) >= BUSY else Limit.OTHER


def notes(name: str, paces: Mapping[str, Pace], millicores: int) -> dict[str, str]:
    """What a member writes on the Lease of this subscription."""
    pace = paces.get(name, Pace())
    others = [one for key, one in paces.items() if key != name]
    return {
        DRAIN: "" if pace.drain is None else str(round(pace.drain)),
        USED: "" if pace.cpu is None else str(round(pace.cpu * 1000)),
        LIMIT: limit(pace, others, millicores).value,
    }


DRAIN, USED, LIMIT = "cairn.dev/drain-seconds", "cairn.dev/used-millicores", "cairn.dev/limited-by"

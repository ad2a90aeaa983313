# SPDX-License-Identifier: Apache-2.0
"""Which hours are to be compared now. Pure.

An hour that has closed is compared again every hour while it is young, then every day, then every week; one that was
found different soon again. Hours that follow one another are compared together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SOON = timedelta(minutes=5)
SLACK = timedelta(minutes=5)
"""How long after the end of an hour its records may still be on their way to the platform's own gateway."""
_TIERS = ((DAY, HOUR), (7 * DAY, DAY))
"""Up to which age how often."""


class Depth(StrEnum):
    """LIGHT goes by the hash that stands in the row. DEEP computes it anew from the record that stands there."""

    LIGHT = "light"
    DEEP = "deep"


class Audited(NamedTuple):
    """What is known of an hour. at: on the worker's clock, aware."""

    at: datetime
    clean: bool
    deep: bool


class Span(NamedTuple):
    """Hours to compare, half-open, on the platform's wall clock."""

    since: datetime
    until: datetime
    depth: Depth


def due(audited: Mapping[datetime, Audited], since: datetime, through: datetime, now: datetime) -> list[Span]:
    """What to compare, the newest first.

    since: what is older is nobody's business (no history was asked for, or retention took it)
    through: everything that was pushed up to here is written; wall clock
    """
    spans: list[Span] = []
    for start in _hours(since, through - SLACK):
        depth = _depth(audited.get(start), (through - start), now)
        if depth is None:
            continue
        last = spans[-1] if spans else None
        if last and last.until == start and last.depth is depth and start - last.since < DAY:
            spans[-1] = last._replace(until=start + HOUR)
        else:
            spans.append(Span(start, start + HOUR, depth))
    return spans[::-1]


def floor_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _hours(since: datetime, closed: datetime) -> Iterator[datetime]:
    start = floor_hour(since)
    if start < since:
        start += HOUR  # only whole hours can be compared
    while start + HOUR <= closed:
        yield start
        start += HOUR


def _depth(known: Audited | None, age: timedelta, now: datetime) -> Depth | None:
    if known is None:
        return Depth.DEEP
    passed = now - known.at
    if not known.clean:
        return Depth.DEEP if passed >= SOON or passed < timedelta(0) else None
    every = next((often for limit, often in _TIERS if age <= limit), 7 * DAY)
    if timedelta(0) <= passed < every:
        return None
    return Depth.LIGHT if every == HOUR and known.deep else Depth.DEEP

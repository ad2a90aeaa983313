# SPDX-License-Identifier: Apache-2.0
"""Maintenance windows: times that come every week on the clocks of a zone, each as long as it says in elapsed time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta

from cairn.api.schedule import Maintenance, duration
from cairn.calendar.zones import moment, zone, zone_problem

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEK = 7


def window_now(maintenance: Maintenance | None, now: datetime) -> bool:
    """Whether a window is on."""
    return window_end(maintenance, now) is not None


def window_end(maintenance: Maintenance | None, now: datetime) -> datetime | None:
    """Until when a window is on, if one is: the end of the last of several."""
    return max((end for start, end in _around(maintenance, now) if start <= now < end), default=None)


def next_window(maintenance: Maintenance | None, now: datetime) -> tuple[datetime, datetime] | None:
    """The first window that begins after now; None without windows, or in a zone that doesn't exist."""
    return min((window for window in _around(maintenance, now) if window[0] > now), default=None)


def maintenance_problem(maintenance: Maintenance | None) -> str:
    """Field, value and remedy of what makes no sense, or nothing."""
    return zone_problem("spec.maintenance.timeZone", maintenance.time_zone) if maintenance else ""


def _around(maintenance: Maintenance | None, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Every window that is on, those of the next week, and some that are over. A day in the zone's clocks may begin a
    day off the UTC one, and one that is longer than a week is on for good: earlier ones need no look."""
    where = zone(maintenance.time_zone) if maintenance else None
    if maintenance is None or where is None:
        return
    today = now.astimezone(where).date()
    for window in maintenance.windows:
        length = duration(window.duration)
        begin = time.fromisoformat(window.start)
        for offset in range(-min(length.days, _WEEK) - 2, _WEEK + 2):
            day = today + timedelta(days=offset)
            if _DAYS[day.weekday()] in window.days:
                start = moment(datetime.combine(day, begin), where)
                yield start, start + length

# SPDX-License-Identifier: Apache-2.0
"""Maintenance windows through gaps and folds, over midnight and over the end of a week."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.api.schedule import Maintenance
from cairn.calendar.maintenance import maintenance_problem, next_window, window_end, window_now
from unit.calendar.world import ZONES, moments, utc

EVERY_DAY = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def upkeep(zone: str, days: list[str], start: str, duration: str) -> Maintenance:
    windows = [{"name": "night", "days": days, "start": start, "duration": duration}]
    return Maintenance.model_validate({"timeZone": zone, "windows": windows})


SUNDAY = upkeep("Asia/Shanghai", ["Sun"], "03:00", "2h")


@pytest.mark.parametrize(
    ("now", "on"),
    [
        ("2026-11-21T18:59:59", False),
        ("2026-11-21T19:00", True),
        ("2026-11-21T20:59:59", True),
        ("2026-11-21T21:00", False),
        ("2026-11-22T19:30", False),
    ],
)
def test_window_is_on_by_the_clocks_of_its_zone(now: str, *, on: bool) -> None:
    assert window_now(SUNDAY, utc(now)) is on


def test_next_window_is_the_first_that_begins_after_now() -> None:
    found = (utc("2026-11-21T19:00"), utc("2026-11-21T21:00"))
    assert next_window(SUNDAY, utc("2026-11-14T21:00")) == found
    assert next_window(SUNDAY, utc("2026-11-21T18:59:59")) == found
    assert next_window(SUNDAY, utc("2026-11-21T19:00")) == (utc("2026-11-28T19:00"), utc("2026-11-28T21:00"))


@pytest.mark.parametrize(
    ("start", "before", "begin", "end"),
    [
        pytest.param("02:30", "2026-03-08T00:00", "2026-03-08T07:30", "2026-03-08T08:30", id="gap: from 03:30"),
        pytest.param("01:30", "2026-11-01T00:00", "2026-11-01T05:30", "2026-11-01T06:30", id="fold: the first 01:30"),
    ],
)
def test_window_in_gap_moves_on_and_in_fold_is_the_first(start: str, before: str, begin: str, end: str) -> None:
    made = upkeep("America/New_York", EVERY_DAY, start, "1h")
    assert next_window(made, utc(before)) == (utc(begin), utc(end))


def test_window_over_midnight_is_on_on_the_next_day() -> None:
    made = upkeep("UTC", ["Sat"], "23:00", "3h")
    assert window_end(made, utc("2026-11-22T01:30")) == utc("2026-11-22T02:00")
    assert not window_now(made, utc("2026-11-21T01:30"))


@pytest.mark.parametrize("duration", ["7d", "30d", "9999d"])
def test_window_of_a_week_or_more_is_always_on(duration: str) -> None:
    made = upkeep("UTC", ["Wed"], "12:00", duration)
    assert all(window_now(made, utc("2026-11-01") + timedelta(hours=hour)) for hour in range(24 * 8))


def test_unknown_zone_has_no_windows_and_is_named() -> None:
    made = upkeep("Asia/Shanghi", ["Sun"], "03:00", "2h")
    assert not window_now(made, utc("2026-11-21T19:00"))
    assert next_window(made, utc("2026-11-21T19:00")) is None
    assert "spec.maintenance.timeZone: there is no time zone Asia/Shanghi" in maintenance_problem(made)
    assert maintenance_problem(SUNDAY) == ""
    assert maintenance_problem(None) == ""
    assert not window_now(None, utc("2026-11-21T19:00"))


def _made(**spec: Any) -> Maintenance:
    return upkeep(**spec)


WINDOWS = st.builds(
    _made,
    zone=st.sampled_from(ZONES),
    days=st.lists(st.sampled_from(EVERY_DAY), min_size=1, unique=True),
    start=st.sampled_from(["00:00", "01:30", "02:30", "12:15", "23:45"]),
    duration=st.sampled_from(["15m", "3h", "30h", "4d"]),
)


@given(WINDOWS, moments(15))
def test_nothing_begins_between_now_and_the_next_window(made: Maintenance, now: datetime) -> None:
    found = next_window(made, now)
    assert found
    start, end = found
    assert now < start < end
    assert window_now(made, start)
    step = timedelta(minutes=15)
    moment, was = now + step, window_now(made, now)
    while moment < start:
        assert was or not window_now(made, moment), "one begins before the next"
        moment, was = moment + step, window_now(made, moment)

# SPDX-License-Identifier: Apache-2.0
"""Windows of a promotion: absolute and recurring, in any zone; what makes no sense is named."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest
from hypothesis import given

from cairn.api.promotion import Promotion
from cairn.calendar.windows import Interval, ahead, intervals, problem
from unit.calendar.world import HOUR, again, moments, once, promotion, promotions, utc

LONG = (utc("2000-01-01"), utc("2100-01-01"))


def starts(made: Promotion, since: str = "2000-01-01", until: str = "2100-01-01") -> list[datetime]:
    return [one.start for one in intervals(made, utc(since), utc(until))]


def test_window_lies_where_its_zone_says_with_warm_up_and_cool_down() -> None:
    made = once("2026-11-10T20:00:00", "28h", warmUp="6h", coolDown="12h")
    start = utc("2026-11-10T12:00")
    assert intervals(made, *LONG) == (Interval(start, start + 28 * HOUR, start - 6 * HOUR, start + 40 * HOUR),)


def test_day_of_a_duration_is_24_hours_whatever_the_clocks_do() -> None:
    (found,) = intervals(once("2026-10-31T12:00", "1d", timeZone="America/New_York"), *LONG)
    assert found.end - found.start == 24 * HOUR
    assert found.end == utc("2026-11-01T16:00")  # 11:00 by the clock, after they went back


@pytest.mark.parametrize(
    ("zone", "start", "means"),
    [("America/New_York", "2026-03-08T02:30", "07:30"), ("Europe/Berlin", "2026-03-29T02:30", "01:30")],
)
def test_recurring_window_in_a_gap_moves_on_and_is_back_on_the_next_day(zone: str, start: str, means: str) -> None:
    found = starts(again("FREQ=DAILY;COUNT=2", start, "1h", timeZone=zone))
    assert found[0] == utc(f"{start[:10]}T{means}")
    assert found[1] - found[0] == 23 * HOUR  # 03:30, then 02:30


def test_recurring_windows_in_a_fold_are_the_first_of_the_two() -> None:
    found = starts(again("FREQ=DAILY;COUNT=3", "2026-10-31T01:30", "1h", timeZone="America/New_York"))
    assert [one - found[0] for one in found] == [0 * HOUR, 24 * HOUR, 49 * HOUR]


def test_two_hours_that_a_gap_makes_one_are_one_window() -> None:
    made = again("FREQ=DAILY;BYHOUR=2,3", "2026-03-29T02:00", "30m", timeZone="Europe/Berlin")
    found = starts(made, "2026-03-29", "2026-03-29T12:00")
    assert found == [utc("2026-03-29T01:00")]


@pytest.mark.parametrize(
    ("until", "many"),
    [
        pytest.param("20261112T200000", 3, id="local, the last one included"),
        pytest.param("20261112T195959", 2, id="local"),
        pytest.param("20261112T120000Z", 3, id="UTC, the last one included"),
        pytest.param("20261112T115959Z", 2, id="UTC"),
    ],
)
def test_until_is_a_local_time_or_a_utc_one(until: str, many: int) -> None:
    assert len(starts(again(f"FREQ=DAILY;UNTIL={until}"))) == many


def test_count_counts_from_the_start() -> None:
    made = again("FREQ=DAILY;COUNT=400", "2026-01-01T00:00")
    assert len(starts(made)) == 400
    assert starts(made, "2027-01-01T00:00")[-1] == starts(made)[0] + timedelta(days=399)


def test_touching_is_half_open() -> None:
    made = once("2026-11-11T00:00", "1h", timeZone="UTC", warmUp="1h", coolDown="1h")
    assert intervals(made, utc("2026-11-10T22:00"), utc("2026-11-10T23:00")) == ()
    assert len(intervals(made, utc("2026-11-10T22:00"), utc("2026-11-10T23:00:01"))) == 1
    assert len(intervals(made, utc("2026-11-11T01:59:59"), utc("2026-11-12"))) == 1
    assert intervals(made, utc("2026-11-11T02:00"), utc("2026-11-12")) == ()


@given(promotions("a"), moments(), moments(), moments())
def test_intervals_of_two_spans_are_those_of_the_whole(made: Promotion, a: datetime, b: datetime, c: datetime) -> None:
    first, middle, last = sorted((a, b, c))
    parts = {*intervals(made, first, middle), *intervals(made, middle, last)}
    whole = intervals(made, first, last)
    assert set(whole) == parts
    assert list(whole) == sorted(whole)
    for one in whole:
        assert one.warm_up_from <= one.start < one.end <= one.cool_down_until


@given(promotions("a"), moments(), moments())
def test_what_is_ahead_of_a_moment_is_what_was_ahead_and_is_not_over(made: Promotion, a: datetime, b: datetime) -> None:
    earlier, later = sorted((a, b))
    edge = later + timedelta(days=3)
    before = [one for one in ahead_until(made, earlier, edge) if one.cool_down_until > later]
    assert before == ahead_until(made, later, edge)


def ahead_until(made: Promotion, now: datetime, edge: datetime) -> list[Interval]:
    found = []
    for one in ahead(made, now):
        if one.start >= edge:
            break
        found.append(one)
    return found


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (once("2026-11-10T20:00", "1h", timeZone="Asia/Shanghi"), "spec.timeZone: there is no time zone Asia/Shanghi"),
        (once("2026-02-30T20:00", "1h"), "spec.windows[main].start 2026-02-30T20:00: there is no such date"),
        (once("2026-11-10T24:00", "1h"), "spec.windows[main].start 2026-11-10T24:00: there is no such date"),
        (once("0026-11-10T20:00", "1h"), "spec.windows[main].start 0026-11-10T20:00: choose a year from 1970 to 2200"),
        (once("2026-11-10T20:00", "400d"), "spec.windows[main].duration 400d is longer than 366d: shorten it"),
        (once("2026-11-10T20:00", "1h", warmUp="999999d"), "spec.warmUp 999999d is longer than 366d"),
        (once("2026-11-10T20:00", "1h", coolDown="999999d"), "spec.coolDown 999999d is longer than 366d"),
        (once("2026-11-10T20:00", "1h", preflight="999999d"), "spec.preflight 999999d is longer than 366d"),
        (promotion(), "spec needs exactly one of windows and recurrence"),
        (again("FREQ=DAILY", "2026-02-30T20:00"), "spec.recurrence.start 2026-02-30T20:00: there is no such date"),
        (again("FREQ=DAILY;BYMONTH=13"), "spec.recurrence.rule FREQ=DAILY;BYMONTH=13: BYMONTH=13: write a number"),
        (again("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "never occurs from 2026-11-10 to 2200: choose days that exist"),
        (again("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"), "never occurs"),
        (again("FREQ=MONTHLY;BYMONTH=4;BYMONTHDAY=31"), "never occurs"),
        (again("FREQ=DAILY;INTERVAL=7;BYDAY=MO"), "never occurs"),
        (again("FREQ=DAILY;UNTIL=20200101T000000Z"), "never occurs"),
        (again("FREQ=DAILY", duration="366d"), "spec.recurrence.duration: more than 100 windows overlap"),
    ],
)
def test_problem_names_field_value_and_remedy_and_there_are_no_windows(made: Promotion, said: str) -> None:
    assert said in problem(made)
    assert intervals(made, *LONG) == ()


@pytest.mark.parametrize("made", [once("2026-11-10T20:00", "1h", suspend=True), once("2020-01-01T00:00", "1h")])
def test_suspended_or_over_is_no_problem(made: Promotion) -> None:
    assert problem(made) == ""


@pytest.mark.parametrize(
    "made",
    [
        again("FREQ=DAILY", "1970-01-01T08:00", "2h"),
        again("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
        again("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"),
        again("FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23", "1970-01-01T08:00"),
        again("FREQ=WEEKLY;INTERVAL=9999;BYMONTH=2"),
        again("FREQ=DAILY;COUNT=1000", "1970-01-01T08:00"),
    ],
)
def test_any_rule_is_bounded_work(made: Promotion) -> None:
    begun = time.perf_counter()
    problem(made)
    next(ahead(made, utc("2026-11-22")), None)
    assert time.perf_counter() - begun < 1.5

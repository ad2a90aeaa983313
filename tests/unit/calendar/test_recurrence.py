# SPDX-License-Identifier: Apache-2.0
"""Recurrence rules: the same times as dateutil gives when it walks from the start, and bounded work for any rule."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta
from itertools import takewhile

import pytest
from dateutil.rrule import rrulestr
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cairn.calendar.recurrence import LAST_YEAR, Recurrence
from unit.calendar.world import local

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
YEARS = 12


def some(values: st.SearchStrategy[int]) -> st.SearchStrategy[str]:
    found = st.lists(values, min_size=1, max_size=4, unique=True)
    return found.map(lambda numbers: ",".join(str(number) for number in numbers))


@st.composite
def days(draw: st.DrawFn, *, numbered: bool) -> str:
    found = draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=4, unique=True))
    numbers = ["", "", "1", "2", "+4", "-1", "-2"] if numbered else [""]
    return ",".join(draw(st.sampled_from(numbers)) + day for day in found)


@st.composite
def rules(draw: st.DrawFn) -> str:
    freq = draw(st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY"]))
    parts = [f"FREQ={freq}"]
    if draw(st.booleans()):
        parts.append(f"INTERVAL={draw(st.integers(1, 5))}")
    by: list[str] = []
    if freq != "WEEKLY" and draw(st.booleans()):
        by.append("BYMONTHDAY=" + draw(some(st.integers(-28, 28).filter(bool))))
    if draw(st.booleans()):
        by.append("BYDAY=" + draw(days(numbered=freq in ("YEARLY", "MONTHLY"))))
    if draw(st.booleans()):
        by.append("BYMONTH=" + draw(some(st.integers(1, 12))))
    if draw(st.booleans()):
        by.append("BYHOUR=" + draw(some(st.integers(0, 23))))
    if freq == "YEARLY" and draw(st.booleans()):
        by.append("BYYEARDAY=" + draw(some(st.integers(-365, 365).filter(bool))))
    if draw(st.booleans()) and by:
        by.append("BYSETPOS=" + draw(some(st.integers(-4, 4).filter(bool))))
    if draw(st.booleans()):
        parts.append("WKST=" + draw(st.sampled_from(DAYS)))
    return ";".join(parts + by)


STARTS = st.datetimes(local("1990-01-01"), local("2040-01-01")).map(lambda when: when.replace(microsecond=0))


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(rules(), STARTS)
def test_years_hold_what_dateutil_finds_from_the_start(rule: str, start: datetime) -> None:
    mine = Recurrence(rule, start)
    end = local(f"{start.year + YEARS}-01-01")
    found = [when for year in range(start.year, start.year + YEARS) for when in mine.year(year)]
    # dateutil looks for the next one up to the year 9999
    assume(any(when > end for year in range(end.year, end.year + 30) for when in mine.year(year)))
    text = rule if "WKST" in rule else f"{rule};WKST=MO"
    # of the week of its start dateutil counts only the days that are left; the standard means the whole week
    sure = start + timedelta(days=7) if "WEEKLY" in rule and "BYSETPOS" in rule else start
    theirs = takewhile(lambda when: when < end, rrulestr(text, dtstart=start))
    assert [when for when in found if when >= sure] == [when for when in theirs if when >= sure]


@pytest.mark.parametrize(
    ("rule", "start", "first"),
    [
        pytest.param("FREQ=YEARLY", "2024-02-29T20:00", ["2024-02-29T20:00", "2028-02-29T20:00"], id="leap day"),
        pytest.param("FREQ=MONTHLY", "2026-01-31T20:00", ["2026-01-31T20:00", "2026-03-31T20:00"], id="short months"),
        pytest.param("FREQ=MONTHLY;BYDAY=2TU", "2026-11-01T09:00", ["2026-11-10T09:00", "2026-12-08T09:00"], id="2TU"),
        pytest.param(
            "FREQ=YEARLY;BYWEEKNO=1",
            "2024-06-04T08:00",
            ["2024-12-31T08:00", "2025-12-30T08:00", "2027-01-05T08:00"],
            id="week 1, Tuesdays",
        ),
        pytest.param(
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU",
            "2026-11-10T20:00",
            ["2026-11-22T20:00", "2026-11-23T20:00", "2026-12-06T20:00"],
            id="every other week from Sunday",
        ),
        pytest.param(
            "FREQ=WEEKLY;BYDAY=MO,WE,FR,SU;BYSETPOS=-1", "2026-12-28T20:00", ["2027-01-03T20:00"], id="over a new year"
        ),
        pytest.param(
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2026-10-31T10:00", ["2026-11-30T10:00"], id="last workday"
        ),
    ],
)
def test_rule_occurs_as_the_standard_says(rule: str, start: str, first: list[str]) -> None:
    begin = datetime.fromisoformat(start)
    found = [when for year in range(begin.year, begin.year + 5) for when in Recurrence(rule, begin).year(year)]
    assert found[: len(first)] == [datetime.fromisoformat(text) for text in first]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("FREQ=HOURLY", "FREQ=HOURLY is none of YEARLY, MONTHLY, WEEKLY, DAILY: choose one"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL=0: write a number from 1 to 10000"),
        ("FREQ=DAILY;INTERVAL=1,2", "INTERVAL=1,2: write one number"),
        ("FREQ=DAILY;COUNT=0", "COUNT=0: write a number from 1 to 1000: end it by UNTIL instead"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20261111T000000", "COUNT and UNTIL can't stand together: keep one"),
        ("FREQ=DAILY;UNTIL=20261111", "UNTIL=20261111 is no time: write one such as"),
        ("FREQ=DAILY;UNTIL=20261131T000000", "UNTIL=20261131T000000: there is no such date"),
        ("FREQ=DAILY;BYMONTH=13", "BYMONTH=13: write a number from 1 to 12"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY=0: write a number from 1 to 31, or from -31 to -1"),
        ("FREQ=MONTHLY;BYMONTHDAY=", "BYMONTHDAY=: write a number"),
        ("FREQ=MONTHLY;BYDAY=XX", "BYDAY=XX is no day: write MO"),
        ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY=0MO: the number must be"),
        ("FREQ=WEEKLY;BYDAY=2MO", "BYDAY=2MO counts the days of a month: use FREQ=MONTHLY"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY means nothing with FREQ=WEEKLY: use FREQ=YEARLY"),
        ("FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO means nothing with FREQ=MONTHLY: use FREQ=YEARLY"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS chooses among what another BY part names"),
        ("FREQ=DAILY;BYMINUTE=5", "BYMINUTE is not supported: leave it out; there are FREQ"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ stands twice: keep one"),
        ("FREQ=DAILY;WKST=XX", "WKST=XX is no day"),
    ],
)
def test_rule_that_makes_no_sense_is_refused_with_a_remedy(rule: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        Recurrence(rule, local("2026-11-10T20:00"))


def test_a_year_costs_the_same_however_long_ago_the_rule_began() -> None:
    rule = Recurrence("FREQ=DAILY", local("1970-01-01T08:00"))
    begun = time.perf_counter()
    assert len(rule.year(2026)) == 365
    assert rule.year(2026)[-1] == local("2026-12-31T08:00")
    assert time.perf_counter() - begun < 0.1


def test_nothing_occurs_before_the_start_or_after_the_last_year() -> None:
    rule = Recurrence("FREQ=DAILY", local("2026-12-30T08:00"))
    assert rule.year(2025) == ()
    assert len(rule.year(2026)) == 2
    assert rule.year(LAST_YEAR + 1) == ()

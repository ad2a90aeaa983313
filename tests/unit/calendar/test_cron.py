# SPDX-License-Identifier: Apache-2.0
"""Cron expressions: what can't be read or never fires is named, the rest fires by the clocks of its zone."""

from __future__ import annotations

from itertools import islice

import pytest

from cairn.calendar.cron import cron_problem, fires_after
from unit.calendar.world import utc


def said(schedule: str, zone: str = "Asia/Shanghai") -> str:
    return cron_problem("spec.snapshots.schedule", schedule, "spec.snapshots.timeZone", zone)


@pytest.mark.parametrize("schedule", ["0 3 * * *", "*/15 8-20 * * MON-FRI", "0 0 29 2 *", "0 0 L * *", "0 0 30 2 MON"])
def test_expression_that_fires_is_no_problem(schedule: str) -> None:
    assert said(schedule) == ""
    assert next(fires_after(schedule, "Asia/Shanghai", utc("2026-11-22")), None)


@pytest.mark.parametrize(
    ("schedule", "hint"),
    [
        ("0 0 30 2 *", "bad day-of-month"),
        ("0 0 31 4,6 *", "bad day-of-month"),
        ("61 * * * *", "bad minute"),
        ("0 3 * *", "wrong number of fields"),
        ("0 0 * * MON#1/2", "bad day-of-week"),
        ("0 0 */0 * *", "bad day-of-month"),
        ("0 0 1 * */L", "bad day-of-week"),
    ],
)
def test_expression_that_never_fires_or_makes_no_sense_is_named(schedule: str, hint: str) -> None:
    found = said(schedule)
    assert found.startswith(f'spec.snapshots.schedule "{schedule}"')
    assert hint in found
    assert '"0 3 * * *"' in found
    assert list(fires_after(schedule, "Asia/Shanghai", utc("2026-11-22"))) == []


def test_weekend_that_is_the_last_workday_never_fires() -> None:
    found = said("0 3 LW * */6")
    assert found.startswith('spec.snapshots.schedule "0 3 LW * */6" never fires: choose a day that exists, such as')


def test_unknown_zone_is_named() -> None:
    assert said("0 3 * * *", "Asia/Shanghi").startswith("spec.snapshots.timeZone: there is no time zone Asia/Shanghi")
    assert list(fires_after("0 3 * * *", "Asia/Shanghi", utc("2026-11-22"))) == []


def test_it_fires_by_the_clocks_of_its_zone_through_gap_and_fold() -> None:
    gap = islice(fires_after("30 2 * * *", "America/New_York", utc("2026-03-07T12:00")), 2)
    assert list(gap) == [utc("2026-03-08T07:00"), utc("2026-03-09T06:30")]
    fold = islice(fires_after("30 1 * * *", "America/New_York", utc("2026-10-31T12:00")), 2)
    assert list(fold) == [utc("2026-11-01T05:30"), utc("2026-11-02T06:30")]

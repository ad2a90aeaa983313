# SPDX-License-Identifier: Apache-2.0
"""Which hours are compared when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cairn.worker.proof.windows import DAY, HOUR, SLACK, Audited, Depth, Span, due, floor_hour

NOON = datetime(2026, 11, 11, 12)  # noqa: DTZ001 -- a wall clock
NOW = datetime(2026, 11, 11, 4, tzinfo=UTC)
MOMENTS = st.datetimes(NOON - 40 * DAY, NOON)


def hours(spans: list[Span]) -> list[datetime]:
    found = []
    for span in spans:
        start = span.since
        while start < span.until:
            found.append(start)
            start += HOUR
    return found


@given(since=MOMENTS, through=MOMENTS)
def test_every_closed_whole_hour_is_compared_once_and_no_other(since: datetime, through: datetime) -> None:
    found = hours(due({}, since, through, NOW))
    assert sorted(found) == sorted(set(found))
    for start in found:
        assert start == floor_hour(start)
        assert since <= start
        assert start + HOUR + SLACK <= through
    first = floor_hour(since) + (HOUR if since != floor_hour(since) else timedelta(0))
    assert len(found) == max(0, (through - SLACK - first) // HOUR), "none is left out"


@given(since=MOMENTS, ago=st.timedeltas(timedelta(0), 9 * DAY), clean=st.booleans(), deep=st.booleans())
def test_what_was_just_found_clean_rests_and_everything_is_looked_at_within_a_week(
    since: datetime, ago: timedelta, clean: bool, deep: bool
) -> None:
    every = {start: Audited(NOW - ago, clean, deep) for start in hours(due({}, since, NOON, NOW))}
    again = set(hours(due(every, since, NOON, NOW)))
    for start in every:
        age = NOON - start
        patience = HOUR if age <= DAY else DAY if age <= 7 * DAY else 7 * DAY
        patience = patience if clean else timedelta(minutes=5)
        assert (start in again) == (ago >= patience), (start, ago)


def test_the_newest_come_first_and_no_span_is_longer_than_a_day() -> None:
    found = due({}, NOON - 3 * DAY, NOON, NOW)
    assert found[0].until == NOON - HOUR
    assert [span.since for span in found] == sorted((span.since for span in found), reverse=True)
    assert max(span.until - span.since for span in found) == DAY


def test_young_hours_that_were_read_in_full_once_are_compared_lightly() -> None:
    known = {NOON - 3 * HOUR: Audited(NOW - HOUR, clean=True, deep=True)}
    depths = {span.since: span.depth for span in due(known, NOON - 3 * HOUR, NOON, NOW)}
    assert depths == {NOON - 3 * HOUR: Depth.LIGHT, NOON - 2 * HOUR: Depth.DEEP}


def test_a_clock_that_went_back_makes_everything_due() -> None:
    known = {NOON - 3 * HOUR: Audited(NOW + DAY, clean=True, deep=True)}
    assert [span.since for span in due(known, NOON - 3 * HOUR, NOON - 2 * HOUR + SLACK, NOW)] == [NOON - 3 * HOUR]

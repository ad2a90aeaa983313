# SPDX-License-Identifier: Apache-2.0
"""From when on records are kept, wherever the worker runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.worker.horizon import horizon

UNIX = st.floats(min_value=0, max_value=4e9)
DAYS = st.integers(1, 3650)
AHEAD = timedelta(hours=8)
"""Of the platform's wall clock over UTC, by hand; it has had no summer time since 1991."""


def wall(unix: float) -> datetime:
    return datetime.fromtimestamp(unix, UTC).replace(tzinfo=None) + AHEAD


@pytest.mark.parametrize(
    ("utc", "days", "kept_from"),
    [
        ("2026-11-23T15:59:59", 1, "2026-11-22"),
        ("2026-11-23T16:00:00", 1, "2026-11-23"),
        ("2026-11-23T23:59:59", 1, "2026-11-23"),
        ("2026-03-01T16:00:00", 30, "2026-01-31"),
        ("2028-02-29T12:00:00", 366, "2027-02-28"),
    ],
)
def test_horizon_is_a_midnight_of_the_platforms_own_clock(utc: str, days: int, kept_from: str) -> None:
    unix = datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp()
    assert horizon(unix, days) == datetime.fromisoformat(kept_from)


@given(unix=UNIX.filter(lambda unix: unix > 700_000_000), days=DAYS)
def test_horizon_keeps_every_record_of_so_many_days_and_at_most_one_day_more(unix: float, days: int) -> None:
    now, found = wall(unix), horizon(unix, days)
    assert found.time() == datetime.min.time()
    assert timedelta(days=days) <= now - found < timedelta(days=days + 1)


@given(unix=st.floats(min_value=7e8, max_value=3e9), later=st.floats(min_value=0, max_value=1e8), days=DAYS)
def test_horizon_never_moves_back_and_more_days_keep_more(unix: float, later: float, days: int) -> None:
    assert horizon(unix, days) <= horizon(unix + later, days)
    assert horizon(unix, days + 1) == horizon(unix, days) - timedelta(days=1)

# SPDX-License-Identifier: Apache-2.0
"""Real seconds until a moment, on clocks of any speed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cairn.engine.clock import SOONEST_SECONDS, Clock, ScaledClock

EVE = datetime(2026, 11, 10, 6, tzinfo=UTC)


@pytest.mark.parametrize("speed", [1.0, 60.0, 480.0])
def test_scaled_clock_begins_where_it_was_put_and_waits_by_its_speed(speed: float) -> None:
    clock = ScaledClock(EVE, speed)
    assert EVE <= clock.now() < EVE + timedelta(seconds=5 * speed)
    assert clock.seconds_until(EVE + timedelta(seconds=100 * speed)) == pytest.approx(100, abs=5)


def test_a_moment_that_is_over_is_waited_for_shortly() -> None:
    for clock in (Clock(), ScaledClock(EVE, 480)):
        assert clock.seconds_until(datetime(2000, 1, 1, tzinfo=UTC)) == SOONEST_SECONDS

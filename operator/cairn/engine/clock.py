# SPDX-License-Identifier: Apache-2.0
"""What time it is for plans, and how long it really takes until another time."""

from __future__ import annotations

from datetime import UTC, datetime

SOONEST_SECONDS = 0.5


class Clock:
    """The time of day. The promotion demo gives the engine one that runs faster."""

    def now(self) -> datetime:
        """The moment that plans are made for, in UTC."""
        return datetime.now(UTC)

    def seconds_until(self, moment: datetime) -> float:
        """How long to wait until then, in real seconds; at least half a second."""
        return max((moment - self.now()).total_seconds(), SOONEST_SECONDS)


class ScaledClock(Clock):
    """Shows `start` at the real moment `began` (by default the present) and runs `speed` times as fast."""

    def __init__(self, start: datetime, speed: float, began: datetime | None = None) -> None:
        self._start, self._speed, self._began = start, speed, began or datetime.now(UTC)

    def now(self) -> datetime:
        return self._start + (datetime.now(UTC) - self._began) * self._speed

    def seconds_until(self, moment: datetime) -> float:
        return max((moment - self.now()).total_seconds() / self._speed, SOONEST_SECONDS)

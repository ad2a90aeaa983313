# SPDX-License-Identifier: Apache-2.0
"""Clocks that tests move by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cairn.engine.clock import Clock


class HandClock(Clock):
    """Stands where it was put."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment


class SetClock(Clock):
    """The real time, moved on by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

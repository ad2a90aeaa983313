# SPDX-License-Identifier: Apache-2.0
"""A clock that tests move by hand."""

from __future__ import annotations

from datetime import datetime

from cairn.engine.clock import Clock


class HandClock(Clock):
    """Stands where it was put."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

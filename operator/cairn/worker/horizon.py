# SPDX-License-Identifier: Apache-2.0
"""From when on records are kept. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

PLATFORM_ZONE = ZoneInfo("Asia/Shanghai")


def horizon(unix: float, days: int) -> datetime:
    """Midnight on the platform's wall clock, so many days before the day that it has there at this moment.

    A record keeps its time on that clock, and a day that began is kept whole: what goes was last changed more than
    `days` days ago, wherever the worker runs.
    """
    there = datetime.fromtimestamp(unix, PLATFORM_ZONE).replace(tzinfo=None)
    return there.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days)

# SPDX-License-Identifier: Apache-2.0
"""How long the backlog takes at the pace of the last minute, and whether the database or the worker sets that pace."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, nan
from pathlib import Path

LOOKS = 5
"""So many looks, one every 15 s, make the minute."""
CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True, slots=True)
class Look:
    """Totals since the worker began."""

    at: float
    """Seconds of a clock that only goes forward."""
    done: int
    """Messages that are committed."""
    busy: float
    """Seconds with at least one message in hand: an idle minute says nothing about how fast it could go."""
    writing: Mapping[str, float]
    """Seconds spent in transactions, by dataset."""
    cpu: float
    """Seconds of a processor."""


class Pace:
    """Over the last few looks. NaN where they tell nothing."""

    def __init__(self) -> None:
        self._looks: deque[Look] = deque(maxlen=LOOKS)

    def note(self, look: Look) -> None:
        self._looks.append(look)

    def drain_seconds(self, backlog: int) -> float:
        """Until all that waits is committed, if nothing new came. Infinite when a minute's work committed nothing."""
        if not backlog:
            return 0.0
        done, busy = self._done(), self._busy()
        if done:
            return backlog * busy / done
        return inf if busy else nan

    def writing_ratio(self, dataset: str) -> float:
        """Of the time with something in hand, how much passed in this dataset's transactions."""
        busy = self._busy()
        first, last = self._looks[0], self._looks[-1]
        # what is brought in from the platform is written with nothing in hand, too
        return min(1.0, (last.writing[dataset] - first.writing[dataset]) / busy) if busy else nan

    def cpu_ratio(self, allowed: float) -> float:
        """Of the processor time that it may have, how much it took."""
        first, last = self._looks[0], self._looks[-1]
        return (last.cpu - first.cpu) / ((last.at - first.at) * allowed) if last.at > first.at else nan

    def _done(self) -> int:
        return self._looks[-1].done - self._looks[0].done if self._looks else 0

    def _busy(self) -> float:
        return self._looks[-1].busy - self._looks[0].busy if self._looks else 0.0


def cpus(path: Path = CPU_MAX) -> float:
    """How much of one processor the container may take: the worker uses no more than one."""
    try:
        quota, period = path.read_text().split()
        return 1.0 if quota == "max" else min(1.0, int(quota) / int(period))
    except (OSError, ValueError):
        return 1.0

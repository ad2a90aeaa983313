# SPDX-License-Identifier: Apache-2.0
"""An event loop whose time jumps to the next appointment as soon as nothing is left to do."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any


class MovedLoop(asyncio.SelectorEventLoop):
    """Sleeps take no time; `time()` says how long they would have taken."""

    def __init__(self) -> None:
        self._moved = 0.0
        super().__init__(_NeverWaits(self))

    def time(self) -> float:
        return self._moved

    def jump(self, seconds: float) -> None:
        self._moved += seconds


class _NeverWaits(selectors.DefaultSelector):
    def __init__(self, loop: MovedLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout:
            self._loop.jump(timeout)
        return ready

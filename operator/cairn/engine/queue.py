# SPDX-License-Identifier: Apache-2.0
"""A work queue of keys with client-go's semantics, on asyncio.

A key waits at most once; while it is in work, adding it means once more afterwards, never twice at a time. Live keys
go before those of the resync. Source of the semantics: client-go's util/workqueue.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Queue(Generic[K]):
    """Keys to work on. Not thread-safe: one event loop.

    base_seconds, cap_seconds: bounds of the exponential back-off of `retry`, which is fully jittered
    """

    def __init__(
        self,
        *,
        base_seconds: float = 0.2,
        cap_seconds: float = 300.0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._live: OrderedDict[K, None] = OrderedDict()
        self._slow: OrderedDict[K, None] = OrderedDict()
        self._working: dict[K, float] = {}
        self._again: dict[K, bool] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._wake = asyncio.Event()
        self._base = base_seconds
        self._cap = cap_seconds
        self._jitter = jitter

    def add(self, key: K, *, live: bool = True) -> None:
        if key in self._working:
            self._again[key] = self._again.get(key, False) or live
            return
        if live:
            self._slow.pop(key, None)
            self._live.setdefault(key)
        elif key not in self._live:
            self._slow.setdefault(key)
        self._wake.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Add it then; of several appointments the earliest holds."""
        loop = asyncio.get_running_loop()
        when = loop.time() + max(seconds, 0.0)
        standing = self._timers.get(key)
        if standing is not None:
            if standing.when() <= when:
                return
            standing.cancel()
        self._timers[key] = loop.call_at(when, self._due, key)

    def retry(self, key: K) -> float:
        """Add it after a back-off that doubles with every failure in a row. Returns the seconds."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        ceiling = min(self._cap, self._base * 2.0 ** min(failures - 1, 30))
        seconds = ceiling * (0.5 + 0.5 * self._jitter())
        self.add_after(key, seconds)
        return seconds

    def failures(self, key: K) -> int:
        return self._failures.get(key, 0)

    def succeeded(self, key: K) -> None:
        self._failures.pop(key, None)

    def forget(self, key: K) -> None:
        """The object is gone: no appointment, no failure count."""
        self._failures.pop(key, None)
        if timer := self._timers.pop(key, None):
            timer.cancel()

    async def get(self) -> K:
        while not (self._live or self._slow):
            self._wake.clear()
            await self._wake.wait()
        lane = self._live or self._slow
        key, _ = lane.popitem(last=False)
        self._working[key] = asyncio.get_running_loop().time()
        return key

    def done(self, key: K) -> None:
        self._working.pop(key, None)
        if key in self._again:
            self.add(key, live=self._again.pop(key))

    def depth(self) -> dict[str, int]:
        return {"live": len(self._live), "slow": len(self._slow)}

    def idle(self) -> bool:
        """Nothing waits and nothing is in work; appointments don't count."""
        return not (self._live or self._slow or self._working)

    def oldest_since(self) -> float | None:
        """Since when the key that is longest in work has been there, in the loop's (monotonic) time."""
        return min(self._working.values(), default=None)

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

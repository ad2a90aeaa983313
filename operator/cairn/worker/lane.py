# SPDX-License-Identifier: Apache-2.0
"""One dataset's way from the bus to its table: decode as messages arrive, write what has gathered, then acknowledge.

While a transaction runs the next messages gather: batches are as large as the load needs, and a single record waits
for nobody. Acknowledged is only what is committed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

from cairn.bus.connection import BusError
from cairn.bus.interface import Message, Reader
from cairn.sql.push.rows import Poison, Row
from cairn.worker.apply import Applier, Total
from cairn.worker.decode import Decoded, Decoder, Place
from cairn.worker.metrics import LaneMetrics, Metrics

log = logging.getLogger(__name__)

BATCH_ROWS = (500, 4_000, 10_000)
"""Records of a batch: at least, at first, at most. It grows while commits are quick, and shrinks when they are slow."""
QUICK_SECONDS, SLOW_SECONDS = 0.25, 1.0


@dataclass(slots=True, eq=False)
class Held:
    """A message that has not been acknowledged. `reader`: whom it came from, and who can acknowledge it."""

    message: Message
    size: int
    reader: Reader
    place: Place


class Budget:
    """Bytes of messages in memory, over all lanes. Whoever wants more of them waits until there is room."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held: dict[Held, None] = {}
        self.bytes = 0
        self.done = 0
        """Messages that are committed and were let go."""
        self._busy_seconds, self._since = 0.0, 0.0
        self._freed = asyncio.Event()

    def take(self, held: Held) -> None:
        if not self.held:
            self._since = time.monotonic()
        self.held[held] = None
        self.bytes += held.size

    def free(self, helds: Sequence[Held]) -> None:
        for held in helds:
            del self.held[held]
            self.bytes -= held.size
        self.done += len(helds)
        if helds and not self.held:
            self._busy_seconds += time.monotonic() - self._since
        self._freed.set()

    @property
    def busy_seconds(self) -> float:
        """How long anything was held, in all."""
        return self._busy_seconds + (time.monotonic() - self._since if self.held else 0.0)

    async def room(self, at_least: int, messages: int) -> int:
        """Bytes that are free, when they are `at_least` so many and fewer than `messages` are held."""
        while self.limit - self.bytes < at_least or len(self.held) >= messages:
            self._freed.clear()
            await self._freed.wait()
        return self.limit - self.bytes


@dataclass(slots=True, eq=False)
class _Asked:
    """Rows that were fetched, not pushed, and who waits until they are committed. refused: one, tried once more."""

    rows: Sequence[Row]
    poison: Sequence[Poison]
    done: asyncio.Future[Total]
    refused: bool = False


class Lane:
    """For one dataset. `offer` hands it a message; `run` is its task."""

    def __init__(self, decoder: Decoder, applier: Applier, budget: Budget, lane: LaneMetrics, metrics: Metrics) -> None:
        self._decoder, self.applier, self._budget = decoder, applier, budget
        self._lane, self._metrics = lane, metrics
        self._arrived: deque[Held] = deque()
        self._ready: deque[tuple[Held, Decoded]] = deque()
        self._asked: deque[_Asked] = deque()
        self._news = asyncio.Event()
        self._rows = BATCH_ROWS[1]
        self._writing = False
        self._stopping = False
        self._through_us = 0
        self._known_us = time.time_ns() // 1000
        lane.late.set_function(self.late_seconds)
        lane.writing.set(nan)

    @property
    def through_us(self) -> int:
        """What was published up to here is committed, unix µs: the bus hands out in order. 0: nobody knows yet."""
        return self._through_us

    @through_us.setter
    def through_us(self, value: int) -> None:
        self._through_us = value
        self.reached(value)

    def reached(self, at_us: int) -> None:
        """All that the bus took before, and that is for this lane, is committed."""
        self._known_us = max(self._known_us, at_us)

    def tell(self, writing_ratio: float) -> None:
        self._lane.writing.set(writing_ratio)

    def late_seconds(self) -> float:
        """How long it is since all that the bus had was committed, or since the lane was made. While there is nothing
        to write, the bus is asked every few seconds: it is never 0 for what nobody has looked at."""
        return max(0.0, time.time() - self._known_us / 1e6)

    def offer(self, held: Held) -> None:
        if not self.busy:
            self.applier.tried = time.monotonic()  # the first in a while: its time begins now
        if held.message.redelivered:
            self._lane.redelivered.inc()
        self._arrived.append(held)
        self._news.set()

    async def bring_in(self, rows: Sequence[Row], poison: Sequence[Poison]) -> Total:
        """Write what was fetched from the platform, by the session and under the guard of what is pushed. Committed on
        return. One at a time, behind a batch of what is pushed: a live order never waits for more than one of these."""
        return await self._ask(_Asked(rows, poison, asyncio.get_running_loop().create_future()))

    async def again(self, row: Row) -> Total:
        """Try a record once more that was refused before. Committed on return; raises what it is refused by."""
        return await self._ask(_Asked([row], (), asyncio.get_running_loop().create_future(), refused=True))

    async def _ask(self, asked: _Asked) -> Total:
        if not self.busy:
            self.applier.tried = time.monotonic()
        self._asked.append(asked)
        self._news.set()
        return await asked.done

    @property
    def busy(self) -> bool:
        """Something waits or is being written."""
        return self._writing or bool(self._arrived) or bool(self._ready) or bool(self._asked)

    def stop(self) -> None:
        """Finish the transaction under way, acknowledge it, and end `run`."""
        self._stopping = True
        self._news.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            decoding = group.create_task(self._decode())
            await self._write()
            decoding.cancel()

    async def _decode(self) -> None:
        """Ahead of the writing, one message at a time: decoding never keeps the transaction waiting for long."""
        while True:
            while not self._arrived:
                self._news.clear()
                await self._news.wait()
            held = self._arrived.popleft()
            decoded = self._decoder.message(held.message, held.place)
            held.message = held.message._replace(data=b"")
            self._lane.received.inc(len(decoded.rows) + len(decoded.poison))
            self._lane.truncated.inc(decoded.truncated)
            self._ready.append((held, decoded))
            await asyncio.sleep(0)

    async def _write(self) -> None:
        while not self._stopping:
            if self._ready:
                self._writing = True
                await self._batch(self._take())
                self._writing = False
            if self._asked and not self._stopping:
                self._writing = True
                await self._fetched(self._asked.popleft())
                self._writing = False
            if not self._ready and not self._asked:
                if not self._arrived:
                    self._news.clear()
                    await self._news.wait()
                await asyncio.sleep(0)

    async def _fetched(self, asked: _Asked) -> None:
        if asked.done.cancelled():
            return
        try:
            one = asked.refused
            total = await (self.applier.once(asked.rows[0]) if one else self.applier.apply(asked.rows, asked.poison))
        except Exception as error:
            if not asked.refused:
                raise
            if not asked.done.cancelled():
                asked.done.set_exception(error)
            return
        self._count(total)
        if not asked.done.cancelled():
            asked.done.set_result(total)

    def _take(self) -> list[tuple[Held, Decoded]]:
        taken = [self._ready.popleft()]
        count = len(taken[0][1].rows)
        while self._ready and count + len(self._ready[0][1].rows) <= self._rows:
            taken.append(self._ready.popleft())
            count += len(taken[-1][1].rows)
        return taken

    async def _batch(self, taken: list[tuple[Held, Decoded]]) -> None:
        rows = [row for _, decoded in taken for row in decoded.rows]
        poison = [one for _, decoded in taken for one in decoded.poison]
        begun = time.perf_counter()
        total = await self.applier.apply(rows, poison)
        took = time.perf_counter() - begun
        now = time.time_ns() // 1000
        for _, decoded in taken:
            if decoded.published_us is not None:
                self._lane.freshness.observe(max(0, now - decoded.published_us) / 1e6)
                self.through_us = max(self.through_us, decoded.published_us)
        self._count(total)
        self._lane.batch.observe(len(rows) + len(poison))
        self._resize(took, full=len(rows) >= self._rows // 2)
        await self._acknowledge([held for held, _ in taken])

    def _count(self, total: Total) -> None:
        self._lane.inserted.inc(total.inserted)
        self._lane.updated.inc(total.updated)
        self._lane.stale.inc(total.stale)

    def _resize(self, took: float, *, full: bool) -> None:
        least, _, most = BATCH_ROWS
        if took > SLOW_SECONDS:
            self._rows = max(least, self._rows // 2)
        elif took < QUICK_SECONDS and full:
            self._rows = min(most, self._rows * 5 // 4)

    async def _acknowledge(self, helds: list[Held]) -> None:
        """An acknowledgement that can't be sent leads to a redelivery, which changes nothing."""
        lost = ""
        try:
            for held in helds:
                try:
                    await held.reader.acknowledge((held.message,))
                    self._lane.acked.inc()
                except BusError as error:  # its connection is gone; others of the batch came over a new one
                    lost = str(error)
        finally:
            self._budget.free(helds)
        if lost:
            log.warning("bus: not all acknowledged: %s", lost)

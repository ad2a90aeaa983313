# SPDX-License-Identifier: Apache-2.0
"""Writes a batch until it is written, whatever happens: waits, cuts the batch down, or quarantines a record.

Nothing here acknowledges: when `apply` returns, all of the batch is committed, as rows or in quarantine.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cairn.sql.push.engine import PushWriter
from cairn.sql.push.fault import Fault
from cairn.sql.push.rows import Poison, Row, Written
from cairn.worker.faults import code, fault, text
from cairn.worker.metrics import LaneMetrics, Metrics

log = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 0.1
BREAKER_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 30.0
REFUSED = "ROW_REFUSED"
"""Reason of records in quarantine that the database took offence at."""
MAX_REFUSED_PER_MINUTE = 20
"""More records than these refused by the database within a minute are taken for a fault of table or code, not of the
records: the lane is held, and nothing more is quarantined."""


class TooManyRefusedError(Exception):
    """The safety valve: what looks like poison is probably a fault of the table or of Cairn."""


@dataclass(slots=True)
class Total:
    """What became of a batch over all its parts."""

    inserted: int = 0
    updated: int = 0
    stale: int = 0

    def add(self, written: Written) -> None:
        self.inserted += written.inserted
        self.updated += written.updated
        self.stale += written.stale


@dataclass(slots=True)
class _Work:
    """A batch on its way: parts that are not committed yet, what became of the others, and who was refused."""

    parts: deque[tuple[Sequence[Row], Sequence[Poison]]]
    total: Total = field(default_factory=Total)
    refused: list[Row] = field(default_factory=list)


class Applier:
    """For one lane. `held` says why the lane is held, None while it runs; `tried` is when an attempt last ended.

    mended: set at first, and when a lane that the safety valve held runs again: what was refused deserves another try
    doubted: what the proof found before this moment may be so no more; aware, None before there was any doubt. Whoever
    keeps the proof is told by on_doubt
    """

    def __init__(self, dataset: str, sink: PushWriter, lane: LaneMetrics, metrics: Metrics) -> None:
        self._dataset, self._sink, self._lane, self._metrics = dataset, sink, lane, metrics
        self._refused: deque[float] = deque()
        self.held: str | None = None
        self.tried = time.monotonic()
        self._writing_seconds, self._begun = 0.0, 0.0
        self.mended = asyncio.Event()
        self.mended.set()
        self._too_many = False
        self.doubted: datetime | None = None
        self.on_doubt: Callable[[], None] = lambda: None

    @property
    def writing_seconds(self) -> float:
        """Spent in transactions, in all, those that failed and the one under way included."""
        return self._writing_seconds + (time.monotonic() - self._begun if self._begun else 0.0)

    async def apply(self, rows: Sequence[Row], poison: Sequence[Poison]) -> Total:
        """Until it is committed. Cancellation leaves nothing half done: what was not committed is redelivered."""
        wait, work = FIRST_WAIT_SECONDS, _Work(deque([(rows, poison)]))
        while work.parts:
            try:
                await self._attempt(work)
            except Exception as error:
                kind = fault(error)
                self._note(error, kind)
                await self._sink.close()
                if kind is not Fault.TRANSIENT:
                    wait = max(wait, BREAKER_WAIT_SECONDS)
                await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 -- jitter
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
        self._released()
        return work.total

    async def once(self, row: Row) -> Total:
        """A record that was refused before. Raises what it is refused by, or kept by; neither holds the lane."""
        total = Total()
        try:
            total.add(await self._write([row], ()))
        except Exception as error:
            if fault(error) is not Fault.ROW:
                await self._sink.close()
            raise
        finally:
            self.tried = time.monotonic()
        return total

    async def _attempt(self, work: _Work) -> None:
        """Part by part; where one record is to blame, halve until it stands alone and put it into quarantine."""
        while work.parts:
            rows, poison = work.parts[0]
            begun = time.perf_counter()
            try:
                written = await self._write(rows, poison)
            except Exception as error:
                if fault(error) is not Fault.ROW or not rows:
                    raise
                work.parts.popleft()
                if len(rows) == 1:
                    self._refuse(rows[0], poison, error, work)
                else:
                    middle = len(rows) // 2
                    work.parts.extendleft([(rows[middle:], ()), (rows[:middle], poison)])
                continue
            work.parts.popleft()
            self._lane.commit.observe(time.perf_counter() - begun)
            for reason in written.quarantined:
                self._metrics.quarantined(self._dataset, reason)
            work.total.add(written)
        self.tried = time.monotonic()

    async def _write(self, rows: Sequence[Row], poison: Sequence[Poison]) -> Written:
        self._begun = time.monotonic()
        try:
            written = await self._sink.write(rows, poison)
        finally:
            self._writing_seconds += time.monotonic() - self._begun
            self._begun = 0.0
        if written.fell_back:
            log.error("%s: the database lacks what it had committed: every hour is compared again", self._dataset)
            self._lane.fell_back.inc()
            self.doubt()
        return written

    def doubt(self) -> None:
        """Database or bus lost what they had: compare everything again."""
        self.doubted = datetime.now(UTC)
        self.on_doubt()

    def _refuse(self, row: Row, poison: Sequence[Poison], error: Exception, work: _Work) -> None:
        now = time.monotonic()
        while self._refused and now - self._refused[0] > 60:
            self._refused.popleft()
        if len(self._refused) >= MAX_REFUSED_PER_MINUTE:
            # the table is at fault: those that were refused before deserve to be tried again, too
            work.parts.append(((*work.refused, row), poison))
            work.refused.clear()
            self._too_many = True
            raise TooManyRefusedError(f"the database refused {len(self._refused)} records within a minute") from error
        self._refused.append(now)
        work.refused.append(row)
        payload = row.values[-1].encode()
        made = Poison(self._dataset, str(row.key), None, *row.source, REFUSED, code(error), text(error), payload)
        work.parts.appendleft(((), (*poison, made)))

    def _note(self, error: Exception, kind: Fault) -> None:
        self.tried = time.monotonic()
        self._metrics.error(self._dataset, kind.value, code(error))
        if kind is not Fault.TRANSIENT:
            self._lane.breaker.set(1)
        why = f"{kind.value} {code(error)}: {text(error)}"
        if self.held != why:
            log.warning("%s: held: %s", self._dataset, why)
        self.held = why

    def _released(self) -> None:
        if self.held is not None:
            log.info("%s: running again", self._dataset)
        self.held = None
        self._lane.breaker.set(0)
        if self._too_many:
            self._too_many = False
            self.mended.set()

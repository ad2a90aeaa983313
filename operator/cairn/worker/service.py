# SPDX-License-Identifier: Apache-2.0
"""The worker: pulls messages for its lanes while there is room, keeps them from being redelivered, and reports.

Starts again with the bus when the bus or its consumer goes; the lanes and what they hold live on meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from math import nan

from cairn.bus.admin import ACK_WAIT_SECONDS
from cairn.bus.connection import BusError
from cairn.bus.interface import ConsumerFacts, Message, Reader
from cairn.bus.pull import MIN_ROOM
from cairn.worker.config import WorkerConfig
from cairn.worker.decode import Place
from cairn.worker.lane import Budget, Held, Lane
from cairn.worker.line import Line, line_to
from cairn.worker.metrics import Metrics
from cairn.worker.pace import Look, Pace, cpus

log = logging.getLogger(__name__)

MAX_MESSAGES = 400
"""Messages held at a time; the consumer allows a few more, so that the bus never stops for this worker alone."""
STUCK_SECONDS = 180.0
"""Longer than any one attempt can take: connecting, each statement and each lock have limits of their own."""
RETRY_SECONDS = 1.0
KEEP_SECONDS = ACK_WAIT_SECONDS / 4
DRAIN_SECONDS = 25.0
"""How long the transactions under way may take after SIGTERM."""


class Worker:
    """One subscription. `run` is its task and ends after `stop`."""

    def __init__(self, config: WorkerConfig, lanes: Mapping[str, Lane], budget: Budget, metrics: Metrics) -> None:
        self._config, self._lanes, self._budget, self._metrics = config, lanes, budget, metrics
        self._stopping = asyncio.Event()
        self._reader: Reader | None = None
        self._asked = time.monotonic()
        """When the bus was last asked for a connection, or a connection was given up."""
        self._foreign: set[str] = set()
        self._epoch = 0
        self._pace = Pace()
        metrics.unreachable("bus").set_function(lambda: not self._pulling)
        metrics.unreachable("database").set_function(lambda: bool(self.held()))

    @property
    def lanes(self) -> Mapping[str, Lane]:
        """By dataset."""
        return self._lanes

    def stop(self) -> None:
        self._stopping.set()

    @property
    def ready(self) -> bool:
        """Pulling, and no lane is held up by its database."""
        return self._pulling and all(lane.applier.held is None for lane in self._lanes.values())

    @property
    def _pulling(self) -> bool:
        return self._reader is not None and self._reader.connected

    def stuck(self) -> str | None:
        """Why a restart would help; None while each lane that has work ends an attempt now and then, and the bus is
        read from or asked for."""
        if self._reader is None and time.monotonic() - self._asked > STUCK_SECONDS:
            return f"the bus: not asked for {STUCK_SECONDS:.0f} s"
        for name, lane in self._lanes.items():
            if lane.busy and time.monotonic() - lane.applier.tried > STUCK_SECONDS:
                return f"{name}: no attempt has ended for {STUCK_SECONDS:.0f} s"
        return None

    def held(self) -> dict[str, str]:
        """Lanes that wait for their database, and why."""
        return {name: lane.applier.held for name, lane in self._lanes.items() if lane.applier.held is not None}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            lanes = [group.create_task(lane.run()) for lane in self._lanes.values()]
            supply, keep = group.create_task(self._supply()), group.create_task(self._keep())
            stop = group.create_task(self._stopping.wait())
            await asyncio.wait((stop, supply, keep, *lanes), return_when=asyncio.FIRST_COMPLETED)
            if not stop.done():
                raise RuntimeError("a task of the worker ended by itself: a new process is to begin anew")
            for lane in self._lanes.values():
                lane.stop()
            await asyncio.wait(lanes, timeout=DRAIN_SECONDS)
            for task in (*lanes, supply, keep):  # the connection goes last: lanes have acknowledged by now
                task.cancel()

    async def _supply(self) -> None:
        """Until cancelled: connect to the bus and pull; after any trouble start anew."""
        while True:
            self._asked = time.monotonic()
            try:
                line = await line_to(self._config.bus, self._config.shops, self._lanes)
            except (BusError, OSError, ValueError) as error:
                log.warning("bus: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            try:
                await self._pull(line.reader)
            except BusError as error:
                log.warning("bus: %s", error)
            finally:
                reader, self._reader, self._asked = self._reader, None, time.monotonic()
                self._metrics.pending.set(nan)  # nobody knows while the bus is away
                self._metrics.drain.set(nan)
                await asyncio.shield(self._leave(line, reader))
            # once it has left: what went back has this long to be written by the worker that took over, or the two
            # would take it from each other for ever
            await asyncio.sleep(RETRY_SECONDS)

    async def _leave(self, line: Line, reader: Reader | None) -> None:
        """What nobody fetched goes back at once, and when stopping also what was not begun: the next need not wait."""
        with suppress(BusError, TimeoutError):
            if reader is not None and reader.connected:
                async with asyncio.timeout(5):
                    await reader.drain()
                    if self._stopping.is_set():
                        await reader.give_back(held.message for held in self._budget.held if held.reader is reader)
                    await line.flush()
        await line.close()

    async def _pull(self, reader: Reader) -> None:
        config = self._config.bus
        asked_us = time.time_ns() // 1000
        facts = await reader.start()
        if not facts.epoch:
            raise BusError(f"consumer {config.consumer} does not say when its stream was made: it is not Cairn's")
        log.info("bus: consumer %s, %d messages pending", config.consumer, facts.pending)
        if self._epoch not in (0, facts.epoch):
            log.error("bus: the stream was made anew, and what waited on the one before is gone with it")
            for lane in self._lanes.values():
                lane.applier.doubt()
        self._epoch = facts.epoch
        self._reader, self._foreign = reader, set()
        for lane in self._lanes.values():
            lane.through_us = 0  # what was handed out before comes again, older than what was committed last
        self._caught_up(facts, asked_us)
        self._metrics.pending.set(facts.pending + facts.unacknowledged)
        while True:
            room = await self._budget.room(MIN_ROOM, MAX_MESSAGES)
            for message in await reader.fetch(MAX_MESSAGES - len(self._budget.held), room):
                self._offer(message, reader, facts.epoch)

    def _offer(self, message: Message, reader: Reader, epoch: int) -> None:
        for idle in self._lanes.values():
            if not idle.busy:
                idle.reached(message.stored_us)  # the bus hands out in order: nothing older is left for it
        lane = self._lane(message.subject)
        if lane is None:
            self._leave_alone(message.subject)
            return
        place = Place(self._config.bus.stream, epoch, message.stream_seq)
        held = Held(message, len(message.data), reader, place)
        self._budget.take(held)
        self._metrics.inflight.set(self._budget.bytes)
        lane.offer(held)

    def _lane(self, subject: str) -> Lane | None:
        """None for a shop or dataset that this worker was not told of."""
        tokens = subject.split(".")
        return self._lanes.get(tokens[-1]) if len(tokens) == 4 and tokens[2] in self._config.shops else None

    def _leave_alone(self, subject: str) -> None:
        """Consumer and worker are not changed at the same moment: it is for the worker that comes after this one."""
        if subject not in self._foreign:
            log.warning("bus: messages for %s, which this worker was not told of, stay on the bus", subject)
        self._foreign.add(subject)

    async def _keep(self) -> None:
        """Tell the bus that what is held is being worked on, also while a database is down; ask for the lag."""
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            for held in list(self._budget.held):
                with suppress(BusError):  # what came over a connection that is gone can't be kept
                    await held.reader.keep((held.message,))
            with suppress(BusError):
                if self._reader is not None:
                    await self._look(self._reader)

    def _caught_up(self, facts: ConsumerFacts, asked_us: int) -> None:
        """Everything that was published before the bus was asked is committed."""
        if not facts.pending and not facts.unacknowledged:
            for lane in self._lanes.values():
                lane.through_us = max(lane.through_us, asked_us)

    async def _look(self, reader: Reader) -> None:
        asked_us = time.time_ns() // 1000
        facts = await reader.info()
        self._caught_up(facts, asked_us)
        self._metrics.pending.set(facts.pending + facts.unacknowledged)
        self._measure(facts.pending + facts.unacknowledged)
        self._metrics.stalls.inc(reader.stalls)
        reader.stalls = 0
        if self._foreign - set(facts.filter_subjects):
            reader.give_up("the consumer was narrowed; what it delivered before counts as unacknowledged")

    def _measure(self, backlog: int) -> None:
        writing = {name: lane.applier.writing_seconds for name, lane in self._lanes.items()}
        done, busy = self._budget.done, self._budget.busy_seconds
        self._pace.note(Look(time.monotonic(), done, busy, writing, time.process_time()))
        self._metrics.drain.set(self._pace.drain_seconds(backlog))
        self._metrics.cpu.set(self._pace.cpu_ratio(cpus()))
        for name, lane in self._lanes.items():
            lane.tell(self._pace.writing_ratio(name))

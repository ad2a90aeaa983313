# SPDX-License-Identifier: Apache-2.0
"""The worker's side: the messages of one subscription, of the one partition of its seller's topic.

Kafka keeps one number for a group and a partition: all before it is done. What is acknowledged behind a message that
isn't is remembered here, and comes again, with it, to the reader that follows.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from cairn.bus.connection import BusError
from cairn.bus.interface import ConsumerFacts, Message
from cairn.bus.kafka.admin import Admin, Topic
from cairn.bus.kafka.connection import CALL_SECONDS, client_config, group_of, patiently, raise_first

log = logging.getLogger(__name__)
_T = TypeVar("_T")

_POLL_SECONDS = 0.2
_QUEUE_KIB = 4096
"""What the client fetches ahead."""


class KafkaReader:
    """subscription: its group is named after it. topic: as it was when it was made: places of another one of the same
    name are other places. subjects: what it is to have; the rest of the topic is passed over.

    `close` when done.
    """

    def __init__(self, url: str, stream: str, subscription: str, topic: Topic, subjects: Iterable[str]) -> None:
        self._url, self._subscription, self._topic = url, subscription, topic
        self._subjects = frozenset(subjects)
        self._config = client_config(url) | {
            "group.id": group_of(stream, subscription),
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "queued.max.messages.kbytes": _QUEUE_KIB,
            "fetch.wait.max.ms": 100,
            "socket.timeout.ms": 10_000,
            "error_cb": self._trouble,
            "on_commit": _heard,
        }
        self._threads = ThreadPoolExecutor(3, f"kafka-{subscription}")
        self._polling = threading.Lock()
        self._consumer: Consumer | None = None
        self._arrived: deque[Message] = deque()
        self._deliveries = 0
        self._acknowledging = threading.Lock()
        self._next = 0
        """The first offset that was not delivered."""
        self._delivered: deque[int] = deque()
        """From the first one on that is not acknowledged; those of them that are, are in `_done`."""
        self._done: set[int] = set()
        self._gone: str | None = None
        self.stalls = 0

    @property
    def connected(self) -> bool:
        return self._consumer is not None and self._gone is None

    async def start(self) -> ConsumerFacts:
        """BusError also where the topic is not the one that this reader was told of."""
        return await self._run(self._start)

    async def info(self) -> ConsumerFacts:
        return await self._run(self._info)

    async def fetch(self, messages: int, room: int) -> list[Message]:
        while not self._arrived or self._gone:
            if self._gone:
                raise BusError(self._gone)
            await self._run(lambda: self._poll(messages, room))
        taken: list[Message] = []
        while self._arrived and len(taken) < messages:
            room -= len(self._arrived[0].data)
            if taken and room < 0:
                break
            taken.append(self._arrived.popleft())
        return taken

    async def acknowledge(self, messages: Iterable[Message]) -> None:
        self._acknowledge(int(message.reply) for message in messages)

    async def keep(self, messages: Iterable[Message]) -> None:
        """Nobody else is given them: nothing to do."""

    async def give_back(self, messages: Iterable[Message]) -> None:
        for message in sorted(messages, key=lambda message: message.stream_seq, reverse=True):
            self._arrived.appendleft(message._replace(redelivered=True))

    def give_up(self, why: str) -> None:
        self._gone = why

    async def drain(self) -> None:
        """What was acknowledged is committed when it returns."""
        self._gone = self._gone or "it was drained"
        self._arrived.clear()
        await self._run(lambda: self._commit(wait=True))

    async def close(self) -> None:
        """The connection is gone; what was not acknowledged goes to the reader that follows."""
        self._gone = self._gone or "it was closed"
        await asyncio.shield(asyncio.to_thread(self._close))

    def _close(self) -> None:
        with self._polling:
            consumer, self._consumer = self._consumer, None
        self._threads.shutdown(wait=True)
        if consumer is not None:
            consumer.close()

    async def _run(self, call: Callable[[], _T]) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except KafkaException as error:
            raise BusError(f"the bus was lost: {error.args[0]}") from error
        except RuntimeError as error:  # closed
            raise BusError(f"the bus was left: {error}") from error

    def _start(self) -> ConsumerFacts:
        name = self._topic.name
        if (found := Admin(self._url).find_id(name)) != self._topic.id:
            raise BusError(f"topic {name} was made anew: it has the id {found}, not {self._topic.id}")
        consumer = Consumer(self._config)
        self._consumer = consumer
        low, high = self._ends(consumer)
        committed = self._committed(consumer)
        if committed > high:
            log.error("bus: topic %s ends at %d, before what was acknowledged, %d", name, high, committed)
        self._next = committed if low <= committed <= high else low
        consumer.poll(0)  # it tells of trouble that is over
        self._gone = None
        consumer.assign([TopicPartition(name, 0, self._next)])
        return self._info()

    def _info(self) -> ConsumerFacts:
        consumer = self._open()
        low, high = self._ends(consumer)
        committed = max(low, self._committed(consumer))
        if committed < self._first():  # a commit was lost, or another reader of the subscription was behind
            self._commit(wait=False)
        delivered = max(committed, self._next)
        return ConsumerFacts(
            name=self._subscription,
            filter_subjects=tuple(sorted(self._subjects)),
            pending=max(0, high - delivered),
            unacknowledged=delivered - committed,
            redelivered=0,
            epoch=self._topic.epoch,
        )

    def _open(self) -> Consumer:
        if self._consumer is None:
            raise BusError(self._gone or "not started")
        return self._consumer

    def _ends(self, consumer: Consumer) -> tuple[int, int]:
        where = TopicPartition(self._topic.name, 0)
        return patiently(self._topic.name, lambda: consumer.get_watermark_offsets(where, CALL_SECONDS, cached=False))

    def _committed(self, consumer: Consumer) -> int:
        """The first offset that is not, or -1."""

        def ask() -> int:
            (found,) = consumer.committed([TopicPartition(self._topic.name, 0)], CALL_SECONDS)
            raise_first((found.error,))
            return -1 if found.offset == OFFSET_INVALID else int(found.offset)

        return patiently(f"group of {self._subscription}", ask)

    def _poll(self, messages: int, room: int) -> None:
        """Into `_arrived`: a caller that is cancelled meanwhile loses nothing."""
        with self._polling:
            consumer, wait = self._open(), _POLL_SECONDS
            while messages > 0 and room > 0:
                message = consumer.poll(wait)
                if message is None:
                    return
                raise_first((message.error(),))
                room -= self._take(message)
                messages, wait = messages - 1, 0.0

    def _take(self, message: KafkaMessage) -> int:
        """Bytes that it added."""
        offset, data = int(message.offset() or 0), message.value()
        subject = (message.key() or b"").decode(errors="replace")
        with self._acknowledging:
            self._delivered.append(offset)
            self._next = offset + 1
        if subject not in self._subjects:
            self._acknowledge((offset,))
            return 0
        body = data if isinstance(data, bytes) else b""
        self._deliveries += 1
        stored_us = message.timestamp()[1] * 1000
        self._arrived.append(Message(subject, body, str(offset), offset + 1, self._deliveries, False, stored_us))
        return len(body)

    def _first(self) -> int:
        """The first offset that is not acknowledged."""
        return self._delivered[0] if self._delivered else self._next

    def _acknowledge(self, offsets: Iterable[int]) -> None:
        with self._acknowledging:
            before = self._first()
            self._done.update(offset for offset in offsets if offset >= before)
            while self._delivered and self._delivered[0] in self._done:
                self._done.remove(self._delivered.popleft())
            moved = self._first() != before
        if moved:
            self._commit(wait=False)

    def _commit(self, *, wait: bool) -> None:
        consumer, offsets = self._open(), [TopicPartition(self._topic.name, 0, self._first())]
        try:
            if wait:
                consumer.commit(offsets=offsets, asynchronous=False)
            else:
                consumer.commit(offsets=offsets)
        except KafkaException as error:
            raise BusError(f"the bus did not take an acknowledgement: {error.args[0]}") from error

    def _trouble(self, error: KafkaError) -> None:
        log.log(logging.DEBUG if error.code() == KafkaError._TRANSPORT else logging.WARNING, "bus: %s", error.str())
        if error.code() == KafkaError._ALL_BROKERS_DOWN or error.fatal():
            self._gone = f"the bus was lost: {error.str()}"


def _heard(error: KafkaError | None, _: list[TopicPartition]) -> None:
    """Of what `info` finds missing, it tells the bus again."""
    if error is not None:
        log.warning("bus: an acknowledgement was not taken: %s", error.str())

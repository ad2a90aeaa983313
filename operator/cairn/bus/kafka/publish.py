# SPDX-License-Identifier: Apache-2.0
"""The gateway's side: a pack is on all replicas in sync when `publish` returns, and not before."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from cairn.bus.connection import BusError
from cairn.bus.kafka.connection import client_config, topic_of
from cairn.bus.pack import Pack, encode
from cairn.bus.publish import message_id

log = logging.getLogger(__name__)

SEND_SECONDS = 5.0
WINDOW_SECONDS = 120.0
_POLL_SECONDS = 0.2
_LOOK_SECONDS = 1.0


class KafkaPublisher:
    """`keep` is the task that serves it: without it nothing is acknowledged.

    Kafka knows no copies. Those of the last WINDOW_SECONDS that this process stored it knows itself; a copy that comes
    to another replica of the gateway, or after a restart, is stored again.
    """

    def __init__(self, url: str, stream: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._config = client_config(url) | {
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 0,
            "message.timeout.ms": int(SEND_SECONDS * 1000),
            "message.max.bytes": 2_000_000,
            "error_cb": self._trouble,
        }
        self._producer: Producer | None = None
        self._connected = False
        self._stored: OrderedDict[str, float] = OrderedDict()

    @property
    def connected(self) -> bool:
        """Whether publishing has a chance, as far as is known."""
        return self._connected

    async def publish(self, pack: Pack, request: str = "") -> bool:
        """BusError: nobody knows whether it was stored; publishing it again does no harm."""
        name = message_id(pack, request)
        known = self._known(name)
        if not known or not request:
            await self._store(pack)
            self._stored[name] = self._clock()
            self._stored.move_to_end(name)
        return known

    async def keep(self) -> None:
        """Until cancelled."""
        try:
            while True:
                if self._producer is None:
                    self._producer = Producer(self._config)
                await asyncio.to_thread(self._serve, self._producer)
        finally:
            self._connected = False
            if self._producer is not None:
                self._producer.purge()
                self._producer.poll(0)
                self._producer = None

    def _serve(self, producer: Producer) -> None:
        """Blocks for a moment."""
        if not self._connected:
            try:
                producer.list_topics(topic=f"{self._stream}.0", timeout=_LOOK_SECONDS)
                self._connected = True
            except KafkaException as error:
                log.warning("bus: %s", error.args[0])
        producer.poll(_POLL_SECONDS)

    def _known(self, name: str) -> bool:
        oldest = self._clock() - WINDOW_SECONDS
        while self._stored and next(iter(self._stored.values())) < oldest:
            self._stored.popitem(last=False)
        return name in self._stored

    async def _store(self, pack: Pack) -> None:
        if self._producer is None:
            raise BusError("no connection to the bus")
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[KafkaError | None] = loop.create_future()

        def tell(error: KafkaError | None) -> None:
            if not stored.done():
                stored.set_result(error)

        def delivered(error: KafkaError | None, _: Message) -> None:
            loop.call_soon_threadsafe(tell, error)

        topic = topic_of(self._stream, pack.subject)
        try:
            self._producer.produce(topic, encode(pack), pack.subject, partition=0, on_delivery=delivered)
        except (KafkaException, BufferError) as error:
            raise BusError(f"the bus does not take it: {error}") from error
        try:
            async with asyncio.timeout(2 * SEND_SECONDS):
                problem = await stored
        except TimeoutError as late:
            raise BusError("the bus did not acknowledge in time") from late
        if problem is not None:
            raise BusError(f"the bus did not acknowledge: {problem.str()}")
        self._connected = True

    def _trouble(self, error: KafkaError) -> None:
        log.log(logging.DEBUG if error.code() == KafkaError._TRANSPORT else logging.WARNING, "bus: %s", error.str())
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._connected = False
        if error.fatal():
            self._connected, self._producer = False, None  # `keep` makes another

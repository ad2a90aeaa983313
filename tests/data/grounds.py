# SPDX-License-Identifier: Apache-2.0
"""Buses of real servers, each with the subscriptions of two sellers: what the contract of a bus is held against."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Protocol
from uuid import uuid4

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from cairn.bus.admin import stream_problems
from cairn.bus.connection import BusError, api, connect
from cairn.bus.interface import KeptPublisher, Publisher, Reader
from cairn.bus.kafka.admin import Admin, Topic
from cairn.bus.kafka.connection import topic_of
from cairn.bus.kafka.publish import KafkaPublisher
from cairn.bus.kafka.read import KafkaReader
from cairn.bus.pull import Puller
from cairn.gateway.bus import Bus as GatewayBus
from cairn.push import names
from data.bus import Bus
from data.kafka import KafkaBroker

STREAM, MAX_BYTES = "PUSH", 2**28


class Subscription(NamedTuple):
    """One seller's, with one dataset of one shop."""

    name: str
    subject: str


FIRST = Subscription(names.consumer("seller-2088", "orders"), "push.2088.55501.trades")
SECOND = Subscription(names.consumer("seller-99", "orders"), "push.99.1.trades")


class Ground(Protocol):
    """unsafe: settings under which what was acknowledged can be lost, each with such a value."""

    unsafe: Mapping[str, object]

    def start(self) -> None:
        """The server runs; what it stored before is there. One that runs goes on."""

    def kill(self) -> None:
        """kill -9."""

    async def prepare(self) -> None:
        """FIRST and SECOND stand, as the operator makes them, with nothing in them."""

    def publisher(self) -> AbstractAsyncContextManager[Publisher]:
        """As the gateway has it, connected."""

    def described(self, subscription: Subscription) -> dict[str, str]:
        """All that `reader` needs, also in another process."""

    async def spoil(self, setting: str, value: object) -> None:
        """Somebody changes it behind the operator's back."""

    async def problems(self) -> tuple[str, ...]:
        """What is unsafe, as the operator finds it."""


@asynccontextmanager
async def _kept(bus: KeptPublisher) -> AsyncIterator[Publisher]:
    keeping = asyncio.create_task(bus.keep())
    try:
        async with asyncio.timeout(20):
            while not bus.connected:  # noqa: ASYNC110 -- it tells nobody
                await asyncio.sleep(0.02)
        yield bus
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


class JetStream:
    """One nats-server."""

    unsafe: Mapping[str, object] = {"discard": "old", "max_age": 3600 * 10**9, "max_msgs": 1000}

    def __init__(self, home: Path) -> None:
        self._bus = Bus.prepared(home)

    def start(self) -> None:
        if self._bus.server.process is None:
            self._bus.server.start()

    def kill(self) -> None:
        self._bus.server.kill()

    async def prepare(self) -> None:
        client = await self._bus.connect("admin")
        with suppress(BusError):  # the first time there is none
            await api(client, f"STREAM.DELETE.{STREAM}")
        await client.close()
        subscriptions = ((one.name, (one.subject,)) for one in (FIRST, SECOND))
        await self._bus.prepare(*subscriptions, max_bytes=MAX_BYTES)

    def publisher(self) -> AbstractAsyncContextManager[Publisher]:
        return _kept(GatewayBus(self._bus.url, STREAM, lambda: self._bus.made.gateway))

    def described(self, subscription: Subscription) -> dict[str, str]:
        creds = self._bus.worker_creds(subscription.name)
        return {"bus": "jetstream", "url": self._bus.url, "subscription": subscription.name, "creds": creds}

    async def spoil(self, setting: str, value: object) -> None:
        client = await self._bus.connect("admin")
        config = (await api(client, f"STREAM.INFO.{STREAM}"))["config"]
        await api(client, f"STREAM.UPDATE.{STREAM}", config | {setting: value})
        await client.close()

    async def problems(self) -> tuple[str, ...]:
        client = await self._bus.connect("admin")
        found = await stream_problems(client, STREAM, max_bytes=MAX_BYTES, replicas=1)
        await client.close()
        return found


class Kafka:
    """One broker. Each time it is prepared, the topics have other names."""

    unsafe: Mapping[str, object] = {
        "cleanup.policy": "compact",
        "retention.ms": "3600000",
        "retention.bytes": "1000000",
        "min.insync.replicas": "2",
        "unclean.leader.election.enable": "true",
    }

    def __init__(self, home: Path) -> None:
        self._broker = KafkaBroker(home)
        self._stream = ""
        self._topics: dict[str, Topic] = {}

    def start(self) -> None:
        self._broker.start()

    def kill(self) -> None:
        self._broker.kill()

    async def prepare(self) -> None:
        self._stream = f"push-{uuid4().hex}"
        admin = Admin(self._broker.url)
        for one in (FIRST, SECOND):
            self._topics[one.name] = await admin.create_topic(topic_of(self._stream, one.subject), replicas=1)

    def publisher(self) -> AbstractAsyncContextManager[Publisher]:
        return _kept(KafkaPublisher(self._broker.url, self._stream))

    def described(self, subscription: Subscription) -> dict[str, str]:
        topic = self._topics[subscription.name]
        known = {"topic": topic.name, "id": topic.id, "epoch": str(topic.epoch)}
        where = {"bus": "kafka", "url": self._broker.url, "stream": self._stream}
        return where | known | {"subscription": subscription.name, "subject": subscription.subject}

    async def spoil(self, setting: str, value: object) -> None:
        topic = self._topics[FIRST.name].name
        changed = ConfigEntry(setting, str(value), incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[changed])
        client = AdminClient({"bootstrap.servers": f"127.0.0.1:{self._broker.port}"})
        await asyncio.wrap_future(client.incremental_alter_configs([resource])[resource])
        admin = Admin(self._broker.url)
        async with asyncio.timeout(20):
            while (await admin.settings(topic))[setting] != value:  # noqa: ASYNC110 -- the bus is asked
                await asyncio.sleep(0.02)

    async def problems(self) -> tuple[str, ...]:
        return await Admin(self._broker.url).problems(self._topics[FIRST.name].name, replicas=1)


@asynccontextmanager
async def _kafka(described: Mapping[str, str]) -> AsyncIterator[Reader]:
    topic = Topic(described["topic"], described["id"], int(described["epoch"]))
    subjects = (described["subject"],)
    reader = KafkaReader(described["url"], described["stream"], described["subscription"], topic, subjects)
    try:
        yield reader
    finally:
        await reader.close()


@asynccontextmanager
async def _jetstream(described: Mapping[str, str]) -> AsyncIterator[Reader]:
    client = await connect(described["url"], lambda: described["creds"], described["subscription"])
    try:
        yield Puller(client, STREAM, described["subscription"])
    finally:
        await client.close()


_READERS: Mapping[str, Callable[[Mapping[str, str]], AbstractAsyncContextManager[Reader]]] = {
    "jetstream": _jetstream,
    "kafka": _kafka,
}
GROUNDS: Mapping[str, Callable[[Path], Ground]] = {"jetstream": JetStream, "kafka": Kafka}


@asynccontextmanager
async def reader(described: Mapping[str, str]) -> AsyncIterator[Reader]:
    """As the worker has it, started."""
    async with _READERS[described["bus"]](described) as found:
        await found.start()
        yield found


async def waiting(found: Reader) -> int:
    """Messages that are not acknowledged, as the bus says."""
    facts = await found.info()
    return facts.pending + facts.unacknowledged


async def settled(found: Reader, count: int) -> None:
    """The bus has heard what was acknowledged: so many still wait."""
    async with asyncio.timeout(20):
        while await waiting(found) != count:  # noqa: ASYNC110 -- the bus is asked
            await asyncio.sleep(0.02)

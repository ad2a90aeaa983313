# SPDX-License-Identifier: Apache-2.0
"""A worker's connection to whichever bus its configuration names."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from nats.errors import Error as NatsError

from cairn.bus.connection import BusError, Client, connect, uncancelled
from cairn.bus.interface import Reader
from cairn.bus.pull import Puller
from cairn.worker.config import BusConfig

if TYPE_CHECKING:
    from cairn.bus.kafka.read import KafkaReader


class Line(Protocol):
    """A connection with its reader, which is not started yet."""

    @property
    def reader(self) -> Reader: ...

    async def flush(self) -> None:
        """What the reader was told is with the bus. BusError."""

    async def close(self) -> None:
        """Whatever state it is in."""


class _JetStream:
    def __init__(self, client: Client, config: BusConfig) -> None:
        self._client = client
        self.reader = Puller(client, config.stream, config.consumer)

    async def flush(self) -> None:
        try:
            with uncancelled():
                await self._client.flush()
        except (NatsError, OSError) as error:
            raise BusError(f"the connection was lost: {type(error).__name__}") from error

    async def close(self) -> None:
        with suppress(BusError, NatsError, OSError), uncancelled():
            await self._client.close()


class _Kafka:
    def __init__(self, reader: KafkaReader) -> None:
        self.reader = reader

    async def flush(self) -> None:
        """Draining has waited for it."""

    async def close(self) -> None:
        await self.reader.close()


async def line_to(config: BusConfig, shops: Iterable[str], datasets: Iterable[str]) -> Line:
    """BusError, OSError or ValueError where it can't be had."""
    if config.topic is None:
        return _JetStream(await connect(config.url, config.creds, config.consumer), config)
    from cairn.bus.kafka import read
    from cairn.bus.kafka.admin import Topic

    topic, names = Topic(config.topic.name, config.topic.id, config.topic.epoch), tuple(datasets)
    seller = topic.name.removeprefix(f"{config.stream}.")
    subjects = (f"push.{seller}.{shop}.{dataset}" for shop in shops for dataset in names)
    return _Kafka(read.KafkaReader(config.url, config.stream, config.consumer, topic, subjects))

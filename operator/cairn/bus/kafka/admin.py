# SPDX-License-Identifier: Apache-2.0
"""The operator's side: a topic for each seller, and what of its settings is unsafe."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from cairn.bus.admin import MAX_MESSAGE_BYTES
from cairn.bus.kafka.connection import CALL_SECONDS, client_config, code_of, patiently

_OVERHEAD_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Topic:
    """id: another one when a topic of the same name was made anew. epoch: when it was made, unix seconds: Kafka does
    not tell, so that whoever makes it has to note it."""

    name: str
    id: str
    epoch: int


def topic_config(replicas: int) -> Mapping[str, str]:
    """Nothing expires, nothing is dropped, and no broker may lead that lacks what was acknowledged. What the broker
    acknowledges, more than one has, where there are more."""
    return {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "min.insync.replicas": str(max(1, replicas - 1)),
        "unclean.leader.election.enable": "false",
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(MAX_MESSAGE_BYTES + _OVERHEAD_BYTES),
    }


class Admin:
    """Calls block no event loop. BusError for what the brokers refuse or don't answer."""

    def __init__(self, url: str) -> None:
        self._client = AdminClient(client_config(url))

    async def create_topic(self, name: str, replicas: int) -> Topic:
        """One that stands stays as it is; its time is then not known, and `epoch` 0."""
        return await asyncio.to_thread(self._create, name, replicas)

    async def topic_id(self, name: str) -> str:
        return await asyncio.to_thread(self.find_id, name)

    async def problems(self, name: str, replicas: int) -> tuple[str, ...]:
        """What of the topic is unsafe, each with the value that it must have. Reads only."""
        return await asyncio.to_thread(self._problems, name, replicas)

    async def settings(self, name: str) -> dict[str, str]:
        return await asyncio.to_thread(self._settings, name)

    def find_id(self, name: str) -> str:
        """Blocks."""
        return str(self._describe(name).topic_id)

    def _create(self, name: str, replicas: int) -> Topic:
        wanted = NewTopic(name, num_partitions=1, replication_factor=replicas, config=dict(topic_config(replicas)))
        epoch = int(time.time())

        def create() -> None:
            nonlocal epoch
            made = self._client.create_topics([wanted], operation_timeout=CALL_SECONDS, request_timeout=CALL_SECONDS)
            try:
                made[name].result()
            except KafkaException as error:
                if code_of(error) != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
                epoch = 0

        patiently(f"topic {name}", create)
        return Topic(name, self.find_id(name), epoch)

    def _describe(self, name: str) -> Any:
        def describe() -> Any:
            return self._client.describe_topics(TopicCollection([name]), request_timeout=CALL_SECONDS)[name].result()

        return patiently(f"topic {name}", describe)

    def _settings(self, name: str) -> dict[str, str]:
        resource = ConfigResource(ConfigResource.Type.TOPIC, name)

        def describe() -> dict[str, Any]:
            asked = self._client.describe_configs([resource], request_timeout=CALL_SECONDS)
            return dict(asked[resource].result())

        return {key: str(entry.value) for key, entry in patiently(f"topic {name}", describe).items()}

    def _problems(self, name: str, replicas: int) -> tuple[str, ...]:
        found, partitions = self._settings(name), self._describe(name).partitions
        problems = [
            f"topic {name}: {key} is {found.get(key)!r}, not {value!r}"
            for key, value in topic_config(replicas).items()
            if found.get(key) != value
        ]
        if len(partitions) != 1:
            problems.append(f"topic {name}: has {len(partitions)} partitions, not 1")
        problems += [
            f"topic {name}: has {len(partition.replicas)} replicas, not {replicas}"
            for partition in partitions
            if len(partition.replicas) != replicas
        ]
        return tuple(problems)

# SPDX-License-Identifier: Apache-2.0
"""The operator's side of the bus: the stream, and one durable consumer per subscription."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from cairn.bus.connection import BusError, api
from cairn.bus.interface import ConsumerFacts

SUBJECTS = "push.*.*.*"
MINIMUM_VERSION = (2, 15, 2)
"""The first release known to hold acknowledged messages through a power loss with `sync_interval: always`."""

NOT_FOUND = (10014, 10059)  # consumer, stream
EPOCH = "cairn.dev/stream-created"
"""Consumer metadata: when its stream was made, unix seconds. A worker may ask for its consumer, not for the stream."""

ACK_WAIT_SECONDS = 60
MAX_ACK_PENDING = 512
MAX_MESSAGE_BYTES = 1_200_000
_SECOND = 1_000_000_000
_FIRST_SECONDS, _OTHERS_SECONDS = 2.0, 0.5
"""How long the first server's answer is waited for, and the others' after it: how many there are, none says."""


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """created: unix seconds. problems: what of it or its server is unsafe, each with the remedy."""

    created: int
    bytes: int
    max_bytes: int
    problems: tuple[str, ...]


async def ensure_stream(client: Client, stream: str, *, max_bytes: int, replicas: int = 1) -> StreamFacts:
    """The stream stands with safe settings; messages are never touched. Limits are raised or lowered as asked."""
    wanted = stream_config(stream, max_bytes=max_bytes, replicas=replicas)
    try:
        found = await api(client, f"STREAM.INFO.{stream}")
    except BusError as error:
        if error.args[1:] != (NOT_FOUND[1],):
            raise
        found = await api(client, f"STREAM.CREATE.{stream}", wanted)
    config: dict[str, Any] = found["config"]
    changed = {key: value for key, value in wanted.items() if config.get(key) != value and key in _CHANGEABLE}
    if changed and config["storage"] == wanted["storage"]:
        found = await api(client, f"STREAM.UPDATE.{stream}", {**config, **changed})
        config = found["config"]
    return StreamFacts(
        created=_unix(found["created"]),
        bytes=found["state"]["bytes"],
        max_bytes=config["max_bytes"],
        problems=(*_problems(stream, config, wanted), *version_problems(_version(client))),
    )


async def stream_problems(client: Client, stream: str, *, max_bytes: int, replicas: int) -> tuple[str, ...]:
    """What of the stream or its server is unsafe, or not as asked, each with the remedy. Reads only; a stream that is
    not there yet is none of it."""
    try:
        found = await api(client, f"STREAM.INFO.{stream}")
    except BusError as error:
        if error.args[1:] == (NOT_FOUND[1],):
            return ()
        raise
    wanted = stream_config(stream, max_bytes=max_bytes, replicas=replicas)
    return (*_problems(stream, found["config"], wanted), *version_problems(_version(client)))


def _problems(stream: str, config: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    return [
        f"stream {stream}: {key} is {config.get(key)!r}, not {value!r}"
        for key, value in wanted.items()
        if config.get(key, 0 if value == 0 else None) != value
    ]


_CHANGEABLE = frozenset(
    ("subjects", "max_bytes", "max_age", "max_msgs", "discard", "duplicate_window", "max_msg_size", "num_replicas")
)


def stream_config(stream: str, *, max_bytes: int, replicas: int) -> dict[str, Any]:
    """Nothing expires, nothing is dropped: a full stream refuses, and the platform keeps what it has not handed in."""
    return {
        "name": stream,
        "subjects": [SUBJECTS],
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "max_bytes": max_bytes,
        "max_age": 0,
        "max_msgs": -1,
        "max_msg_size": MAX_MESSAGE_BYTES,
        "num_replicas": replicas,
        "duplicate_window": 120 * _SECOND,
    }


def _version(client: Client) -> str:
    version = client.connected_server_version
    return f"{version.major}.{version.minor}.{version.patch}"


def version_problems(version: str) -> tuple[str, ...]:
    """A server that is too old to keep what it acknowledged."""
    numbers = tuple(int(part) for part in version.split("-")[0].split(".") if part.isdigit())
    if numbers >= MINIMUM_VERSION:
        return ()
    needed = ".".join(map(str, MINIMUM_VERSION))
    return (f"nats-server {version} can lose acknowledged messages in a power loss: use {needed} or newer",)


async def server_problems(system: Client) -> tuple[str, ...]:
    """What the servers' own settings make unsafe. `system`: a connection with the system account's creds."""
    replies: list[dict[str, Any]] = []
    answered = asyncio.Event()

    async def collect(message: Msg) -> None:
        replies.append(json.loads(message.data))
        answered.set()

    try:
        where = system.new_inbox()
        subscription = await system.subscribe(where, cb=collect)
        await system.publish("$SYS.REQ.SERVER.PING.JSZ", b"{}", reply=where)
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_SECONDS):
                await answered.wait()
            await asyncio.sleep(_OTHERS_SECONDS)
        await subscription.unsubscribe()
    except (OSError, TimeoutError, NatsError) as error:
        return (f"the bus does not tell its settings: {type(error).__name__}",)
    return settings_problems(replies)


def settings_problems(replies: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """The same, of the servers' answers to `$SYS.REQ.SERVER.PING.JSZ`."""
    if not replies:
        return ("no server of the bus tells its settings",)
    problems = []
    for reply in replies:
        server, config = reply["server"], reply.get("data", {}).get("config")
        if config is not None and not config.get("sync_always"):
            problems.append(f"server {server['name']}: set jetstream.sync_interval to always")
        problems += version_problems(server["ver"])
    return tuple(problems)


async def ensure_consumer(client: Client, stream: str, name: str, filter_subjects: Sequence[str]) -> ConsumerFacts:
    """The durable consumer stands, from the stream's first message on; an existing one keeps its place.

    One that is to get more subjects is made anew: the server would pass over what those hold already, and it was
    accepted. What was applied before is delivered again then, and changes nothing.
    """
    standing = await consumer_info(client, stream, name)
    if standing is not None and not set(filter_subjects) <= set(standing.filter_subjects):
        await delete_consumer(client, stream, name)
    created = _unix((await api(client, f"STREAM.INFO.{stream}"))["created"])
    config = {
        "durable_name": name,
        "name": name,
        "filter_subjects": sorted(filter_subjects),
        "ack_policy": "explicit",
        "deliver_policy": "all",
        "replay_policy": "instant",
        "max_deliver": -1,
        "ack_wait": ACK_WAIT_SECONDS * _SECOND,
        "max_ack_pending": MAX_ACK_PENDING,
        "metadata": {EPOCH: str(created)},
    }
    body = {"stream_name": stream, "config": config, "action": ""}
    return _consumer(await api(client, f"CONSUMER.CREATE.{stream}.{name}", body))


async def consumer_info(client: Client, stream: str, name: str) -> ConsumerFacts | None:
    """None where there is no such consumer or stream. Answered by the leader: true also in a cluster."""
    try:
        return _consumer(await api(client, f"CONSUMER.INFO.{stream}.{name}"))
    except BusError as error:
        if error.args[1:] and error.args[1] in NOT_FOUND:
            return None
        raise


async def delete_consumer(client: Client, stream: str, name: str) -> None:
    """It is gone, and its place in the stream with it."""
    try:
        await api(client, f"CONSUMER.DELETE.{stream}.{name}")
    except BusError as error:
        if not error.args[1:] or error.args[1] not in NOT_FOUND:
            raise


def _consumer(answer: dict[str, Any]) -> ConsumerFacts:
    config = answer["config"]
    single = config.get("filter_subject")
    return ConsumerFacts(
        name=answer["name"],
        filter_subjects=tuple(config.get("filter_subjects") or ([single] if single else [])),
        pending=answer.get("num_pending", 0),
        unacknowledged=answer.get("num_ack_pending", 0),
        redelivered=answer.get("num_redelivered", 0),
        epoch=int(config.get("metadata", {}).get(EPOCH, 0)),
    )


def _unix(stamp: str) -> int:
    return int(datetime.fromisoformat(stamp[:19] + "+00:00").timestamp())

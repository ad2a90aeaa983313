# SPDX-License-Identifier: Apache-2.0
"""Makes room on the bus: what every consumer of a subject has acknowledged stands in the databases.

Only a stream that fills up is touched, and what a seller has on it that may be over its quota (`quota`): until then
messages can be replayed. A subject that no subscription consumes keeps everything: its records were accepted, and a
subscription may still come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from cairn.bus.admin import EPOCH, NOT_FOUND
from cairn.bus.connection import BusError, Client, api

FULL_ENOUGH = 0.5
"""Share of max_bytes above which room is made. Publishing is refused at 1."""


class Room(NamedTuple):
    """share: of max_bytes that is in use, after the purge. purged: messages."""

    share: float
    purged: int


async def make_room(client: Client, stream: str, *, above: float = FULL_ENOUGH) -> Room:
    """Purge what is applied everywhere, if the stream is fuller than `above`. BusError where no answer comes."""
    share = await _share(client, stream)
    if share <= above:
        return Room(share, 0)
    purged = await purge(client, stream, floors(await consumers_of(client, stream)))
    return Room(await _share(client, stream), purged)


async def purge(client: Client, stream: str, done: Mapping[str, int]) -> int:
    """Remove what is applied everywhere, as `floors` says, and tell how many messages that were."""
    purged = 0
    for subject, floor in sorted(done.items()):
        if floor > 0:
            answer = await api(client, f"STREAM.PURGE.{stream}", {"filter": subject, "seq": floor + 1})
            purged += int(answer.get("purged", 0))
    return purged


def floors(consumers: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Per subject of a subscription the last stream position up to which all consumers have acknowledged. Pure.

    Somebody else's consumer, say of `nats sub`, holds messages back as ours do, but allows nothing: what it has seen
    stands in no database.
    """
    found: dict[str, int] = {}
    ours: set[str] = set()
    for consumer in consumers:
        config = consumer["config"]
        subjects = config.get("filter_subjects") or [config.get("filter_subject", "")]
        floor = int(consumer.get("ack_floor", {}).get("stream_seq", 0))
        for subject in subjects:
            found[subject] = min(found.get(subject, floor), floor)
        if EPOCH in config.get("metadata", {}):
            ours.update(subjects)
    # one with a wildcard, or none, may still need anything
    if any(_open(subject) for subject in found):
        return {}
    return {subject: floor for subject, floor in found.items() if subject in ours}


def _open(subject: str) -> bool:
    return not subject or "*" in subject or ">" in subject


async def _share(client: Client, stream: str) -> float:
    try:
        info = await api(client, f"STREAM.INFO.{stream}")
    except BusError as error:
        if error.args[1:] == (NOT_FOUND[1],):
            return 0.0
        raise
    limit = int(info["config"].get("max_bytes", -1))
    return float(info["state"]["bytes"]) / limit if limit > 0 else 0.0


async def consumers_of(client: Client, stream: str) -> list[Mapping[str, Any]]:
    """All of them, or BusError: whoever is left out may still need what the others have acknowledged."""
    found: dict[str, Mapping[str, Any]] = {}
    offset = 0
    while True:
        page = await api(client, f"CONSUMER.LIST.{stream}", {"offset": offset})
        if page.get("missing"):
            raise BusError(f"consumers without a leader can't say what they need: {', '.join(page['missing'])}")
        consumers = page.get("consumers") or []
        offset += len(consumers)
        found |= {consumer["name"]: consumer for consumer in consumers}
        if not consumers or offset >= int(page.get("total", 0)):
            break
    # pages shift when a consumer goes between two of them
    if set(found) != await _names(client, stream):
        raise BusError("the consumers changed while they were asked")
    return list(found.values())


async def _names(client: Client, stream: str) -> set[str]:
    found: list[str] = []
    while True:
        page = await api(client, f"CONSUMER.NAMES.{stream}", {"offset": len(found)})
        found += page.get("consumers") or []
        if not page.get("consumers") or len(found) >= int(page.get("total", 0)):
            return set(found)

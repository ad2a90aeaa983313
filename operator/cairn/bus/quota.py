# SPDX-License-Identifier: Apache-2.0
"""How many bytes of each seller wait on the bus: one dead database must not fill the stream for every seller.

The bus counts messages, not bytes. So only a seller whose messages could be too much if all were as large as any is
looked at closely: what it has applied is removed, what remains is counted, and some of it is measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from nats.errors import Error as NatsError

from cairn.bus.admin import EPOCH, MAX_MESSAGE_BYTES, NOT_FOUND
from cairn.bus.connection import BusError, Client, api
from cairn.bus.janitor import consumers_of, floors, purge
from cairn.bus.verdict import RELEASE, SUBJECT, encode, seller_of

SAMPLES = 16
_NONE_FOUND = 10037
_FRAME = 34
"""Bytes that the stream needs for a message beside subject, headers and data."""


class Backlog(NamedTuple):
    """quota: bytes that one seller may have waiting. held: what waits, of those that may be near it."""

    quota: float
    held: dict[str, float]


async def backlog(client: Client, stream: str, share: float) -> Backlog:
    """share: of the stream's max_bytes, for each seller. BusError where no answer comes."""
    try:
        info = await api(client, f"STREAM.INFO.{stream}")
    except BusError as error:
        if error.args[1:] == (NOT_FOUND[1],):
            return Backlog(0, {})
        raise
    quota = share * int(info["config"].get("max_bytes", -1))
    if quota <= 0 or info["state"]["bytes"] <= RELEASE * quota:
        return Backlog(quota, {})
    consumers = await consumers_of(client, stream)
    counts = await _counts(client, stream, ">")
    done, held = floors(consumers), {}
    for seller, most in waiting(counts, consumers).items():
        if most * MAX_MESSAGE_BYTES <= RELEASE * quota:
            continue
        await purge(client, stream, {subject: floor for subject, floor in done.items() if seller_of(subject) == seller})
        count = min(most, (await _counts(client, stream, f"push.{seller}.*.*")).total())
        held[seller] = count * await _mean(client, stream, f"push.{seller}.*.*")
    return Backlog(quota, held)


async def tell(client: Client, full: Iterable[str]) -> None:
    """To every gateway: whom to refuse until the next round. BusError where it can't be sent."""
    try:
        await client.publish(SUBJECT, encode(full))
        await client.flush()
    except (OSError, TimeoutError, NatsError) as error:
        raise BusError(f"the bus took no verdict: {type(error).__name__}") from error


def waiting(counts: Mapping[str, int], consumers: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """At most so many messages wait, by seller. Pure.

    One that is not applied holds all behind it of its consumer, so these count as well. What no subscription consumes
    waits, too. Somebody else's consumer is no fault of the seller's.
    """
    most: Counter[str] = Counter()
    consumed: set[str] = set()
    for consumer in consumers:
        config = consumer["config"]
        if EPOCH not in config.get("metadata", {}):
            continue
        subjects = config.get("filter_subjects") or [config.get("filter_subject", "")]
        consumed.update(subjects)
        delivered, floor = (int(consumer.get(at, {}).get("consumer_seq", 0)) for at in ("delivered", "ack_floor"))
        behind = max(int(consumer.get("num_ack_pending", 0)), delivered - floor)
        most[seller_of(subjects[0])] += int(consumer.get("num_pending", 0)) + behind
    held: Counter[str] = Counter()
    for subject, count in counts.items():
        held[seller_of(subject)] += count
        if subject not in consumed:
            most[seller_of(subject)] += count
    return {seller: min(count, held[seller]) for seller, count in most.items() if held[seller]}


async def _counts(client: Client, stream: str, subjects: str) -> Counter[str]:
    """Messages by subject. They come in pages."""
    found: Counter[str] = Counter()
    offset = 0
    while True:
        page = await api(client, f"STREAM.INFO.{stream}", {"subjects_filter": subjects, "offset": offset})
        part: Mapping[str, int] = page["state"].get("subjects") or {}
        found.update(part)
        offset += len(part)
        if not part or offset >= int(page.get("total", 0)):
            return found


async def _mean(client: Client, stream: str, subject: str) -> float:
    """Bytes of a message of these subjects, by some between the first and the last; 0 where there is none."""
    last = await _message(client, stream, {"last_by_subj": subject})
    first = await _message(client, stream, {"seq": 1, "next_by_subj": subject})
    if first is None or last is None:
        return 0.0
    sizes = []
    for place in places(int(first["seq"]), int(last["seq"])):
        found = await _message(client, stream, {"seq": place, "next_by_subj": subject})
        if found is not None:
            sizes.append(_size(found))
    return sum(sizes) / len(sizes) if sizes else 0.0


def places(first: int, last: int) -> list[int]:
    """At most SAMPLES positions, evenly from the first to the last. The same for the same, so that rounds agree."""
    if last <= first:
        return [first]
    steps = min(SAMPLES - 1, last - first)
    return [first + (last - first) * step // steps for step in range(steps + 1)]


async def _message(client: Client, stream: str, which: dict[str, Any]) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = (await api(client, f"STREAM.MSG.GET.{stream}", which))["message"]
    except BusError as error:
        if error.args[1:] == (_NONE_FOUND,):
            return None
        raise
    return found


def _size(message: Mapping[str, Any]) -> int:
    encoded = len(message.get("data", "")) + len(message.get("hdrs", ""))
    return len(message["subject"]) + encoded * 3 // 4 + _FRAME

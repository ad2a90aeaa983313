# SPDX-License-Identifier: Apache-2.0
"""The gateway's side of the bus: a pack is in the stream when `publish` returns, and not before."""

from __future__ import annotations

import json
from hashlib import blake2b

from nats.aio.client import Client
from nats.errors import Error as NatsError

from cairn.bus.connection import BusError, BusFullError, uncancelled
from cairn.bus.pack import Pack, encode

_FULL = (10047, 10023, 10077)  # storage resources exceeded, insufficient resources, maximum bytes or messages exceeded


def message_id(pack: Pack, request: str = "") -> str:
    """The same for the same records under the same subject: by it the stream knows a copy within its window.

    With the name of a request, only copies of this request are the same. The name alone would not do: other records
    under a name that was used before are to be stored.
    """
    hashed = blake2b(f"{request} {pack.subject}".encode() if request else pack.subject.encode(), digest_size=16)
    for record in pack.records:
        hashed.update(record.hash)
    return hashed.hexdigest()


async def publish(client: Client, stream: str, pack: Pack, request: str = "", timeout: float = 5) -> bool:  # noqa: ASYNC109
    """Store it, and say whether the same was stored already (within the duplicate window).

    BusFullError: it was not stored. BusError: nobody knows; publishing it again does no harm.

    The first copy of several that arrives is the one that the window keeps. It may have been followed by other content
    of the same time since, and of one time what was accepted last is to stand: so when the window drops a pack that
    somebody waits for, it is stored again, behind. What the window still drops is a copy that arrives when nobody waits
    for it any more.

    request: the caller's name for the request that the pack is part of, which it repeats with each copy. Then the first
    copy is where the request belongs, and no copy is stored behind it.
    """
    known = await _store(client, stream, pack, message_id(pack, request), timeout)
    if known and not request:
        await _store(client, stream, pack, None, timeout)
    return known


async def _store(client: Client, stream: str, pack: Pack, unique: str | None, timeout: float) -> bool:  # noqa: ASYNC109
    """Whether the stream had the id."""
    if not client.is_connected:
        raise BusError("no connection to the bus")
    headers = {"Nats-Expected-Stream": stream} | ({"Nats-Msg-Id": unique} if unique else {})
    try:
        with uncancelled():
            reply = await client.request(pack.subject, encode(pack), timeout=timeout, headers=headers)
    except (OSError, TimeoutError, NatsError) as error:
        raise BusError(f"the bus did not acknowledge: {type(error).__name__}") from error
    answer = json.loads(reply.data)
    if problem := answer.get("error"):
        kind = BusFullError if problem.get("err_code") in _FULL else BusError
        raise kind(problem.get("description", "refused"))
    if answer.get("stream") != stream:
        raise BusError(f"stored in stream {answer.get('stream')!r}, not in {stream!r}")
    return bool(answer.get("duplicate"))

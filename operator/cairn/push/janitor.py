# SPDX-License-Identifier: Apache-2.0
"""The leading operator's round over the bus: it makes room, and says how full the stream is."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from prometheus_client import Counter, Gauge

from cairn.api.platform import Platform
from cairn.api.resources import Obj, Ref
from cairn.bus.connection import BusError
from cairn.bus.janitor import make_room
from cairn.push.probe import account_ref, open_bus

ROUND_SECONDS = 30.0

SHARE = Gauge("cairn_push_stream_bytes_ratio", "Share of the stream's max_bytes in use; at 1 the gateway answers 503.")
PURGED = Counter("cairn_push_stream_purged_messages_total", "Messages removed because they are applied everywhere.")

log = logging.getLogger(__name__)


class Reader(Protocol):
    """What is needed of the cluster."""

    async def get(self, ref: Ref) -> Obj | None:
        """The live object, or None. Raises ApiError."""


async def tidy(cluster: Reader, platform: Platform) -> None:
    """For ever. A bus or API server that is away is tried again in the next round."""
    while True:
        try:
            await _round(cluster, platform)
        except BusError as error:
            log.info("bus not tidied: %s", error.args[0])
        except Exception as error:
            log.warning("bus not tidied: %s: %s", type(error).__name__, error)
        await asyncio.sleep(ROUND_SECONDS)


async def _round(cluster: Reader, platform: Platform) -> None:
    account = await cluster.get(account_ref(platform))
    if account is None:
        return
    client = await open_bus(account, platform)
    try:
        room = await make_room(client, platform.bus.stream)
    finally:
        await client.close()
    SHARE.set(room.share)
    PURGED.inc(room.purged)
    if room.purged:
        log.info("%d messages that are applied everywhere removed from the bus", room.purged)

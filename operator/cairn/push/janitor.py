# SPDX-License-Identifier: Apache-2.0
"""The leading operator's round over the bus: it makes room, says how full the stream is, and whose backlog takes more
than a seller's share of it."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from prometheus_client import Counter, Gauge

from cairn.api.platform import Platform
from cairn.api.resources import Obj, Ref
from cairn.bus.connection import BusError, Client
from cairn.bus.janitor import make_room
from cairn.bus.quota import backlog, tell
from cairn.bus.verdict import ROUND_SECONDS, Verdict, over
from cairn.push.probe import account_ref, open_bus

SHARE = Gauge("cairn_push_stream_bytes_ratio", "Share of the stream's max_bytes in use; at 1 the gateway answers 503.")
FULL = Gauge("cairn_push_full_sellers", "Sellers whose records the gateway refuses, as their backlog is full.")
PURGED = Counter("cairn_push_stream_purged_messages_total", "Messages removed because they are applied everywhere.")

log = logging.getLogger(__name__)


class Reader(Protocol):
    """What is needed of the cluster."""

    async def get(self, ref: Ref) -> Obj | None:
        """The live object, or None. Raises ApiError."""


async def tidy(cluster: Reader, platform: Platform, verdict: Verdict) -> None:
    """For ever. A bus or API server that is away is tried again in the next round.

    verdict: is told what the gateways are told: subscriptions say it of their sellers
    """
    FULL.set_function(lambda: len(verdict.full))
    while True:
        try:
            await once(cluster, platform, verdict)
        except BusError as error:
            log.info("bus not tidied: %s", error.args[0])
        except Exception as error:
            log.warning("bus not tidied: %s: %s", type(error).__name__, error)
        await asyncio.sleep(ROUND_SECONDS)


async def once(cluster: Reader, platform: Platform, verdict: Verdict) -> None:
    """One round. Raises ApiError, BusError."""
    account = await cluster.get(account_ref(platform))
    if account is None:
        return
    client = await open_bus(account, platform)
    try:
        await _make_room(client, platform)
        quota, held = await backlog(client, platform.bus.stream, platform.bus.seller_share)
        full = over(held, quota, verdict.full)
        await tell(client, full)
    finally:
        await client.close()
    for seller in sorted(full ^ verdict.full):
        log.info("seller %s %s its share of the bus", seller, "waits at" if seller in full else "is back below")
    verdict.tell(full)


async def _make_room(client: Client, platform: Platform) -> None:
    room = await make_room(client, platform.bus.stream)
    SHARE.set(room.share)
    PURGED.inc(room.purged)
    if room.purged:
        log.info("%d messages that are applied everywhere removed from the bus", room.purged)

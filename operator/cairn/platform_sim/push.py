# SPDX-License-Identifier: Apache-2.0
"""Pushes what waits in the simulator's outbox, until the gateway has accepted it: again after every failure."""

from __future__ import annotations

import asyncio
import logging
import time
from itertools import groupby

import aiohttp
from yarl import URL

from cairn.api.signing import signature
from cairn.platform_sim.book import Book, Waiting

log = logging.getLogger(__name__)

BATCH = 200
MOST_BYTES = 700_000
IDLE_SECONDS = 0.2


class Pusher:
    """For one seller. key: the gateway's."""

    def __init__(self, book: Book, gateway: str, seller: str, key: bytes) -> None:
        self._book, self._gateway, self._seller, self._key = book, URL(gateway), seller, key

    async def run(self) -> None:
        """Until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            while True:
                waiting = self._book.waiting(BATCH)
                if not waiting:
                    await asyncio.sleep(IDLE_SECONDS)
                for (dataset, shop), group in groupby(waiting, key=lambda one: (one.dataset, one.shop)):
                    await self._push(session, dataset, shop, list(group))

    async def _push(self, session: aiohttp.ClientSession, dataset: str, shop: str, group: list[Waiting]) -> None:
        wait = 0.1
        size = 0
        some: list[Waiting] = []
        for one in group:
            size += len(one.payload) + 1
            if some and size > MOST_BYTES:
                break  # the rest is still waiting when this is done
            some.append(one)
        body = b"\n".join(one.payload for one in some)
        url = self._gateway.joinpath("v1", "push", self._seller, shop, dataset)
        while True:
            stamp = str(int(time.time()))
            signed = signature(self._key, "POST", url.raw_path, stamp, body)
            headers = {"X-Cairn-Timestamp": stamp, "X-Cairn-Signature": signed}
            try:
                async with session.post(url, data=body, headers=headers) as answer:
                    said = await answer.json()
                    if answer.status in (202, 400) and not said.get("error"):
                        break
                    log.warning("push: %d %s", answer.status, said.get("error"))
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                log.warning("push: %s", type(error).__name__)
            await asyncio.sleep(wait)
            wait = min(wait * 2, 5)
        if said["rejected"]:
            log.warning("push: %d records were refused for good", len(said["rejected"]))
        self._book.pushed(one.id for one in some)

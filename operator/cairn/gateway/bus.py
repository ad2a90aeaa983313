# SPDX-License-Identifier: Apache-2.0
"""The gateway's connection to the bus, kept up for as long as the gateway runs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from cairn.bus.connection import BusError, Client, SellerFullError, connect
from cairn.bus.pack import Pack
from cairn.bus.publish import publish
from cairn.bus.verdict import SUBJECT, Verdict, seller_of

log = logging.getLogger(__name__)


class Bus:
    """Publishes while there is a connection; `keep` is the task that sees to it."""

    def __init__(
        self, url: str, stream: str, creds: Callable[[], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url, self._stream, self._creds = url, stream, creds
        self._client: Client | None = None
        self._verdict = Verdict(clock)

    @property
    def connected(self) -> bool:
        return self._client is not None and self._client.is_connected

    @property
    def full(self) -> frozenset[str]:
        """Sellers that are refused: what waits of theirs takes their share of the stream."""
        return self._verdict.full

    async def publish(self, pack: Pack, request: str = "") -> bool:
        if self._client is None:
            raise BusError("no connection to the bus")
        if (seller := seller_of(pack.subject)) in self.full:
            raise SellerFullError(f"what waits of seller {seller} takes its share of the bus: its database is behind")
        return await publish(self._client, self._stream, pack, request)

    async def keep(self) -> None:
        """Until cancelled: connect, and connect again when the connection has given up."""
        try:
            while True:
                if self._client is None or self._client.is_closed:
                    await self._connect()
                await asyncio.sleep(1)
        finally:
            if self._client is not None:
                await self._client.close()

    async def _connect(self) -> None:
        try:
            self._client = await connect(self._url, self._creds, "gateway")
            await self._client.subscribe(SUBJECT, cb=self._hear)  # and again by itself on every reconnect
            log.info("bus: connected")
        except (BusError, NatsError, OSError, ValueError) as error:
            log.warning("bus: %s", error)

    async def _hear(self, message: Msg) -> None:
        try:
            self._verdict.hear(message.data)
        except ValueError as error:
            log.warning("bus: %s: %s", SUBJECT, error)

# SPDX-License-Identifier: Apache-2.0
"""The gateway's connection to the bus, kept up for as long as the gateway runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from cairn.bus.connection import BusError, Client, connect
from cairn.bus.pack import Pack
from cairn.bus.publish import publish

log = logging.getLogger(__name__)


class Bus:
    """Publishes while there is a connection; `keep` is the task that sees to it."""

    def __init__(self, url: str, stream: str, creds: Callable[[], str]) -> None:
        self._url, self._stream, self._creds = url, stream, creds
        self._client: Client | None = None

    @property
    def connected(self) -> bool:
        return self._client is not None and self._client.is_connected

    async def publish(self, pack: Pack, request: str = "") -> bool:
        if self._client is None:
            raise BusError("no connection to the bus")
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
            log.info("bus: connected")
        except (BusError, OSError, ValueError) as error:
            log.warning("bus: %s", error)

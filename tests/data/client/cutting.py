# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that cuts connections: on the way there, before the answer comes back, or in the middle of it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Proxy:
    def __init__(self, target: int, seed: int) -> None:
        self._target, self._randomly = target, random.Random(seed)
        self.port = 0
        self.cuts: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()
        self._relays: set[asyncio.Task[None] | None] = set()

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Several requests may come over one connection: each piece of an answer may be the last."""
        self._relays.add(task := asyncio.current_task())
        ways: list[asyncio.Task[None]] = []
        try:
            there, upstream = await asyncio.open_connection("127.0.0.1", self._target)
            ways = [asyncio.create_task(self._forth(reader, upstream)), asyncio.create_task(self._back(there, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            upstream.transport.abort()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            writer.transport.abort()
            self._relays.discard(task)

    async def end(self) -> None:
        for relay in self._relays:
            if relay is not None:
                relay.cancel()
        await asyncio.gather(*(relay for relay in self._relays if relay is not None), return_exceptions=True)

    async def _forth(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65536):
            if self._cut("request", 0.05):
                writer.write(piece[: len(piece) // 2])
                writer.transport.abort()
                return
            writer.write(piece)
            await writer.drain()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65536):
            if self._cut("answer", 0.3):
                return
            if self._cut("half", 0.1):
                writer.write(piece[: len(piece) // 2])
                await writer.drain()
                return
            writer.write(piece)
            await writer.drain()

    def _cut(self, where: str, chance: float) -> bool:
        """By chance, but the first one does not wait for luck."""
        self._seen[where] += 1
        hit = self._randomly.random() < chance or (not self.cuts[where] and self._seen[where] * chance >= 1)
        self.cuts[where] += hit
        return hit


@asynccontextmanager
async def cutting(target: int, seed: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(target, seed)
    server = await asyncio.start_server(proxy.relay, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    yield proxy
    server.close()
    await proxy.end()

# SPDX-License-Identifier: Apache-2.0
"""The gateway's real server on loopback, and connections to it that speak no more HTTP than they are told to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from cairn.gateway.app import Gateway
from cairn.gateway.server import Server, listen
from unit.gateway.told import PATH, signed


@dataclass
class Served:
    gateway: Gateway
    server: Server
    port: int

    async def connect(self, tls: ssl.SSLContext | None = None) -> Raw:
        return Raw(*await asyncio.open_connection("127.0.0.1", self.port, ssl=tls))

    async def said(self, *parts: bytes) -> bytes:
        """What comes back, until the gateway closes the connection, for bytes sent in these parts."""
        raw = await self.connect()
        with suppress(ConnectionError):  # it may have hung up before it heard everything
            await raw.send(*parts)
        return await raw.rest()


@dataclass
class Raw:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def answer(self) -> bytes:
        """The head of an answer and its body."""
        async with asyncio.timeout(10):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
            return head + await self.reader.readexactly(int(length.split(b":")[1]))

    async def rest(self) -> bytes:
        try:
            async with asyncio.timeout(10):
                return await self.reader.read()
        except ConnectionResetError:
            return b""
        finally:
            self.writer.close()


@asynccontextmanager
async def serving(gateway: Gateway, tls: ssl.SSLContext | None = None, drain_seconds: int = 5) -> AsyncIterator[Served]:
    server = Server(gateway.application(), tls, drain_seconds)
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        running = asyncio.create_task(server.serve([listener]))
        while not server.started:  # noqa: ASYNC110  its own flag
            await asyncio.sleep(0.01)
        yield Served(gateway, server, port)
        server.should_exit = True
        await running


def request(body: bytes, *extra: str, path: str = PATH, length: int | None = None) -> bytes:
    """A signed POST as it goes over the wire."""
    told = f"Content-Length: {len(body) if length is None else length}"
    lines = [f"POST {path} HTTP/1.1", "Host: gateway", told, *extra]
    lines += [f"{name}: {value}" for name, value in signed(body, path).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

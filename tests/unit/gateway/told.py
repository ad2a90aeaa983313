# SPDX-License-Identifier: Apache-2.0
"""A bus that does as it is told, and requests that are signed."""

from __future__ import annotations

import asyncio
import time

from cairn.api.signing import signature
from cairn.bus.pack import Pack

PATH = "/v1/push/2088/55501/trades"
KEY = b"0123456789abcdef"
GOOD = b'{"trade_fullinfo_get_response":{"trade":{"tid":%d,"modified":"2026-11-11 00:00:00"}}}'


class StubBus:
    """Keeps what is published, once `allowed`; raises what it is told to."""

    def __init__(self) -> None:
        self.packs: list[Pack] = []
        self.requests: list[str] = []
        self.error: Exception | None = None
        self.duplicate = False
        self.connected = True
        self.allowed = asyncio.Event()
        self.allowed.set()

    async def publish(self, pack: Pack, request: str = "") -> bool:
        await self.allowed.wait()
        if self.error is not None:
            raise self.error
        self.packs.append(pack)
        self.requests.append(request)
        return self.duplicate


def signed(body: bytes, path: str = PATH, key: bytes = KEY, stamp: float | None = None) -> dict[str, str]:
    timestamp = str(int(time.time() if stamp is None else stamp))
    return {"X-Cairn-Timestamp": timestamp, "X-Cairn-Signature": signature(key, "POST", path, timestamp, body)}

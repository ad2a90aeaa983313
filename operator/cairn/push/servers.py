# SPDX-License-Identifier: Apache-2.0
"""What the bus's own servers say of their settings, asked now and then for all subscriptions together."""

from __future__ import annotations

import asyncio
import time
from math import inf

from cairn.api.platform import Platform
from cairn.api.resources import Obj

VALID_SECONDS = 60.0


class BusServers:
    """`sync_interval` and version stand in no stream's settings: only the system account may ask the servers."""

    def __init__(self) -> None:
        self._asking = asyncio.Lock()
        self._asked = -inf
        self._said: tuple[str, ...] = ()

    async def problems(self, account: Obj | None, platform: Platform) -> tuple[str, ...]:
        """What is unsafe, each with the remedy, at most a minute old. account: the Secret of `cairn bus init`.

        BusError where the bus can't be asked."""
        from cairn.bus.admin import server_problems
        from cairn.push.probe import account_ref, open_bus

        if not (account or {}).get("data", {}).get("system.creds"):
            return (f"whether its servers sync is not known: {account_ref(platform)} has no system.creds",)
        async with self._asking:
            if time.monotonic() - self._asked > VALID_SECONDS:
                system = await open_bus(account, platform, "system")
                try:
                    self._said = await server_problems(system)
                finally:
                    await system.close()
                self._asked = time.monotonic()
        return self._said

# SPDX-License-Identifier: Apache-2.0
"""A bus of one real server with credentials as `cairn bus init` makes them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from cairn.bus.admin import ensure_consumer, ensure_stream
from cairn.bus.connection import Client, connect
from cairn.bus.credentials import Installation, mint_user, new_installation, worker_permissions
from cairn.cli.bus import SERVER
from data.servers import NatsServer, free_port


@dataclass
class Bus:
    """The server and what is needed to use it."""

    server: NatsServer
    made: Installation

    @classmethod
    def prepared(cls, home: Path) -> Bus:
        """Configured in a directory, not started."""
        made, port = new_installation(), free_port()
        config = home / "nats.conf"
        store, monitor = json.dumps(str(home / "store")), f"127.0.0.1:{free_port()}"
        config.write_text(SERVER.format(name="test", listen=f"127.0.0.1:{port}", monitor=monitor, store=store))
        (home / "auth.conf").write_text(made.server)
        return cls(NatsServer(config, port), made)

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.server.port}"

    async def connect(self, user: str, creds: str | None = None) -> Client:
        text = creds or {"admin": self.made.admin, "gateway": self.made.gateway, "system": self.made.system}[user]
        return await connect(self.url, lambda: text, user)

    def worker_creds(self, consumer: str) -> str:
        rights = worker_permissions("PUSH", consumer)
        return mint_user(self.made.account_seed, consumer, rights.publish, rights.subscribe)

    async def prepare(self, *consumers: tuple[str, tuple[str, ...]], max_bytes: int = 2**30) -> None:
        """The stream and consumers, by name and filter subjects."""
        client = await self.connect("admin")
        await ensure_stream(client, "PUSH", max_bytes=max_bytes)
        for name, filters in consumers:
            await ensure_consumer(client, "PUSH", name, filters)
        await client.close()

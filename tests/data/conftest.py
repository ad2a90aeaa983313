# SPDX-License-Identifier: Apache-2.0
"""Real servers for the tests of the data plane."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio

from cairn.bus.admin import ensure_consumer, ensure_stream
from cairn.bus.connection import Client
from cairn.bus.connection import connect as connect_bus
from cairn.bus.credentials import Installation, mint_user, new_installation, worker_permissions
from cairn.cli.bus import SERVER
from cairn.sql.postgresql import Connection, Target, connect
from cairn.sql.roles import ensure_database, ensure_role
from data.servers import NatsServer, PostgreSQL, free_port, scratch

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    server = PostgreSQL()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def admin(postgresql: PostgreSQL) -> Target:
    """The superuser's way into the maintenance database."""
    return Target("localhost", postgresql.port, "postgres", "postgres", "secret", postgresql.ca, address="127.0.0.1")


@pytest_asyncio.fixture
async def admin_conn(admin: Target) -> AsyncIterator[Connection]:
    conn = await connect(admin)
    yield conn
    await conn.close()


@pytest_asyncio.fixture
async def database(admin: Target, admin_conn: Connection) -> Target:
    """The superuser's way into a new database that belongs to a seller's role."""
    name = f"shop{next(_numbers)}"
    await ensure_role(admin_conn, f"{name}_owner", password="owner-password")
    await ensure_database(admin_conn, name, f"{name}_owner")
    return replace(admin, database=name)


@pytest_asyncio.fixture
async def conn(database: Target) -> AsyncIterator[Connection]:
    conn = await connect(database)
    yield conn
    await conn.close()


@dataclass
class Bus:
    """A bus of one server and what is needed to use it."""

    server: NatsServer
    made: Installation

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.server.port}"

    async def connect(self, user: str, creds: str | None = None) -> Client:
        text = creds or {"admin": self.made.admin, "gateway": self.made.gateway, "system": self.made.system}[user]
        return await connect_bus(self.url, lambda: text, user)

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


@pytest.fixture
def bus() -> Iterator[Bus]:
    home = scratch("bus")
    made = new_installation()
    port = free_port()
    config = home / "nats.conf"
    store = json.dumps(str(home / "store"))
    monitor = f"127.0.0.1:{free_port()}"
    config.write_text(SERVER.format(name="test", listen=f"127.0.0.1:{port}", monitor=monitor, store=store))
    (home / "auth.conf").write_text(made.server)
    server = NatsServer(config, port)
    try:
        server.start()
        yield Bus(server, made)
    finally:
        server.kill()
        shutil.rmtree(home, ignore_errors=True)

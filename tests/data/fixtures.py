# SPDX-License-Identifier: Apache-2.0
"""Fixtures of real servers, for every directory of tests that needs them."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
import pytest_asyncio

from cairn.datasets import shipped
from cairn.sql.postgresql import Connection, Target, connect
from cairn.sql.push.postgresql.schema import ensure_schema
from cairn.sql.roles import ensure_database, ensure_role, grant_push
from data.bus import Bus
from data.plane import CONSUMER, SHOPS, SUBJECTS, Plane
from data.servers import PostgreSQL, scratch

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


@pytest.fixture
def bus() -> Iterator[Bus]:
    home = scratch("bus")
    bus = Bus.prepared(home)
    try:
        bus.server.start()
        yield bus
    finally:
        bus.server.kill()
        shutil.rmtree(home, ignore_errors=True)


@pytest_asyncio.fixture
async def plane(bus: Bus, database: Target, conn: Connection) -> AsyncIterator[Plane]:
    """Stream, consumer, tables and logins stand; the gateway serves; no worker runs yet."""
    await bus.prepare((CONSUMER, SUBJECTS))
    await ensure_schema(conn, tuple(shipped().values()), SHOPS)
    login = f"{database.database}_push"
    await ensure_role(conn, login, password="push-password")
    await grant_push(conn, database.database, login, tuple(dataset.table for dataset in shipped().values()))
    home = scratch("plane")
    plane = Plane(database, replace(database, user=login, password="push-password"), home, bus=bus)
    try:
        plane.gateway.start()
        plane.gateway.ready()
        yield plane
    finally:
        plane.close()
        shutil.rmtree(home, ignore_errors=True)

# SPDX-License-Identifier: Apache-2.0
"""Real servers, and a seller's program that may read and has a schema of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest_asyncio

from cairn.datasets import shipped
from cairn.sql.postgresql import Connection, Target
from cairn.sql.push.postgresql.schema import ensure_schema
from cairn.sql.roles import ensure_role, grant_reader
from data.fixtures import admin, admin_conn, bus, conn, database, plane, postgresql
from data.plane import SHOPS

__all__ = ["admin", "admin_conn", "bus", "conn", "database", "plane", "postgresql"]


@pytest_asyncio.fixture
async def erp(database: Target, conn: Connection) -> Target:
    """The way in of a program that reads sys_info and owns the schema erp."""
    await ensure_schema(conn, tuple(shipped().values()), SHOPS)
    role = f"{database.database}_erp"
    await ensure_role(conn, role, password="erp-password")
    await grant_reader(conn, database.database, role)
    await conn.execute(
        f"CREATE SCHEMA erp AUTHORIZATION {role}; SET ROLE {role};"
        " CREATE TABLE erp.seen (tid bigint, jdp_seq bigint, jdp_hashcode text, PRIMARY KEY (tid, jdp_seq)); RESET ROLE"
    )
    return replace(database, user=role, password="erp-password")

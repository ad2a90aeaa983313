# SPDX-License-Identifier: Apache-2.0
"""Logins, databases and grants on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest

from cairn.api.conditions import Reason
from cairn.datasets import shipped
from cairn.sql.errors import SqlError
from cairn.sql.facts import server_facts
from cairn.sql.postgresql import Connection, Target, connect
from cairn.sql.push.postgresql.schema import ensure_schema
from cairn.sql.roles import drop_role, ensure_database, ensure_role, grant_push, grant_reader
from data.certificates import Authority
from data.servers import PostgreSQL

DATASETS = tuple(shipped().values())
TABLES = tuple(dataset.table for dataset in DATASETS)


@asynccontextmanager
async def session(target: Target) -> AsyncIterator[Connection]:
    conn = await connect(target)
    try:
        yield conn
    finally:
        await conn.close()


async def test_connect_with_a_foreign_ca_is_refused(admin: Target) -> None:
    with pytest.raises(SqlError) as caught:
        await connect(replace(admin, ca=Authority().certificate))
    assert caught.value.reason is Reason.DATABASE_UNREACHABLE
    assert "certificate" in caught.value.message


async def test_connect_under_another_name_than_the_certificates_is_refused(admin: Target) -> None:
    with pytest.raises(SqlError, match="certificate"):
        await connect(replace(admin, host="db.example.com"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"password": "wrong"}, Reason.AUTHENTICATION_FAILED, id="password"),
        pytest.param({"database": "nowhere"}, Reason.DATABASE_NOT_FOUND, id="database"),
        pytest.param({"port": 1}, Reason.DATABASE_UNREACHABLE, id="port"),
        pytest.param({"ca": b"no certificate"}, Reason.DATABASE_UNREACHABLE, id="ca"),
    ],
)
async def test_connect_that_fails_says_why(admin: Target, change: dict[str, object], reason: Reason) -> None:
    with pytest.raises(SqlError) as caught:
        await connect(replace(admin, **change))  # type: ignore[arg-type]
    assert caught.value.reason is reason
    assert "secret" not in caught.value.message


async def test_session_of_a_hostile_database_still_looks_in_pg_catalog(database: Target, conn: Connection) -> None:
    await conn.execute(f"ALTER DATABASE {database.database} SET search_path = public")
    await conn.execute(f"ALTER DATABASE {database.database} SET synchronous_commit = off")
    async with session(database) as fresh:
        assert await fresh.fetchval("SHOW search_path") == "pg_catalog, pg_temp"
        assert await fresh.fetchval("SHOW synchronous_commit") == "on"


async def test_ensure_role_twice_changes_the_password_and_never_logs_it(
    admin: Target, admin_conn: Connection, postgresql: PostgreSQL
) -> None:
    await ensure_role(admin_conn, "twice", password="first-password", connection_limit=3)
    await ensure_role(admin_conn, "twice", password="second-password", connection_limit=3)
    login = replace(admin, user="twice", password="second-password")
    async with session(login) as conn:
        assert await conn.fetchval("SELECT current_user") == "twice"
    with pytest.raises(SqlError):
        await connect(replace(login, password="first-password"))
    assert "CREATE ROLE" in postgresql.log()
    assert "-password" not in postgresql.log()


async def test_ensure_role_of_somebody_else_is_a_conflict(admin_conn: Connection) -> None:
    await admin_conn.execute("CREATE ROLE theirs LOGIN PASSWORD 'x'")
    with pytest.raises(SqlError) as caught:
        await ensure_role(admin_conn, "theirs", password="mine")
    assert caught.value.reason is Reason.CONFLICT
    await drop_role(admin_conn, "theirs")
    assert await admin_conn.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = 'theirs'") == 1


async def test_ensure_database_lets_in_nobody_else(admin: Target, admin_conn: Connection, database: Target) -> None:
    owner = f"{database.database}_owner"
    await ensure_database(admin_conn, database.database, owner)
    facts = await server_facts(admin_conn)
    assert facts.databases[database.database] == owner
    assert facts.roles[owner].ours
    assert not facts.roles["postgres"].ours
    assert facts.weak == ()
    lax = replace(facts, settings={**facts.settings, "fsync": "off"})
    assert lax.weak == ("fsync = off (must be on)",)
    await ensure_role(admin_conn, "stranger", password="stranger")
    with pytest.raises(SqlError, match="permission denied for database"):
        await connect(replace(database, user="stranger", password="stranger"))


async def test_ensure_database_by_a_login_that_is_no_superuser_works(admin: Target, admin_conn: Connection) -> None:
    await admin_conn.execute("CREATE ROLE rdsadmin LOGIN CREATEROLE CREATEDB PASSWORD 'rdsadmin'")
    async with session(replace(admin, user="rdsadmin", password="rdsadmin")) as conn:
        for _ in range(2):
            await ensure_role(conn, "ext_owner", password="x")
            await ensure_database(conn, "ext", "ext_owner")
        assert (await server_facts(conn)).databases["ext"] == "ext_owner"
    async with session(replace(admin, database="ext", user="rdsadmin", password="rdsadmin")) as conn:
        await ensure_schema(conn, DATASETS, {"1": "nick"})
        await ensure_role(conn, "ext_push", password="x")
        await grant_push(conn, "ext", "ext_push", TABLES)
        await drop_role(conn, "ext_push")
        assert "ext_push" not in (await server_facts(conn)).roles


async def test_grant_reader_reads_present_and_future_tables_and_writes_none(
    admin_conn: Connection, database: Target, conn: Connection
) -> None:
    role = f"{database.database}_reader"
    await ensure_schema(conn, DATASETS[:1], {"1": "nick"})
    await ensure_role(conn, role, password="reader")
    await grant_reader(conn, database.database, role)
    await ensure_schema(conn, DATASETS, {"1": "nick"})
    async with session(replace(database, user=role, password="reader")) as reader:
        for dataset in DATASETS:
            await reader.fetch(f"SELECT * FROM sys_info.{dataset.table}")
            await reader.fetch(f"SELECT * FROM platform.{dataset.name}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.execute("DELETE FROM sys_info.jdp_tb_trade")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM sys_info.jdp_tb_trade",
        "TRUNCATE sys_info.jdp_tb_trade",
        "ALTER TABLE sys_info.jdp_tb_trade ADD COLUMN x int",
        "CREATE TABLE sys_info.mine ()",
        "CREATE SCHEMA mine",
        "UPDATE sys_info.jdp_shop SET shop_id = '2'",
        "DELETE FROM sys_info.jdp_quarantine",
        "INSERT INTO sys_info.jdp_cursor VALUES ('x', 1, now())",
    ],
)
async def test_grant_push_gives_no_more_than_writing(database: Target, conn: Connection, statement: str) -> None:
    await ensure_schema(conn, DATASETS, {"1": "nick"})
    await ensure_role(conn, "cairn_push", password="push")
    await grant_push(conn, database.database, "cairn_push", TABLES)
    async with session(replace(database, user="cairn_push", password="push")) as push:
        await push.execute("CREATE TEMP TABLE stage (LIKE sys_info.jdp_tb_trade)")
        await push.execute("INSERT INTO sys_info.jdp_tb_trade (tid) VALUES (1)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await push.execute(statement)

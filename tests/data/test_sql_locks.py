# SPDX-License-Identifier: Apache-2.0
"""Whose sessions and prepared transactions end for the sake of a lock, and whose don't."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest
import pytest_asyncio

from cairn.sql.locks import end_holders, end_lockers, forget_prepared
from cairn.sql.postgresql import Connection, Target, connect
from cairn.sql.roles import ensure_role

KEY = 0x636169726E
HALVES = (KEY >> 32, KEY & 0xFFFFFFFF)


@pytest_asyncio.fixture
async def other(database: Target, conn: Connection) -> AsyncIterator[Connection]:
    """The seller's own login."""
    found = await connect(replace(database, user=f"{database.database}_owner", password="owner-password"))
    yield found
    found.terminate()


GONE = (asyncpg.PostgresError, asyncpg.InterfaceError)
ONE, TWO = (KEY,), HALVES


@pytest.mark.parametrize(
    ("taken", "key", "ended"),
    [
        (f"pg_advisory_lock({KEY})", ONE, True),
        (f"pg_advisory_lock_shared({KEY})", ONE, True),
        (f"pg_advisory_lock({HALVES[0]}, {HALVES[1]})", TWO, True),
        (f"pg_advisory_lock({HALVES[0]}, {HALVES[1]})", ONE, False),
        (f"pg_advisory_lock({KEY})", TWO, False),
        (f"pg_advisory_lock({KEY + 1})", ONE, False),
    ],
)
async def test_only_who_holds_this_very_lock_is_ended(
    conn: Connection, other: Connection, taken: str, key: tuple[int, ...], ended: bool
) -> None:
    """Two halves of a long key make another lock than the key."""
    await other.execute(f"SELECT {taken}")
    await end_holders(conn, *key)
    if ended:
        with pytest.raises(GONE):
            await other.fetchval("SELECT 1")
    else:
        assert await other.fetchval("SELECT 1") == 1


async def test_holder_in_another_database_and_an_admin_by_another_name_are_left(
    admin: Target, database: Target, conn: Connection
) -> None:
    await ensure_role(conn, "second_admin", password="admin-password")
    await conn.execute("ALTER ROLE second_admin SUPERUSER")
    elsewhere = replace(admin, database="postgres", user=f"{database.database}_owner", password="owner-password")
    holders = [
        await connect(elsewhere),
        await connect(replace(database, user="second_admin", password="admin-password")),
    ]
    try:
        for holder in holders:
            await holder.execute(f"SELECT pg_advisory_lock({KEY})")
        await end_holders(conn, KEY)
        assert [await holder.fetchval("SELECT 1") for holder in holders] == [1, 1]
    finally:
        for holder in holders:
            await holder.close()


async def test_only_prepared_transactions_of_these_logins_and_this_database_are_rolled_back(
    admin: Target, database: Target, conn: Connection, other: Connection
) -> None:
    name = database.database
    elsewhere = await connect(replace(admin, user=f"{name}_owner", password="owner-password"))
    try:
        for number, session in enumerate((conn, other, elsewhere)):
            await session.execute(
                f"BEGIN; SELECT pg_advisory_xact_lock({number}); PREPARE TRANSACTION 'it''s {name} {number}'"
            )
        assert await forget_prepared(conn, f"^{name}_own$") == 0
        assert await forget_prepared(conn, f"^{name}_owner$") == 1
        left = await conn.fetch("SELECT gid FROM pg_prepared_xacts WHERE gid LIKE $1 ORDER BY 1", f"it's {name} %")
        assert [row["gid"][-1] for row in left] == ["0", "2"]
    finally:
        await conn.execute(f"ROLLBACK PREPARED 'it''s {name} 0'")
        await elsewhere.execute(f"ROLLBACK PREPARED 'it''s {name} 2'")
        await elsewhere.close()


async def test_only_who_locks_such_a_table_against_readers_is_ended(
    database: Target, conn: Connection, other: Connection
) -> None:
    owner = f"{database.database}_owner"
    await conn.execute(
        f"CREATE SCHEMA mine AUTHORIZATION {owner}; SET ROLE {owner}; CREATE TABLE mine.t (); RESET ROLE"
    )
    await other.execute("BEGIN; LOCK TABLE mine.t IN SHARE ROW EXCLUSIVE MODE")
    assert await end_lockers(conn, f"^{owner}$", "^mine$") == 0
    await other.execute("LOCK TABLE mine.t")
    assert await end_lockers(conn, f"^{owner}$", "^yours$") == 0
    assert await end_lockers(conn, "^somebody$", "^mine$") == 0
    assert await other.fetchval("SELECT 1") == 1
    assert await end_lockers(conn, f"^{owner}$", "^mine$") == 1
    with pytest.raises(GONE):
        await other.fetchval("SELECT 1")

# SPDX-License-Identifier: Apache-2.0
"""When consent is withdrawn, what was open ends: in seconds, and before anybody says so."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import replace

import asyncpg
import pytest

from cairn.sql.errors import SqlError
from cairn.sql.share.names import group, logins, shares
from cairn.sql.share.postgresql.share import PostgreSQLShare
from data.share.designs import WHY, design
from data.share.seller import Seller

GONE = (asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.InterfaceError)


@pytest.mark.parametrize("removed", [pytest.param(True, id="app removed"), pytest.param(False, id="grant withdrawn")])
async def test_check_02_revoke_bites_whatever_is_open(seller: Seller, removed: bool) -> None:
    before = design(seller.database)
    before = replace(before, views=tuple(item for item in before.views if item.name == "trade"))
    await seller.settled(before)
    for tid in range(1, 201):
        await seller.trade(tid)
    view = f"{shares(seller.crm)}.trade"
    after = replace(before, views=tuple(item for item in before.views if item.party != seller.crm))
    if removed:
        after = replace(after, parties=before.parties[1:], tables=())
    async with AsyncExitStack() as stack:
        cursor, role, prepared, idle, other = [
            await stack.enter_async_context(seller.as_app(party))
            for party in (seller.crm, seller.crm, seller.crm, seller.crm, seller.erp)
        ]
        await cursor.execute(f"BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT * FROM {view}")
        assert len(await cursor.fetch("FETCH 10 FROM c")) == 10
        await role.execute(f"SET ROLE {group(seller.crm)}")
        statement = await prepared.prepare(f"SELECT count(*) FROM {view}")
        assert await statement.fetchval() == 200
        assert await idle.fetchval(f"SELECT count(*) FROM {view}") == 200

        started = time.monotonic()
        outcome = await seller.settle(after)
        assert time.monotonic() - started < 60
        assert outcome.problem == "", outcome.problem
        assert (outcome.verified, outcome.ended) == (True, 4)
        for conn, sql in (
            (cursor, "FETCH 10 FROM c"),
            (role, f"SELECT * FROM {view}"),
            (prepared, "SELECT 1"),
            (idle, "SELECT 1"),
        ):
            with pytest.raises(GONE):
                await conn.fetch(sql)
        assert await other.fetchval(f"SELECT count(*) FROM {shares(seller.erp)}.trade") == 200
    if removed:
        with pytest.raises(SqlError, match=r"authentication failed|not permitted to log in"):
            async with seller.as_app(seller.crm):
                pass
    else:
        async with seller.as_app(seller.crm) as conn:
            with pytest.raises(asyncpg.UndefinedTableError):
                await conn.fetch(f"SELECT * FROM {view}")
    await seller.settled(after)


async def test_check_02_revoke_bites_a_login_that_is_turned_off(seller: Seller) -> None:
    before = design(seller.database)
    await seller.settled(before)
    first, second = logins(seller.crm)
    crm = before.parties[0]
    turned = replace(crm, logins=tuple(replace(login, enabled=not login.enabled) for login in crm.logins))
    both = replace(crm, logins=tuple(replace(login, enabled=True) for login in crm.logins))
    await seller.settled(replace(before, parties=(both, *before.parties[1:])))
    async with seller.as_app(seller.crm) as old, seller.as_app(seller.crm, 1) as new:
        assert await old.fetchval("SELECT session_user") == first
        outcome = await seller.settle(replace(before, parties=(turned, *before.parties[1:])))
        assert (outcome.verified, outcome.ended) == (True, 1)
        assert [record.action for record in outcome.records] == ["rotate"]
        with pytest.raises(GONE):
            await old.fetch("SELECT 1")
        assert await new.fetchval("SELECT session_user") == second
        assert await new.fetchval(f"SELECT count(*) FROM {shares(seller.crm)}.trade") == 0


async def test_check_02_revoke_bites_is_not_said_before_the_session_has_ended(
    seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sessions that can't be ended: not verified, and not forgotten."""
    before = design(seller.database)
    await seller.settled(before)
    after = replace(before, views=before.views[1:])
    async with seller.as_app(seller.crm) as app:
        await app.execute(f"BEGIN; DECLARE c CURSOR FOR SELECT * FROM {shares(seller.crm)}.trade")
        with monkeypatch.context() as patch:
            patch.setattr(
                "cairn.sql.share.postgresql.catalog.END",
                "SELECT usename FROM pg_user WHERE $1::text[] IS NULL",
            )
            outcome = await PostgreSQLShare(seller.conn, seller.target).settle(after, WHY, {})
        assert not outcome.verified
        assert f"a session of {logins(seller.crm)[0]} is open" in outcome.problem
        await app.fetch("FETCH 1 FROM c")
        outcome = await seller.settle(after)
        assert (outcome.verified, outcome.ended) == (True, 1)
        with pytest.raises(GONE):
            await app.fetch("FETCH 1 FROM c")

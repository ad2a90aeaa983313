# SPDX-License-Identifier: Apache-2.0
"""An operator that dies between any two statements of a change: the next one arrives at the same place."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from cairn.sql.postgresql import Connection, Target, connect
from cairn.sql.share.model import Design
from cairn.sql.share.names import logins, own_role, shares
from cairn.sql.share.postgresql.audit import broken
from cairn.sql.share.postgresql.share import PostgreSQLShare
from data.share.designs import WHY, crm, design, erp, member, party_id, published_view, trade_view
from data.share.designs import app as an_app
from data.share.seller import Seller


class Mortal:
    """A connection that is cut right after its n-th statement was carried out."""

    def __init__(self, conn: Connection, lives: int) -> None:
        self._conn, self._lives = conn, lives

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)

    async def execute(self, sql: str, *args: Any) -> str:
        return str(await self._mortal(self._conn.execute(sql, *args)))

    async def fetch(self, sql: str, *args: Any) -> Any:
        if "pg_terminate_backend" in sql:
            return await self._mortal(self._conn.fetch(sql, *args))
        return await self._conn.fetch(sql, *args)

    async def _mortal(self, sending: Any) -> Any:
        found = await sending
        self._lives -= 1
        if self._lives == 0:
            self._conn.terminate()
            raise asyncpg.ConnectionDoesNotExistError("killed")
        return found


async def killed_after(target: Target, wanted: Design, lives: int, passwords: dict[str, str]) -> bool:
    """Whether it came that far."""
    conn = await connect(target)
    try:
        share = PostgreSQLShare(Mortal(conn, lives), target)  # type: ignore[arg-type]  # as good as a connection
        await share.settle(wanted, WHY, passwords)
    except asyncpg.ConnectionDoesNotExistError:
        return True
    finally:
        conn.terminate()
    return False


def changed(before: Design) -> Design:
    """Less for CRM, more for ERP, another app instead of the staff, other shops, another publication."""
    database = before.database
    one, two, three = crm(database), erp(database), party_id(f"{database}/third")
    first = before.parties[0]
    turned = replace(first, logins=tuple(replace(login, enabled=not login.enabled) for login in first.logins))
    return replace(
        before,
        parties=(turned, before.parties[1], an_app(three)),
        tables=(*before.tables, member(two)),
        views=(
            trade_view(one, (("tid", "plain"), ("buyer_nick", "hmac"))),
            trade_view(two, (("tid", "plain"), ("payment", "bucket"), ("created", "plain")), shops=("55501",)),
            published_view(three, member(two), ("level",)),
        ),
        ended=frozenset({"some-grant"}),
    )


async def _one_by_one(seller: Seller, first: Design, second: Design, start: int, step: int) -> int:
    """Back and forth, killed one statement later each time."""
    here, there, lives = first, second, start
    while True:
        async with seller.as_app(erp(seller.database)) as app:
            await app.execute(f"BEGIN; DECLARE c CURSOR FOR SELECT * FROM {shares(erp(seller.database))}.trade")
            if not await killed_after(seller.target, there, lives, seller.passwords(there)):
                break
            outcome = await seller.settled(there)
            assert outcome.verified
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError):
                await app.fetch("FETCH 1 FROM c")
                raise AssertionError(f"a cursor outlived the change, killed after statement {lives}")
        here, there, lives = there, here, lives + step
    return lives


async def test_killed_between_any_two_statements_of_a_change(seller: Seller) -> None:
    first = design(seller.database)
    second = changed(first)
    await seller.settled(first)
    for tid in range(1, 51):
        await seller.trade(tid)
    lives = await _one_by_one(seller, first, second, 1, 1)
    assert lives > 60, lives
    rows = await seller.share.audit(first, limit=100_000)
    assert broken(rows) is None


async def test_killed_before_it_ended_the_sessions_that_it_had_to(seller: Seller) -> None:
    """Nothing but a row of a filter goes: once it has gone, only a note tells that a cursor still shows what it hid."""
    first = design(seller.database)
    fewer = tuple(replace(view, shops=("55501",)) for view in first.views)
    lives = 1
    while True:
        await seller.settled(first)
        async with seller.as_app(seller.erp) as app:
            await app.execute(f"BEGIN; DECLARE c CURSOR FOR SELECT * FROM {shares(seller.erp)}.trade")
            killed = await killed_after(seller.target, replace(first, views=fewer), lives, {})
            await seller.settled(replace(first, views=fewer))
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
                await app.fetch("FETCH 1 FROM c")
        if not killed:
            break
        lives += 1
    assert lives > 10, lives


async def test_killed_between_any_two_statements_of_the_first_settling(seller: Seller, admin_conn: Connection) -> None:
    """From nothing each time: what was made is taken away again by hand."""
    wanted = design(seller.database)
    wanted = replace(wanted, parties=wanted.parties[:1], views=wanted.views[:1])
    lives = 1
    while await killed_after(seller.target, wanted, lives, seller.passwords(wanted)):
        outcome = await seller.settled(wanted)
        assert outcome.verified
        rows = await seller.share.audit(wanted)
        assert broken(rows) is None
        assert {"admit", "grant"} <= {row["action"] for row in rows}
        roles = [own_role(wanted.id), f"g{seller.crm}", *logins(seller.crm)]
        for role in roles:
            await seller.conn.execute(f"DROP OWNED BY {role} CASCADE")
        for role in roles:
            await seller.conn.execute(f"DROP ROLE {role}")
        lives += 5
    assert lives > 60, lives


@pytest.mark.parametrize("column", ["reason", "after"])
async def test_chain_of_the_audit_breaks_when_a_row_is_changed(seller: Seller, column: str) -> None:
    wanted = design(seller.database)
    await seller.settled(wanted)
    own = own_role(wanted.id)
    for role in ("RESET ROLE", f"SET ROLE {own}"):
        await seller.conn.execute(role)
        for sql in (f"UPDATE audit.log SET {column} = 'x'", "DELETE FROM audit.log", "TRUNCATE audit.log"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await seller.conn.execute(sql)
    await seller.conn.execute("RESET ROLE")
    assert broken(await seller.share.audit(wanted)) is None
    await seller.conn.execute("ALTER TABLE audit.log DISABLE TRIGGER keep")
    await seller.conn.execute(f"UPDATE audit.log SET {column} = 'x' WHERE seq = 2")
    assert broken(await seller.share.audit(wanted)) == 2
    outcome = await seller.settled(wanted)
    assert [record.subject for record in outcome.records] == ["table audit.log"]

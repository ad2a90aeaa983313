# SPDX-License-Identifier: Apache-2.0
"""Shared data on a SQL Server of one's own: CAIRN_TEST_SQLSERVER=LOGIN:PASSWORD@HOST:PORT, a sysadmin's, and
CAIRN_TEST_SQLSERVER_CA, a file with the CA of its certificate. It makes and drops the database `cairntest`; the server
needs `contained database authentication`.

Nobody has seen this pass: until somebody has, `cairn.sql.share.sqlserver` is experimental. Needs the extra `sqlserver`.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Target
from cairn.sql.share.engine import Outcome
from cairn.sql.share.model import Design
from cairn.sql.share.names import logins, shares
from cairn.sql.share.sqlserver.share import SQLServerShare
from cairn.sql.share.state import difference
from data.engines.recorded import BreakError, narrower
from data.share.designs import WHY, crm, design, erp

if TYPE_CHECKING:
    from cairn.sql.share.sqlserver.connection import Session

SERVER, CA = os.environ.get("CAIRN_TEST_SQLSERVER", ""), os.environ.get("CAIRN_TEST_SQLSERVER_CA", "")
pytestmark = [
    pytest.mark.skipif(not SERVER, reason="CAIRN_TEST_SQLSERVER names no SQL Server"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the driver's, about its TLS library
]
DATABASE = "cairntest"
PASSWORD = "App-password-1"
CRM, ERP = crm(DATABASE), erp(DATABASE)
TRADES = (
    "CREATE TABLE platform.trades (tid bigint PRIMARY KEY, shop_id nvarchar(64), created datetime2, pay_time datetime2,"
    " ouid nvarchar(64), omid nvarchar(64), buyer_nick nvarchar(64), receiver_mobile nvarchar(32),"
    " title nvarchar(max), payment decimal(20, 2), secret nvarchar(64))"
)


def authority() -> bytes | None:
    return Path(CA).read_bytes() if CA else None


async def opened(database: str, user: str = "", password: str = "") -> Session:
    from cairn.sql.share.sqlserver.connection import connect

    login, _, where = SERVER.rpartition("@")
    name, _, known = login.partition(":")
    host, _, port = where.partition(":")
    target = Target(host, int(port or 1433), database, user or name, password or known, authority())
    return await connect(target)


class Seller:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.share = SQLServerShare(session)

    async def settle(self, whole: Design) -> Outcome:
        passwords = {login.name: PASSWORD for party in whole.parties for login in party.logins if login.enabled}
        return await self.share.settle(whole, WHY, passwords)

    async def settled(self, whole: Design) -> Outcome:
        """Settled, exact, and so well that a second time sends nothing."""
        outcome = await self.settle(whole)
        assert outcome.problem == "", outcome.problem
        assert outcome.verified
        found = (await self.share.observe(whole, {})).state
        assert not difference(self.share.desired(whole), found), difference(self.share.desired(whole), found)
        again = await self.settle(whole)
        assert (again.statements, again.ended, again.verified, again.records) == (0, 0, True, ()), again
        return outcome

    async def as_app(self, party: str) -> Session:
        return await opened(DATABASE, logins(party)[0], PASSWORD)


@pytest_asyncio.fixture
async def seller() -> AsyncIterator[Seller]:
    master = await opened("master")
    drop = (
        f"IF DB_ID(N'{DATABASE}') IS NOT NULL BEGIN ALTER DATABASE {DATABASE} SET SINGLE_USER WITH ROLLBACK IMMEDIATE;"
        f" DROP DATABASE {DATABASE} END"
    )
    await master.execute(drop)
    await master.execute(f"CREATE DATABASE {DATABASE} CONTAINMENT = PARTIAL")
    session = await opened(DATABASE)
    try:
        await session.execute("CREATE SCHEMA platform")
        await session.execute(TRADES)
        await session.execute(
            "INSERT INTO platform.trades (tid, shop_id, created, buyer_nick, receiver_mobile, title, secret)"
            " VALUES (1, N'55501', SYSUTCDATETIME(), N'one', N'13812345678', N'a', N'x'),"
            " (2, N'55502', SYSUTCDATETIME(), N'two', N'13812345679', N'b', N'x')"
        )
        yield Seller(session)
    finally:
        await session.close()
        await master.execute(drop)
        await master.close()


async def test_check_01_exact_acl_of_the_example_and_a_second_pass_that_sends_nothing(seller: Seller) -> None:
    await seller.settled(design(DATABASE))


async def test_check_01_exact_acl_after_everybody_has_gone_and_come_back(seller: Seller) -> None:
    await seller.settled(design(DATABASE))
    await seller.settled(design(DATABASE, parties=(), tables=(), views=()))
    await seller.settled(design(DATABASE))


async def test_check_02_revoke_bites_whatever_is_open(seller: Seller) -> None:
    whole = replace(design(DATABASE), tables=(), views=design(DATABASE).views[:2])
    await seller.settled(whole)
    view = f"{shares(CRM)}.trade"
    reading, idle, other = await seller.as_app(CRM), await seller.as_app(CRM), await seller.as_app(ERP)
    await reading.execute("BEGIN TRANSACTION")
    assert await reading.fetch(f"SELECT tid FROM {view} WITH (REPEATABLEREAD)") == [(1,)]
    await idle.execute("SELECT 1 AS one")
    outcome = await seller.settle(replace(whole, parties=whole.parties[1:], views=whole.views[1:]))
    assert outcome.problem == "", outcome.problem
    assert (outcome.verified, outcome.ended) == (True, 2)
    for session in (reading, idle):
        with pytest.raises(Exception, match=r"."):
            await session.fetch(f"SELECT tid FROM {view}")
    assert len(await other.fetch(f"SELECT tid FROM {shares(ERP)}.trade")) == 2
    with pytest.raises(SqlError, match="refused login"):
        await seller.as_app(CRM)
    await other.close()


async def test_check_03_shrink_takes_one_column_and_disturbs_nobody_else(seller: Seller) -> None:
    whole = design(DATABASE)
    await seller.settled(whole)
    other = await seller.as_app(ERP)
    await seller.settled(narrower(whole, 1))
    assert len(await other.fetch(f"SELECT * FROM {shares(ERP)}.trade")) == 2
    await other.close()
    app = await seller.as_app(CRM)
    assert await app.fetch(f"SELECT * FROM {shares(CRM)}.trade") == [(1,)]
    await app.close()


@pytest.mark.parametrize("read", [
    "SELECT secret FROM {share}.trade", "SELECT * FROM platform.trades", "SELECT * FROM map.mac",
    "SELECT * FROM audit.log", "CREATE VIEW {share}.mine AS SELECT * FROM platform.trades",
    "CREATE VIEW {work}.mine AS SELECT * FROM platform.trades",
])  # fmt: skip
async def test_check_05_what_was_not_granted_is_not_there(seller: Seller, read: str) -> None:
    await seller.settled(design(DATABASE))
    app = await seller.as_app(CRM)
    with pytest.raises(Exception, match=r"denied|Invalid column|permission") as refused:
        await app.fetch(read.format(share=shares(CRM), work=f"w{CRM}"))
    assert hasattr(refused.value, "msg_no")
    await app.close()


async def test_check_05_a_new_column_is_in_no_view(seller: Seller) -> None:
    await seller.settled(design(DATABASE))
    await seller.session.execute("ALTER TABLE platform.trades ADD later nvarchar(8) NULL")
    app = await seller.as_app(CRM)
    assert len((await app.fetch(f"SELECT * FROM {shares(CRM)}.trade"))[0]) == 3
    await app.close()
    await seller.settled(design(DATABASE))


async def test_broken_between_any_two_statements_nobody_may_more_and_the_next_pass_mends(
    seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = design(DATABASE)
    two = replace(narrower(one, 1), parties=one.parties[:1] + one.parties[2:], views=(narrower(one, 1).views[0],))
    await seller.settled(one)
    allowed = seller.share.desired(one).entries | seller.share.desired(two).entries
    original, at, broke = seller.session.execute, 0, True
    while broke:
        broke = False
        for target in (two, one):
            count = 0

            async def execute(sql: str, parameters: Sequence[Any] = ()) -> None:
                nonlocal count
                count += 1
                if count > at and not sql.startswith("EXEC sys.sp_releaseapplock"):  # noqa: B023 -- read at once
                    raise BreakError
                await original(sql, parameters)

            with monkeypatch.context() as patch:
                patch.setattr(seller.session, "execute", execute)
                try:
                    await seller.settle(target)
                except BreakError:
                    broke = True
            found = (await seller.share.observe(one, {})).state
            assert found.entries <= allowed, found.entries - allowed
            await seller.settled(target)
        at += 5

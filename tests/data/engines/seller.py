# SPDX-License-Identifier: Apache-2.0
"""A seller's server of MySQL or MariaDB, with orders in `platform` as the push will write them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cairn.sql.postgresql import Target
from cairn.sql.share.engine import Outcome
from cairn.sql.share.model import Design
from cairn.sql.share.mysql.connection import Session, connect
from cairn.sql.share.mysql.share import MySQLShare
from cairn.sql.share.names import logins
from cairn.sql.share.state import difference
from data.share.designs import WHY, crm, erp

PASSWORD = "app-password-1"
DATABASE = "platform"
TRADES = (
    "CREATE TABLE IF NOT EXISTS platform.trades (tid bigint PRIMARY KEY, shop_id varchar(64), created datetime,"
    " pay_time datetime, ouid varchar(64), omid varchar(64), buyer_nick varchar(64), receiver_mobile varchar(32),"
    " title text, payment decimal(20,2), orders json) CHARACTER SET utf8mb4"
)


@dataclass
class Seller:
    """session: the operator's own."""

    target: Target
    session: Session
    database: str = DATABASE

    @property
    def crm(self) -> str:
        return crm(self.database)

    @property
    def erp(self) -> str:
        return erp(self.database)

    @property
    def share(self) -> MySQLShare:
        return MySQLShare(self.session)

    def passwords(self, design: Design) -> dict[str, str]:
        return {login.name: PASSWORD for party in design.parties for login in party.logins if login.enabled}

    async def settle(self, design: Design) -> Outcome:
        return await self.share.settle(design, WHY, self.passwords(design))

    async def exact(self, design: Design) -> None:
        found = (await self.share.observe(design, {})).state
        wanted = self.share.desired(design)
        assert not difference(wanted, found), difference(wanted, found)

    async def settled(self, design: Design) -> Outcome:
        """Settled, exact, and so well that a second time sends nothing."""
        outcome = await self.settle(design)
        assert outcome.problem == "", outcome.problem
        assert outcome.verified
        await self.exact(design)
        again = await self.settle(design)
        assert (again.statements, again.ended, again.verified, again.records) == (0, 0, True, ()), again
        return outcome

    @asynccontextmanager
    async def as_app(self, party: str, which: int = 0) -> AsyncIterator[Session]:
        session = await connect(replace(self.target, user=logins(party)[which], password=PASSWORD))
        try:
            yield session
        finally:
            session.abort()

    async def trade(self, tid: int, shop: str | None = "55501", **values: Any) -> None:
        """A pushed order. days: how long ago"""
        at = datetime.now(UTC) + timedelta(hours=8) - timedelta(days=values.pop("days", 0))
        row = {"tid": tid, "shop_id": shop, "created": at.replace(tzinfo=None), "buyer_nick": f"buyer{tid}", **values}
        await self.session.execute(
            f"INSERT INTO platform.trades ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})",
            tuple(row.values()),
        )


async def seller_at(target: Target) -> Seller:
    """An empty server again: nothing of an earlier test is left."""
    session = await connect(target)
    for (name,) in await session.fetch(
        "SELECT schema_name FROM information_schema.schemata"
        " WHERE schema_name REGEXP '^([psw][a-z2-7]{16}|map|audit|platform|other)$'"
    ):
        await session.execute(f"DROP DATABASE `{name}`")
    for user, host in await session.fetch(
        "SELECT user, host FROM mysql.user WHERE user REGEXP '^(own|g|u)[a-z2-7]{16}'"
    ):
        await session.execute(f"DROP {'ROLE' if host == '' else 'USER'} `{user}`{f'@`{host}`' if host else ''}")
    await session.execute("CREATE DATABASE platform")
    await session.execute(TRADES)
    await session.execute("CREATE USER IF NOT EXISTS platform_reader@'%' ACCOUNT LOCK")
    await session.execute("GRANT SELECT ON platform.* TO platform_reader@'%'")
    return Seller(target, session)

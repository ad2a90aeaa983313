# SPDX-License-Identifier: Apache-2.0
"""A seller's database with pushed trades, and the ways into it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from cairn.api.dataset import Dataset, ViewColumn
from cairn.datasets import shipped
from cairn.sql.postgresql import Connection, Target, connect
from cairn.sql.push.postgresql.schema import ensure_schema
from cairn.sql.roles import ensure_role, grant_reader
from cairn.sql.share.engine import Outcome
from cairn.sql.share.model import Design
from cairn.sql.share.names import logins
from cairn.sql.share.postgresql.share import PostgreSQLShare
from cairn.sql.share.state import State, difference
from data.share.designs import WHY, crm, erp

SHOPS = {"55501": "taobao001", "55502": "taobao002"}
PASSWORD = "app-password-1"


@dataclass
class Seller:
    """conn: the operator's own connection."""

    target: Target
    conn: Connection

    @property
    def database(self) -> str:
        return self.target.database

    @property
    def crm(self) -> str:
        return crm(self.database)

    @property
    def erp(self) -> str:
        return erp(self.database)

    @property
    def share(self) -> PostgreSQLShare:
        return PostgreSQLShare(self.conn, self.target)

    async def settle(self, design: Design) -> Outcome:
        return await self.share.settle(design, WHY, self.passwords(design))

    def passwords(self, design: Design) -> dict[str, str]:
        return {login.name: PASSWORD for party in design.parties for login in party.logins if login.enabled}

    async def settled(self, design: Design) -> Outcome:
        """Settled, exact, and so well that a second time sends nothing."""
        outcome = await self.settle(design)
        assert outcome.problem == "", outcome.problem
        assert outcome.verified
        await self.exact(design)
        again = await self.settle(design)
        assert (again.statements, again.ended, again.verified, again.records) == (0, 0, True, ()), again
        return outcome

    async def exact(self, design: Design) -> None:
        found = (await self.share.observe(design, {})).state
        wanted = self.share.desired(design)
        assert not difference(wanted, found), difference(wanted, found)
        assert found == State(wanted.entries, wanted.objects, {**wanted.rows, "map.due": frozenset()})

    @asynccontextmanager
    async def as_app(self, party: str, which: int = 0) -> AsyncIterator[Connection]:
        login = replace(self.target, user=logins(party)[which], password=PASSWORD)
        conn = await connect(login, application="app")
        try:
            yield conn
        finally:
            conn.terminate()

    async def trade(self, tid: int, shop: str = "55501", **values: Any) -> None:
        """A pushed trade. values: columns of the record, or stored ones"""
        stored = {"created": "now", "buyer_nick": f"buyer{tid}", **values}
        record = {"tid": tid, **{name: value for name, value in stored.items() if name not in ("created",)}}
        response = json.dumps({"trade_fullinfo_get_response": {"trade": record}})
        await self.conn.execute(
            "INSERT INTO sys_info.jdp_tb_trade (tid, seller_nick, buyer_nick, created, jdp_response, jdp_version)"
            " VALUES ($1, $2, $3, (now() AT TIME ZONE 'Asia/Shanghai') + $4::text::interval, $5, 1)",
            tid,
            SHOPS[shop],
            stored["buyer_nick"],
            values.get("created", "0"),
            response,
        )


def datasets() -> tuple[Dataset, ...]:
    """Those that ship, with the buyer's ids in trades."""
    found = dict(shipped())
    trades = found["trades"]
    known = {column.name for column in trades.view}
    more = [ViewColumn(name=name, type="text", path=(name,)) for name in ("ouid", "omid") if name not in known]
    found["trades"] = trades.model_copy(update={"view": (*trades.view, *more)})
    return tuple(found.values())


async def seller_at(target: Target, conn: Connection) -> Seller:
    await ensure_schema(conn, datasets(), SHOPS)
    reader = f"{target.database}_reader"
    await ensure_role(conn, reader, password="reader")
    await grant_reader(conn, target.database, reader)
    return Seller(target, conn)

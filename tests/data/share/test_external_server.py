# SPDX-License-Identifier: Apache-2.0
"""On a server that Cairn doesn't run its login is no superuser."""

from __future__ import annotations

from dataclasses import replace

import asyncpg
import pytest

from cairn.sql.postgresql import Connection, Target, connect
from cairn.sql.roles import ensure_database, ensure_role
from cairn.sql.share.names import group, shares
from data.share.designs import design, trade_view
from data.share.seller import Seller, seller_at


@pytest.mark.parametrize("removed", [False, True])
async def test_settle_by_a_login_that_is_no_superuser_is_exact(
    admin: Target, admin_conn: Connection, removed: bool
) -> None:
    name = f"external{int(removed)}"
    await admin_conn.execute(f"CREATE ROLE {name}_admin LOGIN CREATEROLE CREATEDB PASSWORD 'x'")
    outside = replace(admin, user=f"{name}_admin", password="x")
    first = await connect(outside)
    await ensure_role(first, f"{name}_owner", password="x")
    await ensure_database(first, name, f"{name}_owner")
    await first.close()
    target = replace(outside, database=name)
    conn = await connect(target)
    seller: Seller = await seller_at(target, conn)
    whole = design(name)
    await seller.settled(whole)
    await seller.trade(1)
    narrower = replace(whole, views=(trade_view(seller.crm, (("tid", "plain"),)), *whole.views[1:]))
    if removed:
        narrower = replace(whole, parties=whole.parties[1:], tables=(), views=(whole.views[1], whole.views[3]))
    async with seller.as_app(seller.crm) as app:
        await app.execute(f"BEGIN; DECLARE c CURSOR FOR SELECT * FROM {shares(seller.crm)}.trade")
        outcome = await seller.settled(narrower)
        assert outcome.ended >= 1
        with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.InterfaceError)):
            await app.fetch("FETCH 1 FROM c")
    await seller.conn.execute(f"GRANT SELECT ON platform.trades TO {group(seller.erp)}")
    (record,) = (await seller.settled(narrower)).records
    assert record.action == "repair"
    await conn.close()

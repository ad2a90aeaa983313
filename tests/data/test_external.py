# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL that Cairn doesn't run: its SellerRDS and a PushSubscription's tables and login, by plans and deeds."""

from __future__ import annotations

from dataclasses import replace

import asyncpg
import pytest

from cairn.api.resources import PUSHSUBSCRIPTION, SELLERRDS
from cairn.sql.postgresql import Connection, Target, connect
from data.bus import Bus
from data.lived import Estate, told


async def test_subscription_on_a_server_of_the_sellers_own(admin: Target, admin_conn: Connection, bus: Bus) -> None:
    estate = Estate(bus)
    login = {"username": admin.user.encode(), "password": admin.password.encode()}
    await estate.prepare({"them": login, "authority": {"ca.crt": admin.ca or b""}})
    external = {
        "host": "127.0.0.1",
        "port": admin.port,
        "adminSecretRef": {"name": "them"},
        "caSecretRef": {"name": "authority"},
    }
    spec = {"version": "17", "databases": [{"name": "outside"}], "external": external}
    plan = await estate.apply(SELLERRDS, "shop-db", **spec)
    assert told(plan)[0] == "Ready"
    assert plan.status["databases"] == ["outside"]
    push = {"databaseRef": {"name": "shop-db"}, "databaseName": "outside", "shops": ["55501"]}
    plan = await estate.apply(PUSHSUBSCRIPTION, "orders", **push)
    assert not estate.refused
    assert told(plan) == ("Progressing", "the worker is being made")
    user, password = [await estate.secret("orders-push", key) for key in ("username", "password")]
    conn = await connect(replace(admin, database="outside", user=user, password=password))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await conn.execute("CREATE TABLE sys_info.mine (n int)")
    assert await conn.fetchval("SELECT count(*) FROM sys_info.jdp_tb_trade") == 0
    await conn.close()
    with estate.going(PUSHSUBSCRIPTION, "orders"):
        assert (await estate.settle(PUSHSUBSCRIPTION, "orders")).released
    assert await admin_conn.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = $1", user) == 0

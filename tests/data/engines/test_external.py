# SPDX-License-Identifier: Apache-2.0
"""A MySQL or MariaDB that Cairn doesn't run: from its SellerRDS to a record that a PushSubscription's worker wrote."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pymysql
import pytest
import pytest_asyncio

from cairn.api.resources import CONFIGMAP, DEPLOYMENT, OPERATION, POD, PUSHSUBSCRIPTION, SECRET, SELLERRDS, Obj, Ref
from cairn.bus.pack import Pack
from cairn.bus.publish import publish
from cairn.datasets import shipped
from cairn.engine import render
from cairn.engine.kind import Child
from cairn.gateway.check import checker
from cairn.sql.errors import SqlError
from cairn.sql.share.mysql.connection import Session, connect
from cairn_devcluster import databases
from data.bus import Bus
from data.engines.servers import MySQL
from data.fixtures import bus
from data.lived import NAMESPACE, Estate, told
from data.plane import Program, trade
from data.servers import free_port, scratch

__all__ = ["bus"]
ADMIN = {"username": b"dba", "password": b"secret"}
TRADES = "SELECT tid, jdp_response FROM sys_info.jdp_tb_trade ORDER BY tid"
RIGHTS = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, CREATE TEMPORARY TABLES, LOCK TABLES,"
    " EXECUTE, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, EVENT, TRIGGER, CREATE USER, PROCESS"
)
"""What whoever rents a server has at most: nothing of SUPER."""


@dataclass
class Outside:
    """A seller with a server of its own. session: the admin's"""

    mysql: MySQL
    estate: Estate
    session: Session
    home: Path

    def spec(self, *databases: str, **changes: Any) -> dict[str, Any]:
        external = {
            "host": "127.1",  # a name of the server's that its certificate does not have
            "port": self.mysql.port,
            "adminSecretRef": {"name": "them"},
            "caSecretRef": {"name": "authority"},
        }
        version = "10.11" if self.mysql.mariadb else "9.7"
        listed = [{"name": name} for name in databases]
        return {"engine": "mysql", "version": version, "databases": listed, "external": external | changes}

    async def login(self, secret: str) -> Session:
        user, password = [await self.estate.secret(secret, key) for key in ("username", "password")]
        return await connect(replace(self.mysql.admin, user=user, password=password))

    async def worker(self, name: str) -> Program:
        """The worker of a subscription, by its ConfigMap and Secret alone."""
        secret = await self.estate.world.get(Ref(SECRET, NAMESPACE, f"{name}-push"))
        config = await self.estate.world.get(Ref(CONFIGMAP, NAMESPACE, f"{name}-push"))
        assert secret is not None
        assert config is not None
        for key in secret["data"]:
            (self.home / key).write_text(await self.estate.secret(f"{name}-push", key))
        told = json.loads(config["data"]["worker.json"].replace("/etc/cairn/secret", str(self.home)))
        port = free_port()
        file = self.home / f"{port}.json"
        file.write_text(json.dumps(told | {"metricsPort": port}))
        return Program(f"worker{port}", ["-m", "cairn", "worker", f"--config={file}"], self.home, port)

    async def push(self, *lines: bytes) -> None:
        client = await self.estate.bus.connect("gateway")
        check = checker(shipped()["trades"])
        for line in lines:
            await publish(client, "PUSH", Pack("push.2088.55501.trades", time.time_ns() // 1000, check(line)[0]))
        await client.close()

    async def rows(self, count: int, query: str = TRADES) -> list[tuple[Any, ...]]:
        """Once there are so many."""
        async with asyncio.timeout(20):
            while True:
                rows = await self.session.fetch(query)
                if len(rows) >= count:
                    return rows
                await asyncio.sleep(0.05)

    async def accounts(self) -> set[str]:
        return {str(name) for (name,) in await self.session.fetch("SELECT user FROM mysql.user WHERE host = '%'")}


@pytest_asyncio.fixture
async def outside(mysql: MySQL, bus: Bus) -> AsyncIterator[Outside]:
    session = await connect(mysql.admin)
    await cleaned(session)
    await session.execute("CREATE USER dba@'%' IDENTIFIED BY 'secret'")
    await session.execute(f"GRANT {RIGHTS} ON *.* TO dba@'%' WITH GRANT OPTION")
    estate, home = Estate(bus), scratch("outside")
    await estate.prepare({"them": ADMIN, "authority": {"ca.crt": mysql.ca}})
    yield Outside(mysql, estate, session, home)
    await cleaned(session)
    await session.close()
    shutil.rmtree(home, ignore_errors=True)


async def cleaned(session: Session) -> None:
    for database in ("sys_info", "platform", "shop", "shop_2", "theirs"):
        await session.execute(f"DROP DATABASE IF EXISTS {database}")
    for (user,) in await session.fetch("SELECT user FROM mysql.user WHERE user REGEXP '^(shop_|dba$|cairn_push_)'"):
        await session.execute(f"DROP USER `{user}`@'%'")


async def stands(outside: Outside, name: str, **spec: Any) -> None:
    plan = await outside.estate.apply(PUSHSUBSCRIPTION, name, databaseRef={"name": "shop-db"}, **spec)
    assert not outside.estate.refused, outside.estate.refused[0].message
    assert told(plan) == ("Progressing", "the worker is being made")


async def test_subscription_on_a_server_of_the_sellers_own_from_its_first_login_to_its_last(outside: Outside) -> None:
    estate, session = outside.estate, outside.session
    assert told(await estate.apply(SELLERRDS, "shop-db", **outside.spec("shop")))[0] == "Ready"
    await stands(outside, "orders", shops=["55501"])
    # Another one beside it has a login and shops of its own, and neither undoes what the other did.
    await stands(outside, "more", shops=["55502"])
    again = await estate.settle(PUSHSUBSCRIPTION, "orders")
    assert (again.actions, told(again)[0]) == ((), "Progressing")
    assert again.status["tables"] == [
        "platform.refunds", "platform.trades", "sys_info.jdp_tb_refund", "sys_info.jdp_tb_trade",
    ]  # fmt: skip
    assert dict(await session.fetch("SELECT shop_id, seller_nick FROM sys_info.jdp_shop")) == {
        "55501": "taobao001",
        "55502": "taobao002",
    }

    worker = await outside.worker("orders")
    worker.start()
    worker.ready()
    assert told(await report_ready(estate, "orders"))[0] == "Ready"
    line = trade(1, "2026-11-11 00:00:01", title="热水袋 😀")
    await outside.push(line)
    assert [(tid, text.encode()) for tid, text in await outside.rows(1)] == [(1, line)]
    reader = await outside.login("shop-db-reader")
    assert (await reader.fetch("SELECT shop_id, title FROM platform.trades"))[0] == ("55501", "热水袋 😀")
    with pytest.raises(pymysql.err.MySQLError, match="denied"):
        await reader.execute("UPDATE sys_info.jdp_tb_trade SET status = ''")
    await reader.close()
    assert worker.stop() == 0

    old = await estate.secret("orders-push", "password")
    estate.world.remove(Ref(SECRET, NAMESPACE, "orders-push"))
    assert not (await estate.settle(PUSHSUBSCRIPTION, "orders")).actions
    user, new = [await estate.secret("orders-push", key) for key in ("username", "password")]
    assert new != old
    with pytest.raises(SqlError, match="refused login"):
        await connect(replace(outside.mysql.admin, user=user, password=old))
    worker = await outside.worker("orders")
    worker.start()
    await outside.push(trade(2, "2026-11-11 00:00:02"))
    assert len(await outside.rows(2)) == 2
    assert worker.stop() == 0

    estate.world.remove(Ref(POD, NAMESPACE, "orders-push-x"))
    with estate.going(PUSHSUBSCRIPTION, "orders"):
        assert (await estate.settle(PUSHSUBSCRIPTION, "orders")).released
    left = {name for name in await outside.accounts() if name.startswith("cairn_push_")}
    assert left == {await estate.secret("more-push", "username")}
    assert len(await outside.rows(2)) == 2
    assert (await estate.settle(PUSHSUBSCRIPTION, "more")).actions == ()


@pytest.mark.parametrize("mysql", [pytest.param(databases.MARIADB_TRIXIE, id="mariadb")], indirect=True)
async def test_operation_on_a_subscription_is_done_by_its_worker(outside: Outside) -> None:
    await outside.estate.apply(SELLERRDS, "shop-db", **outside.spec())
    await stands(outside, "orders", shops=["55501"])
    worker = await outside.worker("orders")
    worker.start()
    await outside.push(trade(3, "2026-11-11 00:00:03", status=7))
    assert len(await outside.rows(1, "SELECT id FROM sys_info.jdp_quarantine")) == 1
    assert await asked(outside.estate, "replay") == {"tried": 1, "written": 0, "refused": 1}
    assert worker.stop() == 0


async def asked(estate: Estate, action: str) -> dict[str, int]:
    """What an Operation on the subscription comes to."""
    plan = await estate.apply(OPERATION, action, target={"kind": "PushSubscription", "name": "orders"}, action=action)
    async with asyncio.timeout(20):
        while plan.status.get("phase") not in ("Succeeded", "Failed"):
            await asyncio.sleep(0.1)
            plan = await estate.settle(OPERATION, action)
    return dict(plan.status["result"])


async def report_ready(estate: Estate, name: str) -> Any:
    """What the kubelet would say of the worker that runs."""
    ref = Ref(DEPLOYMENT, NAMESPACE, f"{name}-push")
    deployment = await estate.world.get(ref)
    assert deployment is not None
    estate.world.replace({**deployment, "status": {"updatedReplicas": 1}})
    pod: Obj = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{name}-push-x", "namespace": NAMESPACE},
        "spec": deployment["spec"]["template"]["spec"],
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    owner = await estate.world.get(Ref(PUSHSUBSCRIPTION, NAMESPACE, name))
    assert owner is not None
    estate.world.replace(render.finish(Child(pod), owner))
    return await estate.settle(PUSHSUBSCRIPTION, name)


async def test_owner_and_reader_of_a_database_may_do_what_is_theirs_and_nothing_else(outside: Outside) -> None:
    plan = await outside.estate.apply(SELLERRDS, "shop-db", **outside.spec("shop", "shop_2"))
    assert told(plan)[0] == "Ready"
    assert plan.status["databases"] == ["shop", "shop_2"]
    assert plan.status["version"].startswith("MariaDB 1" if outside.mysql.mariadb else "MySQL 9")
    assert len(plan.status["systemIdentifier"]) == 32
    weak = next(one for one in plan.conditions if one.type == "DurabilityWeak")
    assert "innodb_flush_log_at_trx_commit = 2 (must be 1)" in weak.message
    uri = await outside.estate.secret("shop-db-owner", "uri")
    assert uri.startswith("mysql://shop_owner:")
    assert uri.endswith(f"@127.1:{outside.mysql.port}/shop?ssl-mode=REQUIRED")
    owner, reader = await outside.login("shop-db-owner"), await outside.login("shop-db-reader")
    await owner.execute("CREATE TABLE shop.t (n int)")
    await owner.execute("INSERT INTO shop.t VALUES (7)")
    assert await reader.fetch("SELECT n FROM shop.t") == [(7,)]
    for session, statement in (
        (reader, "INSERT INTO shop.t VALUES (8)"),
        (owner, "CREATE DATABASE theirs"),
        (owner, "SELECT * FROM sys_info.jdp_made"),
        (owner, "CREATE TABLE shopx.t (n int)"),
        (owner, "GRANT SELECT ON shop.* TO shop_reader@'%'"),
    ):
        with pytest.raises(pymysql.err.MySQLError, match="denied"):
            await session.execute(statement)
    second = await outside.login("shop-db-shop-2-owner")
    with pytest.raises(pymysql.err.MySQLError, match="denied"):
        await second.execute("CREATE DATABASE shopx2")  # an underscore in a GRANT stands for anything
    await second.execute("CREATE TABLE shop_2.t (n int)")
    for session in (owner, reader, second):
        await session.close()
    await outside.session.execute("REVOKE SELECT ON shop.* FROM shop_reader@'%'")
    await outside.session.execute("ALTER USER shop_owner@'%' IDENTIFIED BY 'another'")
    assert told(await outside.estate.settle(SELLERRDS, "shop-db"))[0] == "Ready"
    reader = await outside.login("shop-db-reader")
    assert await reader.fetch("SELECT n FROM shop.t") == [(7,)]
    await reader.close()
    await (await outside.login("shop-db-owner")).close()
    await outside.session.execute("UPDATE sys_info.jdp_made SET digest = 'another' WHERE kind = 'server'")
    assert told(await outside.estate.settle(SELLERRDS, "shop-db"))[0] == "IdentityMismatch"


async def test_what_is_somebody_elses_on_the_server_is_left_alone(outside: Outside) -> None:
    estate, session = outside.estate, outside.session
    await session.execute("CREATE DATABASE theirs")
    await session.execute("CREATE USER shop_reader@'%' IDENTIFIED BY 'theirs'")
    plan = await estate.apply(SELLERRDS, "shop-db", **outside.spec("theirs"))
    assert told(plan)[0] == "Conflict"
    assert told(plan)[1].startswith("database theirs exists and belongs to somebody else: name another, since Cairn")
    assert "theirs_owner" not in await outside.accounts()
    plan = await estate.apply(SELLERRDS, "shop-db", **outside.spec("shop"))
    assert told(plan) == ("Conflict", "role shop_reader exists and was not made by Cairn: rename or drop it")
    await session.execute("DROP USER shop_reader@'%'")
    assert told(await estate.settle(SELLERRDS, "shop-db"))[0] == "Ready"
    other = await estate.apply(SELLERRDS, "other-db", **outside.spec("shop"))
    assert told(other)[0] == "Conflict"
    assert "database shop is kept for SellerRDS another namespace or name" in told(other)[1]
    await (await outside.login("shop-db-owner")).close()


async def test_server_that_can_not_be_trusted_or_entered_says_why_and_gets_nothing(outside: Outside) -> None:
    estate = outside.estate
    estate.world.replace({**(await secret_of(estate, "them")), "data": {"username": "YWRtaW4=", "password": "bm8="}})
    plan = await estate.apply(SELLERRDS, "shop-db", **outside.spec("shop"))
    assert told(plan)[0] == "AuthenticationFailed"
    assert plan.actions == ()
    spec = outside.spec("shop", port=free_port())
    assert told(await estate.apply(SELLERRDS, "shop-db", **spec))[0] == "DatabaseUnreachable"


async def secret_of(estate: Estate, name: str) -> Obj:
    found = await estate.world.get(Ref(SECRET, NAMESPACE, name))
    assert found is not None
    return found

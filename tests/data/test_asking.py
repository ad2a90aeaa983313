# SPDX-License-Identifier: Apache-2.0
"""An Operation on a PushSubscription from its first pass to its end: the operator's code against a real database."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime
from typing import Any, cast

import asyncpg
import pytest

from cairn.api.platform import Platform
from cairn.api.resources import PUSHSUBSCRIPTION, SECRET, SELLERRDS, Obj, Ref
from cairn.engine.kind import Action, ActionError, Io, Observed, Plan
from cairn.engine.status import status_of
from cairn.operation.kind import OperationKind
from cairn.sql.postgresql import Connection, Target, connect
from data.plane import Plane, trade

NS = "seller-2088"
PLATFORM = Platform.model_validate({"externalDatabases": {"deniedNetworks": []}})
KIND = OperationKind(PLATFORM)


def made(kind: str, name: str, spec: Obj, **more: Any) -> Obj:
    meta = {"name": name, "namespace": NS, "uid": f"uid-{name}", "generation": 1}
    return {"apiVersion": "cairn.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec, **more}


class World:
    """What the engine would see, and passes over the one Operation."""

    def __init__(self, database: Target, action: str, **args: Any) -> None:
        target = {"kind": "PushSubscription", "name": "orders"}
        self.op = made("Operation", "deed", {"target": target, "action": action, "args": args}, status={})
        place = {
            "host": "localhost",
            "port": database.port,
            "adminSecretRef": {"name": "admin"},
            "caSecretRef": {"name": "admin"},
        }
        login = {"username": database.user, "password": database.password, "ca.crt": (database.ca or b"").decode()}
        self.refs: dict[Ref, Obj | None] = {
            Ref(PUSHSUBSCRIPTION, NS, "orders"): made(
                "PushSubscription",
                "orders",
                {"databaseRef": {"name": "shop-db"}, "databaseName": database.database, "shops": ["55501"]},
            ),
            Ref(SELLERRDS, NS, "shop-db"): made("SellerRDS", "shop-db", {"version": "17", "external": place}),
            Ref(SECRET, NS, "admin"): {
                "metadata": {"name": "admin", "namespace": NS},
                "data": {key: base64.b64encode(text.encode()).decode() for key, text in login.items()},
            },
        }

    async def turn(self) -> Plan:
        seen: dict[Ref, Obj | None] = {}
        for _ in range(4):
            wanted = [want for want in KIND.wants(self.op, Observed(refs=seen)) if isinstance(want, Ref)]
            seen = {want: self.refs.get(want) for want in wanted}
        io, observed = cast(Io, None), Observed(refs=seen)
        observed = Observed(refs=seen, facts=await KIND.probe(self.op, observed, io))
        now = datetime.now(UTC)
        plan = KIND.plan(self.op, observed, now)
        for action in plan.actions:
            await KIND.act(action, self.op, observed, io)
        self.op["status"] = status_of(self.op, plan.status, plan.conditions, now)
        return plan


async def test_operation_asks_the_worker_once_and_tells_what_came_of_it(
    plane: Plane, conn: Connection, database: Target
) -> None:
    wrong = plane.worker(shops={"55501": "taobao009"})
    wrong.start()
    await plane.deliver([trade(tid, "2026-11-11 00:00:00") for tid in (1, 2)])
    await plane.drained()
    wrong.stop()
    world = World(database, "replay", datasets=["trades"])
    assert [action.name for action in (await world.turn()).actions] == []
    assert world.op["status"]["phase"] == "Running"
    plan = await world.turn()
    assert [action.name for action in plan.actions] == ["ask"], plan.conditions
    assert (await world.turn()).actions == ()
    await KIND.act(Action("ask"), world.op, Observed(refs=world.refs), cast(Io, None))
    asked = await conn.fetch("SELECT id, subscription, action, args, state FROM sys_info.jdp_request")
    assert [tuple(row) for row in asked] == [
        ("uid-deed", "seller-2088/orders", "replay", '{"datasets": ["trades"]}', "open")
    ]
    plane.worker().start()
    async with asyncio.timeout(45):
        while world.op["status"]["phase"] == "Running":
            await world.turn()
    assert world.op["status"]["phase"] == "Succeeded"
    assert world.op["status"]["result"] == {"tried": 2, "written": 2, "refused": 0}


async def test_operation_waits_for_a_database_that_is_not_up_to_date_and_says_so(
    plane: Plane, conn: Connection, database: Target
) -> None:
    world = World(database, "replay")
    await world.turn()
    await conn.execute("DROP TABLE sys_info.jdp_request")
    plan = await world.turn()
    assert plan.actions == ()
    assert plan.conditions[0].message == (
        "waits for the database of PushSubscription orders: it is being brought up to date"
    )
    with pytest.raises(ActionError):
        await KIND.act(Action("ask"), world.op, Observed(refs=world.refs), cast(Io, None))
    world.refs[Ref(SECRET, NS, "admin")] = None
    assert "SellerRDS shop-db is not ready" in (await world.turn()).conditions[0].message


async def test_operation_that_is_deleted_withdraws_what_it_asked_for(
    plane: Plane, conn: Connection, database: Target
) -> None:
    world = World(database, "replay")
    await world.turn()
    await world.turn()
    world.op["metadata"]["deletionTimestamp"] = "2026-11-22T12:00:00Z"
    assert not (await world.turn()).released
    assert await conn.fetchval("SELECT state FROM sys_info.jdp_request") == "withdrawn"
    assert (await world.turn()).released
    login = await connect(plane.push)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await login.execute("DELETE FROM sys_info.jdp_request")
    await login.close()

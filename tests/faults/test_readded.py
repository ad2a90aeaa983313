# SPDX-License-Identifier: Apache-2.0
"""A subscription is paused and continued, deleted and made again on the same database, under load all the while.

Its plans, probes and deeds are the operator's own, on a real bus and a real server. Objects are in memory, and the
test stands in for the kubelet: a worker runs where the Deployment asks for one, with the credentials of the Secret.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest_asyncio

from cairn.api.resources import DEPLOYMENT, PUSHSUBSCRIPTION, SECRET, SELLERRDS, Ref
from cairn.bus.admin import consumer_info
from cairn.sql.postgresql import Connection, Target, connect
from data.bus import Bus
from data.lived import NAMESPACE, Estate, told
from data.plane import CONSUMER, Plane, Program
from data.servers import scratch
from faults.run import Run

ORDERS = Ref(PUSHSUBSCRIPTION, NAMESPACE, "orders")
SPEC = {"databaseRef": {"name": "shop-db"}, "databaseName": "again", "shops": ["55501"]}
TRADES = "SELECT * FROM sys_info.jdp_tb_trade ORDER BY tid"
NUMBER = "SELECT seq FROM sys_info.jdp_cursor WHERE table_name = 'jdp_tb_trade'"


@dataclass
class Kept:
    """One subscription. `made`, `paused` and `deleted` end when its plan has nothing left to do."""

    estate: Estate
    run: Run
    worker: Program | None = field(default=None, init=False)

    async def made(self) -> None:
        plan = await self.estate.apply(PUSHSUBSCRIPTION, ORDERS.name, **SPEC)
        assert not self.estate.refused
        assert told(plan) == ("Progressing", "the worker is being made")
        await self._obey()

    async def paused(self, paused: bool) -> None:
        obj = await self.estate.world.get(ORDERS)
        assert obj is not None
        self.estate.world.replace({**obj, "spec": {**obj["spec"], "paused": paused}})
        await self.estate.settle(PUSHSUBSCRIPTION, ORDERS.name)
        assert not self.estate.refused
        await self._obey()

    async def deleted(self) -> None:
        await self._stop()
        with self.estate.going(PUSHSUBSCRIPTION, ORDERS.name):
            assert (await self.estate.settle(PUSHSUBSCRIPTION, ORDERS.name)).released
        self.estate.world.remove(Ref(SECRET, NAMESPACE, "orders-push"))
        admin = await self.estate.bus.connect("admin")
        assert await consumer_info(admin, "PUSH", CONSUMER) is None
        await admin.close()

    async def _obey(self) -> None:
        deployment: Any = await self.estate.world.get(Ref(DEPLOYMENT, NAMESPACE, "orders-push"))
        if not deployment["spec"]["replicas"]:
            await self._stop()
        elif self.worker is None:
            for file, key in (("username", "username"), ("password", "password"), ("worker.creds", "user.creds")):
                (self.run.plane.home / file).write_text(await self.estate.secret("orders-push", key))
            self.worker = self.run.worker()
            await asyncio.to_thread(self.worker.start)

    async def _stop(self) -> None:
        worker, self.worker = self.worker, None
        if worker is not None:
            assert await asyncio.to_thread(worker.stop) == 0


@pytest_asyncio.fixture
async def kept(admin: Target, bus: Bus) -> AsyncIterator[Kept]:
    """Made, with a gateway and a worker that run."""
    estate, home = Estate(bus), scratch("readded")
    login = {"username": admin.user.encode(), "password": admin.password.encode()}
    await estate.prepare({"them": login, "authority": {"ca.crt": admin.ca or b""}})
    external = {
        "host": "127.0.0.1",
        "port": admin.port,
        "adminSecretRef": {"name": "them"},
        "caSecretRef": {"name": "authority"},
    }
    spec = {"version": "17", "databases": [{"name": "again"}], "external": external}
    assert told(await estate.apply(SELLERRDS, "shop-db", **spec))[0] == "Ready"
    database = replace(admin, database="again")
    plane = Plane(database, database, home, bus=bus)
    run = Run(plane)
    try:
        kept = Kept(estate, run)
        await kept.made()
        plane.gateway.start()
        plane.gateway.ready()
        yield kept
    finally:
        run.close()
        plane.close()
        shutil.rmtree(home, ignore_errors=True)


async def standing(conn: Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await conn.fetch(TRADES)]


async def test_paused_and_continued_deleted_and_made_again(kept: Kept, admin: Target) -> None:
    """What is accepted while there is no worker, and no consumer, stands afterwards; all that stood is delivered again
    then, and changes nothing: neither a row nor the number that the next one gets."""
    run = kept.run
    conn = await connect(replace(admin, database="again"))
    run.start_load(seed=91)
    for _ in range(2):
        await run.accepted(150)
        await kept.paused(paused=True)
        assert kept.worker is None
        await run.accepted(150)
        await kept.paused(paused=False)
        await run.accepted(150)
        number = await conn.fetchval(NUMBER)
        await kept.deleted()
        await run.accepted(150)
        await kept.made()
        assert await conn.fetchval(NUMBER) >= number
    await run.accepted(150)
    await run.judge()
    numbers = [number for _, number, _ in run.watch.seen]
    assert len(numbers) == len(set(numbers))

    before, number = await standing(conn), await conn.fetchval(NUMBER)
    await kept.deleted()
    await kept.made()
    await run.plane.drained(30)
    assert kept.worker is not None
    assert kept.worker.metric("cairn_push_acked_total") > 0
    assert await standing(conn) == before
    assert await conn.fetchval(NUMBER) == number
    await conn.close()

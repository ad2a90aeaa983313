# SPDX-License-Identifier: Apache-2.0
"""A database through promotions on a real API server with its controllers, by a clock that is moved by hand.

No pods run here: the test answers for the kubelet and for PostgreSQL, everybody else is real (the quota's admission
and the StatefulSet's controller among them). tests/pods has the real pod.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cairn.api import resize
from cairn.api.platform import Platform
from cairn.api.resources import (
    CONFIGMAP,
    POD,
    PROMOTION,
    RESOURCEQUOTA,
    SELLER,
    SELLERRDS,
    SERVICEPLAN,
    STATEFULSET,
    Obj,
    Ref,
    ref_of,
)
from cairn.engine.cluster import Cluster, KubernetesTransport, load_configuration
from cairn.engine.kind import Action, Io, Kind, Observed
from cairn.engine.loop import Engine
from cairn.promotion.kind import PromotionKind
from cairn.rds.kind import SellerRDSKind
from cairn.seller.kind import SellerKind, ServicePlanKind
from devcluster import ControlPlane
from handclock import HandClock

API = "cairn.dev/v1alpha1"
SPACE = "seller-311"
DATABASE = Ref(SELLERRDS, SPACE, "shop-db")
SERVER_POD = Ref(POD, SPACE, "shop-db-0")
CONFIG = Ref(CONFIGMAP, SPACE, "shop-db-config")
START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
"""Near today: certificates are made for the days that are."""
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
WARM_UP, END, DOWN = START - 6 * HOUR, START + 24 * HOUR, START + 36 * HOUR
SMALL, LARGE = ("500m", "512Mi"), ("2", "2Gi")


class Answering(SellerRDSKind):
    """A SellerRDS whose server answers as PostgreSQL would with the files that its pod has."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(Platform())
        self.clock = clock
        self.parameters: dict[str, str] = {}
        self.started = ""

    async def probe(self, obj: Obj, observed: Observed, io: Io) -> Mapping[str, Any]:
        live = observed.child(POD, SERVER_POD.name, SPACE)
        if live is None or live["status"].get("phase") != "Running":
            return {}
        if self.started != live["metadata"]["uid"]:
            self.started, self.parameters = live["metadata"]["uid"], await _configured(io)
        names = [f"shop_{role}" for role in ("owner", "reader")]
        return {
            "server": {
                "me": f"{SPACE}/shop-db",
                "version": "17",
                "systemIdentifier": "7",
                "inRecovery": False,
                "databases": {"shop": "shop_owner"},
                "comments": {"shop": f"cairn: {SPACE}/shop-db"},
                "roles": {name: {"ours": True, "password": True} for name in names},
                "connect": ["shop_reader@shop"],
                "weak": [],
                "loadedAt": (self.clock.now() - HOUR).isoformat(),
                "parameters": self.parameters,
            }
        }

    async def act(self, action: Action, obj: Obj, observed: Observed, io: Io) -> None:
        if action.name != "reload":
            return await super().act(action, obj, observed, io)
        kept = {key: self.parameters[key] for key in ("max_connections", "shared_buffers")}
        self.parameters = await _configured(io) | kept
        return None


async def _configured(io: Io) -> dict[str, str]:
    live = await io.get(CONFIG)
    assert live
    lines = [line.split(" = ", 1) for line in live["data"]["postgresql.conf"].splitlines() if " = " in line]
    sized = ("_mem", "_size", "_buffers", "max_connections")
    return {key: value for key, value in lines if key.endswith(sized)}


async def settle(engine: Engine) -> None:
    """Rounds of one pass over each object, with a look at everything before: deeds change what is only watched."""
    for _ in range(30):
        await engine.resync()
        again = False
        while not engine.queue.idle():
            key = await engine.queue.get()
            try:
                again |= (await engine.reconciler.reconcile(key)).again
            finally:
                engine.queue.done(key)
        if not again:
            return
    raise AssertionError("it never settles")


class World:
    """The cluster, an operator that can be replaced, and the time."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.clock = HandClock(WARM_UP - 10 * HOUR)
        self.server = Answering(self.clock)
        self.engine = self._operator()

    def _operator(self) -> Engine:
        platform = Platform()
        kinds: list[Kind] = [SellerKind(platform), ServicePlanKind(platform), PromotionKind(platform), self.server]
        return Engine(kinds, self.cluster, clock=self.clock)

    async def at(self, moment: datetime, *, restarted: bool = False) -> None:
        """Look at that moment, until nothing changes any more."""
        self.clock.moment = moment
        if restarted:
            self.engine = self._operator()
        for _ in range(12):
            await settle(self.engine)
            if not await self._kubelet():
                return
        raise AssertionError("it never settles")

    async def _kubelet(self) -> bool:
        live = await self.cluster.get(SERVER_POD)
        stateful_set = await self.cluster.get(Ref(STATEFULSET, SPACE, "shop-db"))
        if live is None:
            return bool(stateful_set and stateful_set["spec"]["replicas"])
        if "deletionTimestamp" in live["metadata"]:
            return True
        asked = live["spec"]["containers"][0]["resources"]
        if (live["status"].get("containerStatuses") or [{}])[0].get("resources") == asked:
            return False
        started = {"running": {"startedAt": "2027-01-01T00:00:00Z"}}
        container = {"name": "postgresql", "image": "x", "imageID": "x", "ready": True, "restartCount": 0}
        status = {
            "phase": "Running",
            "startTime": (self.clock.now() - HOUR).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [container | {"state": started, "resources": asked}],
        }
        await self.cluster.patch(SERVER_POD, {"status": status}, subresource="status")
        return True

    async def size(self) -> tuple[str, str]:
        """That the pod is asked to have, and was given."""
        live = await self.cluster.get(SERVER_POD)
        assert live
        asked = resize.limits(live["spec"]["containers"][0])
        assert asked == resize.limits(live["status"]["containerStatuses"][0])
        assert asked
        return asked

    async def comes_to(self, size: tuple[str, str]) -> None:
        """Looked at until it has this size: the quota's controller answers in its own time, and a watch would tell."""
        for _ in range(120):
            await self.at(self.clock.moment)
            if await self.size() == size:
                return
            await asyncio.sleep(0.5)
        quota = await self.cluster.get(Ref(RESOURCEQUOTA, SPACE, "cairn"))
        raise AssertionError(f"{await self.size()}: {(await self.database())['status']}, {(quota or {}).get('status')}")

    async def uid(self) -> str:
        live = await self.cluster.get(SERVER_POD)
        return str(live["metadata"]["uid"]) if live else ""

    async def database(self) -> Obj:
        live = await self.cluster.get(DATABASE)
        assert live
        return live

    async def said(self, kind: str) -> tuple[str, str, str]:
        conditions = (await self.database())["status"]["conditions"]
        found = next((c for c in conditions if c["type"] == kind), None)
        return (found["status"], found["reason"], found["message"]) if found else ("", "", "")

    async def change(self, **spec: Any) -> None:
        await self.cluster.patch(DATABASE, {"spec": spec})


def plan(name: str, target: str, *, rank: int = 0, peak: Obj | None = None, **size: str | int) -> Obj:
    prices = [{"name": "first", "from": "2026-01-01", "monthly": "300", "hourly": "1"}]
    spec = {"for": target, "size": size, "prices": prices, "rank": rank} | ({"peak": peak} if peak else {})
    return {"apiVersion": API, "kind": "ServicePlan", "metadata": {"name": name}, "spec": spec}


PLANS = (
    plan("s311", "Seller", cpu="1", memory="1Gi", storage="10Gi", peak={"cpu": "4", "memory": "8Gi"}),
    plan("db311.small", "SellerRDS", cpu="500m", memory="512Mi", storage="1Gi", connections=50),
    plan("db311.large", "SellerRDS", rank=10, cpu="2", memory="2Gi", storage="1Gi", connections=200),
)
OWNER: Obj = {
    "apiVersion": API,
    "kind": "Seller",
    "metadata": {"name": "s311"},
    "spec": {
        "id": "311",
        "namespace": SPACE,
        "shops": [{"name": "main", "id": "555311", "nick": "shop311", "platform": "taobao"}],
        "planRef": {"name": "s311"},
    },
}


def promotion(**spec: Any) -> Obj:
    start = (START + 8 * HOUR).strftime("%Y-%m-%dT%H:%M:%S")
    window = {"name": "main", "start": start, "duration": "24h"}
    fields = {"timeZone": "Asia/Shanghai", "windows": [window], "warmUp": "6h", "coolDown": "12h"}
    return {"apiVersion": API, "kind": "Promotion", "metadata": {"name": "eleven-311"}, "spec": fields | spec}


def wanted(**spec: Any) -> Obj:
    fields = {
        "version": "17",
        "planRef": {"name": "db311.small"},
        "databases": [{"name": "shop"}],
        "promotions": [{"name": "eleven-311", "planRef": {"name": "db311.large"}}],
    }
    meta = {"name": "shop-db", "namespace": SPACE}
    return {"apiVersion": API, "kind": "SellerRDS", "metadata": meta, "spec": fields | spec}


@pytest.fixture
async def world(control_plane: ControlPlane) -> AsyncIterator[World]:
    """Ends with every object of Cairn's gone."""
    meta = {"name": "cairn-seller-namespace"}
    role: Obj = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": meta, "rules": []}
    control_plane.kubectl("apply", "-f", "-", input=json.dumps(role))
    transport = KubernetesTransport(await load_configuration(str(control_plane.kubeconfig), None))
    cluster = Cluster(transport)
    world = World(cluster)
    for obj in (*PLANS, OWNER):
        await cluster.apply(obj, manager="user")
    await settle(world.engine)
    yield world
    deletes = {
        "metadata": {"annotations": {"cairn.dev/confirm-delete": "shop-db"}},
        "spec": {"deletionPolicy": "Delete"},
    }
    if await cluster.get(DATABASE):
        await cluster.patch(DATABASE, deletes)
    for resource in (SELLERRDS, PROMOTION, SELLER, SERVICEPLAN):
        for obj in await cluster.list(resource):
            await cluster.delete(ref_of(obj), uid=obj["metadata"]["uid"])
        await settle(world.engine)
    await transport.close()


def shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


async def stand(world: World, *, with_promotion: Obj | None = None, **spec: Any) -> str:
    """The database runs, long before the promotion; its pod's uid."""
    await world.cluster.apply(with_promotion or promotion(), manager="user")
    await world.cluster.apply(wanted(**spec), manager="user")
    await world.at(WARM_UP - 10 * HOUR)
    assert (await world.said("Ready"))[0] == "True", await world.said("Ready")
    assert await world.size() == SMALL
    return await world.uid()


async def test_database_is_stepped_over_every_edge(world: World) -> None:
    first = await stand(world)
    for moment in (WARM_UP, START, END, DOWN):
        for now in (moment - SECOND, moment, moment + SECOND):
            await world.at(now)
            raised = WARM_UP <= now < DOWN
            assert await world.size() == (LARGE if raised else SMALL), now
            assert (await world.said("Ready"))[0] == "True", now
            status = (await world.database())["status"]
            assert status["plan"]["current"] == ("db311.large" if raised else "db311.small")
            assert status["plan"].get("until") == (shown(DOWN) if raised else None)
            assert status["size"]["cpu"] == (LARGE if raised else SMALL)[0]
    assert await world.uid() == first, "nothing was restarted"
    assert "next" not in (await world.database())["status"]


@pytest.mark.parametrize("first_look", [START + HOUR, END + HOUR], ids=["over-the-start", "over-start-and-end"])
async def test_operator_that_was_down_across_edges_catches_up(world: World, first_look: datetime) -> None:
    first = await stand(world)
    await world.at(first_look, restarted=True)
    await world.comes_to(LARGE)
    await world.at(DOWN + 100 * HOUR, restarted=True)
    assert await world.size() == SMALL
    assert await world.uid() == first


async def test_promotion_deleted_in_the_middle_is_held_by_what_status_says(world: World) -> None:
    await stand(world)
    await world.at(START)
    await world.comes_to(LARGE)
    live = await world.cluster.get(Ref(PROMOTION, "", "eleven-311"))
    assert live
    await world.cluster.delete(ref_of(live), uid=live["metadata"]["uid"])
    await world.at(START + HOUR, restarted=True)
    assert await world.size() == LARGE
    assert (await world.said("PromotionsResolved"))[:2] == ("False", "PromotionNotFound")
    await world.at(DOWN, restarted=True)
    assert await world.size() == SMALL


async def test_stop_in_a_freeze_waits_for_its_end(world: World) -> None:
    first = await stand(world, with_promotion=promotion(freeze=True))
    await world.at(START)
    await world.change(powerState="Stopped")
    await world.at(START + HOUR, restarted=True)
    assert await world.uid() == first
    status, reason, message = await world.said("Deferred")
    assert (status, reason) == ("True", "Frozen")
    assert shown(END) in message
    assert (await world.said("Ready"))[0] == "True"
    await world.at(END)
    assert await world.uid() == ""
    assert (await world.said("Ready"))[:2] == ("True", "Stopped")
    await world.change(powerState="Running")
    await world.at(END + HOUR)
    await world.comes_to(LARGE)  # the cool-down is not over


async def test_restart_is_done_in_the_maintenance_window_by_the_real_controller(world: World) -> None:
    window = {"name": "night", "days": [START.strftime("%a")], "start": START.strftime("%H:%M"), "duration": "2h"}
    first = await stand(world, promotions=[], maintenance={"timeZone": "UTC", "windows": [window]})
    await world.change(promotions=[{"name": "eleven-311", "planRef": {"name": "db311.large"}}])
    await world.at(WARM_UP - 9 * HOUR)
    assert (await world.said("Deferred"))[:2] == ("True", "MaintenanceWindow")
    assert await world.uid() == first
    await world.at(START)
    assert await world.uid() not in ("", first)
    assert world.server.parameters["max_connections"] == "203"
    assert (await world.said("Deferred"))[0] == ""

# SPDX-License-Identifier: Apache-2.0
"""The real kinds through the engine on a real API server: no pods run here, everything up to them does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from cairn.api.crd import CRDS
from cairn.api.platform import Platform
from cairn.api.resources import (
    CONFIGMAP,
    NAMESPACE,
    NETWORKPOLICY,
    PDB,
    PVC,
    RESOURCEQUOTA,
    ROLEBINDING,
    SECRET,
    SELLER,
    SELLERRDS,
    SERVICE,
    SERVICEPLAN,
    STATEFULSET,
    Obj,
    Ref,
    Resource,
    ref_of,
)
from cairn.api.text import to_yaml
from cairn.cli.kinds import kinds
from cairn.engine.cluster import Cluster, KubernetesTransport, Transport, load_configuration
from cairn.engine.loop import Engine
from cluster.engine.conftest import settle
from cluster.engine.crashing import Crash, CrashingTransport
from devcluster import ControlPlane

API = "cairn.dev/v1alpha1"
MADE = (NAMESPACE, RESOURCEQUOTA, NETWORKPOLICY, ROLEBINDING, CONFIGMAP, SERVICE, PDB, PVC, SECRET, STATEFULSET)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane.start(tmp_path_factory.mktemp("kinds"), name="kinds") as plane:
        plane.kubectl("apply", "--server-side", "-f", "-", input=to_yaml(*[crd.manifest() for crd in CRDS]))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        plane.kubectl("create", "clusterrole", "cairn-seller-namespace", "--verb=get", "--resource=secrets")
        yield plane


@pytest.fixture
async def transport(plane: ControlPlane) -> AsyncIterator[Transport]:
    transport = KubernetesTransport(await load_configuration(str(plane.kubeconfig), None))
    yield transport
    await transport.close()


@pytest.fixture
async def cluster(transport: Transport) -> AsyncIterator[Cluster]:
    """Ends with every object of Cairn's gone, so that the next test starts from nothing."""
    cluster = Cluster(transport)
    yield cluster
    for resource in (SELLERRDS, SELLER, SERVICEPLAN):
        for obj in await cluster.list(resource):
            await cluster.delete(ref_of(obj), uid=obj["metadata"]["uid"])
        await settle(Engine(kinds(Platform()), cluster))


def plan(name: str, target: str, **size: str | int) -> Obj:
    prices = [{"name": "first", "from": "2026-01-01", "monthly": "300.00"}]
    return {
        "apiVersion": API,
        "kind": "ServicePlan",
        "metadata": {"name": name},
        "spec": {"for": target, "size": size, "prices": prices},
    }


def seller(number: str) -> Obj:
    shops = [{"name": "main", "id": f"555{number}", "nick": f"shop{number}", "platform": "taobao"}]
    spec = {"id": number, "namespace": f"seller-{number}", "shops": shops, "planRef": {"name": "seller.standard"}}
    return {"apiVersion": API, "kind": "Seller", "metadata": {"name": f"s{number}"}, "spec": spec}


def database(number: str, **spec: Any) -> Obj:
    return {
        "apiVersion": API,
        "kind": "SellerRDS",
        "metadata": {"name": "shop-db", "namespace": f"seller-{number}"},
        "spec": {
            "engine": "postgresql",
            "version": "17",
            "planRef": {"name": "db.small"},
            "storage": {"size": "2Gi"},
            "databases": [{"name": "shop"}],
            **spec,
        },
    }


PLANS = (
    plan("seller.standard", "Seller", cpu="8", memory="16Gi", storage="100Gi"),
    plan("db.small", "SellerRDS", cpu="500m", memory="512Mi", storage="2Gi", connections=50),
)


async def apply(cluster: Cluster, *objects: Obj) -> None:
    for obj in objects:
        await cluster.apply(obj, manager="user")


async def condition(cluster: Cluster, ref: Ref, kind: str = "Ready") -> dict[str, Any]:
    live = await cluster.get(ref)
    assert live
    return next((c for c in live["status"]["conditions"] if c["type"] == kind), {})


async def test_seller_and_database_are_made_up_to_their_pods(cluster: Cluster) -> None:
    engine = Engine(kinds(Platform()), cluster)
    await apply(cluster, *PLANS, seller("1"))
    await settle(engine)
    assert (await condition(cluster, Ref(SELLER, "", "s1")))["status"] == "True"
    await apply(cluster, database("1"))
    await settle(engine)
    made = {(r.kind, o["metadata"]["name"]) for r in MADE for o in await cluster.list(r, labels="cairn.dev/owner-kind")}
    assert {("StatefulSet", "shop-db"), ("PersistentVolumeClaim", "shop-db-data"), ("Secret", "shop-db-admin")} <= made
    said = await condition(cluster, Ref(SELLERRDS, "seller-1", "shop-db"))
    assert said["status"] == "False"
    assert (await condition(cluster, Ref(SERVICEPLAN, "", "db.small")))["status"] == "True"


async def test_plan_that_a_promotion_raises_to_is_kept_while_anybody_names_it(cluster: Cluster) -> None:
    large = plan("db.large", "SellerRDS", cpu="2", memory="2Gi", storage="2Gi", connections=200)
    ref = Ref(SERVICEPLAN, "", "db.large")
    await apply(cluster, *PLANS, large, seller("7"))
    await settle(Engine(kinds(Platform()), cluster))
    await apply(cluster, database("7", promotions=[{"name": "double-11", "planRef": {"name": "db.large"}}]))
    live = await cluster.get(ref)
    assert live
    await cluster.delete(ref, uid=live["metadata"]["uid"])
    await settle(Engine(kinds(Platform()), cluster))
    kept = await cluster.get(ref)
    assert kept
    assert kept["status"]["usedBy"] == 1
    assert kept["status"]["price"] == {"currency": "CNY", "monthly": "300.00", "hourly": "0.4110"}
    assert (await condition(cluster, ref))["reason"] == "InUse"
    await apply(cluster, database("7"))
    await settle(Engine(kinds(Platform()), cluster))
    assert await cluster.get(ref) is None


async def test_second_look_at_the_real_kinds_writes_nothing(cluster: Cluster, plane: ControlPlane) -> None:
    await apply(cluster, *PLANS, seller("2"))
    await settle(Engine(kinds(Platform()), cluster))
    await apply(cluster, database("2"))
    await settle(Engine(kinds(Platform()), cluster))
    before = _writes(plane)
    await settle(Engine(kinds(Platform()), cluster))
    again = _writes(plane)[len(before) :]
    assert not again, again


def _writes(plane: ControlPlane) -> list[str]:
    return [
        f"{event['verb']} {event['requestURI']}"
        for event in plane.audit_events()
        if event["stage"] == "ResponseComplete"
        and event["verb"] in ("create", "update", "patch", "delete")
        and str(event.get("userAgent", "")).startswith("cairn/")
    ]


async def test_namespace_of_somebody_else_is_never_adopted(cluster: Cluster) -> None:
    await cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "seller-3"}})
    await apply(cluster, *PLANS, seller("3"))
    await settle(Engine(kinds(Platform()), cluster))
    said = await condition(cluster, Ref(SELLER, "", "s3"))
    assert (said["status"], said["reason"]) == ("False", "NamespaceNotMadeByCairn")
    theirs = await cluster.get(Ref(NAMESPACE, "", "seller-3"))
    assert theirs
    assert not any(label.startswith("cairn.dev/") for label in theirs["metadata"]["labels"])
    assert await cluster.list(RESOURCEQUOTA, namespace="seller-3") == []


async def test_deleted_database_leaves_its_data_and_seller_its_namespace(cluster: Cluster) -> None:
    engine = Engine(kinds(Platform()), cluster)
    await apply(cluster, *PLANS, seller("4"))
    await settle(engine)
    await apply(cluster, database("4"))
    await settle(engine)
    for ref in (Ref(SELLERRDS, "seller-4", "shop-db"), Ref(SELLER, "", "s4")):
        live = await cluster.get(ref)
        assert live
        await cluster.delete(ref, uid=live["metadata"]["uid"])
        await settle(engine)
        assert await cluster.get(ref) is None
    for ref in (
        Ref(NAMESPACE, "", "seller-4"),
        Ref(PVC, "seller-4", "shop-db-data"),
        Ref(SECRET, "seller-4", "shop-db-admin"),
    ):
        kept = await cluster.get(ref)
        assert kept, ref
        assert "deletionTimestamp" not in kept["metadata"]


FEWEST_CALLS = 200
"""Fewer calls than this mean that the making of a seller with a database lost a part: look before you lower it."""


@pytest.mark.parametrize("after", [pytest.param(False, id="before"), pytest.param(True, id="after")])
async def test_crash_anywhere_in_the_making_of_a_seller_with_a_database_ends_the_same(
    transport: Transport, cluster: Cluster, after: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every seventh call here; the toy's life (test_crash.py) has every one."""
    await apply(cluster, *PLANS)

    async def live(number: str, at: int) -> tuple[Any, list[str]]:
        crashing = CrashingTransport(transport, at, after=after)
        engine = Engine(kinds(Platform()), OneSeller(crashing, number))
        for step in (seller(number), database(number), database(number, storage={"size": "3Gi"})):
            await apply(cluster, step)
            try:
                await settle(engine)
            except Crash:
                engine = Engine(kinds(Platform()), OneSeller(transport, number))
                await settle(engine)
        return await _made(cluster, number), crashing.calls

    expected, calls = await live(f"7{int(after)}", 0)
    assert len(expected) >= 15, "the seller's cloud is as it should be"
    points = range(1 + 3 * int(after), len(calls) + 1, 7)
    wrong = {}
    bound = asyncio.Semaphore(6)

    async def crash(at: int) -> None:
        async with bound:
            state, _ = await live(str(1000 + at + 1000 * int(after)), at)
        if state != expected:
            wrong[at] = set(map(str, state)) ^ set(map(str, expected))

    async with asyncio.TaskGroup() as lives:
        for at in points:
            lives.create_task(crash(at))
    with capsys.disabled():
        print(f"\n{len(calls)} API calls, {len(points)} crash points {'after' if after else 'before'} the server acted")
    assert not wrong, wrong
    assert len(calls) >= FEWEST_CALLS


class OneSeller(Cluster):
    """Sees one seller's objects and the plans, so that many lives can be lived side by side on one API server."""

    def __init__(self, transport: Transport, number: str) -> None:
        super().__init__(transport)
        self._number = number

    async def list(
        self, resource: Resource, *, namespace: str | None = None, labels: str = "", limit: int = 500
    ) -> list[Obj]:
        where = f"seller-{self._number}" if resource.namespaced else None
        found = await super().list(resource, namespace=where, labels=labels, limit=limit)
        mine = (f"s{self._number}", f"seller-{self._number}")
        return [o for o in found if where or resource == SERVICEPLAN or o["metadata"]["name"] in mine]


async def _made(cluster: Cluster, number: str) -> list[Any]:
    """What stands of a seller, without what differs from one life to the next."""
    found = []
    for resource in (*MADE[1:], SELLERRDS):
        found += await cluster.list(resource, namespace=f"seller-{number}")
    found.append(await cluster.get(Ref(SELLER, "", f"s{number}")) or {})
    return sorted((_essence(obj) for obj in found if obj["metadata"]["name"] != "kube-root-ca.crt"), key=str)


def _essence(obj: Obj) -> Any:
    meta = obj["metadata"]
    conditions = sorted((c["type"], c["status"], c["reason"]) for c in obj.get("status", {}).get("conditions", []))
    data = sorted(obj.get("data") or {})
    owners = [o["kind"] for o in meta.get("ownerReferences", [])]
    size = obj["spec"]["resources"]["requests"] if obj["kind"] == "PersistentVolumeClaim" else None
    name = "seller" if obj["kind"] == "Seller" else meta["name"]
    return (obj["kind"], name, owners, meta.get("finalizers", []), data, size, conditions)

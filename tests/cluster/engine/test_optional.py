# SPDX-License-Identifier: Apache-2.0
"""APIs that are not there, or come later: the engine runs without them and takes them up when they come."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime

import pytest

from cairn.api.conditions import Reason, not_ready
from cairn.api.resources import CONFIGMAP, HTTPROUTE, Obj, Ref, Resource
from cairn.engine.cluster import Cluster
from cairn.engine.kind import Child, Observed, Plan, Want, Within
from cluster.engine import toy as toys
from cluster.engine.conftest import Running, until
from cluster.engine.toy import TOY, toy
from devcluster import ControlPlane

ROUTES: Obj = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {
        "name": "httproutes.gateway.networking.k8s.io",
        "annotations": {"api-approved.kubernetes.io": "unapproved, a part of it for tests"},
    },
    "spec": {
        "group": HTTPROUTE.group,
        "scope": "Namespaced",
        "names": {"kind": "HTTPRoute", "plural": "httproutes", "singular": "httproute"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


class Routed(toys.ToyKind):
    """A toy that has a route where routes are served."""

    children: tuple[Resource, ...] = (*toys.ToyKind.children, HTTPROUTE)

    def plan(self, obj: Obj, observed: Observed, now: datetime) -> Plan:
        plan = super().plan(obj, observed, now)
        if "deletionTimestamp" in obj["metadata"] or plan.hold:
            return plan
        if HTTPROUTE in observed.missing:
            missing = not_ready(Reason.WAITING, "the Gateway API is not served")
            return Plan(plan.children, plan.status, missing)
        meta = {"name": obj["metadata"]["name"], "namespace": obj["metadata"]["namespace"]}
        route = Child({"apiVersion": HTTPROUTE.api_version, "kind": "HTTPRoute", "metadata": meta, "spec": {}})
        return Plan((*plan.children, route), plan.status, plan.conditions)


class Neighbourly(toys.ToyKind):
    """A toy that shows how many toys and ConfigMaps its namespace has."""

    def wants(self, obj: Obj, seen: Observed) -> Iterable[Want]:
        namespace = obj["metadata"]["namespace"]
        yield Within(TOY, namespace)
        yield Within(CONFIGMAP, namespace)

    def plan(self, obj: Obj, observed: Observed, now: datetime) -> Plan:
        plan = super().plan(obj, observed, now)
        namespace = obj["metadata"]["namespace"]
        toys_, maps = (len(observed.within(one, namespace)) for one in (TOY, CONFIGMAP))
        return Plan(plan.children, {"toys": toys_, "maps": maps}, plan.conditions, plan.actions, released=plan.released)


@pytest.fixture
def no_routes_afterwards(toy_plane: ControlPlane) -> Iterator[None]:
    yield
    toy_plane.kubectl("delete", "crd", ROUTES["metadata"]["name"], "--ignore-not-found")


async def _ready(cluster: Cluster, ref: Ref) -> str:
    conditions = ((await cluster.get(ref)) or {}).get("status", {}).get("conditions", [])
    return next((c["reason"] for c in conditions if c["type"] == "Ready"), "")


@pytest.mark.usefixtures("no_routes_afterwards")
async def test_engine_works_without_an_optional_api_and_takes_it_up_when_it_comes(
    toy_plane: ControlPlane, cluster: Cluster, namespace: str, running: Running
) -> None:
    me = Ref(TOY, namespace, "routed")
    async with running(cluster, kind=Routed(), discover_seconds=0.1) as engine:
        await cluster.create(toy(namespace, "routed"))

        async def waits() -> bool:
            return await _ready(cluster, me) == "Waiting"

        await until("the toy says what it lacks", waits)
        assert HTTPROUTE in engine.missing
        toy_plane.kubectl("apply", "-f", "-", input=json.dumps(ROUTES))

        async def routed() -> Obj | None:
            return await cluster.get(Ref(HTTPROUTE, namespace, "routed"))

        route = await until("the route is made", routed)
        assert HTTPROUTE not in engine.missing
        # its watch runs: what is deleted by hand comes back without a resync
        await cluster.delete(Ref(HTTPROUTE, namespace, "routed"), uid=route["metadata"]["uid"])

        async def anew() -> bool:
            live = await routed()
            return live is not None and live["metadata"]["uid"] != route["metadata"]["uid"]

        await until("the route is made anew", anew)


async def test_all_of_a_namespace_are_seen_and_a_new_one_wakes_who_wants_them(
    cluster: Cluster, namespace: str, running: Running
) -> None:
    async with running(cluster, kind=Neighbourly()):
        await cluster.create(toy(namespace, "one", values={"a": "1"}))

        async def status() -> Obj:
            found: Obj = ((await cluster.get(Ref(TOY, namespace, "one"))) or {}).get("status", {})
            return {key: found.get(key) for key in ("toys", "maps")}

        async def alone() -> bool:
            # kube-root-ca.crt, and its own
            return await status() == {"toys": 1, "maps": 2}

        await until("it sees itself", alone)
        await cluster.create(toy(namespace, "two"))

        async def both() -> bool:
            return bool((await status())["toys"] == 2)

        await until("it sees the other", both)

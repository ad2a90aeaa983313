# SPDX-License-Identifier: Apache-2.0
"""The engine under the chart's policies and rights: what a spec gives up is deleted, and nothing else can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from cairn.api.conditions import ready
from cairn.api.pushsubscription import PushSubscription
from cairn.api.resources import PUSHSUBSCRIPTION, PVC, SECRET, Obj, Ref, Resource
from cairn.engine import render
from cairn.engine.clock import Clock
from cairn.engine.cluster import Cluster, KubernetesTransport, load_configuration
from cairn.engine.kind import Action, Child, Io, Observed, Plan
from cairn.engine.reconcile import Reconciler
from cairn.engine.store import Store
from cluster.charted import SELLER, Charted, until
from cluster.samples import sample

CAIRN = f"/apis/cairn.dev/v1alpha1/namespaces/{SELLER}/pushsubscriptions"


class GivesUp:
    """A kind whose spec says that its retained data goes."""

    resource = PUSHSUBSCRIPTION
    model = PushSubscription
    children: tuple[Resource, ...] = (PVC,)
    finalizer = False

    def unwatched(self, obj: Obj) -> Iterable[Ref]:
        return ()

    def wants(self, obj: Obj, seen: Observed) -> Iterable[Ref]:
        return ()

    async def probe(self, obj: Obj, observed: Observed, io: Io) -> Mapping[str, Any]:
        return {}

    def plan(self, obj: Obj, observed: Observed, now: datetime) -> Plan:
        return Plan(conditions=ready(), delete=(Ref(PVC, SELLER, "given-up"), Ref(SECRET, SELLER, "given-up")))

    async def act(self, action: Action, obj: Obj, observed: Observed, io: Io) -> None:
        raise AssertionError("no actions planned")


async def test_engine_deletes_retained_data_that_the_spec_gives_up(charted: Charted) -> None:
    made = charted.admin.create(CAIRN, sample("pushsubscriptions", "given-up", SELLER))
    assert made.ok, str(made)
    for plural in ("persistentvolumeclaims", "secrets"):
        child = render.finish(Child(sample(plural, "given-up", SELLER), retain=True), made.body)
        assert charted.operator.create(f"/api/v1/namespaces/{SELLER}/{plural}", child).ok
    configuration = await load_configuration(str(charted.plane.kubeconfig), None)
    configuration.cert_file = configuration.key_file = None
    configuration.api_key = {"BearerToken": f"Bearer {charted.operator.token}"}
    cluster = Cluster(KubernetesTransport(configuration))
    try:
        engine = Reconciler({PUSHSUBSCRIPTION: GivesUp()}, cluster, Store(), frozenset(), Clock())
        await engine.reconcile(Ref(PUSHSUBSCRIPTION, SELLER, "given-up"))
    finally:
        await cluster.close()
    for plural in ("persistentvolumeclaims", "secrets"):
        path = f"/api/v1/namespaces/{SELLER}/{plural}/given-up"
        until(lambda path=path: charted.admin.get(path), lambda a: a.status == 404)  # type: ignore[misc]

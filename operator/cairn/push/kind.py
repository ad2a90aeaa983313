# SPDX-License-Identifier: Apache-2.0
"""PushSubscription as the engine knows it: what it makes, owns and wants to see.

What talks to bus and database is imported when it is first asked: `cairn render` plans, asks nobody, and is quick.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from cairn.api import database, pods
from cairn.api.lookup import parsed, seller_ref
from cairn.api.platform import Platform
from cairn.api.pushsubscription import PushSubscription
from cairn.api.resources import (
    CONFIGMAP,
    DEPLOYMENT,
    LIMITRANGE,
    NAMESPACE,
    NETWORKPOLICY,
    OPERATION,
    POD,
    PUSHSUBSCRIPTION,
    RESOURCEQUOTA,
    SECRET,
    SELLERRDS,
    Obj,
    Ref,
    Resource,
)
from cairn.api.sellerrds import SellerRDS
from cairn.bus.verdict import Verdict
from cairn.calendar import asked
from cairn.datasets import known
from cairn.engine.kind import Action, Io, Observed, Plan, Want, Within
from cairn.push import names, objects, shared
from cairn.push.plan import plan_push
from cairn.push.servers import BusServers


class PushSubscriptionKind:
    """A PushSubscription becomes a worker, its place on the bus, and tables in the seller's database."""

    resource: Resource = PUSHSUBSCRIPTION
    model: type[BaseModel] = PushSubscription
    children: tuple[Resource, ...] = (DEPLOYMENT, POD, CONFIGMAP, NETWORKPOLICY)
    finalizer = True

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._datasets = known(platform.datasets)
        self._servers = BusServers()
        self.verdict = Verdict()

    def unwatched(self, obj: Obj) -> Iterable[Ref]:
        meta = obj["metadata"]
        yield Ref(SECRET, meta["namespace"], objects.object_name(meta["name"]))

    def wants(self, obj: Obj, seen: Observed) -> Iterable[Want]:
        push = parsed(PushSubscription, obj)
        if not isinstance(push, PushSubscription):
            return
        namespace, name = push.metadata.namespace, push.spec.database_ref.name
        yield Ref(NAMESPACE, "", namespace)
        yield Ref(SELLERRDS, namespace, name)
        yield Within(OPERATION, namespace)  # what one has changed is told when it ends
        if ref := seller_ref(seen.ref(NAMESPACE, namespace)):
            yield ref
        yield Ref(RESOURCEQUOTA, namespace, pods.QUOTA)
        yield from asked.refs(push)
        yield from shared.refs(self._platform.push.pool.namespace, names.consumer(namespace, push.metadata.name))
        if asked.preflight_on(push, seen.refs):
            yield Within(LIMITRANGE, namespace)
        if live := seen.ref(SELLERRDS, name, namespace):
            rds = parsed(SellerRDS, live)
            if isinstance(rds, SellerRDS):
                yield from (Ref(SECRET, namespace, secret) for secret in database.secrets(rds))
                if rds.spec.external is None:
                    yield Ref(POD, namespace, f"{name}-0")

    async def probe(self, obj: Obj, observed: Observed, io: Io) -> Mapping[str, Any]:
        push = parsed(PushSubscription, obj)
        if not isinstance(push, PushSubscription):
            return {}
        from cairn.push.probe import probe

        return await probe(push, observed, io, self._platform, self._datasets, self._servers, self.verdict)

    def plan(self, obj: Obj, observed: Observed, now: datetime) -> Plan:
        return plan_push(obj, observed, now, self._platform, self._datasets)

    async def act(self, action: Action, obj: Obj, observed: Observed, io: Io) -> None:
        from cairn.push.act import Scene, act

        push = PushSubscription.model_validate(obj)
        await act(action, Scene(push, observed, io, self._platform, self._datasets))

# SPDX-License-Identifier: Apache-2.0
"""SellerRDS and PushSubscription through their real plans, probes and deeds, on real servers; objects in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from cairn.api.platform import Bus as BusSettings
from cairn.api.platform import ExternalDatabases, Platform
from cairn.api.resources import DEPLOYMENT, OPERATION, PUSHSUBSCRIPTION, SECRET, SELLERRDS, Obj, Ref, Resource
from cairn.api.secrets import raw, secret
from cairn.cli.world import RehearsalIo, World
from cairn.engine import render
from cairn.engine.kind import ActionError, Kind, Plan
from cairn.operation.kind import OperationKind
from cairn.push.kind import PushSubscriptionKind
from cairn.rds.kind import SellerRDSKind
from data.bus import Bus

NAMESPACE = "seller-2088"
API = "cairn.dev/v1alpha1"
SHOPS = {"55501": "taobao001", "55502": "taobao002"}
PASSES = 12


class Cluster(World):
    """Objects can go, too."""

    def remove(self, ref: Ref) -> None:
        self._over.pop(ref, None)


@dataclass
class Estate:
    """One seller's namespace, on a bus and servers of the test's."""

    bus: Bus
    world: Cluster = field(default_factory=Cluster)
    platform: Platform = field(init=False)
    refused: list[ActionError] = field(default_factory=list)

    def __post_init__(self) -> None:
        bus = BusSettings(url=self.bus.url, stream_size="64Mi")
        self.platform = Platform(bus=bus, external_databases=ExternalDatabases(denied_networks=()))

    async def prepare(self, admin_secrets: Mapping[str, Mapping[str, bytes]]) -> None:
        made, name = self.bus.made, self.platform.bus.account_secret
        account = {"account.seed": made.account_seed, "admin.creds": made.admin, "system.creds": made.system}
        encoded = {key: value.encode() for key, value in account.items()}
        self.world.replace(secret(self.platform.namespace, name, {}, encoded))
        for name, data in admin_secrets.items():
            self.world.replace(secret(NAMESPACE, name, {}, data))
        labels = {"cairn.dev/seller": "acme", "cairn.dev/seller-id": "2088"}
        self.world.replace({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
        shops = [{"name": f"shop-{number}", "id": number, "nick": nick} for number, nick in SHOPS.items()]
        spec = {"id": "2088", "namespace": NAMESPACE, "shops": shops, "planRef": {"name": "seller.standard"}}
        meta, status = {"name": "acme", "generation": 1}, {"observedGeneration": 1, "conditions": []}
        self.world.replace({"apiVersion": API, "kind": "Seller", "metadata": meta, "spec": spec, "status": status})

    async def apply(self, resource: Resource, name: str, **spec: Any) -> Plan:
        meta = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}"}
        await self.world.give({"apiVersion": API, "kind": resource.kind, "metadata": meta, "spec": spec})
        return await self.settle(resource, name)

    def kind(self, resource: Resource) -> Kind:
        kinds: dict[Resource, Kind] = {
            SELLERRDS: SellerRDSKind(self.platform),
            PUSHSUBSCRIPTION: PushSubscriptionKind(self.platform),
            OPERATION: OperationKind(self.platform),
        }
        return kinds[resource]

    async def settle(self, resource: Resource, name: str) -> Plan:
        """Pass after pass until there is nothing to do, or it is refused."""
        kind, ref = self.kind(resource), Ref(resource, NAMESPACE, name)
        self.refused.clear()
        for _ in range(PASSES):
            obj = await self.world.get(ref)
            assert obj is not None
            io = RehearsalIo(self.world, obj)
            seen = await self.world.observe(kind, obj, {})
            seen = replace(seen, facts=await kind.probe(obj, seen, io))
            plan = kind.plan(obj, seen, datetime.now(UTC))
            for child in plan.children:
                self.world.replace(render.finish(child, obj))
            for action in plan.actions:
                try:
                    await kind.act(action, obj, seen, io)
                except ActionError as error:
                    self.refused.append(error)
            self.world.replace({**obj, "status": _status(plan)})
            if not plan.actions or self.refused:
                return plan
        raise AssertionError(f"{name} never settles: {[action.name for action in plan.actions]}")

    async def secret(self, name: str, key: str) -> str:
        return raw(await self.world.get(Ref(SECRET, NAMESPACE, name)), key).decode()

    @contextmanager
    def going(self, resource: Resource, name: str) -> Iterator[None]:
        """As if deleted: it carries the time of it until its plan releases it."""
        ref = Ref(resource, NAMESPACE, name)
        self.world.remove(Ref(DEPLOYMENT, NAMESPACE, f"{name}-push"))
        obj = self.world._over[ref]
        gone = {**obj["metadata"], "deletionTimestamp": "2026-11-22T11:59:00Z"}
        self.world.replace({**obj, "metadata": gone})
        yield
        self.world.remove(ref)


def _status(plan: Plan) -> Obj:
    conditions = [
        {
            "type": one.type,
            "status": str(bool(one.status)),
            "reason": str(one.reason),
            "message": one.message,
            "lastTransitionTime": "2026-11-22T00:00:00Z",
        }
        for one in plan.conditions
    ]
    return {**plan.status, "conditions": conditions}


def told(plan: Plan) -> tuple[str, str]:
    """Reason and message of the first condition."""
    return str(plan.conditions[0].reason), plan.conditions[0].message

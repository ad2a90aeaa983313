# SPDX-License-Identifier: Apache-2.0
"""IntegrationTenant as the engine knows it: what it makes, owns and wants to see.

What talks to the database is imported when it is first asked: `cairn render` plans, asks nobody, and is quick.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from cairn.api import database, guards
from cairn.api.integrationapp import IntegrationApp
from cairn.api.integrationtenant import IntegrationTenant
from cairn.api.lookup import SELLER_ID_LABEL, parsed, plan_ref, seller_ref
from cairn.api.platform import Platform
from cairn.api.resources import (
    CONFIGMAP,
    INTEGRATIONAPP,
    INTEGRATIONTENANT,
    LIMITRANGE,
    NAMESPACE,
    NETWORKPOLICY,
    OPERATION,
    POD,
    RESOURCEQUOTA,
    ROLEBINDING,
    SECRET,
    SELLERRDS,
    Obj,
    Ref,
    Resource,
)
from cairn.api.sellerrds import SellerRDS
from cairn.api.tenant_rules import app_namespace
from cairn.engine.kind import Action, Io, Observed, Plan, Want, Within
from cairn.tenant import objects
from cairn.tenant.plan import plan_tenant
from cairn.tenant.share import desired


class IntegrationTenantKind:
    """An IntegrationTenant becomes roles, views and grants in the seller's database, and a namespace for each app."""

    resource: Resource = INTEGRATIONTENANT
    model: type[BaseModel] = IntegrationTenant
    children: tuple[Resource, ...] = (NAMESPACE, RESOURCEQUOTA, LIMITRANGE, NETWORKPOLICY, CONFIGMAP)
    finalizer = True

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def unwatched(self, obj: Obj) -> Iterable[Ref]:
        meta = obj["metadata"]
        for role in objects.ROLES:
            yield Ref(ROLEBINDING, meta["namespace"], objects.staff_binding(meta["name"], role))

    def wants(self, obj: Obj, seen: Observed) -> Iterable[Want]:
        tenant = parsed(IntegrationTenant, obj)
        if not isinstance(tenant, IntegrationTenant):
            return
        namespace = tenant.metadata.namespace
        yield Ref(NAMESPACE, "", namespace)
        yield Within(INTEGRATIONTENANT, namespace)
        yield Within(OPERATION, namespace)
        home = seen.ref(NAMESPACE, namespace)
        if ref := seller_ref(home):
            yield ref
        yield from (plan_ref(entry.plan_ref.name) for entry in tenant.spec.apps)
        yield from _database(tenant, seen)
        yield from _apps(tenant, home, seen)

    async def probe(self, obj: Obj, observed: Observed, io: Io) -> Mapping[str, Any]:
        tenant = parsed(IntegrationTenant, obj)
        if not isinstance(tenant, IntegrationTenant):
            return {}
        from cairn.tenant.probe import probe

        return await probe(tenant, observed, self._platform)

    def plan(self, obj: Obj, observed: Observed, now: datetime) -> Plan:
        return plan_tenant(obj, observed, now, self._platform, desired)

    async def act(self, action: Action, obj: Obj, observed: Observed, io: Io) -> None:
        from cairn.tenant.act import Scene, act

        await act(action, Scene(IntegrationTenant.model_validate(obj), observed, io, self._platform))


def _database(tenant: IntegrationTenant, seen: Observed) -> Iterator[Want]:
    """The server, its Secrets, and its pod."""
    namespace, name = tenant.metadata.namespace, tenant.spec.database_ref.name
    yield Ref(SELLERRDS, namespace, name)
    live = seen.ref(SELLERRDS, name, namespace)
    rds = parsed(SellerRDS, live) if live else ()
    if isinstance(rds, SellerRDS):
        yield from (Ref(SECRET, namespace, secret) for secret in database.secrets(rds))
        if rds.spec.external is None:
            yield Ref(POD, namespace, f"{name}-0")


def _apps(tenant: IntegrationTenant, home: Obj | None, seen: Observed) -> Iterator[Want]:
    """Namespaces of apps, present and former; in those where Cairn has rights, what is in there."""
    seller_id = ((home or {}).get("metadata") or {}).get("labels", {}).get(SELLER_ID_LABEL)
    wanted = {app_namespace(seller_id, entry.name): entry.name for entry in tenant.spec.apps if seller_id}
    former = {ref.name for ref in seen.children if ref.resource == NAMESPACE} - wanted.keys()
    contracts = {grant.contract.name for grant in tenant.spec.grants}
    for name in sorted(wanted.keys() | former):
        yield Ref(NAMESPACE, "", name)
        if seen.ref(NAMESPACE, name) is None:
            continue
        yield Ref(ROLEBINDING, name, guards.OPERATOR)
        if entry := wanted.get(name):
            yield Ref(INTEGRATIONAPP, name, entry)
            contracts |= _contracts(seen.ref(INTEGRATIONAPP, entry, name))
        if seen.ref(ROLEBINDING, guards.OPERATOR, name) is not None:
            yield Ref(SECRET, name, objects.SECRET)
            yield Ref(ROLEBINDING, name, objects.DEVELOPERS)
    granted = [name for name in wanted if seen.ref(ROLEBINDING, guards.OPERATOR, name) is not None]
    for where in (tenant.metadata.namespace, *granted):
        yield from (Ref(CONFIGMAP, where, contract) for contract in sorted(contracts))


def _contracts(raw: Obj | None) -> set[str]:
    app = parsed(IntegrationApp, raw) if raw else ()
    if not isinstance(app, IntegrationApp):
        return set()
    requested = {one.contract.name for one in app.spec.requests}
    return requested | {one.contract.name for one in app.spec.publishes}

# SPDX-License-Identifier: Apache-2.0
"""IntegrationApp as the engine knows it: it makes nothing and looks at its tenant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from cairn.api.integrationapp import IntegrationApp
from cairn.api.lookup import seller_ref
from cairn.api.platform import Platform
from cairn.api.resources import INTEGRATIONAPP, NAMESPACE, Obj, Ref, Resource
from cairn.engine.kind import Action, Io, Observed, Plan, Want
from cairn.tenant.app_plan import plan_app, tenant_ref


class IntegrationAppKind:
    """An IntegrationApp becomes nothing by itself: it is a request."""

    resource: Resource = INTEGRATIONAPP
    model: type[BaseModel] = IntegrationApp
    children: tuple[Resource, ...] = ()
    finalizer = True

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def unwatched(self, obj: Obj) -> Iterable[Ref]:
        return ()

    def wants(self, obj: Obj, seen: Observed) -> Iterable[Want]:
        namespace = obj["metadata"]["namespace"]
        yield Ref(NAMESPACE, "", namespace)
        if ref := seller_ref(seen.ref(NAMESPACE, namespace)):
            yield ref
        if tenant := tenant_ref(namespace, seen):
            yield tenant

    async def probe(self, obj: Obj, observed: Observed, io: Io) -> Mapping[str, Any]:
        return {}

    def plan(self, obj: Obj, observed: Observed, now: datetime) -> Plan:
        return plan_app(obj, observed, now)

    async def act(self, action: Action, obj: Obj, observed: Observed, io: Io) -> None:
        raise NotImplementedError(f"an IntegrationApp's plan has no actions, and {action.name} is one")

# SPDX-License-Identifier: Apache-2.0
"""Seller and ServicePlan as the engine knows them: what each makes, owns and wants to see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from cairn.api import guards
from cairn.api.lookup import parsed, plan_ref
from cairn.api.platform import Platform
from cairn.api.resources import (
    LIMITRANGE,
    NAMESPACE,
    NETWORKPOLICY,
    RESOURCEQUOTA,
    ROLEBINDING,
    SELLER,
    SERVICEPLAN,
    Obj,
    Ref,
    Resource,
)
from cairn.api.seller import Seller
from cairn.api.serviceplan import ServicePlan
from cairn.engine.kind import Action, Io, Observed, Plan, Want, Within
from cairn.seller.home import seen_by_the_calendar
from cairn.seller.plan import HOLDERS, plan_seller
from cairn.seller.serviceplan import USERS, plan_serviceplan


class SellerKind:
    """A Seller becomes a namespace with its guards."""

    resource: Resource = SELLER
    model: type[BaseModel] = Seller
    children: tuple[Resource, ...] = (NAMESPACE, RESOURCEQUOTA, LIMITRANGE, NETWORKPOLICY)
    finalizer = True

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def unwatched(self, obj: Obj) -> Iterable[Ref]:
        seller = parsed(Seller, obj)
        if isinstance(seller, Seller):
            yield Ref(ROLEBINDING, seller.spec.namespace, guards.OPERATOR)

    def wants(self, obj: Obj, seen: Observed) -> Iterable[Want]:
        seller = parsed(Seller, obj)
        if isinstance(seller, Seller):
            yield Ref(NAMESPACE, "", seller.spec.namespace)
            yield plan_ref(seller.spec.plan_ref.name)
            yield SELLER
            yield from (Within(resource, seller.spec.namespace) for resource in HOLDERS)
            yield from seen_by_the_calendar(seller, seen)

    async def probe(self, obj: Obj, observed: Observed, io: Io) -> Mapping[str, Any]:
        return {}

    def plan(self, obj: Obj, observed: Observed, now: datetime) -> Plan:
        return plan_seller(obj, observed, now, self._platform)

    async def act(self, action: Action, obj: Obj, observed: Observed, io: Io) -> None:
        raise NotImplementedError(f"a Seller's plan has no actions, and {action.name} is one")


class ServicePlanKind:
    """A ServicePlan makes nothing; it counts who uses it, and can't be deleted before that is nobody."""

    resource: Resource = SERVICEPLAN
    model: type[BaseModel] = ServicePlan
    children: tuple[Resource, ...] = ()
    finalizer = True

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def unwatched(self, obj: Obj) -> Iterable[Ref]:
        return ()

    def wants(self, obj: Obj, seen: Observed) -> Iterable[Want]:
        plan = parsed(ServicePlan, obj)
        if isinstance(plan, ServicePlan):
            yield USERS[plan.spec.for_]

    async def probe(self, obj: Obj, observed: Observed, io: Io) -> Mapping[str, Any]:
        return {}

    def plan(self, obj: Obj, observed: Observed, now: datetime) -> Plan:
        return plan_serviceplan(obj, observed, now, self._platform)

    async def act(self, action: Action, obj: Obj, observed: Observed, io: Io) -> None:
        raise NotImplementedError(f"a ServicePlan's plan has no actions, and {action.name} is one")

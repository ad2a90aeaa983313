# SPDX-License-Identifier: Apache-2.0
"""What a ServicePlan has to say: who uses it and what it costs now. It makes nothing. Pure."""

from __future__ import annotations

from datetime import datetime

from cairn.api.conditions import Reason, progressing, ready
from cairn.api.lookup import parsed
from cairn.api.platform import Platform
from cairn.api.resources import INTEGRATIONTENANT, SELLER, Obj
from cairn.api.serviceplan import ServicePlan
from cairn.calendar.price import hourly, money, next_price, price_at
from cairn.calendar.resident import MEMBERS
from cairn.engine.kind import Observed, Plan
from cairn.seller.plan import LOOK_AGAIN, some

USERS = {resource.kind: resource for resource in (SELLER, *MEMBERS)} | {"IntegrationApp": INTEGRATIONTENANT}
"""Who names a plan for a kind: an app's is named by the tenant that admits it."""


def plan_serviceplan(obj: Obj, observed: Observed, now: datetime, platform: Platform) -> Plan:
    plan = parsed(ServicePlan, obj)
    if isinstance(plan, tuple):
        # one that can't be read has no users: each of them says PlanNotFound
        return Plan(conditions=plan, hold=True, released="deletionTimestamp" in obj["metadata"])
    users = _users(plan, observed)
    status: Obj = {"usedBy": len(users)}
    if price := price_at(plan.spec.prices, now):
        hour = price.hourly or money(hourly(price), digits=4)
        status["price"] = {"currency": platform.currency, "monthly": price.monthly, "hourly": hour}
    if not plan.metadata.deletion_timestamp:
        message = "deprecated: takes no new users" if plan.spec.deprecated else ""
        return Plan(status=status, conditions=ready(message), next=next_price(plan.spec.prices, now))
    if not users:
        return Plan(status=status, conditions=progressing(Reason.DELETING, "unused"), released=True)
    conditions = progressing(Reason.IN_USE, f"can't be deleted while it is used by {some(users)}")
    return Plan(status=status, conditions=conditions, hold=True, next=now + LOOK_AGAIN)


def _users(plan: ServicePlan, observed: Observed) -> list[str]:
    """Objects of the plan's kind that name it, for always or for a promotion: "SellerRDS seller-2088/shop-db"."""
    found = []
    for obj in observed.all(USERS[plan.spec.for_]):
        spec = obj.get("spec") or {}
        entries = (spec, *(spec.get("promotions") or ()), *(spec.get("apps") or ()))
        refs = [entry.get("planRef") or {} for entry in entries]
        if any(ref.get("name") == plan.metadata.name for ref in refs):
            meta = obj["metadata"]
            where = f"{meta['namespace']}/" if meta.get("namespace") else ""
            found.append(f"{obj['kind']} {where}{meta['name']}")
    return found

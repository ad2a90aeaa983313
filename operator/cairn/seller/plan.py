# SPDX-License-Identifier: Apache-2.0
"""What a Seller should consist of. Pure: decides whose the namespace is first, builds second."""

from __future__ import annotations

from datetime import datetime, timedelta

from cairn.api import guards
from cairn.api.conditions import Condition, Reason, not_ready, progressing, ready, stalled
from cairn.api.lookup import SELLER_ID_LABEL, SELLER_LABEL, Wrong, parsed, plan_of, plan_ref
from cairn.api.platform import Platform
from cairn.api.resources import INTEGRATIONTENANT, NAMESPACE, RESOURCEQUOTA, SELLER, Obj, ref_of
from cairn.api.seller import Seller
from cairn.api.serviceplan import ServicePlan
from cairn.calendar.resident import MEMBERS
from cairn.engine.kind import Child, Observed, Plan
from cairn.seller import objects, quota, report
from cairn.seller.home import home_of

HOLDERS = (*MEMBERS, INTEGRATIONTENANT)
"""A Seller stays until these are gone."""
LOOK_AGAIN = timedelta(seconds=30)
"""While a deletion waits for others: they may go without an event that reaches this object."""


def plan_seller(obj: Obj, observed: Observed, now: datetime, platform: Platform) -> Plan:
    seller = parsed(Seller, obj)
    if isinstance(seller, tuple):
        if "deletionTimestamp" in obj["metadata"]:
            return Plan(conditions=_deleting("released; its spec can't be read"), released=True, hold=True)
        return _waiting(seller)
    if seller.metadata.deletion_timestamp:
        return _release(seller, observed, now)
    plan = _plan(seller, observed)
    if wrong := _conflict(seller, obj, observed) or _foreign_namespace(seller, observed):
        return _waiting(wrong)
    if isinstance(plan, tuple):
        return _waiting(plan)
    return _standing(seller, plan, observed, now, platform)


def _waiting(conditions: Wrong) -> Plan:
    return Plan(conditions=conditions, hold=True)


def _plan(seller: Seller, observed: Observed) -> ServicePlan | Wrong:
    name = seller.spec.plan_ref.name
    ref = plan_ref(name)
    # A Seller whose quota stands has its plan already, so a deprecated one stays.
    stands = observed.child(RESOURCEQUOTA, guards.GUARD, seller.spec.namespace) is not None
    plan = plan_of("Seller", name, observed.refs.get(ref), current=name if stands else None)
    if isinstance(plan, tuple):
        return plan
    missing = [key for key in ("cpu", "memory", "storage") if getattr(plan.spec.size, key) is None]
    if missing:
        return not_ready(Reason.INVALID_SPEC, f"ServicePlan {name}: spec.size names no {', '.join(missing)}")
    return plan


def _conflict(seller: Seller, obj: Obj, observed: Observed) -> Wrong | None:
    """A number, a namespace, a shop or a host name belongs to one Seller: the older one has it."""
    mine, hosts = _age(obj), set(seller.spec.hosts)
    shops = {(shop.platform, shop.id): shop for shop in seller.spec.shops}
    for raw in observed.all(SELLER):
        # As plain dicts: every Seller looks at every other, thousands of times thousands.
        name, spec = raw["metadata"]["name"], raw.get("spec") or {}
        if name == seller.metadata.name or _age(raw) > mine:
            continue
        whose = f"belongs to Seller {name}, which is older"
        if spec.get("id") == seller.spec.id:
            return stalled(Reason.CONFLICT, f"spec.id: {seller.spec.id} {whose}")
        if spec.get("namespace") == seller.spec.namespace:
            return stalled(Reason.CONFLICT, f"spec.namespace: {seller.spec.namespace} {whose}")
        for theirs in spec.get("shops") or ():
            if shop := shops.get((theirs.get("platform", "taobao"), theirs.get("id"))):
                return stalled(Reason.CONFLICT, f"spec.shops: shop {shop.id} {whose}: remove it here or there")
        if taken := hosts.intersection(spec.get("hosts") or ()):
            return stalled(Reason.CONFLICT, f"spec.hosts: {min(taken)} {whose}: remove it here or there")
    return None


def _age(obj: Obj) -> tuple[str, str]:
    meta = obj.get("metadata") or {}
    return (str(meta.get("creationTimestamp") or "9"), str(meta.get("name")))


def _foreign_namespace(seller: Seller, observed: Observed) -> Wrong | None:
    """A namespace is made, never adopted: one that exists must carry this Seller's name and number from its making."""
    name = seller.spec.namespace
    namespace = observed.ref(NAMESPACE, name)
    if namespace is None:
        return None
    labels = namespace.get("metadata", {}).get("labels") or {}
    wanted = objects.namespace(seller.metadata.name, seller.spec.id, name)["metadata"]["labels"]
    identity = (SELLER_LABEL, SELLER_ID_LABEL)
    if all(labels.get(key) == wanted[key] for key in identity) and labels.get("cairn.dev/owner-kind") == "Seller":
        return None
    message = (
        f"spec.namespace: {name} exists and was not made by Cairn for seller {seller.spec.id}: "
        "Cairn adopts no namespace; delete it, or delete this Seller and name another namespace"
    )
    return stalled(Reason.NAMESPACE_NOT_MADE_BY_CAIRN, message)


def _standing(seller: Seller, plan: ServicePlan, observed: Observed, now: datetime, platform: Platform) -> Plan:
    name, namespace = seller.metadata.name, seller.spec.namespace
    home_child = Child(objects.namespace(name, seller.spec.id, namespace), retain=True, adopt=True)
    live = observed.ref(NAMESPACE, namespace)
    phase = ((live or {}).get("status") or {}).get("phase")
    if live is None or phase != "Active":
        message = f"namespace {namespace} is " + ("being deleted" if phase == "Terminating" else "being made")
        conditions = progressing(Reason.PROGRESSING, message)
        # Nothing is written into a namespace that goes, and nothing before it stands.
        return Plan(() if phase == "Terminating" else (home_child,), conditions=conditions, hold=True)
    binding = objects.role_binding(name, namespace, platform.namespace)
    guards_made = progressing(Reason.PROGRESSING, "the guards of the namespace are being made")
    if observed.children.get(ref_of(binding)) is None:
        # Cairn has no right in the namespace but what this one gives: until it stands, nothing else can be written.
        return Plan((home_child, Child(binding)), conditions=guards_made, hold=True)
    home, limits = home_of(seller, plan, observed), observed.child(RESOURCEQUOTA, guards.GUARD, namespace)
    hard = quota.hard(home, limits, now)
    within = (
        objects.quota(name, namespace, hard),
        objects.limit_range(name, namespace),
        objects.default_deny(name, namespace),
        objects.dns(name, namespace),
    )
    missing = [child for child in within if observed.children.get(ref_of(child)) is None]
    said = report.said(seller, home, hard, limits, now, platform)
    return Plan(
        children=(home_child, Child(binding), *(Child(guard) for guard in within)),
        status=said.status,
        conditions=(*(guards_made if missing else ready()), *said.conditions),
        next=min((moment for moment in (*said.next, quota.next_change(home, now)) if moment), default=None),
    )


def _release(seller: Seller, observed: Observed, now: datetime) -> Plan:
    """The Seller goes when nothing of the seller's is managed any more. The namespace stays, with its data."""
    namespace = seller.spec.namespace
    users = [
        f"{obj['kind']} {obj['metadata']['name']}"
        for resource in HOLDERS
        for obj in observed.all(resource)
        if obj["metadata"].get("namespace") == namespace
    ]
    if not users or _foreign_namespace(seller, observed):
        return Plan(conditions=_deleting("released; the namespace and what it holds stay"), released=True, hold=True)
    message = f"namespace {namespace} still has {some(users)}: delete these first; their data stays unless they say so"
    return Plan(conditions=_deleting(message), hold=True, next=now + LOOK_AGAIN)


def _deleting(message: str) -> tuple[Condition, ...]:
    return progressing(Reason.DELETING, message)


def some(names: list[str], most: int = 5) -> str:
    """The first few names; a message must stay readable with thousands."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more

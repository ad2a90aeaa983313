# SPDX-License-Identifier: Apache-2.0
"""Decisions about a subscription before anything is built: whose shops, which database, how big a worker. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from cairn.api.conditions import Reason, not_ready, stalled
from cairn.api.database import Database, pushed_database
from cairn.api.dataset import Dataset
from cairn.api.lookup import Wrong, own_shops, parsed, plan_of, plan_ref, seller_in_order, seller_ref
from cairn.api.pushsubscription import PushSubscription
from cairn.api.quantity import canonical
from cairn.api.resize import Limits
from cairn.api.resources import NAMESPACE, SELLERRDS, Obj
from cairn.api.seller import Seller
from cairn.api.serviceplan import ServicePlan
from cairn.engine.kind import Observed
from cairn.push.objects import DEFAULT_SIZE


def seller(push: PushSubscription, observed: Observed) -> Seller | Wrong:
    """The Seller whose namespace it is. One in conflict owns nothing: its shops may be somebody else's."""
    home = observed.ref(NAMESPACE, push.metadata.namespace)
    ref = seller_ref(home)
    raw = observed.refs.get(ref) if ref else None
    return seller_in_order(push.metadata.namespace, home, raw, push.status)


def shops(push: PushSubscription, owner: Seller) -> dict[str, str] | Wrong:
    """The nick of each shop by its number. Shops of others are refused, whoever may read their records."""
    return own_shops(push.spec.shops, owner)


def datasets(push: PushSubscription, known: Mapping[str, Dataset]) -> list[Dataset] | Wrong:
    if unknown := sorted(set(push.spec.datasets) - set(known)):
        message = f"spec.datasets: {', '.join(unknown)} is unknown; there are {', '.join(sorted(known))}"
        return stalled(Reason.DATASET_NOT_FOUND, message)
    return [known[name] for name in sorted(set(push.spec.datasets))]


def database(push: PushSubscription, observed: Observed) -> Database | Wrong:
    name = push.spec.database_ref.name
    raw = observed.ref(SELLERRDS, name, push.metadata.namespace)
    return pushed_database(name, push.spec.database_name, raw)


def resources(push: PushSubscription, observed: Observed) -> Obj | Wrong:
    """The worker's size outside of promotions. Whoever has a worker has its plan already: a deprecated one stays."""
    if push.spec.plan_ref is None:
        return DEFAULT_SIZE
    name = push.spec.plan_ref.name
    current = name if push.status.worker or push.status.plan else None
    plan = plan_of("PushSubscription", name, observed.refs.get(plan_ref(name)), current=current)
    if isinstance(plan, tuple):
        return plan
    size = plan_size(plan)
    if size is None:
        return not_ready(Reason.INVALID_SPEC, f"ServicePlan {name}: spec.size must name cpu and memory")
    wanted = {"cpu": size[0], "memory": size[1]}
    return {"requests": wanted, "limits": dict(wanted)}


def shared(push: PushSubscription, observed: Observed) -> bool:
    """Whether the worker is one of the platform's pool, by the plan outside of promotions."""
    ref = plan_ref(push.spec.plan_ref.name) if push.spec.plan_ref else None
    raw = observed.refs.get(ref) if ref else None
    plan = parsed(ServicePlan, raw) if raw else ()
    return isinstance(plan, ServicePlan) and plan.spec.push is not None and plan.spec.push.worker == "Shared"


def plan_size(plan: ServicePlan | None) -> Limits | None:
    """Cpu and memory, canonical; None for a plan that does not name both."""
    if plan is None or plan.spec.size.cpu is None or plan.spec.size.memory is None:
        return None
    return canonical(plan.spec.size.cpu), canonical(plan.spec.size.memory)

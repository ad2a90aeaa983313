# SPDX-License-Identifier: Apache-2.0
"""Decisions about a subscription before anything is built: whose shops, which database, how big a worker. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cairn.api.conditions import Reason, not_ready, progressing, stalled
from cairn.api.dataset import Dataset
from cairn.api.lookup import Wrong, parsed, plan_of, plan_ref, seller_of, seller_ref
from cairn.api.pushsubscription import PushSubscription
from cairn.api.quantity import canonical
from cairn.api.resize import Limits
from cairn.api.resources import NAMESPACE, SELLERRDS, Obj
from cairn.api.seller import Seller
from cairn.api.sellerrds import SellerRDS
from cairn.api.serviceplan import ServicePlan
from cairn.engine.kind import Observed
from cairn.push.objects import DEFAULT_SIZE


@dataclass(frozen=True, slots=True)
class Database:
    """A SellerRDS with its endpoint. owner: the Secret of its owner's login; stopped: as its user asked"""

    rds: SellerRDS
    host: str
    port: int
    owner: str | None
    ready: bool
    stopped: bool = False


def seller(push: PushSubscription, observed: Observed) -> Seller | Wrong:
    """The Seller whose namespace it is. One in conflict owns nothing: its shops may be somebody else's."""
    home = observed.ref(NAMESPACE, push.metadata.namespace)
    ref = seller_ref(home)
    raw = observed.refs.get(ref) if ref else None
    found = seller_of(push.metadata.namespace, home, raw)
    if isinstance(found, tuple):
        return found
    conditions = {condition.type: condition for condition in found.status.conditions}
    if (stuck := conditions.get("Stalled")) and stuck.status == "True":
        message = f"Seller {found.metadata.name} is not in order: {stuck.message}"
        return not_ready(Reason.CONFLICT, message)
    if (found.status.observed_generation or 0) < found.metadata.generation:
        message = f"Seller {found.metadata.name} was changed and is being looked at"
        was_ready = any(entry.type == "Ready" and entry.status == "True" for entry in push.status.conditions)
        return progressing(Reason.WAITING, message, ready=was_ready)
    return found


def shops(push: PushSubscription, owner: Seller) -> dict[str, str] | Wrong:
    """The nick of each shop by its number. Shops of others are refused, whoever may read their records."""
    own = {shop.id: shop.nick for shop in owner.spec.shops}
    if foreign := sorted(set(push.spec.shops) - set(own)):
        has = ", ".join(sorted(own)) or "none"
        message = (
            f"spec.shops: {', '.join(foreign)} is no shop of Seller {owner.metadata.name}, who has {has}: remove it, "
            "or have the administrator add it to the Seller's spec.shops"
        )
        return stalled(Reason.NOT_YOUR_SHOP, message)
    return {shop: own[shop] for shop in sorted(set(push.spec.shops))}


def datasets(push: PushSubscription, known: Mapping[str, Dataset]) -> list[Dataset] | Wrong:
    if unknown := sorted(set(push.spec.datasets) - set(known)):
        message = f"spec.datasets: {', '.join(unknown)} is unknown; there are {', '.join(sorted(known))}"
        return stalled(Reason.DATASET_NOT_FOUND, message)
    return [known[name] for name in sorted(set(push.spec.datasets))]


def database(push: PushSubscription, observed: Observed) -> Database | Wrong:
    name, wanted = push.spec.database_ref.name, push.spec.database_name
    raw = observed.ref(SELLERRDS, name, push.metadata.namespace)
    if raw is None:
        return not_ready(Reason.DATABASE_NOT_FOUND, f"spec.databaseRef: SellerRDS {name} does not exist")
    found = parsed(SellerRDS, raw)
    if isinstance(found, tuple):
        return not_ready(Reason.DATABASE_NOT_READY, f"SellerRDS {name} can't be read: {found[0].message}")
    declared = [entry.name for entry in found.spec.databases]
    if wanted not in declared:
        has = ", ".join(declared) or "none"
        message = f"spec.databaseName: SellerRDS {name} has no database {wanted} in spec.databases; it has {has}"
        return not_ready(Reason.DATABASE_NOT_FOUND, message)
    status = found.status
    if status.endpoint is None or status.secrets is None:
        return progressing(Reason.DATABASE_NOT_READY, f"SellerRDS {name} is being made")
    ready = any(entry.type == "Ready" and entry.status == "True" for entry in status.conditions)
    stopped = any(entry.type == "Ready" and entry.reason == Reason.STOPPED for entry in status.conditions)
    stands = wanted in (status.databases or ())
    return Database(
        rds=found,
        host=status.endpoint.host,
        port=status.endpoint.port,
        owner=status.secrets.owner,
        ready=ready and stands and not stopped,
        stopped=stopped,
    )


def admin_secret(rds: SellerRDS) -> str:
    """The Secret with the operator's login: Cairn's own, or the one that the seller gave for an external server."""
    return rds.spec.external.admin_secret_ref.name if rds.spec.external else f"{rds.metadata.name}-admin"


def ca_secret(rds: SellerRDS) -> str | None:
    external = rds.spec.external
    if external is None:
        return f"{rds.metadata.name}-ca"
    return external.ca_secret_ref.name if external.ca_secret_ref else None


def secrets(rds: SellerRDS) -> tuple[str, ...]:
    """Every Secret that a subscription needs to see of its database."""
    found = {admin_secret(rds), ca_secret(rds), rds.status.secrets.owner if rds.status.secrets else None}
    return tuple(sorted(name for name in found if name))


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


def plan_size(plan: ServicePlan | None) -> Limits | None:
    """Cpu and memory, canonical; None for a plan that does not name both."""
    if plan is None or plan.spec.size.cpu is None or plan.spec.size.memory is None:
        return None
    return canonical(plan.spec.size.cpu), canonical(plan.spec.size.memory)

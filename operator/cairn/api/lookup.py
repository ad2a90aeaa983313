# SPDX-License-Identifier: Apache-2.0
"""What a reference from one kind to another turns out to be: the object, or the conditions that say what is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from cairn.api.base import Status
from cairn.api.conditions import Condition, Reason, not_ready, progressing, stalled
from cairn.api.resources import SELLER, SERVICEPLAN, Obj, Ref
from cairn.api.seller import Seller
from cairn.api.serviceplan import ServicePlan

SELLER_LABEL = "cairn.dev/seller"
SELLER_ID_LABEL = "cairn.dev/seller-id"

M = TypeVar("M", bound=BaseModel)
Wrong = tuple[Condition, ...]


def access_label(database: str) -> dict[str, str]:
    """On a pod of the seller's namespace: it may connect to this SellerRDS. Sellers put it on their own pods, so it
    stands outside of cairn.dev/, where only Cairn may write."""
    return {f"access.cairn.dev/{database}": "true"}


def parsed(model: type[M], obj: Obj) -> M | Wrong:
    """The object as its model reads it; one whose spec is of an older or broken shape is `InvalidSpec`.

    A status that can't be read is no reason to stop: it is written anew.
    """
    try:
        return model.model_validate(obj)
    except ValidationError as error:
        wrong = [
            entry for entry in error.errors(include_url=False, include_input=False) if entry["loc"][:1] != ("status",)
        ]
    if not wrong:
        return model.model_validate({key: value for key, value in obj.items() if key != "status"})
    field = ".".join(str(part) for part in wrong[0]["loc"])
    return stalled(Reason.INVALID_SPEC, f"{field}: {wrong[0]['msg']}")


def seller_ref(namespace: Obj | None) -> Ref | None:
    """The Seller that a namespace says it belongs to."""
    name = _labels(namespace).get(SELLER_LABEL)
    return Ref(SELLER, "", name) if name else None


def seller_of(name: str, namespace: Obj | None, seller: Obj | None) -> Seller | Wrong:
    """Whose namespace `name` is. The namespace's labels and the Seller must name each other."""
    ref = seller_ref(namespace)
    if ref is None:
        message = f"namespace {name} is no seller's: create this object in the namespace that a Seller made"
        return stalled(Reason.NOT_A_SELLER_NAMESPACE, message)
    if seller is None:
        return not_ready(Reason.SELLER_NOT_FOUND, f"Seller {ref.name} of namespace {name} does not exist")
    found = parsed(Seller, seller)
    if isinstance(found, tuple):
        return not_ready(Reason.SELLER_NOT_FOUND, f"Seller {ref.name} can't be read: {found[0].message}")
    if found.spec.namespace != name or found.spec.id != _labels(namespace).get(SELLER_ID_LABEL):
        message = f"namespace {name} says it belongs to Seller {ref.name}, whose spec says otherwise"
        return stalled(Reason.NOT_A_SELLER_NAMESPACE, message)
    return found


def seller_in_order(name: str, namespace: Obj | None, seller: Obj | None, status: Status) -> Seller | Wrong:
    """As `seller_of`, and settled: one in conflict owns nothing, its shops may be somebody else's. status: of who asks;
    whoever is ready stays so while the Seller is being looked at."""
    found = seller_of(name, namespace, seller)
    if isinstance(found, tuple):
        return found
    conditions = {condition.type: condition for condition in found.status.conditions}
    if (stuck := conditions.get("Stalled")) and stuck.status == "True":
        message = f"Seller {found.metadata.name} is not in order: {stuck.message}"
        return not_ready(Reason.CONFLICT, message)
    if (found.status.observed_generation or 0) < found.metadata.generation:
        message = f"Seller {found.metadata.name} was changed and is being looked at"
        was_ready = any(entry.type == "Ready" and entry.status == "True" for entry in status.conditions)
        return progressing(Reason.WAITING, message, ready=was_ready)
    return found


def own_shops(wanted: Iterable[str], owner: Seller) -> dict[str, str] | Wrong:
    """The nick of each shop in spec.shops by its number; shops of others are refused."""
    own = {shop.id: shop.nick for shop in owner.spec.shops}
    if foreign := sorted(set(wanted) - set(own)):
        has = ", ".join(sorted(own)) or "none"
        message = (
            f"spec.shops: {', '.join(foreign)} is no shop of Seller {owner.metadata.name}, who has {has}: remove it, "
            "or have the administrator add it to the Seller's spec.shops"
        )
        return stalled(Reason.NOT_YOUR_SHOP, message)
    return {shop: own[shop] for shop in sorted(set(wanted))}


def plan_ref(name: str) -> Ref:
    return Ref(SERVICEPLAN, "", name)


def plan_of(kind: str, name: str, plan: Obj | None, *, current: str | None) -> ServicePlan | Wrong:
    """The ServicePlan that `kind` names. A deprecated one is for those who have it: `current` is the plan in force."""
    if plan is None:
        message = f"spec.planRef: ServicePlan {name} does not exist: create it, or name another"
        return not_ready(Reason.PLAN_NOT_FOUND, message)
    found = parsed(ServicePlan, plan)
    if isinstance(found, tuple):
        return not_ready(Reason.PLAN_NOT_FOUND, f"spec.planRef: ServicePlan {name} can't be read: {found[0].message}")
    if found.spec.for_ != kind:
        message = f"spec.planRef: ServicePlan {name} is for a {found.spec.for_}, not for a {kind}: name another"
        return not_ready(Reason.PLAN_OF_ANOTHER_KIND, message)
    if found.spec.deprecated and current != name:
        return not_ready(Reason.PLAN_DEPRECATED, f"spec.planRef: ServicePlan {name} takes no new users: name another")
    return found


def _labels(obj: Obj | None) -> dict[str, str]:
    found = ((obj or {}).get("metadata") or {}).get("labels") or {}
    return found if isinstance(found, dict) else {}

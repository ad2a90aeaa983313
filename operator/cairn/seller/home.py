# SPDX-License-Identifier: Apache-2.0
"""What a seller has in its namespace, as far as the calendar goes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

from pydantic import BaseModel

from cairn.api.lookup import parsed, plan_ref
from cairn.api.promotion import Promotion
from cairn.api.pushsubscription import PushSubscription
from cairn.api.resources import PROMOTION, PUSHSUBSCRIPTION, SELLERRDS, SELLERVM, Obj, Ref
from cairn.api.seller import Seller
from cairn.api.sellerrds import SellerRDS
from cairn.api.sellervm import SellerVM
from cairn.api.serviceplan import ServicePlan
from cairn.calendar.demand import Member, Stands, member, stands
from cairn.calendar.participant import Participant, TakesPart
from cairn.calendar.peak import Peak, together
from cairn.engine.kind import Observed

M = TypeVar("M", bound=BaseModel)
Resident = tuple[Member, Stands]
MODELS: Mapping[str, type[TakesPart]] = {
    "SellerVM": SellerVM,
    "SellerRDS": SellerRDS,
    "PushSubscription": PushSubscription,
}
MEMBERS = (SELLERVM, SELLERRDS, PUSHSUBSCRIPTION)
"""What a seller's resources are: they hold the Seller, and what the calendar makes of them counts for its quota."""


@dataclass(frozen=True, slots=True)
class Home:
    """A seller's resources with all that the calendar needs to know of them. plan: the seller's own"""

    plan: ServicePlan
    members: tuple[Resident, ...]
    promotions: Mapping[str, Promotion]
    plans: Mapping[str, ServicePlan]

    def peak(self, since: datetime, until: datetime) -> Peak:
        return together((member for member, _ in self.members), self.promotions, self.plans, since, until)


def home_of(seller: Seller, plan: ServicePlan, observed: Observed) -> Home:
    members = tuple(_residents(seller, observed))
    who = {member.who for member, _ in members}
    promotions = {name: _read(Promotion, observed.ref(PROMOTION, name)) for name in _promotions(who)}
    plans = {name: _read(ServicePlan, observed.refs.get(plan_ref(name))) for name in _plans(who)}
    return Home(
        plan,
        members,
        {name: found for name, found in promotions.items() if found},
        {name: found for name, found in plans.items() if found},
    )


def seen_by_the_calendar(seller: Seller, seen: Observed) -> Iterator[Ref]:
    """The Promotions and ServicePlans of the seller's resources."""
    who = {member.who for member, _ in _residents(seller, seen)}
    yield from (Ref(PROMOTION, "", name) for name in _promotions(who))
    yield from (plan_ref(name) for name in _plans(who))


def _promotions(who: Iterable[Participant]) -> set[str]:
    return {entry.name for one in who for entry in one.promotions}


def _plans(who: Iterable[Participant]) -> set[str]:
    found = {one.base_plan for one in who} | {one.held.plan for one in who if one.held}
    found |= {entry.plan_ref.name for one in who for entry in one.promotions if entry.plan_ref}
    return {name for name in found if name}


def _residents(seller: Seller, observed: Observed) -> Iterator[Resident]:
    """One that can't be read or is being deleted asks for nothing."""
    for resource in MEMBERS:
        for obj in observed.within(resource, seller.spec.namespace):
            meta = obj["metadata"]
            if "deletionTimestamp" in meta:
                continue
            version = meta.get("resourceVersion")
            cell = _cell(meta["uid"], version) if version else []
            if not cell:
                model = parsed(MODELS[obj["kind"]], obj)
                cell.append(None if isinstance(model, tuple) else (member(model), stands(model)))
            if cell[0] is not None:
                yield cell[0]


@lru_cache(maxsize=8192)
def _cell(uid: str, version: str) -> list[Resident | None]:
    """What was read of an object at a version: of hundreds that are looked at on every event, one has changed."""
    return []


def _read(model: type[M], obj: Obj | None) -> M | None:
    found = parsed(model, obj) if obj else None
    return None if isinstance(found, tuple) else found

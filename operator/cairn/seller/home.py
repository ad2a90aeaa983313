# SPDX-License-Identifier: Apache-2.0
"""What a seller has in its namespace, as far as the calendar goes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from cairn.api.lookup import plan_ref
from cairn.api.promotion import Promotion
from cairn.api.resources import PROMOTION, Ref
from cairn.api.seller import Seller
from cairn.api.serviceplan import ServicePlan
from cairn.calendar.peak import Peak, together
from cairn.calendar.resident import MEMBERS, Resident, plan_names, promotion_names, read, residents
from cairn.engine.kind import Observed


@dataclass(frozen=True, slots=True)
class Home:
    """A seller's resources with all that the calendar needs to know of them. plan: the seller's own"""

    plan: ServicePlan
    members: tuple[Resident, ...]
    promotions: Mapping[str, Promotion]
    plans: Mapping[str, ServicePlan]

    def peak(self, since: datetime, until: datetime) -> Peak:
        return together((one for one, _ in self.members), self.promotions, self.plans, since, until)


def home_of(seller: Seller, plan: ServicePlan, observed: Observed) -> Home:
    members = tuple(_residents(seller, observed))
    who = {one.who for one, _ in members}
    promotions = {name: read(Promotion, observed.ref(PROMOTION, name)) for name in promotion_names(who)}
    plans = {name: read(ServicePlan, observed.refs.get(plan_ref(name))) for name in plan_names(who)}
    return Home(
        plan,
        members,
        {name: found for name, found in promotions.items() if found},
        {name: found for name, found in plans.items() if found},
    )


def seen_by_the_calendar(seller: Seller, seen: Observed) -> Iterator[Ref]:
    """The Promotions and ServicePlans of the seller's resources."""
    who = {one.who for one, _ in _residents(seller, seen)}
    yield from (Ref(PROMOTION, "", name) for name in promotion_names(who))
    yield from (plan_ref(name) for name in plan_names(who))


def _residents(seller: Seller, observed: Observed) -> Iterator[Resident]:
    for resource in MEMBERS:
        yield from residents(observed.within(resource, seller.spec.namespace))

# SPDX-License-Identifier: Apache-2.0
"""What resources cost: a month at the plan that the spec names, and on top of it what promotions raise. Pure.

Nothing records past changes of a plan, so a month is always the month at the plan in force.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from cairn.api.base import Metadata
from cairn.api.promotion import Promotion, PromotionSpec
from cairn.api.pushsubscription import PushSubscription
from cairn.api.resources import Obj
from cairn.api.seller import Billing, Seller
from cairn.api.sellerrds import SellerRDS
from cairn.api.sellervm import SellerVM
from cairn.api.serviceplan import ServicePlan, ServicePlanSpec
from cairn.calendar.capacity import Participant, participant
from cairn.calendar.held import Held
from cairn.calendar.price import midnight, money, month_of, next_month
from cairn.calendar.usage import NOTHING, Steps, Sum, cut, over, promotion_cost, standing_cost, steps_of
from cairn.calendar.windows import intervals

Priced = SellerVM | SellerRDS | PushSubscription | Seller
AHEAD = timedelta(days=90)
"""Promotions whose warm-up begins so soon are counted."""


@dataclass(frozen=True, slots=True)
class Bill:
    """A month, and promotions on top of it."""

    month: Sum = NOTHING
    promotions: Sum = NOTHING

    def __add__(self, other: Bill) -> Bill:
        return Bill(self.month + other.month, self.promotions + other.promotions)

    @property
    def total(self) -> Sum:
        return self.month + self.promotions


@dataclass(frozen=True, slots=True)
class Charge:
    """What stands in status.cost, and when it becomes something else by itself. Empty where nothing has a price."""

    status: Obj = field(default_factory=dict)
    next: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A resource with all that its price depends on and nothing else, so that those which are alike are equal."""

    who: Participant
    windows: tuple[tuple[str, PromotionSpec], ...]
    sizes: tuple[tuple[str, ServicePlanSpec], ...]

    def promotions(self) -> dict[str, Promotion]:
        return {n: Promotion.model_construct(metadata=Metadata(name=n), spec=spec) for n, spec in self.windows}

    def plans(self) -> dict[str, ServicePlan]:
        return {n: ServicePlan.model_construct(metadata=Metadata(name=n), spec=spec) for n, spec in self.sizes}


def _asked(model: Priced, promotions: Mapping[str, Promotion], plans: Mapping[str, ServicePlan]) -> _Asked:
    """What is held against the spec is never in a price, but the plans that were given are; and a plan of another kind
    is never in force."""
    if isinstance(model, Seller):
        who = Participant(model.kind, model.spec.plan_ref.name, 0, 0, ())
    else:
        who = participant(model)
        who = replace(who, held=tuple(Held(one.promotion, one.plan) for one in who.held if one.plan))
    windows = {entry.name for entry in who.promotions} & promotions.keys()
    named = {who.base_plan or "", *(entry.plan_ref.name for entry in who.promotions if entry.plan_ref)} & plans.keys()
    return _Asked(
        who,
        tuple((name, promotions[name].spec) for name in sorted(windows)),
        tuple((name, plans[name].spec) for name in sorted(named) if plans[name].spec.for_ == who.kind),
    )


def made_on(model: Priced) -> date | None:
    """The day from which it costs; None for what does not exist yet, as in a quote."""
    try:
        return datetime.fromisoformat(model.metadata.creation_timestamp or "").astimezone(UTC).date()
    except ValueError:
        return None


def course(
    model: Priced,
    promotions: Mapping[str, Promotion],
    plans: Mapping[str, ServicePlan],
    since: datetime,
    until: datetime,
) -> Steps:
    """How big a resource is in [since, until) by what its spec says, whatever its status holds."""
    return _course(_asked(model, promotions, plans), since, until)


@lru_cache(maxsize=512)
def _course(asked: _Asked, since: datetime, until: datetime) -> Steps:
    return steps_of(asked.who, asked.promotions(), asked.plans(), since, until)


def spent(
    model: Priced,
    promotions: Mapping[str, Promotion],
    plans: Mapping[str, ServicePlan],
    billing: Billing,
    since: datetime,
    until: datetime,
) -> Bill:
    """Everything that a resource costs in [since, until), from the day on which it was made."""
    made = made_on(model)
    return _spent(
        _asked(model, promotions, plans), billing.term_months, max(since, midnight(made)) if made else since, until
    )


@lru_cache(maxsize=4096)
def _spent(asked: _Asked, term_months: int, since: datetime, until: datetime) -> Bill:
    given = (asked.who, asked.promotions(), asked.plans())
    return Bill(standing_cost(*given, term_months, since, until), promotion_cost(*given, since, until))


def outlook(
    model: Priced,
    promotions: Mapping[str, Promotion],
    plans: Mapping[str, ServicePlan],
    billing: Billing,
    now: datetime,
) -> Bill:
    """This calendar month, with its promotions and those to come within 90 days: what status.cost shows."""
    ledger = _ledger_of(_asked(model, promotions, plans), model, billing, now)
    return Bill(ledger.month, ledger.at(now))


def cost_of(
    model: Priced,
    promotions: Mapping[str, Promotion],
    plans: Mapping[str, ServicePlan],
    billing: Billing,
    currency: str,
    now: datetime,
) -> Charge:
    """What stands in status.cost. `promotions` and `plans` are those that the spec names, as far as they exist."""
    ledger = _ledger_of(_asked(model, promotions, plans), model, billing, now)
    if not ledger.priced:
        return Charge()
    status: Obj = {"currency": currency, "month": money(ledger.month.floor)}
    if ledger.taking_part:
        status["promotions"] = money(ledger.at(now).floor)
    return Charge(status, ledger.next(now))


@dataclass(frozen=True, slots=True)
class _Ledger:
    """A month's figures. entries: from when on the promotions in sight cost how much, as windows come into sight."""

    priced: bool
    taking_part: bool
    month: Sum
    entries: tuple[tuple[datetime, Sum], ...]
    end: datetime

    def at(self, now: datetime) -> Sum:
        return self.entries[bisect_right(self.entries, now, key=lambda entry: entry[0]) - 1][1]

    def next(self, now: datetime) -> datetime:
        sums = self.at(now)
        return next((at for at, later in self.entries if at > now and later != sums), self.end)


def _ledger_of(asked: _Asked, model: Priced, billing: Billing, now: datetime) -> _Ledger:
    month, made = month_of(now), made_on(model)
    return _ledger(asked, billing.term_months, month, made if made and made > month else None)


@lru_cache(maxsize=8192)
def _ledger(asked: _Asked, term_months: int, month: date, made: date | None) -> _Ledger:
    given = (asked.who, asked.promotions(), asked.plans())
    since, end = midnight(max(month, made or month)), midnight(next_month(month))
    return _Ledger(
        priced=any(spec.prices for _, spec in asked.sizes),
        taking_part=bool(asked.who.promotions),
        month=standing_cost(*given, term_months, since, end),
        entries=_entries(*given, since, midnight(month), end),
        end=end,
    )


def _entries(
    who: Participant,
    promotions: Mapping[str, Promotion],
    plans: Mapping[str, ServicePlan],
    since: datetime,
    month: datetime,
    end: datetime,
) -> tuple[tuple[datetime, Sum], ...]:
    """Windows count as a whole from 90 days before their warm-up on: the sum changes there and at no other time."""
    spans = [
        (span.warm_up_from, span.cool_down_until)
        for entry in who.promotions
        if entry.name in promotions
        for span in intervals(promotions[entry.name], since, end + AHEAD)
    ]
    steps = steps_of(who, promotions, plans, since, max((until for _, until in spans), default=since))
    found = [(month, Sum())]
    reached, total = since, Sum()
    for begin, until in sorted(spans):
        if until > reached:
            total += over(who, cut(steps, reached, until), plans, until, raised=True)
            reached = until
            seen = max(begin - AHEAD, month)
            if seen == found[-1][0]:
                found.pop()
            found.append((seen, total))
    return tuple(found)

# SPDX-License-Identifier: Apache-2.0
"""What things cost: a month at the plan that the spec names, and on top of it what promotions raise. Pure.

Nothing records past changes of a plan, so a month is always the month at the plan in force.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from cairn.api.base import Metadata
from cairn.api.promotion import Promotion, PromotionSpec
from cairn.api.pushsubscription import PushSubscription
from cairn.api.resources import Obj
from cairn.api.seller import Billing, Seller
from cairn.api.sellerrds import SellerRDS
from cairn.api.sellervm import SellerVM
from cairn.api.serviceplan import Discount, Price, ServicePlan, ServicePlanSpec
from cairn.calendar.capacity import Capacity, Participant, participant, timeline
from cairn.calendar.price import hourly, hours, midnight, money, month_of, next_month, percent_off, pieces, price_at
from cairn.calendar.windows import intervals

Priced = SellerVM | SellerRDS | PushSubscription | Seller
AHEAD = timedelta(days=90)
"""Promotions whose warm-up begins so soon are counted."""


@dataclass(frozen=True, slots=True)
class Sum:
    """What stands for sure, and the most that load can make of it."""

    floor: Fraction = Fraction()
    most: Fraction = Fraction()

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.floor + other.floor, self.most + other.most)


@dataclass(frozen=True, slots=True)
class Bill:
    """A month, and promotions on top of it."""

    month: Sum = Sum()
    promotions: Sum = Sum()

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


def month_cost(
    prices: Iterable[Price], discounts: Iterable[Discount], term_months: int, month: date, since: date | None = None
) -> Fraction:
    """One calendar month by the day, each at its own price; from the day `since` on."""
    first = midnight(max(month, since or month))
    return plan_cost(prices, discounts, term_months, first, midnight(next_month(month)))


def plan_cost(
    prices: Iterable[Price], discounts: Iterable[Discount], term_months: int, since: datetime, until: datetime
) -> Fraction:
    """The share of each month's price that falls into [since, until)."""
    found = Fraction()
    for start, end, price in pieces(prices, since, until):
        at = start
        while at < end:
            month = month_of(at)
            begin, edge = midnight(month), midnight(next_month(month))
            found += Fraction(price.monthly) * hours(at, min(edge, end)) / hours(begin, edge)
            at = min(edge, end)
    return found * (100 - percent_off(discounts, term_months)) / 100


def promotion_cost(
    who: Participant,
    promotions: Mapping[str, Promotion],
    plans: Mapping[str, ServicePlan],
    since: datetime,
    until: datetime,
) -> Sum:
    """What promotions cost in [since, until) on top of the base plan and of the clones that always stand."""
    return _over(who, _timeline(who, promotions, plans, since, until), plans, until, raised=True)


def load_cost(
    who: Participant,
    promotions: Mapping[str, Promotion],
    plans: Mapping[str, ServicePlan],
    since: datetime,
    until: datetime,
) -> Sum:
    """What clones cost in [since, until): those that always stand, and what load may raise outside of promotions."""
    base = plans.get(who.base_plan or "")
    always = sum((hours(*piece[:2]) * hourly(piece[2]) for piece in _pieces(base, since, until)), Fraction())
    found = Sum(who.base_min * always, who.base_min * always)
    if who.base_max > who.base_min:
        found += _over(who, _timeline(who, promotions, plans, since, until), plans, until, raised=False)
    return found


Steps = tuple[tuple[datetime, Capacity], ...]


def _timeline(
    who: Participant,
    promotions: Mapping[str, Promotion],
    plans: Mapping[str, ServicePlan],
    since: datetime,
    until: datetime,
) -> Steps:
    return timeline(who, promotions, plans, since, until) if since < until else ()


def _over(who: Participant, steps: Steps, plans: Mapping[str, ServicePlan], until: datetime, *, raised: bool) -> Sum:
    """The part of the steps in which a promotion holds it, or the part in which none does."""
    found = Sum()
    ends = [*(at for at, _ in steps), until][1:]
    for (start, capacity), end in zip(steps, ends, strict=True):
        if bool(capacity.reason) == raised:
            found += _extra(who, capacity, plans, start, end)
    return found


def _extra(
    who: Participant, capacity: Capacity, plans: Mapping[str, ServicePlan], since: datetime, end: datetime
) -> Sum:
    """What one size costs more than the base with the clones that always stand."""
    base, plan = plans.get(who.base_plan or ""), plans.get(capacity.plan or "")
    edges = {since, end} | {at for one in (base, plan) for at, _, _ in _pieces(one, since, end)}
    found = Sum()
    for start, until in pairwise(sorted(edges)):
        usual, now = _hour(base, start), _hour(plan, start)
        resized, always = max(Fraction(), now - usual), who.base_min * usual
        floor = max(Fraction(), resized + capacity.floor * now - always)
        most = max(Fraction(), resized + capacity.ceiling * now - always)
        time = hours(start, until)
        found += Sum(floor * time, most * time)
    return found


def _pieces(plan: ServicePlan | None, since: datetime, until: datetime) -> Iterable[tuple[datetime, datetime, Price]]:
    return pieces(plan.spec.prices, since, until) if plan else ()


def _hour(plan: ServicePlan | None, at: datetime) -> Fraction:
    return hourly(price_at(plan.spec.prices, at)) if plan else Fraction()


def who_is(model: Priced) -> Participant:
    """What takes part, by its spec alone: what is held against the spec is never in a price."""
    if isinstance(model, Seller):
        return Participant(model.kind, model.spec.plan_ref.name, 0, 0, ())
    return replace(participant(model), held=None)


def _made_for(who: Participant, plans: Mapping[str, ServicePlan]) -> dict[str, ServicePlan]:
    """A plan of another kind is never in force."""
    named = {who.base_plan or "", *(entry.plan_ref.name for entry in who.promotions if entry.plan_ref)}
    return {name: plans[name] for name in sorted(named & plans.keys()) if plans[name].spec.for_ == who.kind}


def made_on(model: Priced) -> date | None:
    """The day from which it costs; None for what does not exist yet, as in a quote."""
    try:
        return datetime.fromisoformat(model.metadata.creation_timestamp or "").astimezone(UTC).date()
    except ValueError:
        return None


def spent(
    model: Priced,
    promotions: Mapping[str, Promotion],
    plans: Mapping[str, ServicePlan],
    billing: Billing,
    since: datetime,
    until: datetime,
) -> Bill:
    """Everything that a resource costs in [since, until), from the day on which it was made."""
    who = who_is(model)
    if made := made_on(model):
        since = max(since, midnight(made))
    plans = _made_for(who, plans)
    return Bill(
        _standing(who, promotions, plans, billing.term_months, since, until),
        promotion_cost(who, promotions, plans, since, until),
    )


def outlook(
    model: Priced,
    promotions: Mapping[str, Promotion],
    plans: Mapping[str, ServicePlan],
    billing: Billing,
    now: datetime,
) -> Bill:
    """This calendar month, with its promotions and those to come within 90 days: what status.cost shows."""
    ledger = _ledger_of(model, promotions, plans, billing, now)
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
    ledger = _ledger_of(model, promotions, plans, billing, now)
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


def _ledger_of(
    model: Priced,
    promotions: Mapping[str, Promotion],
    plans: Mapping[str, ServicePlan],
    billing: Billing,
    now: datetime,
) -> _Ledger:
    """Only what counts, so that equal machines share one computation."""
    who = who_is(model)
    windows = {entry.name for entry in who.promotions}
    return _ledger(
        who,
        tuple((name, promotions[name].spec) for name in sorted(windows & promotions.keys())),
        tuple((name, plan.spec) for name, plan in _made_for(who, plans).items()),
        billing.term_months,
        month_of(now),
        made if (made := made_on(model)) and made > month_of(now) else None,
    )


@lru_cache(maxsize=8192)
def _ledger(
    who: Participant,
    windows: tuple[tuple[str, PromotionSpec], ...],
    sizes: tuple[tuple[str, ServicePlanSpec], ...],
    term_months: int,
    month: date,
    made: date | None,
) -> _Ledger:
    promotions = {name: Promotion.model_construct(metadata=Metadata(name=name), spec=spec) for name, spec in windows}
    plans = {name: ServicePlan.model_construct(metadata=Metadata(name=name), spec=spec) for name, spec in sizes}
    since, end = midnight(max(month, made or month)), midnight(next_month(month))
    return _Ledger(
        priced=any(spec.prices for _, spec in sizes),
        taking_part=bool(who.promotions),
        month=_standing(who, promotions, plans, term_months, since, end),
        entries=_entries(who, promotions, plans, since, midnight(month), end),
        end=end,
    )


def _standing(
    who: Participant,
    promotions: Mapping[str, Promotion],
    plans: Mapping[str, ServicePlan],
    term_months: int,
    since: datetime,
    until: datetime,
) -> Sum:
    """Plan and clones outside of promotions."""
    clones = load_cost(who, promotions, plans, since, until)
    base = plans.get(who.base_plan or "")
    if base is None:
        return clones
    plan = plan_cost(base.spec.prices, base.spec.discounts, term_months, since, until)
    return Sum(plan, plan) + clones


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
    found = [(month, Sum())]
    reached, total = since, Sum()
    for begin, until in sorted(spans):
        if until > reached:
            total += promotion_cost(who, promotions, plans, reached, until)
            reached = until
            seen = max(begin - AHEAD, month)
            if seen == found[-1][0]:
                found.pop()
            found.append((seen, total))
    return tuple(found)

# SPDX-License-Identifier: Apache-2.0
"""What a size costs over a time: plans by the month, clones and promotions by the hour. Pure, exact, and additive: two
parts of a time cost together what the whole does."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from itertools import pairwise
from operator import itemgetter

from cairn.api.promotion import Promotion
from cairn.api.serviceplan import Discount, Price, ServicePlan
from cairn.calendar.capacity import Capacity, Participant, timeline
from cairn.calendar.price import day, hourly, hours, midnight, month_of, next_month, percent_off, pieces

Steps = tuple[tuple[datetime, Capacity], ...]
Rates = tuple[tuple[datetime, Fraction], ...]
_AT = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Sum:
    """What stands for sure, and the most that load can make of it."""

    floor: Fraction = Fraction()
    most: Fraction = Fraction()

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.floor + other.floor, self.most + other.most)


NOTHING = Sum()


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
    return over(who, steps_of(who, promotions, plans, since, until), plans, until, raised=True)


def load_cost(
    who: Participant,
    promotions: Mapping[str, Promotion],
    plans: Mapping[str, ServicePlan],
    since: datetime,
    until: datetime,
) -> Sum:
    """What clones cost in [since, until): those that always stand, and what load may raise outside of promotions."""
    base = plans.get(who.base_plan or "")
    always = Fraction()
    for start, end, price in pieces(base.spec.prices, since, until) if base else ():
        always += hours(start, end) * hourly(price)
    found = Sum(who.base_min * always, who.base_min * always)
    if who.base_max > who.base_min:
        found += over(who, steps_of(who, promotions, plans, since, until), plans, until, raised=False)
    return found


def steps_of(
    who: Participant,
    promotions: Mapping[str, Promotion],
    plans: Mapping[str, ServicePlan],
    since: datetime,
    until: datetime,
) -> Steps:
    return timeline(who, promotions, plans, since, until) if since < until else ()


def cut(steps: Steps, since: datetime, until: datetime) -> Steps:
    """The part of the steps that lies in [since, until)."""
    first = bisect_right(steps, since, key=_AT)
    return ((since, steps[first - 1][1]), *steps[first : bisect_left(steps, until, key=_AT)])


def over(who: Participant, steps: Steps, plans: Mapping[str, ServicePlan], until: datetime, *, raised: bool) -> Sum:
    """The part of the steps in which a promotion holds it, or the part in which none does."""
    rates = {name: _rates(plan) for name, plan in plans.items()}
    found = Sum()
    ends = [*(at for at, _ in steps), until][1:]
    for (start, capacity), end in zip(steps, ends, strict=True):
        if bool(capacity.reason) == raised:
            found += _extra(who, capacity, rates, start, end)
    return found


def _rates(plan: ServicePlan) -> Rates:
    """The price of an hour, from when on."""
    return tuple(
        sorted(((midnight(first), hourly(price)) for price in plan.spec.prices if (first := day(price))), key=_AT)
    )


def _rate(rates: Rates, at: datetime) -> Fraction:
    known = bisect_right(rates, at, key=_AT)
    return rates[known - 1][1] if known else Fraction()


def _extra(who: Participant, capacity: Capacity, rates: Mapping[str, Rates], since: datetime, end: datetime) -> Sum:
    """What one size costs more than the base with the clones that always stand."""
    base, plan = rates.get(who.base_plan or "", ()), rates.get(capacity.plan or "", ())
    changes = {at for at, _ in (*base, *plan) if since < at < end}
    found = Sum()
    for start, until in pairwise((since, *sorted(changes), end)):
        usual, now = _rate(base, start), _rate(plan, start)
        resized, always = max(Fraction(), now - usual), who.base_min * usual
        floor = max(Fraction(), resized + capacity.floor * now - always)
        most = max(Fraction(), resized + capacity.ceiling * now - always)
        time = hours(start, until)
        found += Sum(floor * time, most * time)
    return found


def standing_cost(
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

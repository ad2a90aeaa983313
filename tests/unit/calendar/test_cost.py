# SPDX-License-Identifier: Apache-2.0
"""What resources and their promotions cost."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.api.promotion import Promotion
from cairn.api.seller import Billing
from cairn.api.serviceplan import Discount, ServicePlan
from cairn.calendar.capacity import participant
from cairn.calendar.cost import Bill, Priced, cost_of, outlook, spent
from cairn.calendar.usage import Sum, month_cost, promotion_cost
from unit.calendar.priced import (
    MONTHLY,
    YEAR,
    entry,
    plan,
    plans,
    price,
    promotion,
    push,
    rds,
    seller,
    utc,
    vm,
)

NOW = utc(2026, 11, 1)
NOVEMBER = date(2026, 11, 1)
SINCE, UNTIL = utc(2026, 11, 1), utc(2026, 12, 1)
OFF = [{"name": "year", "months": 12, "percent": 15}]
PLANS = plans(
    plan("vm.medium", price("2026-01-01", "300", "0.5"), rank=10, discounts=OFF),
    plan("vm.large", price("2026-01-01", "600", "1.25"), rank=20),
    plan("vm.cheap", price("2026-01-01", "10", "0.1"), rank=30),
    plan("vm.free", rank=40),
    plan("db.medium", price("2026-01-01", "365"), for_="SellerRDS", rank=10),
    plan("db.xlarge", price("2026-01-01", "730", "1.5"), for_="SellerRDS", rank=20),
    plan("push.small", price("2026-01-01", "73"), for_="PushSubscription"),
    plan("seller.standard", price("2026-01-01", "100"), for_="Seller", discounts=OFF),
)
WINDOW = promotion()
"""24 hours, with one more before and one after it: 26 hours in which capacity is raised."""


def status(model: Priced, billing: Billing = MONTHLY, now: datetime = NOW, **given: Any) -> dict[str, str]:
    promotions: Mapping[str, Promotion] = given.get("promotions", WINDOW)
    return cost_of(model, promotions, given.get("plans", PLANS), billing, "CNY", now).status


def _between(since: datetime, until: datetime) -> st.SearchStrategy[datetime]:
    return st.integers(0, int((until - since).total_seconds())).map(lambda n: since + timedelta(seconds=n))


# a month


@pytest.mark.parametrize(
    ("month", "since", "amount"),
    [
        pytest.param(date(2026, 10, 1), None, "0", id="before-the-first-price"),
        pytest.param(date(2026, 11, 1), None, "330", id="half-and-half"),
        pytest.param(date(2026, 12, 1), None, "360", id="whole"),
        pytest.param(date(2026, 11, 1), date(2026, 11, 16), "180", id="made-in-the-middle"),
        pytest.param(date(2026, 11, 1), date(2026, 11, 30), "12", id="made-on-the-last-day"),
        pytest.param(date(2026, 11, 1), date(2026, 12, 1), "0", id="made-later"),
        pytest.param(date(2027, 2, 1), date(2026, 11, 16), "360", id="made-long-ago"),
    ],
)
def test_month_is_charged_by_the_day_each_at_its_price(month: date, since: date | None, amount: str) -> None:
    spec = plan("x", price("2026-11-01", "300"), price("2026-11-16", "360")).spec
    assert month_cost(spec.prices, (), 1, month, since) == Fraction(amount)


def test_discount_is_taken_off_the_month() -> None:
    spec = PLANS["vm.medium"].spec
    assert month_cost(spec.prices, spec.discounts, 12, NOVEMBER) == 255
    assert month_cost(spec.prices, (Discount(name="all", months=1, percent=100),), 1, NOVEMBER) == 0


def test_day_of_february_costs_more_than_one_of_march() -> None:
    prices = PLANS["vm.medium"].spec.prices
    one = [month_cost(prices, (), 1, month, month.replace(day=28)) for month in (date(2027, 2, 1), date(2027, 3, 1))]
    assert one == [Fraction(300, 28), Fraction(1200, 31)]


# status.cost


@pytest.mark.parametrize(
    ("model", "billing", "shown"),
    [
        pytest.param(seller(), MONTHLY, {"month": "100.00"}, id="seller"),
        pytest.param(seller(), YEAR, {"month": "85.00"}, id="seller-for-a-year"),
        pytest.param(vm(), MONTHLY, {"month": "300.00"}, id="machine"),
        pytest.param(vm(created="2026-11-16T23:59:59Z"), MONTHLY, {"month": "150.00"}, id="machine-of-this-month"),
        pytest.param(vm(created="2026-10-16T00:00:00Z"), YEAR, {"month": "255.00"}, id="machine-for-a-year"),
        pytest.param(vm(powerState="Stopped"), MONTHLY, {"month": "300.00"}, id="stopped-machine"),
        pytest.param(push(), MONTHLY, {}, id="default-worker-costs-nothing"),
        pytest.param(push(planRef={"name": "push.small"}), MONTHLY, {"month": "73.00"}, id="worker-of-a-plan"),
        pytest.param(rds(resources={"cpu": "1", "memory": "1Gi"}), MONTHLY, {}, id="own-size-has-no-price"),
        pytest.param(vm(planRef={"name": "vm.gone"}), MONTHLY, {}, id="missing-plan"),
        pytest.param(vm(planRef={"name": "vm.free"}), MONTHLY, {}, id="plan-without-prices"),
        pytest.param(vm(planRef={"name": "db.medium"}), MONTHLY, {}, id="plan-of-another-kind"),
        pytest.param(vm(entry()), MONTHLY, {"month": "300.00", "promotions": "0.00"}, id="freeze-only"),
        pytest.param(
            # 300 of the month and one clone for 720 hours; 19 more for 26 hours
            vm(entry(least=20, most=40), autoscale={"clones": {"min": 1, "max": 3}}),
            MONTHLY,
            {"month": "660.00", "promotions": "247.00"},
            id="clones-that-always-stand-are-in-the-month",
        ),
        pytest.param(
            # 26 hours of 0.75 more for the base, and of 20 clones at 1.25
            vm(entry(plan="vm.large", least=20, most=40)),
            YEAR,
            {"month": "255.00", "promotions": "669.50"},
            id="hours-are-never-discounted",
        ),
        pytest.param(
            vm(entry(plan="vm.cheap")), MONTHLY, {"month": "300.00", "promotions": "0.00"}, id="never-negative"
        ),
        pytest.param(
            vm(entry(plan="vm.cheap", least=20, most=20)),
            MONTHLY,
            {"month": "300.00", "promotions": "52.00"},
            id="cheaper-base-pays-for-no-clone",
        ),
        pytest.param(
            rds(entry(plan="db.xlarge"), planRef={"name": "db.medium"}),
            MONTHLY,
            {"month": "365.00", "promotions": "26.00"},
            id="database-whose-hour-is-the-month-by-730",
        ),
        pytest.param(
            vm(entry("gone", "vm.large", 5, 5)), MONTHLY, {"month": "300.00", "promotions": "0.00"}, id="no-promotion"
        ),
    ],
)
def test_status_shows_the_month_and_what_promotions_add(model: Priced, billing: Billing, shown: dict[str, str]) -> None:
    assert status(model, billing) == ({"currency": "CNY"} | shown if shown else {})


def test_ramp_is_charged_as_it_rises() -> None:
    steps = promotion(warmUp="4h", ramp={"steps": 4}, coolDown="0")
    # 1, 2, 3 and 4 clones for an hour each, then four for 24 hours
    assert status(vm(entry(least=4, most=4)), promotions=steps)["promotions"] == "53.00"


def test_promotion_over_a_change_of_price_costs_each_hour_at_its_own() -> None:
    changed = PLANS | plans(
        plan("vm.medium", price("2026-01-01", "300", "0.5"), price("2026-11-11", "300", "2"), rank=10)
    )
    # one hour before midnight at 0.5, 25 hours after it at 2
    assert status(vm(entry(least=1, most=1)), plans=changed)["promotions"] == "50.50"


def test_promotion_begun_before_the_month_counts_by_its_part_of_the_month() -> None:
    over = promotion(windows=[{"name": "a", "start": "2026-10-31T12:00:00", "duration": "24h"}], coolDown="0")
    assert status(vm(entry(least=1, most=1)), promotions=over)["promotions"] == "6.00"


def test_what_was_made_in_the_middle_of_a_promotion_costs_from_that_day_on() -> None:
    made = vm(entry(least=1, most=1), created="2026-11-11T13:00:00Z")
    assert status(made)["promotions"] == "12.50"


def test_suspended_promotion_costs_nothing() -> None:
    assert status(vm(entry(least=5, most=5)), promotions=promotion(suspend=True))["promotions"] == "0.00"


def test_overlapping_promotions_cost_the_larger_floor_once() -> None:
    both = WINDOW | promotion("other")
    assert status(vm(entry(least=3, most=3), entry("other", least=2, most=2)), promotions=both)["promotions"] == "39.00"


def test_at_most_is_the_ceiling_all_the_time() -> None:
    found = promotion_cost(participant(vm(entry(plan="vm.large", least=20, most=40))), WINDOW, PLANS, SINCE, UNTIL)
    assert found == Sum(Fraction("669.5"), Fraction("1319.5"))


def test_load_outside_of_promotions_is_at_most_of_the_month() -> None:
    found = spent(
        vm(entry(least=4, most=9), autoscale={"clones": {"min": 0, "max": 2}}), WINDOW, PLANS, MONTHLY, SINCE, UNTIL
    )
    assert found.month == Sum(Fraction(300), Fraction(300) + 2 * (720 - 26) * Fraction("0.5"))
    assert found.promotions == Sum(26 * 4 * Fraction("0.5"), 26 * 9 * Fraction("0.5"))
    assert found.total.most == found.month.most + found.promotions.most


def test_time_before_it_was_made_costs_nothing() -> None:
    model = vm(entry(least=1, most=1), created="2026-12-05T00:00:00Z", autoscale={"clones": {"min": 1, "max": 2}})
    assert spent(model, WINDOW, PLANS, MONTHLY, SINCE, UNTIL) == Bill()
    assert status(model)["month"] == "0.00"


# when it changes


def test_what_has_no_price_never_changes_by_itself() -> None:
    assert cost_of(push(), {}, PLANS, MONTHLY, "CNY", NOW).next is None


def test_next_is_the_month_or_the_moment_at_which_a_window_comes_into_sight() -> None:
    late = promotion(windows=[{"name": "a", "start": "2027-02-14T01:00:00", "duration": "24h"}])
    model = vm(entry(least=1, most=1))
    first = cost_of(model, late, PLANS, MONTHLY, "CNY", NOW)
    assert (first.status["promotions"], first.next) == ("0.00", utc(2026, 11, 16))
    before = cost_of(model, late, PLANS, MONTHLY, "CNY", utc(2026, 11, 15, 23, 59, 59))
    assert before == first
    then = cost_of(model, late, PLANS, MONTHLY, "CNY", utc(2026, 11, 16))
    assert (then.status["promotions"], then.next) == ("13.00", utc(2026, 12, 1))


def test_window_counts_until_its_month_is_over() -> None:
    model = vm(entry(least=1, most=1))
    assert [status(model, now=now)["promotions"] for now in (NOW, utc(2026, 11, 30, 23), utc(2026, 12, 1))] == [
        "13.00",
        "13.00",
        "0.00",
    ]


RECURRING = [
    promotion(recurrence={"rule": "FREQ=MONTHLY;BYMONTHDAY=18", "start": "2026-01-18T20:00:00", "duration": "6h"}),
    promotion(recurrence={"rule": "FREQ=DAILY", "start": "2026-01-01T20:00:00", "duration": "1h"}, ramp={"steps": 3}),
    promotion(
        recurrence={"rule": "FREQ=WEEKLY;BYDAY=FR", "start": "2026-11-06T08:00:00", "duration": "20h"}, warmUp="0"
    ),
    WINDOW,
]


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(RECURRING),
    _between(utc(2026, 11, 1), utc(2027, 1, 31)),
    st.sampled_from(["2020-01-01T00:00:00Z", "2026-11-20T05:00:00Z", None]),
)
def test_status_changes_at_next_and_never_before(
    promotions: dict[str, Promotion], now: datetime, created: str | None
) -> None:
    model = vm(entry(plan="vm.large", least=2, most=3), created=created, autoscale={"clones": {"min": 1, "max": 3}})
    found = cost_of(model, promotions, PLANS, YEAR, "CNY", now)
    assert found.next is not None
    assert found.next > now
    for share in (0, 0.3, 0.7, 1):
        moment = now + (found.next - timedelta(microseconds=1) - now) * share
        assert cost_of(model, promotions, PLANS, YEAR, "CNY", moment) == found
    after = cost_of(model, promotions, PLANS, YEAR, "CNY", found.next)
    assert after.next is not None
    assert after.status != found.status or found.next.day == 1


def test_second_pass_costs_next_to_nothing() -> None:
    model, promotions = vm(entry(plan="vm.large", least=2, most=3)), RECURRING[1]
    cost_of(model, promotions, PLANS, YEAR, "CNY", NOW)
    rounds = 200
    begun = time.process_time()
    for _ in range(rounds):
        cost_of(model, promotions, PLANS, YEAR, "CNY", NOW)
    assert (time.process_time() - begun) / rounds < 0.001


# whatever is written


# Sampled from few values: drawn from wide ranges, most machines have no price, no promotion or no time.
_amount = st.sampled_from(["0", "0.0001", "0.3333", "7", "299.99", "12345.678"])
_days = st.lists(st.sampled_from(["2026-09-01", "2026-11-01", "2026-11-11", "2026-11-12", "2026-12-01"]), unique=True)


@st.composite
def _plans(draw: st.DrawFn) -> dict[str, ServicePlan]:
    found = []
    for name in ("vm.medium", "vm.large"):
        prices = [price(day, draw(_amount), draw(st.none() | _amount)) for day in sorted(draw(_days))]
        discounts = [
            {"name": "d", "months": draw(st.sampled_from([1, 12])), "percent": draw(st.sampled_from([7, 100]))}
        ]
        found.append(plan(name, *prices, rank=draw(st.integers(0, 3)), discounts=discounts))
    return plans(*found)


@st.composite
def _machines(draw: st.DrawFn) -> Priced:
    sizes = st.sampled_from([None, "vm.large", "vm.medium", "vm.gone"])
    clones = st.sampled_from([(0, 0), (0, 3), (2, 2), (5, 40)])
    names = st.sets(st.sampled_from(["double-11", "other", "gone"]))
    entries = [entry(name, draw(sizes), *draw(clones)) for name in sorted(draw(names) | {"double-11"})]
    scale = draw(st.sampled_from([None, (0, 0), (0, 4), (3, 3), (3, 8)]))
    return vm(*entries, autoscale={"clones": {"min": scale[0], "max": scale[1]}}) if scale else vm(*entries)


_promotions = st.sampled_from(RECURRING).map(
    lambda found: found | promotion("other", freeze=True, warmUp="30h", ramp={"steps": 7}, coolDown="3h")
)
_moments = st.tuples(
    _between(utc(2026, 10, 20), utc(2026, 11, 11)),
    _between(utc(2026, 11, 11), utc(2026, 11, 13)),
    _between(utc(2026, 11, 13), utc(2026, 12, 20)),
)


@settings(max_examples=50, deadline=None)
@given(_machines(), _promotions, _plans(), st.integers(1, 30), _moments)
def test_cost_is_additive_never_negative_and_floor_is_at_most_the_most(
    model: Priced, promotions: dict[str, Promotion], sizes: dict[str, ServicePlan], term: int, at: tuple[datetime, ...]
) -> None:
    billing = Billing(term_months=term)
    first, second = (spent(model, promotions, sizes, billing, *part) for part in (at[:2], at[1:]))
    assert spent(model, promotions, sizes, billing, at[0], at[2]) == first + second
    for part in (first.month, first.promotions):
        assert 0 <= part.floor <= part.most


@settings(max_examples=15, deadline=None)
@given(_machines(), _promotions, _plans(), st.integers(1, 30))
def test_month_is_the_sum_of_its_days_and_is_rounded_only_at_the_end(
    model: Priced, promotions: dict[str, Promotion], sizes: dict[str, ServicePlan], term: int
) -> None:
    billing = Billing(term_months=term)
    days = [SINCE + timedelta(days=n) for n in range(31)]
    parts = [spent(model, promotions, sizes, billing, *span) for span in pairwise(days)]
    whole = spent(model, promotions, sizes, billing, SINCE, UNTIL)
    assert sum((part.total.floor for part in parts), Fraction()) == whole.total.floor
    assert outlook(model, promotions, sizes, billing, NOW).month == whole.month
    shown = cost_of(model, promotions, sizes, billing, "CNY", NOW).status
    assert not shown or abs(Fraction(shown["month"]) - whole.month.floor) <= Fraction(1, 200)

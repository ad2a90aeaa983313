# SPDX-License-Identifier: Apache-2.0
"""Capacity at a moment: ramp, hand-over, plans, freezes, what is held, and what is said of entries that don't count."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from cairn.api.conditions import Reason
from cairn.api.promotion import Promotion, PromotionSpec
from cairn.api.pushsubscription import PushSubscription
from cairn.api.sellerrds import SellerRDS
from cairn.calendar.capacity import (
    Capacity,
    Held,
    Participant,
    capacity,
    conditions,
    participant,
    timeline,
    wanted_plans,
    wanted_promotions,
)
from cairn.calendar.held import spelled
from unit.calendar.world import HOUR, PLANS, again, machine, once, plan, promotion, taking_part, utc

ENTRY = {"name": "double-11", "planRef": {"name": "vm.large"}, "replicas": {"min": 21, "max": 40}}
SALE = once("2026-11-11T00:00", "24h", timeZone="UTC", warmUp="6h", ramp={"steps": 6}, coolDown="12h", freeze=True)
START = utc("2026-11-11T00:00")


def edited(**changes: Any) -> PromotionSpec:
    return SALE.spec.model_copy(update=changes)


def at(moment: str | datetime, *made: Promotion, who: Participant | None = None) -> Capacity:
    now = utc(moment) if isinstance(moment, str) else moment
    known = {one.metadata.name: one for one in made or (SALE,)}
    return capacity(who or taking_part(ENTRY), known, PLANS, now)


@pytest.mark.parametrize(
    ("moment", "plan", "floor", "ceiling", "phase"),
    [
        pytest.param("2026-11-10T17:59:59", "vm.small", 1, 3, "", id="before"),
        pytest.param("2026-11-10T18:00", "vm.large", 5, 40, "WarmingUp", id="first of six steps from 1 to 21"),
        pytest.param("2026-11-10T18:59:59", "vm.large", 5, 40, "WarmingUp", id="still the first"),
        pytest.param("2026-11-10T19:00", "vm.large", 8, 40, "WarmingUp", id="second"),
        pytest.param("2026-11-10T23:00", "vm.large", 21, 40, "WarmingUp", id="the last is done a step before"),
        pytest.param("2026-11-11T00:00", "vm.large", 21, 40, "Active", id="start"),
        pytest.param("2026-11-12T00:00", "vm.large", 21, 40, "CoolingDown", id="end"),
        pytest.param("2026-11-12T11:59:59", "vm.large", 21, 40, "CoolingDown", id="held in full"),
        pytest.param("2026-11-12T12:00", "vm.small", 1, 3, "", id="after"),
    ],
)
def test_window_raises_in_steps_and_lowers_at_once(
    moment: str, plan: str, floor: int, ceiling: int, phase: str
) -> None:
    found = at(moment)
    assert (found.plan, found.floor, found.ceiling, found.phase) == (plan, floor, ceiling, phase)
    assert found.reason == ("Promotion/double-11" if phase else "")
    assert found.until == (START + 36 * HOUR if phase else None)


def test_freeze_lasts_from_warm_up_to_the_end_of_the_window() -> None:
    assert at("2026-11-10T17:59:59").frozen_until is None
    assert at("2026-11-10T18:00").frozen_until == START + 24 * HOUR
    assert at("2026-11-11T23:59:59").frozen_until == START + 24 * HOUR
    assert at("2026-11-12T00:00").frozen_until is None


def test_overlapping_freezes_last_to_the_end_of_the_last() -> None:
    made = {
        name: once("2026-11-11T00:00", length, name=name, timeZone="UTC", freeze=True)
        for name, length in (("a", "24h"), ("b", "6h"))
    }
    found = capacity(taking_part({"name": "a"}, {"name": "b"}), made, PLANS, START + HOUR)
    assert found.frozen_until == START + 24 * HOUR


def test_next_tells_each_edge_in_words() -> None:
    steps = timeline(taking_part(ENTRY), {"double-11": SALE}, PLANS, utc("2026-11-01"), utc("2026-12-01"))
    assert [(when, found.next and (found.next.at, found.next.what)) for when, found in steps] == [
        (when, then and (utc(then), what))
        for when, then, what in [
            (utc("2026-11-01"), "2026-11-10T18:00", "warm up to vm.large, 5 to 40 clones, the freeze begins"),
            (utc("2026-11-10T18:00"), "2026-11-10T19:00", "8 to 40 clones"),
            (utc("2026-11-10T19:00"), "2026-11-10T20:00", "11 to 40 clones"),
            (utc("2026-11-10T20:00"), "2026-11-10T21:00", "15 to 40 clones"),
            (utc("2026-11-10T21:00"), "2026-11-10T22:00", "18 to 40 clones"),
            (utc("2026-11-10T22:00"), "2026-11-10T23:00", "21 to 40 clones"),
            (utc("2026-11-10T23:00"), "2026-11-11T00:00", "the window begins"),
            (utc("2026-11-11T00:00"), "2026-11-12T00:00", "the cool-down begins, the freeze ends"),
            (utc("2026-11-12T00:00"), "2026-11-12T12:00", "back to vm.small, 1 to 3 clones"),
            (utc("2026-11-12T12:00"), None, None),
        ]
    ]


def test_touching_windows_do_not_dip() -> None:
    windows = [
        {"name": "eve", "start": "2026-11-10T20:00", "duration": "4h"},
        {"name": "day", "start": "2026-11-11T00:00", "duration": "24h"},
    ]
    made = promotion(timeZone="UTC", windows=windows, warmUp="2h", ramp={"steps": 4}, coolDown="0")
    steps = timeline(
        taking_part(ENTRY), {"double-11": made}, PLANS, utc("2026-11-10T20:00"), utc("2026-11-11T23:59:59")
    )
    assert {found.floor for _, found in steps} == {21}
    assert {found.plan for _, found in steps} == {"vm.large"}


def test_overlapping_promotions_take_the_larger_of_each() -> None:
    who = taking_part(
        {"name": "a", "planRef": {"name": "vm.huge"}, "replicas": {"min": 4, "max": 6}},
        {"name": "b", "planRef": {"name": "vm.large"}, "replicas": {"min": 2, "max": 50}},
    )
    a = once("2026-11-11T00:00", "2h", name="a", timeZone="UTC", warmUp="0", coolDown="0")
    b = once("2026-11-11T01:00", "2h", name="b", timeZone="UTC", warmUp="0", coolDown="0")
    both = at("2026-11-11T01:30", a, b, who=who)
    assert (both.plan, both.floor, both.ceiling) == ("vm.huge", 4, 50)
    assert (both.reason, both.until) == ("Promotion/b", utc("2026-11-11T03:00"))
    alone = at("2026-11-11T02:00", a, b, who=who)
    assert (alone.plan, alone.floor, alone.ceiling) == ("vm.large", 2, 50)


def test_promotion_never_lowers_plan_or_floor() -> None:
    who = taking_part({"name": "double-11", "planRef": {"name": "vm.tiny"}, "replicas": {"min": 0, "max": 0}})
    found = at(START, who=who)
    assert (found.plan, found.floor, found.ceiling) == ("vm.small", 1, 1)


def test_windows_ceiling_is_the_only_one() -> None:
    who = taking_part(
        {"name": "double-11", "replicas": {"min": 2, "max": 4}}, autoscale={"clones": {"min": 0, "max": 9}}
    )
    assert at(START, who=who).ceiling == 4


def test_entry_without_plan_and_replicas_brings_the_freeze_only() -> None:
    found = at(START, who=taking_part({"name": "double-11"}))
    assert (found.plan, found.floor, found.ceiling, found.reason, found.until) == ("vm.small", 1, 3, "", None)
    assert (found.phase, found.frozen_until) == ("Active", START + 24 * HOUR)


def test_plans_are_ordered_by_rank_then_cpu_then_memory() -> None:
    plans = {
        made.metadata.name: made
        for made in (plan("vm.small", 10), plan("x.a", 20, "8"), plan("x.b", 20, "8", "8Gi"), plan("x.c", 19, "64"))
    }
    who = taking_part({"name": "a", "planRef": {"name": "x.a"}}, {"name": "b", "planRef": {"name": "x.b"}})
    made = {name: once("2026-11-11T00:00", "2h", name=name, timeZone="UTC") for name in ("a", "b")}
    assert capacity(who, made, plans, START).plan == "x.b"


def test_machine_with_resources_of_its_own_takes_part_with_clones() -> None:
    own = {"planRef": None, "resources": {"cpu": "2", "memory": "4Gi"}, "disk": {"size": "20Gi"}}
    found = at(START, who=taking_part({"name": "double-11", "replicas": {"min": 7, "max": 9}}, **own))
    assert (found.plan, found.floor, found.ceiling) == (None, 7, 9)


@pytest.mark.parametrize(
    ("made", "reason", "said"),
    [
        (None, Reason.PROMOTION_NOT_FOUND, "Promotion double-11 does not exist: create it, or remove the entry"),
        (
            SALE.model_copy(update={"spec": edited(suspend=True)}),
            Reason.PROMOTION_SUSPENDED,
            "",
        ),
        (once("2026-11-31T00:00", "1h"), Reason.INVALID_SPEC, "makes no sense: spec.windows[main].start 2026-11-31"),
        (once("2020-11-11T00:00", "1h"), Reason.PROMOTION_OVER, "Promotion double-11 is over: remove the entry"),
    ],
)
def test_promotion_that_is_not_to_be_had_counts_as_absent_and_is_named(
    made: Promotion | None, reason: Reason, said: str
) -> None:
    found = capacity(taking_part(ENTRY), {"double-11": made} if made else {}, PLANS, START)
    assert (found.plan, found.floor, found.ceiling, found.phase, found.next) == ("vm.small", 1, 3, "", None)
    (condition,) = conditions(found)
    assert (condition.type, condition.status, condition.reason) == ("PromotionsResolved", False, reason)
    assert said in condition.message
    assert condition.message.startswith("spec.promotions[double-11]: ")


@pytest.mark.parametrize(
    ("plans", "reason"),
    [({}, Reason.PLAN_NOT_FOUND), ({"vm.large": plan("vm.large", target="SellerRDS")}, Reason.PLAN_OF_ANOTHER_KIND)],
)
def test_plan_that_is_not_to_be_had_is_named_and_the_rest_counts(plans: dict[str, Any], reason: Reason) -> None:
    found = capacity(taking_part(ENTRY), {"double-11": SALE}, {"vm.small": PLANS["vm.small"], **plans}, START)
    assert (found.plan, found.floor) == ("vm.small", 21)
    assert conditions(found)[0].reason == reason
    assert "spec.promotions[double-11].planRef: ServicePlan vm.large" in conditions(found)[0].message


def test_promotions_that_are_all_to_be_had_are_resolved_and_without_any_nothing_is_said() -> None:
    (found,) = conditions(at("2026-11-01"))
    assert (found.status, found.reason) == (True, Reason.RESOLVED)
    assert conditions(capacity(taking_part(), {}, PLANS, START)) == ()


def status(found: Capacity) -> dict[str, Any]:
    """As the kinds write it."""
    assert found.until
    until = found.until.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "plan": {"current": "vm.small", "target": found.plan, "until": until, "reason": found.reason},
        "clones": {"floor": found.floor, "ceiling": found.ceiling},
    }


@pytest.mark.parametrize("gone", ["deleted", "suspended", "broken"])
def test_participant_is_held_by_its_status_to_the_end_when_its_promotion_goes(gone: str) -> None:
    who = participant(machine(ENTRY, status=status(at("2026-11-10T20:30"))))
    changes: dict[str, dict[str, Any]] = {"suspended": {"suspend": True}, "broken": {"time_zone": "Nowhere"}}
    known = {} if gone == "deleted" else {"double-11": SALE.model_copy(update={"spec": edited(**changes[gone])})}
    held = capacity(who, known, PLANS, utc("2026-11-11T12:00"))
    assert (held.plan, held.floor, held.ceiling, held.reason) == ("vm.large", 11, 40, "Promotion/double-11")
    assert held.until == START + 36 * HOUR
    assert held.next
    assert (held.next.at, held.next.what) == (START + 36 * HOUR, "back to vm.small, 1 to 3 clones, the freeze ends")
    assert "is held until 2026-11-12T12:00" in conditions(held)[0].message
    over = capacity(who, known, PLANS, START + 36 * HOUR)
    assert (over.plan, over.floor, over.ceiling, over.reason) == ("vm.small", 1, 3, "")


@pytest.mark.parametrize(("known", "frozen"), [("deleted", True), ("freezes", True), ("freezes nothing", False)])
def test_freeze_lasts_as_long_as_what_is_held(known: str, frozen: bool) -> None:
    who = participant(machine(ENTRY, status=status(at("2026-11-10T20:30"))))
    spec = edited(suspend=True, freeze=known == "freezes")
    promotions = {} if known == "deleted" else {"double-11": SALE.model_copy(update={"spec": spec})}
    held = capacity(who, promotions, PLANS, utc("2026-11-11T12:00"))
    assert held.frozen_until == (START + 36 * HOUR if frozen else None)


@pytest.mark.parametrize("has_it", [True, False])
def test_deprecated_plan_takes_nobody_new_and_keeps_who_has_it(has_it: bool) -> None:
    spec = PLANS["vm.large"].spec.model_copy(update={"deprecated": True})
    plans = {**PLANS, "vm.large": PLANS["vm.large"].model_copy(update={"spec": spec})}
    who = participant(machine(ENTRY, status=status(at("2026-11-10T20:30")) if has_it else {}))
    found = capacity(who, {"double-11": SALE}, plans, START)
    assert found.plan == ("vm.large" if has_it else "vm.small")
    assert (Reason.PLAN_DEPRECATED in [reason for reason, _ in found.unresolved]) is not has_it


def test_seller_ends_the_raise_by_removing_the_entry() -> None:
    raised = status(at(START))
    who = participant(machine(status=raised))
    assert capacity(who, {}, PLANS, START).floor == 1
    assert wanted_plans(machine(status=raised)) == ("vm.small", "vm.large")


def test_administrator_ends_the_raise_by_an_edit() -> None:
    who = participant(machine(ENTRY, status=status(at("2026-11-11T06:00"))))
    short = once("2026-11-11T00:00", "1h", timeZone="UTC", warmUp="6h", coolDown="1h")
    assert capacity(who, {"double-11": short}, PLANS, utc("2026-11-11T06:00")).floor == 1


@pytest.mark.parametrize(
    "plan",
    [
        {"current": "vm.large"},
        {"current": "vm.large", "until": "2026-11-12T12:00:00Z"},
        {"current": "vm.large", "until": "2026-11-12T12:00:00Z", "reason": "spec.planRef"},
        {"current": "vm.large", "until": "some day", "reason": "Promotion/double-11"},
        {"current": "vm.large", "until": "2026-11-12T12:00:00", "reason": "Promotion/double-11"},
    ],
)
def test_status_that_holds_no_raise_is_none(plan: dict[str, str]) -> None:
    assert participant(machine(ENTRY, status={"plan": plan})).held == ()


def test_every_kind_takes_part() -> None:
    rds = SellerRDS.model_validate(
        {
            "kind": "SellerRDS",
            "metadata": {"name": "shop-db"},
            "spec": {
                "engine": "postgresql",
                "version": "17",
                "planRef": {"name": "db.small"},
                "promotions": [{"name": "double-11", "planRef": {"name": "db.large"}}],
            },
        }
    )
    assert participant(rds) == Participant("SellerRDS", "db.small", 0, 0, rds.spec.promotions)
    plans = {name: plan(name, rank, target="SellerRDS") for rank, name in enumerate(("db.small", "db.large"))}
    found = capacity(participant(rds), {"double-11": SALE}, plans, START)
    assert (found.plan, found.floor, found.ceiling) == ("db.large", 0, 0)
    push = PushSubscription.model_validate(
        {
            "kind": "PushSubscription",
            "metadata": {"name": "push"},
            "spec": {
                "databaseRef": {"name": "shop-db"},
                "databaseName": "shop",
                "shops": ["55501"],
                "datasets": ["trades"],
                "planRef": {"name": "push.small"},
                "promotions": [{"name": "double-11", "planRef": {"name": "push.large"}}],
            },
        }
    )
    assert wanted_promotions(push) == ("double-11",)
    assert wanted_plans(push) == ("push.small", "push.large")


def test_held_is_read_from_status() -> None:
    who = participant(machine(ENTRY, status=status(at(START))))
    assert who.held == (Held("double-11", "vm.large", 21, 40, START + 36 * HOUR),)


def kept(*entries: dict[str, Any], at: datetime, known: dict[str, Promotion], **spec: Any) -> Participant:
    """As status keeps it for later."""
    told = spelled(capacity(taking_part(*entries, **spec), known, PLANS, at).held)
    return participant(machine(*entries, status={"plan": {"current": "vm.small", "promotions": told}}, **spec))


A = {"name": "a", "replicas": {"min": 20, "max": 30}}
B = {"name": "b", "planRef": {"name": "vm.large"}}
BOTH = {
    "a": once("2026-11-11T00:00", "4h", name="a", timeZone="UTC", warmUp="0", coolDown="1h", freeze=False),
    "b": once("2026-11-11T00:00", "24h", name="b", timeZone="UTC", warmUp="0", coolDown="2h", freeze=False),
}


@pytest.mark.parametrize(
    ("left", "early", "late"),
    [
        pytest.param((), ("vm.large", 20, 30), ("vm.large", 1, 3), id="both went"),
        pytest.param(("b",), ("vm.large", 20, 30), ("vm.large", 1, 3), id="the one that ends first"),
        pytest.param(("a",), ("vm.large", 20, 30), ("vm.large", 1, 3), id="the one that ends last"),
    ],
)
def test_each_promotion_that_vanishes_is_held_to_its_own_end(left: Any, early: Any, late: Any) -> None:
    who = kept(A, B, at=START + HOUR, known=BOTH)
    known = {name: BOTH[name] for name in left}
    for hours, expected in ((2, early), (5, late), (25, late), (26, ("vm.small", 1, 3))):
        found = capacity(who, known, PLANS, START + hours * HOUR)
        assert (found.plan, found.floor, found.ceiling) == expected, hours


def test_freeze_alone_is_held_to_its_end() -> None:
    who = kept({"name": "double-11"}, at=START, known={"double-11": SALE})
    found = capacity(who, {}, PLANS, START + 23 * HOUR)
    assert (found.frozen_until, found.reason, found.floor) == (START + 24 * HOUR, "", 1)
    assert capacity(who, {}, PLANS, START + 24 * HOUR).frozen_until is None


def test_clones_that_an_entry_asks_for_only_since_it_is_held_are_not_raised_nor_others_cut() -> None:
    told = spelled(capacity(taking_part(B), BOTH, PLANS, START).held)
    more = B | {"replicas": {"min": 5, "max": 9}}
    who = participant(machine(more, status={"plan": {"current": "vm.small", "promotions": told}}))
    found = capacity(who, {}, PLANS, START + HOUR)
    assert (found.plan, found.floor, found.ceiling) == ("vm.large", 1, 3)


def deprecated(name: str) -> dict[str, Any]:
    spec = PLANS[name].spec.model_copy(update={"deprecated": True})
    return {**PLANS, name: PLANS[name].model_copy(update={"spec": spec})}


@pytest.mark.parametrize("known", [{"double-11": SALE}, {}], ids=["there", "not there yet"])
def test_plan_that_an_entry_was_given_stays_though_it_is_deprecated_before_the_window(
    known: dict[str, Promotion],
) -> None:
    who = kept(ENTRY, at=utc("2026-11-01"), known=known)
    for moment in (utc("2026-11-02"), START):
        found = capacity(who, {"double-11": SALE}, deprecated("vm.large"), moment)
        assert (Reason.PLAN_DEPRECATED in [reason for reason, _ in found.unresolved], found.held[0].plan) == (
            False,
            "vm.large",
        )
    assert found.plan == "vm.large"


def test_deprecated_plan_below_another_is_not_taken_from_who_is_in_it() -> None:
    huge = {"name": "a", "planRef": {"name": "vm.huge"}}
    who = kept(huge, B, at=START, known=BOTH)
    found = capacity(who, BOTH, deprecated("vm.large"), START + 6 * HOUR)
    assert found.plan == "vm.large"
    assert Reason.PLAN_DEPRECATED not in [reason for reason, _ in found.unresolved]


def test_deprecated_plan_that_nobody_was_given_is_named_with_field_value_and_remedy() -> None:
    found = capacity(taking_part(ENTRY), {"double-11": SALE}, deprecated("vm.large"), utc("2026-11-01"))
    assert found.held == ()
    assert conditions(found)[0].message == (
        "spec.promotions[double-11].planRef: ServicePlan vm.large is deprecated and takes no new users: name another"
    )


def test_next_is_found_behind_a_hundred_windows_that_change_nothing() -> None:
    """Inside a window of a year, a daily one without any effect of its own."""
    year = once("2026-01-01T00:00", "366d", name="year", timeZone="UTC", warmUp="0", coolDown="0")
    daily = again("FREQ=DAILY", "2026-01-01T00:00", "1h", timeZone="UTC", warmUp="0", coolDown="0")
    who = taking_part({"name": "year", "replicas": {"min": 5, "max": 5}}, {"name": "double-11"})
    found = capacity(who, {"year": year, "double-11": daily}, PLANS, utc("2026-02-01T12:00"))
    assert found.next
    assert found.next.at == utc("2027-01-02T00:00")


def test_the_same_answer_for_equal_specs_that_are_other_objects() -> None:
    twin = Promotion.model_validate(SALE.model_dump(by_alias=True))
    assert at(START, twin) == at(START)
    assert replace(at(START), next=None) != replace(at("2026-11-01"), next=None)

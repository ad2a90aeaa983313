# SPDX-License-Identifier: Apache-2.0
"""How large a Seller's quota is before, during and after a promotion, and what is said about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.api.platform import Platform
from cairn.api.quantity import parse
from cairn.api.resources import Obj
from cairn.api.seller import Seller
from cairn.api.serviceplan import ServicePlan
from cairn.api.vm_size import claim, launcher
from cairn.calendar.capacity import capacity
from cairn.calendar.demand import KEYS, at_most, member, most, stands
from cairn.seller import quota, report
from cairn.seller.home import Home
from unit.calendar.sizes import (
    CHECKED,
    COOLED,
    NAMESPACE,
    PREFLIGHT,
    START,
    WARM_UP,
    custom,
    double_11,
    entry,
    model,
    plan,
    plans,
    promotions,
    push,
    rds,
    vm,
)

PEAK = {"cpu": "100", "memory": "400Gi", "storage": "1Ti"}
SECOND = timedelta(seconds=1)


def standard(**peak: str) -> ServicePlan:
    return ServicePlan.model_validate(plan("seller.standard", "Seller", "10", "64Gi", "500Gi", peak=PEAK | peak))


def home(*objects: Obj, own: ServicePlan | None = None, checked: bool = False, **spec: Any) -> Home:
    models = [model(obj) for obj in objects]
    members = tuple((member(one), stands(one)) for one in models)
    return Home(
        own or standard(), members, promotions(double_11("double-11", *([CHECKED] if checked else []), **spec)), plans()
    )


def live(used: dict[str, str], hard: dict[str, str] | None = None) -> Obj:
    return {"status": {"used": used, "hard": hard or {}}}


SHOP = vm("shop", entry(replicas=(20, 40)))


def test_quota_without_resources_is_the_plan_in_its_own_spelling() -> None:
    own = ServicePlan.model_validate(plan("seller.standard", "Seller", "4000m", "8G", "1024Gi"))
    assert quota.hard(home(own=own), None, START) == {
        "requests.cpu": "4",
        "limits.cpu": "4",
        "requests.memory": "8G",
        "limits.memory": "8G",
        "requests.storage": "1Ti",
    }


@pytest.mark.parametrize(
    ("now", "cpu", "machines", "disks"),
    [
        pytest.param(WARM_UP - quota.LEAD - SECOND, "12", 1, 0, id="just-before-it-is-raised"),
        pytest.param(WARM_UP - quota.LEAD, "92", 41, 40, id="ten-minutes-before-the-warm-up"),
        pytest.param(START, "92", 41, 40, id="start"),
        pytest.param(COOLED - SECOND, "92", 41, 40, id="to-the-end-of-the-cool-down"),
        pytest.param(COOLED, "12", 1, 0, id="over"),
    ],
)
def test_quota_is_raised_before_the_warm_up_and_lowered_after_the_cool_down(
    now: datetime, cpu: str, machines: int, disks: int
) -> None:
    """40 clones of 2 vCPU, 4Gi and what KubeVirt adds, 20Gi and what CDI adds; one machine more for a migration."""
    found = quota.hard(home(SHOP), None, now)
    assert found["limits.cpu"] == cpu
    assert parse(found["requests.storage"]) == parse("500Gi") + disks * parse(claim("20Gi"))
    memory = parse("64Gi") + machines * parse(launcher("2", "4Gi")["limits.memory"])
    assert parse(found["limits.memory"]) == memory


def test_quota_is_raised_no_further_than_the_peak_of_the_plan() -> None:
    found = quota.hard(home(SHOP, own=standard(cpu="30", storage="0")), None, START)
    assert (found["limits.cpu"], found["requests.storage"]) == ("42", "500Gi")
    without = ServicePlan.model_validate(plan("seller.standard", "Seller", "10", "64Gi", "500Gi"))
    assert quota.hard(home(SHOP, own=without), None, START)["limits.cpu"] == "12"


def test_quota_grows_by_no_machine_that_could_not_run_in_it() -> None:
    huge = vm("huge", resources={"cpu": "200", "memory": "4Gi"}, disk={"size": "20Gi"})
    assert quota.hard(home(huge), None, START)["limits.cpu"] == "20"


def test_quota_holds_the_larger_machine_twice_while_it_is_raised() -> None:
    grown = vm("shop", entry(plan="vm.large"))
    assert quota.hard(home(grown), None, COOLED)["limits.cpu"] == "12"
    assert quota.hard(home(grown), None, START)["limits.cpu"] == "24"


@pytest.mark.parametrize(
    ("used", "hard"),
    [
        pytest.param("82", "92", id="too-little-to-tell"),
        pytest.param("70", "72", id="by-a-quarter-of-the-way"),
        pytest.param("20", "22", id="room-for-one-restart"),
        pytest.param("10", "12", id="all-the-way"),
        pytest.param("2", "12", id="no-further"),
    ],
)
def test_quota_after_the_end_follows_what_is_used_down(used: str, hard: str) -> None:
    was = dict.fromkeys(KEYS, "92")
    assert quota.hard(home(SHOP), live({"limits.cpu": used}, was), COOLED)["limits.cpu"] == hard


def test_quota_comes_down_in_few_steps_while_clones_go_one_by_one() -> None:
    """40 clones of 2 vCPU, the base machine at last alone."""
    hard, seen = dict.fromkeys(KEYS, "92"), []
    for used in range(82, 0, -2):
        hard = quota.hard(home(SHOP), live({"limits.cpu": str(used)}, hard), COOLED)
        assert parse(hard["limits.cpu"]) >= used
        seen.append(hard["limits.cpu"])
    assert seen[-1] == "12"
    assert len(set(seen)) <= 12


def test_quota_is_never_raised_by_what_is_used() -> None:
    assert quota.hard(home(SHOP), live({"limits.cpu": "82"}, {"limits.cpu": "50"}), COOLED)["limits.cpu"] == "50"


def test_quota_changes_next_ten_minutes_before_the_warm_up_then_at_the_end() -> None:
    assert quota.next_change(home(SHOP), PREFLIGHT) == WARM_UP - quota.LEAD
    assert quota.next_change(home(SHOP), WARM_UP - quota.LEAD) == COOLED
    assert quota.next_change(home(SHOP), COOLED) is None


def test_promotion_that_is_gone_holds_the_quota_until_the_end_that_status_names() -> None:
    status = {
        "plan": {"current": "vm.small", "until": "2026-11-12T04:00:00Z", "reason": "Promotion/gone"},
        "clones": {"floor": 20, "ceiling": 40, "replicas": 20},
    }
    held = home(vm("shop", entry("gone", replicas=(20, 40)), status=status))
    assert quota.hard(held, None, START)["limits.cpu"] == "92"
    assert quota.next_change(held, START) == COOLED
    assert quota.hard(held, None, COOLED)["limits.cpu"] == "12"


ENTRY = st.builds(
    entry,
    plan=st.sampled_from((None, "vm.small", "vm.large")),
    replicas=st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)).map(lambda pair: (pair[0], sum(pair))),
)
MACHINE = st.builds(
    lambda ask, running: vm("shop", ask, powerState="Running" if running else "Stopped"), ENTRY, st.booleans()
)
DATABASE = st.sampled_from((None, "db.small", "db.large")).map(lambda name: rds("db", entry(plan=name)))
WORKER = st.sampled_from((None, "push.large")).map(lambda name: push("orders", entry(plan=name)))
RESOURCES = st.lists(MACHINE | DATABASE | WORKER, max_size=4)
OWN = st.builds(
    lambda cpu, peak: ServicePlan.model_validate(
        plan("seller.standard", "Seller", str(cpu), f"{cpu * 4}Gi", f"{cpu * 50}Gi")
        | {
            "spec": {"for": "Seller", "size": {"cpu": str(cpu), "memory": f"{cpu * 4}Gi", "storage": f"{cpu * 50}Gi"}}
            | ({"peak": {"cpu": str(peak), "memory": f"{peak * 4}Gi"}} if peak else {})
        }
    ),
    st.integers(1, 40),
    st.integers(0, 60),
)
MOMENT = st.sampled_from((PREFLIGHT, WARM_UP - quota.LEAD, WARM_UP, START, COOLED))
LIMITS = st.fixed_dictionaries({key: st.tuples(st.integers(0, 200), st.integers(0, 200)) for key in KEYS})


def numbers(found: dict[str, str]) -> dict[str, Any]:
    return {key: parse(value) for key, value in found.items()}


@given(RESOURCES, OWN, MOMENT, LIMITS)
def test_quota_is_never_below_what_is_used(
    objects: list[Obj], own: ServicePlan, now: datetime, limits: dict[str, tuple[int, int]]
) -> None:
    unit = {key: "" if "cpu" in key else "Gi" for key in KEYS}
    hard = {key: f"{max(pair)}{unit[key]}" for key, pair in limits.items()}
    used = {key: f"{min(pair)}{unit[key]}" for key, pair in limits.items()}
    found = numbers(quota.hard(home(*objects, own=own), live(used, hard), now))
    assert all(found[key] >= parse(used[key]) for key in KEYS)


@given(RESOURCES, OWN, MOMENT, LIMITS)
def test_quota_is_never_above_plan_peak_and_reserve_nor_above_what_it_was(
    objects: list[Obj], own: ServicePlan, now: datetime, limits: dict[str, tuple[int, int]]
) -> None:
    hard = {key: str(max(pair)) for key, pair in limits.items()}
    used = {key: str(min(pair)) for key, pair in limits.items()}
    here = home(*objects, own=own)
    found = numbers(quota.hard(here, live(used, hard), now))
    machines = [one for one, _ in here.members if one.who.kind == "SellerVM"]
    # any of the two sizes that a machine may have here, whichever is larger
    reserve = most(
        at_most(one, capacity(one.who, here.promotions, here.plans, at), here.plans).pod
        for one in machines
        for at in (now, now + quota.LEAD)
    )
    size, peak = own.spec.size, own.spec.peak
    for key in KEYS:
        part = key.split(".")[1]
        bound = parse(getattr(size, part)) + (parse(getattr(peak, part)) if peak else 0)
        bound += min(reserve.get(key, 0), bound)
        assert found[key] <= max(bound, parse(hard[key]))


@given(RESOURCES, MACHINE | DATABASE | WORKER, OWN, MOMENT)
def test_quota_never_shrinks_by_one_more_participant(
    objects: list[Obj], more: Obj, own: ServicePlan, now: datetime
) -> None:
    before = numbers(quota.hard(home(*objects, own=own), None, now))
    after = numbers(quota.hard(home(*objects, more, own=own), None, now))
    assert all(after[key] >= before[key] for key in KEYS)


RUNS = {"size": {"cpu": "2", "memory": "4Gi"}}


@pytest.mark.parametrize(
    ("own", "used", "peaks"),
    [
        pytest.param({}, "2", {"hard": "90", "needed": "82"}, id="fits"),
        pytest.param({"cpu": "50"}, "2", {"hard": "60", "needed": "82"}, id="peak-too-small"),
        pytest.param({"cpu": "80"}, "12", {"hard": "90", "needed": "92"}, id="others-use-too-much"),
    ],
)
def test_peak_is_said_with_the_quota_as_it_will_be_and_what_is_needed(
    own: dict[str, str], used: str, peaks: dict[str, str]
) -> None:
    here = home(SHOP | {"status": RUNS}, own=standard(**own), checked=True)
    found = quota.peaks(here, live({"limits.cpu": used, "requests.storage": "20Gi"}), PREFLIGHT)
    assert [peak["name"] for peak in found] == ["double-11"]
    assert found[0]["cpu"] == peaks
    disks = 40 * parse(claim("20Gi"))
    assert parse(found[0]["storage"]["hard"]) == parse("500Gi") + disks
    assert parse(found[0]["storage"]["needed"]) == parse("20Gi") + disks


def test_peak_in_the_middle_counts_what_stands_once() -> None:
    there = RUNS | {"clones": {"replicas": 30}}
    here = home(SHOP | {"status": there}, checked=True)
    assert quota.peaks(here, live({"limits.cpu": "62"}), START)[0]["cpu"] == {"hard": "90", "needed": "82"}


def test_peaks_are_of_promotions_whose_preflight_is_on() -> None:
    assert quota.peaks(home(SHOP), live({}), START) == []
    assert quota.peaks(home(SHOP, checked=True), live({}), COOLED) == []


def seller(status: Obj | None = None) -> Seller:
    spec = {"id": "2088", "namespace": NAMESPACE, "planRef": {"name": "seller.standard"}}
    return Seller.model_validate(custom("Seller", "acme", spec, status=status))


def said(here: Home, used: str, now: datetime, status: Obj | None = None) -> report.Said:
    limits = quota.hard(here, None, now)
    return report.said(seller(status), here, limits, live({"requests.cpu": used}), now, Platform())


def test_seller_says_when_its_peak_does_not_fit_in_numbers() -> None:
    here = home(SHOP | {"status": RUNS}, own=standard(cpu="50"), checked=True)
    (condition,) = said(here, "200m", PREFLIGHT).conditions
    assert (condition.type, condition.status, condition.reason) == ("PeakFits", False, "DoesNotFit")
    assert condition.message == (
        "Promotion double-11: the seller's namespace needs 82 of cpu, its quota will be 60: ask for less, or choose a"
        " plan with a larger peak for the Seller"
    )
    fits = home(SHOP | {"status": RUNS}, checked=True)
    assert [condition.status for condition in said(fits, "200m", PREFLIGHT).conditions] == [True]
    assert said(home(SHOP), "200m", PREFLIGHT).conditions == ()


def test_what_is_used_is_told_at_most_every_half_minute() -> None:
    here = home(SHOP)
    first = said(here, "1", PREFLIGHT)
    assert first.status["quota"]["cpu"] == {"hard": "10200m", "used": "1"}
    soon = said(here, "2", PREFLIGHT + 29 * SECOND, first.status)
    assert soon.status == first.status
    assert PREFLIGHT + 30 * SECOND in soon.next
    later = said(here, "2", PREFLIGHT + 30 * SECOND, first.status)
    assert later.status["quota"]["cpu"]["used"] == "2"
    assert later.status["quota"]["at"] == "2026-11-07T06:00:30Z"
    assert said(here, "2", PREFLIGHT + 90 * SECOND, later.status).status == later.status


def test_a_limit_that_has_grown_is_told_at_once() -> None:
    here = home(SHOP)
    first = said(here, "1", WARM_UP - quota.LEAD - SECOND)
    raised = said(here, "1", WARM_UP - quota.LEAD, first.status)
    assert raised.status["quota"]["cpu"]["hard"] == "18200m"

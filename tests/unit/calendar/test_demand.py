# SPDX-License-Identifier: Apache-2.0
"""What one resource takes of quota and nodes, in exact numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.api.quantity import parse
from cairn.api.resources import Obj
from cairn.api.vm_size import claim, launcher
from cairn.calendar.capacity import Capacity, capacity
from cairn.calendar.demand import KEYS, at_most, base, beyond, less, member, most, plus, standing, stands, times
from cairn.calendar.peak import moments, to_come
from unit.calendar.sizes import (
    COOLED,
    END,
    PLANS,
    START,
    WARM_UP,
    double_11,
    entry,
    model,
    plans,
    promotions,
    push,
    rds,
    vm,
)

GI = 1024**3
DISK = parse(claim("20Gi"))
SMALL = {key: parse(value) for key, value in launcher("2", "4Gi").items()}
LARGE = {key: parse(value) for key, value in launcher("8", "16Gi").items()}


def asked(obj: Obj, capacity: Capacity) -> dict[str, Decimal]:
    found = beyond(member(model(obj)), capacity, plans())
    return {key: value for key, value in found.items() if value}


def test_machine_at_the_most_is_itself_and_its_clones_with_their_disks() -> None:
    found = at_most(member(model(vm())), Capacity("vm.small", 20, 40), plans())
    assert found.pods == 41
    assert found.pod == SMALL
    assert found.total == plus((times(SMALL, 41), {"requests.storage": 40 * DISK}))


def test_machine_asks_for_its_clones_beyond_those_that_always_stand() -> None:
    shop = vm(autoscale={"clones": {"min": 3, "max": 10}})
    found = asked(shop, Capacity("vm.small", 20, 40))
    assert found["limits.cpu"] == 37 * 2
    assert found["requests.storage"] == 37 * DISK


def test_machine_whose_promotion_names_no_clones_asks_for_the_larger_plan_alone() -> None:
    shop = vm(autoscale={"clones": {"min": 0, "max": 10}})
    found = asked(shop, Capacity("vm.large", 0, 10))
    assert found == less(times(LARGE, 11), times(SMALL, 11))


@pytest.mark.parametrize(
    ("spec", "disk"),
    [
        pytest.param({}, 20, id="of-the-plan"),
        pytest.param({"disk": {"size": "30Gi"}}, 30, id="of-its-own"),
        pytest.param({"disk": {"size": "10Gi"}}, 10, id="smaller-than-the-plan-includes"),
        pytest.param({"resources": {"cpu": "2", "memory": "4Gi"}, "disk": {"size": "7Gi"}}, 7, id="with-resources"),
    ],
)
def test_clone_has_a_disk_like_the_base(spec: dict[str, Any], disk: int) -> None:
    found = asked(vm(**spec), Capacity(None if "resources" in spec else "vm.small", 1, 1))
    assert found == SMALL | {"requests.storage": parse(claim(f"{disk}Gi"))}


def test_disk_that_has_grown_is_what_clones_get() -> None:
    grown = {"disks": [{"name": "shop-disk", "size": "60Gi", "inUse": True}, {"name": "old", "size": "90Gi"}]}
    assert asked(vm(status=grown), Capacity("vm.small", 1, 1))["requests.storage"] == 60 * GI


def test_database_and_worker_ask_for_the_larger_plan_and_never_for_storage() -> None:
    database = asked(rds(), Capacity("db.large", 0, 0))
    assert database == {
        "requests.cpu": 3,
        "limits.cpu": 3,
        "requests.memory": Decimal(14 * GI),
        "limits.memory": Decimal(14 * GI),
    }
    worker = asked(push(), Capacity("push.large", 0, 0))
    assert worker["limits.cpu"] == Decimal("1.5")
    assert worker["requests.memory"] == 768 * 1024 * 1024


EXTERNAL: Obj = {
    "external": {"host": "db.example.com", "adminSecretRef": {"name": "admin"}, "caSecretRef": {"name": "ca"}}
}


@pytest.mark.parametrize(
    "obj",
    [
        pytest.param(vm(powerState="Stopped"), id="machine-stopped"),
        pytest.param(rds(powerState="Stopped"), id="database-stopped"),
        pytest.param(rds(**EXTERNAL), id="database-elsewhere"),
        pytest.param(push(paused=True), id="worker-paused"),
        pytest.param(vm(planRef={"name": "unknown"}), id="plan-unknown"),
    ],
)
def test_what_does_not_run_takes_nothing(obj: Obj) -> None:
    one = member(model(obj))
    assert not any(at_most(one, Capacity(one.who.base_plan, 0, 0), plans()).total.values())
    assert not any(base(one, plans()).total.values())


def test_machine_takes_what_its_status_shows() -> None:
    shop = model(vm(status={"size": {"cpu": "8", "memory": "16Gi"}, "clones": {"replicas": 3}}))
    found = standing(member(shop), stands(shop), plans())
    assert found == plus((times(LARGE, 4), {"requests.storage": 3 * DISK}))
    assert standing(member(model(vm())), stands(model(vm())), plans()) == {}


def test_worker_takes_what_the_plan_in_force_says() -> None:
    raised = model(push(status={"worker": {"ready": True}, "plan": {"current": "push.large"}}))
    assert standing(member(raised), stands(raised), plans())["limits.cpu"] == 2
    gone = model(push(status={"plan": {"current": "push.large"}}))
    assert standing(member(gone), stands(gone), plans()) == {}


def test_resources_that_are_alike_are_counted_together() -> None:
    one, other = (member(model(vm(name, entry(replicas=(20, 40))))) for name in ("a", "b"))
    assert one == other
    assert hash(one) == hash(other)


def test_peak_has_to_be_looked_at_only_where_a_warm_up_begins() -> None:
    found = moments(promotions(double_11(), double_11("spring", warmUp="1h")), WARM_UP, COOLED)
    assert found == (WARM_UP, START.replace(hour=11))
    assert moments(promotions(double_11()), START, END) == (START,)


def test_machine_that_is_not_raised_is_counted_as_it_stands_but_not_beyond_its_own_most() -> None:
    shop = vm(
        status={"size": {"cpu": "2", "memory": "4Gi"}, "clones": {"replicas": 5}},
        autoscale={"clones": {"min": 0, "max": 3}},
    )
    one, there = member(model(shop)), stands(model(shop))
    now, then = to_come(one, there, Capacity("vm.small", 0, 3), plans())
    assert now["limits.cpu"] == 12
    assert then["limits.cpu"] == 8


CLONES = st.tuples(st.integers(0, 5), st.integers(0, 5)).map(lambda pair: (pair[0], sum(pair)))
ENTRIES = st.builds(entry, plan=st.sampled_from((None, "vm.small", "vm.large")), replicas=st.none() | CLONES)
MACHINES = st.builds(
    lambda ask, own: vm("shop", ask, autoscale={"clones": {"min": own[0], "max": own[1]}}), ENTRIES, CLONES
)
MOMENTS = st.sampled_from((WARM_UP, START, END, COOLED))


@given(MACHINES, MOMENTS)
def test_base_and_what_is_asked_for_is_never_less_than_the_most(obj: Obj, now: Any) -> None:
    one = member(model(obj))
    here = capacity(one.who, promotions(double_11()), plans(), now)
    whole = plus((base(one, plans(), one.who.base_max).total, beyond(one, here, plans())))
    needed = at_most(one, here, plans()).total
    assert all(whole.get(key, 0) >= needed.get(key, 0) for key in KEYS)
    assert all(value >= 0 for value in beyond(one, here, plans()).values())


@given(MACHINES)
def test_nothing_is_asked_for_outside_of_promotions(obj: Obj) -> None:
    one = member(model(obj))
    for now in (WARM_UP.replace(year=2025), COOLED):
        assert not any(beyond(one, capacity(one.who, promotions(double_11()), plans(), now), plans()).values())


def test_amounts_add_up_by_key() -> None:
    one, other = {"a": Decimal(3), "b": Decimal(1)}, {"a": Decimal(1), "c": Decimal(2)}
    assert plus((one, other)) == {"a": 4, "b": 1, "c": 2}
    assert less(one, other) == {"a": 2, "b": 1}
    assert less(other, one) == {"a": 0, "c": 2}
    assert most((one, other)) == {"a": 3, "b": 1, "c": 2}
    assert len(PLANS) == len(plans())

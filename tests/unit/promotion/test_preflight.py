# SPDX-License-Identifier: Apache-2.0
"""Whether the nodes have room for a promotion: three clusters with exact numbers, and what counts for them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.api.conditions import Condition, Reason
from cairn.api.platform import Platform
from cairn.api.resources import CONFIGMAP, NODE, Obj, Ref, Resource, ref_of
from cairn.calendar.resident import residents
from cairn.engine.kind import Observed
from cairn.promotion.kind import PromotionKind
from cairn.promotion.nodes import Look, Nodes, Room, nodes_of, requests
from cairn.promotion.preflight import LOOK_EVERY, Preflight, Wanted, judge, preflight
from unit.calendar.sizes import (
    CHECKED,
    COOLED,
    END,
    PLANS,
    PREFLIGHT,
    START,
    condition,
    double_11,
    entry,
    plan,
    plans,
    promotions,
    push,
    rds,
    vm,
)

GI = 1024**3
HUGE = plan("vm.huge", "SellerVM", "40", "64Gi", "80Gi")
"""KubeVirt asks the scheduler for a tenth of a core for each vCPU: 4 of these 40."""
RUNS: Obj = {"size": {"cpu": "40", "memory": "64Gi"}}


def node(name: str, cpu: str, memory: str, *, ready: bool = True, pods: int = 110, **spec: Any) -> Obj:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    allocatable = {"cpu": cpu, "memory": memory, "pods": str(pods)}
    return {"metadata": {"name": name}, "spec": spec, "status": {"conditions": conditions, "allocatable": allocatable}}


def pod(on: str | None, cpu: str, memory: str, phase: str = "Running", **spec: Any) -> Obj:
    containers = [{"name": "one", "resources": {"requests": {"cpu": cpu, "memory": memory}}}]
    placed = {"nodeName": on} if on else {}
    return {"spec": {"containers": containers, **placed, **spec}, "status": {"phase": phase}}


def check(
    *objects: Obj,
    nodes: Nodes | None,
    now: datetime = PREFLIGHT,
    elastic: bool = False,
    fresh: bool = True,
    said: Obj = CHECKED,
) -> Preflight:
    known = promotions(double_11("double-11", said))
    facts = {"nodes": nodes, "fresh": fresh} if nodes else {}
    return preflight(
        known["double-11"], tuple(residents(_marked(objects))), known, plans(HUGE), facts, now, elastic=elastic
    )


def _marked(objects: tuple[Obj, ...]) -> list[Obj]:
    return [{**obj, "metadata": {**obj["metadata"], "name": f"n{n}"}} for n, obj in enumerate(objects)]


def shop(minimum: int = 20, maximum: int = 40, status: Obj | None = None, **spec: Any) -> Obj:
    asks = entry(replicas=(minimum, maximum))
    return vm("shop", asks, status=RUNS if status is None else status, planRef={"name": "vm.huge"}, **spec)


LARGE = nodes_of([node("a", "128", "2Ti"), node("b", "128", "2Ti")], [pod("a", "16", "64Gi")], elastic=False)
SMALL = nodes_of(
    [node(name, "32", "2Ti") for name in "abc"] + [node("d", "64", "2Ti", unschedulable=True)],
    [pod("a", "3500m", "8Gi"), pod("b", "500m", "8Gi"), pod("c", "9", "8Gi", "Succeeded")],
    elastic=False,
)
ELASTIC = nodes_of([node("a", "32", "2Ti")], [], elastic=True)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        pytest.param(LARGE, Condition("PeakFits", True, Reason.FITS), id="room-for-all"),
        pytest.param(
            SMALL,
            Condition(
                "PeakFits",
                False,
                Reason.DOES_NOT_FIT,
                "needs 160 vCPU, 92 free on nodes: add nodes, or have less take part",
            ),
            id="too-few-cores",
        ),
        pytest.param(
            ELASTIC,
            Condition(
                "PeakFits",
                None,
                Reason.NODES_ELASTIC,
                "needs 160 vCPU, 32 free on nodes; needs 2582.7Gi, 2048Gi free on nodes:"
                " a cluster autoscaler is to add nodes",
            ),
            id="with-an-autoscaler",
        ),
    ],
)
def test_promotion_of_40_clones_of_4_cores_is_held_against_what_is_free(nodes: Nodes, expected: Condition) -> None:
    found = check(shop(), nodes=nodes)
    assert found.conditions == (expected,)
    assert found.next == PREFLIGHT + LOOK_EVERY


def test_platform_with_elastic_nodes_needs_no_autoscaler_of_the_known_name() -> None:
    (said,) = check(shop(), nodes=SMALL, elastic=True).conditions
    assert (said.status, said.reason) == (None, Reason.NODES_ELASTIC)
    (said,) = check(shop(), nodes=LARGE, elastic=True).conditions
    assert said.status is True


def test_needed_is_what_all_may_need_at_the_most_beyond_what_they_have() -> None:
    database = rds("db", entry(plan="db.large"), status={"size": {"cpu": "1", "memory": "2Gi"}})
    worker = push("orders", entry(plan="push.large"))
    found = check(shop(), database, worker, vm("freeze-only", entry(), status=RUNS), nodes=LARGE)
    assert found.needed == {"cpu": "164500m", "memory": "2659744Mi", "storage": "3485960Mi"}


def test_what_stands_already_is_not_needed_once_more() -> None:
    there = RUNS | {"clones": {"replicas": 30}}
    assert check(shop(status=there), nodes=SMALL, now=START).conditions[0].status is True
    assert check(shop(status=RUNS), nodes=SMALL, now=START).conditions[0].status is False


def test_machine_larger_than_what_is_free_on_any_one_node_is_named() -> None:
    many = nodes_of([node(f"n{n}", "3", "1Ti") for n in range(100)], [], elastic=False)
    (said,) = check(shop(), nodes=many).conditions
    assert said.message.startswith("a machine needs 4 vCPU and 64.6Gi on one node, 3 vCPU and 1024Gi free on one: ")


def test_machines_that_find_no_room_side_by_side_are_counted() -> None:
    spread = nodes_of([node(f"n{n}", "7", "1Ti") for n in range(30)], [], elastic=False)
    (said,) = check(shop(), nodes=spread).conditions
    assert said.message.startswith("40 machines are to come, and what is free is so spread over nodes that 30 find")


def test_pods_that_a_node_can_hold_are_limited_too() -> None:
    few = nodes_of([node(f"n{n}", "100", "2Ti", pods=5) for n in range(4)], [pod("n0", "0", "0")] * 2, elastic=False)
    (said,) = check(shop(), nodes=few).conditions
    assert "so spread over nodes that 18 find room" in said.message


def test_pods_that_wait_for_a_node_will_take_what_is_free() -> None:
    waiting = nodes_of([node("a", "170", "4Ti")], [pod(None, "20", "1Gi", "Pending")], elastic=False)
    (said,) = check(shop(), nodes=waiting).conditions
    assert said.message.startswith("needs 160 vCPU, 150 free on nodes")


@pytest.mark.parametrize(
    ("now", "conditions"),
    [
        pytest.param(PREFLIGHT - timedelta(seconds=1), 0, id="before"),
        pytest.param(PREFLIGHT, 1, id="first-moment"),
        pytest.param(END - timedelta(seconds=1), 1, id="last-moment"),
        pytest.param(END, 0, id="cooling-down"),
        pytest.param(COOLED, 0, id="over"),
    ],
)
def test_preflight_is_on_from_its_beginning_to_the_end_of_the_window(now: datetime, conditions: int) -> None:
    found = check(shop(), nodes=LARGE, now=now)
    assert len(found.conditions) == conditions
    assert found.next is None or found.next > now
    assert bool(found.needed) == (now < END)


def test_preflight_begins_when_it_says() -> None:
    assert check(shop(), nodes=LARGE, now=PREFLIGHT - timedelta(days=3)).next == PREFLIGHT


def test_first_pass_only_says_that_the_nodes_are_looked_at() -> None:
    found = check(shop(), nodes=None)
    assert [(said.status, said.reason) for said in found.conditions] == [(None, Reason.PROGRESSING)]
    assert found.next == PREFLIGHT + timedelta(seconds=1)


def test_promotion_of_nobody_fits_and_looks_at_no_nodes() -> None:
    assert check(nodes=None).conditions == (Condition("PeakFits", True, Reason.FITS, "nobody takes part"),)
    assert check(nodes=None, now=END).conditions == ()


def test_what_was_said_stays_until_the_nodes_are_looked_at_anew() -> None:
    before = condition("PeakFits", "False", "DoesNotFit", "needs 1 vCPU, 0 free on nodes")
    found = check(shop(), nodes=LARGE, fresh=False, said=before)
    assert found.conditions == (Condition("PeakFits", False, Reason.DOES_NOT_FIT, before["message"]),)
    first = condition("PeakFits", "Unknown", "Progressing")
    assert check(shop(), nodes=LARGE, fresh=False, said=first).conditions[0].status is True


def test_nodes_that_cannot_be_looked_at_are_no_reason_to_say_yes_or_no() -> None:
    (said,) = check(shop(), nodes=Nodes(fault="RefusedError: nodes is forbidden")).conditions
    assert (said.status, said.reason) == (None, Reason.API_ERROR)
    assert "nodes is forbidden" in said.message


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        pytest.param({}, "1", id="container"),
        pytest.param({"overhead": {"cpu": "250m"}}, "1.25", id="overhead"),
        pytest.param({"initContainers": [{"resources": {"requests": {"cpu": "3"}}}]}, "3", id="init-container"),
        pytest.param(
            {"initContainers": [{"resources": {"requests": {"cpu": "500m"}}}]}, "1", id="small-init-container"
        ),
        pytest.param(
            {"initContainers": [{"restartPolicy": "Always", "resources": {"requests": {"cpu": "3"}}}]},
            "4",
            id="sidecar",
        ),
    ],
)
def test_pod_takes_what_the_scheduler_counts(spec: dict[str, Any], cpu: str) -> None:
    assert requests(pod("a", "1", "1Gi", **spec))[0] == Decimal(cpu)


@pytest.mark.parametrize(
    "shut",
    [
        pytest.param({"ready": False}, id="not-ready"),
        pytest.param({"unschedulable": True}, id="cordoned"),
        pytest.param({"taints": [{"key": "role", "effect": "NoSchedule"}]}, id="tainted"),
    ],
)
def test_node_that_takes_no_pods_has_no_room(shut: dict[str, Any]) -> None:
    assert nodes_of([node("a", "8", "8Gi", **shut)], [], elastic=False).rooms == ()
    soft = node("a", "8", "8Gi", taints=[{"key": "role", "effect": "PreferNoSchedule"}])
    assert nodes_of([soft], [], elastic=False).rooms == (Room(Decimal(8), Decimal(8 * GI), 110),)


class ReadOnlyIo:
    """Counts what is listed."""

    def __init__(self, *, autoscaler: bool = False, fault: Exception | None = None) -> None:
        self.listed: list[Resource] = []
        self._autoscaler, self._fault = autoscaler, fault

    async def get(self, ref: Ref) -> Obj | None:
        assert ref == Ref(CONFIGMAP, "kube-system", "cluster-autoscaler-status")
        return {} if self._autoscaler else None

    async def list(self, resource: Resource, namespace: str = "", labels: str = "") -> list[Obj]:
        if self._fault:
            raise self._fault
        self.listed.append(resource)
        return [node("a", "8", "8Gi")] if resource == NODE else []


async def test_nodes_are_looked_at_once_in_a_while_whoever_asks() -> None:
    look, io = Look(), ReadOnlyIo(autoscaler=True)
    first = await look.facts(io)  # type: ignore[arg-type]
    again = await look.facts(io)  # type: ignore[arg-type]
    assert first["fresh"]
    assert not again["fresh"]
    assert first["nodes"] == again["nodes"]
    assert first["nodes"].elastic
    assert len(io.listed) == 2


async def test_look_that_fails_is_a_fact_and_is_tried_again() -> None:
    look = Look()
    failed = await look.facts(ReadOnlyIo(fault=RuntimeError("nodes is forbidden")))  # type: ignore[arg-type]
    assert failed["nodes"].fault == "RuntimeError: nodes is forbidden"
    assert (await look.facts(ReadOnlyIo()))["fresh"]  # type: ignore[arg-type]


KIND = PromotionKind(Platform())


def world(*objects: Obj, nodes: Nodes | None = None) -> Observed:
    facts = {"nodes": nodes, "fresh": True} if nodes else {}
    return Observed(refs={ref_of(obj): obj for obj in (*objects, *PLANS, HUGE)}, facts=facts)


def test_promotion_looks_at_who_takes_part_and_at_what_they_name() -> None:
    other = vm("other", entry("spring", "vm.large"))
    both = vm("shop", entry(plan="vm.large"), entry("spring"))
    found = list(KIND.wants(double_11(), world(both, other)))
    names = {want.name for want in found if isinstance(want, Ref)}
    assert names == {"spring", "vm.small", "vm.large"}


async def test_nodes_are_looked_at_only_while_a_preflight_is_on_and_somebody_takes_part() -> None:
    io = ReadOnlyIo()
    for obj, there in (
        (double_11(), world(shop())),
        (double_11("double-11", CHECKED), world()),
        (double_11("double-11", CHECKED), world(vm("other", entry("spring")))),
    ):
        assert await KIND.probe(obj, there, io) == {}  # type: ignore[arg-type]
    assert io.listed == []
    assert (await KIND.probe(double_11("double-11", CHECKED), world(shop()), io))["fresh"]  # type: ignore[arg-type]


def test_promotion_says_what_is_needed_and_whether_it_fits() -> None:
    first = KIND.plan(double_11(), world(shop()), PREFLIGHT)
    assert first.status["needed"]["cpu"] == "160"
    assert (first.conditions[-1].reason, first.next) == (Reason.PROGRESSING, PREFLIGHT + timedelta(seconds=1))
    second = KIND.plan(double_11("double-11", CHECKED), world(shop(), nodes=SMALL), PREFLIGHT)
    assert second.conditions[-1].message.startswith("needs 160 vCPU, 92 free on nodes")
    assert second.next == PREFLIGHT + LOOK_EVERY
    assert second.conditions[0].type == "Ready"
    assert second.conditions[0].status is True


ROOMS = st.lists(st.builds(Room, *[st.integers(0, 20).map(Decimal)] * 2, st.integers(0, 5)), max_size=4)
PODS = st.dictionaries(st.tuples(*[st.integers(1, 6).map(Decimal)] * 2), st.integers(1, 4), max_size=3)


def asked(pods: dict[tuple[Decimal, Decimal], int]) -> Wanted:
    total = {
        "requests.cpu": sum((cpu * n for (cpu, _), n in pods.items()), Decimal()),
        "requests.memory": sum((memory * n for (_, memory), n in pods.items()), Decimal()),
    }
    return Wanted(total, total, pods)


@given(PODS, ROOMS, ROOMS)
def test_more_nodes_never_make_it_not_fit(pods: Any, rooms: list[Room], more: list[Room]) -> None:
    if judge(asked(pods), Nodes(tuple(rooms)), elastic=False).status:
        assert judge(asked(pods), Nodes((*rooms, *more)), elastic=False).status


@given(PODS, ROOMS)
def test_what_is_said_to_fit_can_be_placed(pods: dict[tuple[Decimal, Decimal], int], rooms: list[Room]) -> None:
    """By a search of its own: one after the other, the largest first, wherever there is room."""
    fits = judge(asked(pods), Nodes(tuple(rooms)), elastic=False).status
    left: list[list[Any]] = [[room.cpu, room.memory, room.pods] for room in rooms]
    for size in sorted((size for size, count in pods.items() for _ in range(count)), reverse=True):
        place = next((one for one in left if one[0] >= size[0] and one[1] >= size[1] and one[2] >= 1), None)
        if place is None:
            assert fits is False
            return
        place[0], place[1], place[2] = place[0] - size[0], place[1] - size[1], place[2] - 1
    assert fits is True

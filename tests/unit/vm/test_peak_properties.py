# SPDX-License-Identifier: Apache-2.0
"""Whole lives of clones: whatever the calendar and the load do, and wherever the operator dies."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cairn.api.resources import VMPOOL, VOLUMESNAPSHOT, Obj
from cairn.engine.kind import Observed
from cairn.vm.case import TRAFFIC, Part
from cairn.vm.clones import DRAINING_SINCE
from cairn.vm.load import LOW_LOAD
from cairn.vm.peak import peak
from cairn.vm.scalein import BURST
from unit.partly import partly_there
from unit.vm import peaks
from unit.vm.peaks import AUTOSCALE, NOW

BASE_POD = "virt-launcher-shop"


@dataclass
class World:
    """A cluster in which every deed is done at once, and what would be wrong with it."""

    now: datetime = NOW
    snapshots: dict[str, Obj] = field(default_factory=dict)
    pool: Obj | None = None
    pods: dict[int, Obj] = field(default_factory=dict)
    scaler: Obj | None = None

    def live(self) -> list[Obj]:
        members = [peaks.member(number)[0] for number in self.pods]
        single = [one for one in (self.pool, self.scaler) if one]
        return [*self.snapshots.values(), *single, *members, *self.pods.values(), peaks.launcher("shop", role="base")]

    def cores(self, each: str) -> Obj:
        return {BASE_POD: each} | {pod["metadata"]["name"]: each for pod in self.pods.values()}

    def carry_out(self, part: Part, deeds: int) -> None:
        """So many of its deeds: then the operator dies."""
        made = next((child.obj for child in part.children if child.obj["kind"] == "HorizontalPodAutoscaler"), None)
        self.scaler = peaks.live_scaler(**made["metadata"].get("annotations", {})) if made else None
        for ref in part.delete:
            assert ref.resource in (VMPOOL, VOLUMESNAPSHOT)
            assert ref.name.startswith("shop-peak"), "nothing but the copy"
            if ref.resource == VMPOOL:
                assert self.pods == {}, "a pool with members went"
                self.pool = None
            else:
                assert self.pool is None, "the pool still needs it"
                del self.snapshots[ref.name]
        for action in part.actions[:deeds]:
            getattr(self, action.name.replace("-", "_"))(action.args)

    def take_snapshot(self, args: Any) -> None:
        name = args["snapshot"]["metadata"]["name"]
        self.snapshots[name] = peaks.live_snapshot(name)

    def create_pool(self, args: Any) -> None:
        self.pool = peaks.live_pool(args["pool"]["spec"]["replicas"], next(iter(self.snapshots)))

    def take_traffic(self, args: Any) -> None:
        assert BASE_POD not in args["pods"], "the base"
        for pod in self._named(args):
            pod["metadata"]["labels"].pop(TRAFFIC, None)
            pod["metadata"]["annotations"] = {DRAINING_SINCE: args["since"]}

    def give_traffic(self, args: Any) -> None:
        for pod in self._named(args):
            pod["metadata"]["labels"][TRAFFIC] = "true"
            pod["metadata"]["annotations"] = {}

    def scale_clones(self, args: Any) -> None:
        assert self.pool is not None
        assert self.pool["spec"]["replicas"] == args["before"]
        if args["replicas"] > args["before"]:
            assert args["replicas"] - self._ready() <= BURST
        self.pool["spec"]["replicas"] = args["replicas"]

    def note_load(self, args: Any) -> None:
        assert self.pool is not None
        self.pool["metadata"]["annotations"] = {LOW_LOAD: args["note"]} if args["note"] else {}

    def kubevirt(self) -> None:
        wanted = self.pool["spec"]["replicas"] if self.pool else 0
        while len(self.pods) < wanted:
            free = next(number for number in range(9999) if number not in self.pods)
            self.pods[free] = peaks.member(free)[1]
        while len(self.pods) > wanted:
            gone = self.pods.pop(max(self.pods))
            assert TRAFFIC not in gone["metadata"]["labels"], "it still had traffic"

    def _ready(self) -> int:
        return sum(TRAFFIC in pod["metadata"]["labels"] for pod in self.pods.values())

    def _named(self, args: Any) -> list[Obj]:
        return [pod for pod in self.pods.values() if pod["metadata"]["name"] in args["pods"]]


MOMENTS = st.tuples(
    st.integers(0, 30),  # floor
    st.integers(0, 10),  # more that load may raise
    st.sampled_from(["10m", "400m", "900m", "1900m"]),  # cores of each machine
    st.integers(1, 12),  # passes
    st.sampled_from([0, 1, 9]),  # deeds of each before the operator dies
    st.booleans(),  # a freeze
    st.sampled_from(["read", "read", "unread", "gone"]),  # metrics
)


@given(st.lists(MOMENTS, max_size=8), st.booleans())
def test_peak_any_life_keeps_floor_and_base_and_ends_with_nothing(moments: list[Any], by_load: bool) -> None:
    world = World()
    vm = peaks.svm(autoscale=AUTOSCALE) if by_load else peaks.svm()

    def once(floor: int, ceiling: int, each: str, deeds: int, *, frozen: bool = False, metrics: str = "read") -> Part:
        world.now += timedelta(seconds=35)
        until = world.now + timedelta(hours=1) if frozen else None
        case = peaks.case(
            *world.live(),
            vm=vm,
            floor=floor,
            ceiling=ceiling,
            frozen=until,
            reason="Promotion/double-11" if floor else "",
            cores=world.cores(each) if metrics == "read" else None,
            unread=metrics == "unread",
            missing=peaks.NO_METRICS if metrics == "gone" else (),
            now=world.now,
        )
        kept = (
            min(len(world.pods), ceiling)
            if world.scaler and (metrics == "unread" or (floor and metrics == "gone"))
            else 0
        )
        part = peak(case)
        before = world.pool["spec"]["replicas"] if world.pool else 0
        world.carry_out(part, deeds)
        after = world.pool["spec"]["replicas"] if world.pool else 0
        assert after >= min(before, floor), "below the floor"
        assert after >= min(before, kept), "taken without metrics"
        assert not frozen or after >= before, "a freeze"
        world.kubevirt()
        return part

    for floor, more, each, passes, deeds, frozen, metrics in moments:
        for _ in range(passes):
            once(floor, floor + more, each, deeds, frozen=frozen, metrics=metrics)
    for _ in range(60):
        last = once(0, 0, "10m", 9)

    assert (world.pool, world.pods, world.snapshots) == (None, {}, {})
    assert (last.children, last.actions, last.delete) == ((), (), ())


@given(st.data(), st.integers(0, 30), st.integers(0, 30))
def test_peak_of_a_half_empty_world_is_total_and_never_names_the_base(data: Any, floor: int, more: int) -> None:
    world = World()
    world.take_snapshot({"snapshot": peaks.live_snapshot()})
    world.create_pool({"pool": peaks.live_pool(5)})
    world.kubevirt()
    case = peaks.case(*world.live(), vm=peaks.svm(autoscale=AUTOSCALE), floor=floor, ceiling=floor + more)
    facts = st.sampled_from([{}, {"cores": world.cores("10m")}, {"cores": {}}])
    seen: Observed = data.draw(partly_there(case.observed, facts))

    part = peak(peaks.with_observed(case, seen))

    named = [name for action in part.actions for name in action.args.get("pods", ())]
    assert BASE_POD not in named
    assert all(ref.resource in (VMPOOL, VOLUMESNAPSHOT) for ref in part.delete)
    assert {child.obj["metadata"]["name"] for child in part.children} <= {"shop-peak"}

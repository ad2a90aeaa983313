# SPDX-License-Identifier: Apache-2.0
"""Clones come by bursts and go highest ordinal first, without traffic and drained: tables, and any order of events."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.vm.scalein import BURST, DRAINING, Launcher, Member, Steps, raised, steps

NOW = datetime(2026, 11, 11, 12, tzinfo=UTC)
DRAIN = timedelta(seconds=60)
LONG_AGO, JUST_NOW = NOW - timedelta(seconds=60), NOW - timedelta(seconds=20)


def serving(*ordinals: int) -> list[Member]:
    return [Member(number, ready=True, launchers=(Launcher(f"pod-{number}", traffic=True),)) for number in ordinals]


def quiet(ordinal: int, since: datetime) -> Member:
    return Member(ordinal, launchers=(Launcher(f"pod-{ordinal}", traffic=False, since=since),))


@pytest.mark.parametrize(
    ("members", "replicas", "target", "expected"),
    [
        pytest.param(serving(0, 1, 2), 3, 3, Steps(), id="as many as there should be"),
        pytest.param([], 0, 40, Steps(replicas=20), id="up by a burst"),
        pytest.param(serving(*range(15)), 20, 40, Steps(replicas=35), id="up by what became ready"),
        pytest.param(serving(0), 25, 40, Steps(), id="up no further while a burst is on its way"),
        pytest.param(
            serving(0, 1, 2), 3, 2, Steps(off=("pod-2",), draining=(2,)), id="traffic is taken off the highest first"
        ),
        pytest.param(
            [*serving(0, 1), quiet(2, JUST_NOW)],
            3,
            2,
            Steps(draining=(2,), next=JUST_NOW + DRAIN),
            id="the drain time is waited for",
        ),
        pytest.param(
            [*serving(0, 1), quiet(2, LONG_AGO)], 3, 2, Steps(replicas=2, draining=(2,)), id="a drained one is removed"
        ),
        pytest.param(
            [*serving(0, 1), quiet(2, LONG_AGO)],
            2,
            2,
            Steps(draining=(2,)),
            id="one that the pool is removing stays off",
        ),
        pytest.param(
            [*serving(0, 1), quiet(2, JUST_NOW)], 3, 3, Steps(on=("pod-2",)), id="one that is needed again is put back"
        ),
        pytest.param(
            [*serving(0), quiet(1, LONG_AGO), quiet(2, JUST_NOW)],
            3,
            1,
            Steps(draining=(2, 1), next=JUST_NOW + DRAIN),
            id="a lower one never goes before a higher one",
        ),
        pytest.param(
            [*serving(0, 1), quiet(2, JUST_NOW), quiet(3, LONG_AGO)],
            4,
            2,
            Steps(replicas=3, draining=(3, 2), next=JUST_NOW + DRAIN),
            id="each goes as soon as it may",
        ),
        pytest.param([Member(0), Member(1)], 2, 1, Steps(replicas=1, draining=(1,)), id="what never ran goes at once"),
        pytest.param(serving(0, 1), 20, 2, Steps(replicas=2), id="what was never made needs no draining"),
        pytest.param(
            serving(0, 2, 3),
            4,
            3,
            Steps(off=("pod-3",), draining=(3,)),
            id="a gap is filled at its low number, so the highest is drained all the same",
        ),
        pytest.param(
            [Member(2, launchers=(Launcher("pod-2", traffic=False),))],
            3,
            2,
            Steps(off=("pod-2",), draining=(2,)),
            id="a label that somebody else took off is no drain",
        ),
        pytest.param(
            [Member(0, launchers=(Launcher("old", traffic=False, since=LONG_AGO), Launcher("new", traffic=True)))],
            1,
            0,
            Steps(off=("new",), draining=(0,)),
            id="a migration that brought another pod begins the drain anew",
        ),
    ],
)
def test_steps_table(members: list[Member], replicas: int, target: int, expected: Steps) -> None:
    assert steps(members, replicas, target, DRAIN, NOW) == expected


def test_steps_many_too_many_drain_a_bounded_number_at_once() -> None:
    found = steps(serving(*range(100)), 100, 0, DRAIN, NOW)

    assert len(found.off) == DRAINING
    assert found.draining == tuple(range(99, 99 - DRAINING, -1))


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000))
def test_raised_never_lowers_nor_passes_target_nor_burst(replicas: int, ready: int, target: int) -> None:
    found = raised(replicas, ready, target)

    assert found >= replicas
    assert found == replicas or found <= target
    assert found == replicas or found - ready <= BURST


@dataclass
class Pool:
    """KubeVirt's pool with DescendingOrder, one event at a time, and what was lost on the way."""

    replicas: int
    members: dict[int, Member] = field(default_factory=dict)
    deleting: set[int] = field(default_factory=set)
    lost: list[int] = field(default_factory=list)
    now: datetime = NOW

    def sync(self, bound: int) -> None:
        """One pass of its controller, which makes or deletes up to `bound`."""
        diff = len(self.members) + len(self.deleting) - self.replicas
        for _ in range(min(-diff, bound)):
            free = next(n for n in range(9999) if n not in self.members and n not in self.deleting)
            self.members[free] = Member(free)
        for _ in range(min(diff - len(self.deleting), bound)):
            gone = self.members.pop(max(self.members))
            self.deleting.add(gone.ordinal)
            if not gone.drained(DRAIN, self.now):
                self.lost.append(gone.ordinal)

    def boot(self, ordinal: int) -> None:
        if (member := self.members.get(ordinal)) is not None and not member.launchers:
            self.members[ordinal] = Member(ordinal, ready=True, launchers=(Launcher(f"pod-{ordinal}", traffic=True),))

    def carry_out(self, todo: Steps) -> None:
        for name in (*todo.off, *todo.on):
            ordinal = int(name.rpartition("-")[2])
            if ordinal in self.members:
                on = name in todo.on
                launcher = Launcher(name, traffic=on, since=None if on else self.now)
                self.members[ordinal] = Member(ordinal, ready=on, launchers=(launcher,))
        if todo.replicas is not None:
            self.replicas = todo.replicas


EVENTS = st.one_of(
    st.tuples(st.just("sync"), st.integers(1, 5)),
    st.tuples(st.just("boot"), st.integers(0, 12)),
    st.tuples(st.just("by hand"), st.integers(0, 12)),
    st.tuples(st.just("gone"), st.integers(0, 12)),
    st.tuples(st.just("target"), st.integers(0, 12)),
    st.tuples(st.just("autoscaler"), st.integers(1, 12)),
    st.tuples(st.just("time"), st.integers(1, 90)),
    st.tuples(st.just("cairn"), st.just(0)),
    st.tuples(st.just("cairn that dies after the first half"), st.just(0)),
)


@given(st.lists(EVENTS, max_size=60))
def test_steps_any_order_of_events_removes_nothing_undrained(events: list[tuple[str, int]]) -> None:
    pool, target = Pool(0), 5
    for what, number in events:
        if what == "sync":
            pool.sync(number)
        elif what == "boot":
            pool.boot(number)
        elif what == "by hand" and number in pool.members:
            del pool.members[number]
            pool.deleting.add(number)
        elif what == "gone":
            pool.deleting.discard(number)
        elif what == "target":
            target = number
        elif what == "autoscaler":
            pool.replicas = max(pool.replicas, number)
        elif what == "time":
            pool.now += timedelta(seconds=number)
        elif what.startswith("cairn"):
            before = pool.replicas
            todo = steps(pool.members.values(), pool.replicas, target, DRAIN, pool.now)
            if what != "cairn":
                todo = Steps(off=todo.off, on=todo.on)
            pool.carry_out(todo)
            assert pool.replicas >= min(before, target), "below what there should be"
            ready = sum(member.ready for member in pool.members.values())
            assert pool.replicas <= before or pool.replicas - ready <= BURST

    assert pool.lost == []


@given(st.lists(EVENTS, max_size=30), st.integers(0, 12))
def test_steps_left_alone_ends_at_target_and_then_does_nothing(events: list[tuple[str, int]], target: int) -> None:
    pool = Pool(0)
    for what, number in events:
        if what == "sync":
            pool.sync(number)
        elif what == "boot":
            pool.boot(number)
        elif what == "autoscaler":
            pool.replicas = max(pool.replicas, number)
    for _ in range(60):
        pool.carry_out(steps(pool.members.values(), pool.replicas, target, DRAIN, pool.now))
        pool.sync(250)
        pool.deleting.clear()
        for ordinal in list(pool.members):
            pool.boot(ordinal)
        pool.now += timedelta(seconds=30)

    assert sorted(pool.members) == list(range(target))
    assert steps(pool.members.values(), pool.replicas, target, DRAIN, pool.now) == Steps()
    assert pool.lost == []

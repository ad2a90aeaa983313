# SPDX-License-Identifier: Apache-2.0
"""What members do, step by step: however they take turns, two never run the same worker while all are heard."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from cairn.pool.assign import Claim
from cairn.pool.decide import Steps, steps
from cairn.pool.leases import Slot

ROOM = Claim(1000, 1000)
NAMES = tuple(f"seller-{number}--orders" for number in range(5))


def slot(name: str = "one", holder: str = "", config: str = "1", *, wanted: bool = True) -> Slot:
    return Slot(name, wanted, config, Claim(1, 1), holder, ready=False, restarts=0)


def test_free_one_is_taken_by_its_owner() -> None:
    assert steps("me", {"me": ROOM}, [slot()], (), {}) == Steps(take=("one",))
    assert steps("me", {"me": ROOM}, [slot(holder="gone")], (), {}) == Steps(take=("one",))
    assert steps("me", {"me": ROOM}, [slot(holder="lives")], ("one",), {}) == Steps()
    assert steps("me", {"other": ROOM}, [slot()], (), {}) == Steps()


def test_held_one_runs_and_is_started_again() -> None:
    assert steps("me", {"me": ROOM}, [slot(holder="me")], ("one",), {}) == Steps(start=("one",))
    assert steps("me", {"me": ROOM}, [slot(holder="me")], ("one",), {"one": "1"}) == Steps()
    assert steps("me", {"me": ROOM}, [slot(holder="me", config="2")], ("one",), {"one": "1"}) == Steps(stop=("one",))


def test_worker_ends_before_its_lease_is_given_up() -> None:
    unwanted = slot(holder="me", wanted=False)
    assert steps("me", {"me": ROOM}, [unwanted], ("one",), {"one": "1"}) == Steps(stop=("one",))
    assert steps("me", {"me": ROOM}, [unwanted], ("one",), {}) == Steps(give_up=("one",))


def test_what_another_took_or_nobody_knows_ends() -> None:
    assert steps("me", {"me": ROOM}, [slot(holder="thief")], ("one",), {"one": "1"}) == Steps(stop=("one",))
    assert steps("me", {"me": ROOM}, [], (), {"one": "1"}) == Steps(stop=("one",))


@dataclass
class Pool:
    """Members that take turns on the same Leases; a worker takes a turn to end."""

    slots: dict[str, Slot] = field(default_factory=lambda: {name: slot(name) for name in NAMES})
    members: dict[str, dict[str, str]] = field(default_factory=dict)
    """Their workers."""

    def turn(self, me: str) -> None:
        room = dict.fromkeys(self.members, ROOM)
        held = {name for name, one in self.slots.items() if one.holder in self.members}
        running = self.members[me]
        found = steps(me, room, list(self.slots.values()), held, running)
        for name in found.give_up:
            self.slots[name] = replace(self.slots[name], holder="")
        for name in found.take:
            assert self.slots[name].holder not in self.members
            self.slots[name] = replace(self.slots[name], holder=me)
        for name in (*found.take, *found.start):
            running[name] = self.slots[name].config
        for name in found.stop:
            del running[name]

    def check(self) -> None:
        for name in NAMES:
            assert sum(name in running for running in self.members.values()) <= 1, name


MEMBER = st.sampled_from(["a", "b", "c"])
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("turn"), MEMBER),
        st.tuples(st.just("comes"), MEMBER),
        st.tuples(st.just("dies"), MEMBER),
        st.tuples(st.just("toggle"), st.sampled_from(NAMES)),
        st.tuples(st.just("change"), st.sampled_from(NAMES)),
    ),
    max_size=60,
)


@given(EVENTS)
def test_two_never_run_the_same_worker_and_all_are_run_in_the_end(events: list[tuple[str, str]]) -> None:
    pool = Pool()
    for what, which in events:
        if what == "comes":
            pool.members.setdefault(which, {})
        elif what == "dies":
            pool.members.pop(which, None)
        elif what == "toggle":
            pool.slots[which] = replace(pool.slots[which], wanted=not pool.slots[which].wanted)
        elif what == "change":
            pool.slots[which] = replace(pool.slots[which], config=pool.slots[which].config + "1")
        elif which in pool.members:
            pool.turn(which)
        pool.check()
    pool.members.setdefault("a", {})
    for _ in range(6):
        for member in list(pool.members):
            pool.turn(member)
            pool.check()
    run = {name: config for running in pool.members.values() for name, config in running.items()}
    assert run == {name: one.config for name, one in pool.slots.items() if one.wanted}

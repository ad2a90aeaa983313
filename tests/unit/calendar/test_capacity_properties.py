# SPDX-License-Identifier: Apache-2.0
"""What holds of capacity for any promotions at any moment, load being as it is. The expected values are worked out from
the windows by the rules of docs/promotions.md, one moment at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from math import ceil

from hypothesis import assume, given
from hypothesis import strategies as st

from cairn.api.promotion import Promotion
from cairn.api.schedule import PlanStatus, Replicas, VMParticipation
from cairn.calendar import windows
from cairn.calendar.capacity import Capacity, Held, Participant, capacity, timeline
from cairn.calendar.held import read, spelled
from cairn.calendar.windows import Interval, intervals
from unit.calendar.world import PLANS, Known, entries, moments, once, promotions, taking_part, utc, worlds

World = tuple[Participant, Known]
Scene = tuple[World, datetime]
INSTANT = timedelta(microseconds=1)
STEP = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)


def look(world: World, now: datetime) -> Capacity:
    return capacity(*world, PLANS, now)


def bare(found: Capacity) -> Capacity:
    return replace(found, next=None)


def raised(world: World, now: datetime) -> list[tuple[VMParticipation, Promotion, Interval]]:
    who, known = world
    found = []
    for entry in who.promotions:
        assert isinstance(entry, VMParticipation)
        made = known.get(entry.name)
        if made and not made.spec.suspend:
            found += [(entry, made, one) for one in intervals(made, now, now + INSTANT)]
    return found


def floor_of(base: int, wanted: Replicas, made: Promotion, one: Interval, now: datetime) -> int:
    steps, warm_up = made.spec.ramp.steps, one.start - one.warm_up_from
    done = steps
    for k in range(1, steps + 1):
        if now < one.warm_up_from + (k - 1) * warm_up / steps:
            done = k - 1
            break
    return base + ceil(done * (wanted.min - base) / steps) if wanted.min > base else base


@st.composite
def scenes(draw: st.DrawFn, step: int = 1) -> Scene:
    """A world and a moment: mostly at an edge of one of its windows, or inside one."""
    world = draw(worlds())
    near = [one for made in world[1].values() for one in intervals(made, utc("2026-10-30"), utc("2026-11-03"))]
    if not near or draw(st.integers(0, 3)) == 0:
        return world, draw(moments(step))
    one = draw(st.sampled_from(near))
    edge = draw(st.sampled_from([one.warm_up_from, one.start, one.end, one.cool_down_until, one.warm_up_from]))
    aside = draw(st.sampled_from([timedelta(), -step * MINUTE, step * MINUTE]) | steps_aside(one, step))
    return world, edge + aside


def steps_aside(one: Interval, step: int) -> st.SearchStrategy[timedelta]:
    longest = (one.cool_down_until - one.warm_up_from) // (step * MINUTE)
    return st.integers(-longest, longest).map(lambda number: number * step * MINUTE)


@given(scenes())
def test_floor_is_the_maximum_over_active_windows(scene: Scene) -> None:
    world, now = scene
    base = world[0].base_min
    floors = [
        floor_of(base, entry.replicas, made, one, now) for entry, made, one in raised(world, now) if entry.replicas
    ]
    assert look(world, now).floor == max([base, *floors])


@given(st.integers(0, 9), st.integers(0, 60), st.integers(1, 48), st.integers(1, 600), st.data())
def test_ramp_rises_in_equal_steps_and_is_done_a_step_before_the_start(
    base: int, full: int, steps: int, each: int, data: st.DataObject
) -> None:
    made = once("2026-11-01T00:00", "4h", timeZone="UTC", warmUp=f"{each * steps}s", ramp={"steps": steps})
    entry = {"name": "double-11", "replicas": {"min": full, "max": 60}}
    world = (taking_part(entry, autoscale={"clones": {"min": base, "max": 60}}), {"double-11": made})
    step = data.draw(st.integers(1, steps))
    begins = utc("2026-11-01") - timedelta(seconds=each * (steps - step + 1))
    expected = base + ceil(Fraction(step * max(full - base, 0), steps))
    assert look(world, begins).floor == expected
    assert look(world, begins + timedelta(seconds=each) - INSTANT).floor == expected
    assert look(world, utc("2026-11-01") - timedelta(seconds=each)).floor == max(base, full)


@given(scenes())
def test_ceiling_is_the_windows_and_never_below_the_floor(scene: Scene) -> None:
    world, now = scene
    found = look(world, now)
    assert found.ceiling >= found.floor
    ceilings = [entry.replicas.max for entry, _, _ in raised(world, now) if entry.replicas]
    assert found.ceiling == max([found.floor, *(ceilings or [world[0].base_max])])


@given(scenes())
def test_outside_of_every_raise_all_is_the_bases(scene: Scene) -> None:
    world, now = scene
    found, who = look(world, now), world[0]
    if not raised(world, now):
        assert (found.plan, found.floor, found.ceiling) == (who.base_plan, who.base_min, who.base_max)
        assert (found.reason, found.until, found.frozen_until, found.phase) == ("", None, None, "")


@given(scenes())
def test_plan_is_the_highest_of_what_is_asked_for_and_never_below_the_base(scene: Scene) -> None:
    world, now = scene
    names = {"vm.small"} | {entry.plan_ref.name for entry, _, _ in raised(world, now) if entry.plan_ref}
    order = ["vm.missing", "vm.tiny", "vm.small", "vm.large", "vm.huge"]
    assert look(world, now).plan == max(names, key=order.index)


@given(scenes())
def test_reason_is_what_raises_it_longest_and_freeze_lasts_to_the_last_end(scene: Scene) -> None:
    world, now = scene
    found, seen = look(world, now), raised(world, now)
    counting = [(one.cool_down_until, entry.name) for entry, _, one in seen if entry.replicas or entry.plan_ref]
    until, name = max(counting, default=(None, ""))
    assert (found.until, found.reason) == (until, f"Promotion/{name}" if name else "")
    freezes = [one.end for _, made, one in seen if made.spec.freeze and now < one.end]
    assert found.frozen_until == max(freezes, default=None)


@given(scenes())
def test_changes_only_at_listed_edges(scene: Scene) -> None:
    """Every edge of every window is worked out from the spec; no change comes from anywhere else."""
    world, now = scene
    edges = set()
    for made in world[1].values():
        for one in intervals(made, now - timedelta(days=40), now + timedelta(days=400)):
            warm_up, steps = one.start - one.warm_up_from, made.spec.ramp.steps
            edges |= {one.start, one.end, one.cool_down_until}
            edges |= {one.warm_up_from + k * warm_up / steps for k in range(steps)}
    found = look(world, now).next
    if found and found.at < now + timedelta(days=300):
        assert found.at in edges
        assert found.what


@given(scenes(15))
def test_next_is_the_first_moment_at_which_stepping_sees_a_change(scene: Scene) -> None:
    world, now = scene
    here, moment = look(world, now), now + STEP
    while moment < now + timedelta(hours=30) and bare(look(world, moment)) == bare(here):
        moment += STEP
    if moment < now + timedelta(hours=30):
        assert here.next
        assert here.next.at == moment
        assert bare(look(world, moment - INSTANT)) == bare(here)
    else:
        assert here.next is None or here.next.at >= moment


@given(worlds(), moments(), st.lists(moments(), max_size=6))
def test_timeline_is_what_is_found_at_each_moment(world: World, since: datetime, others: list[datetime]) -> None:
    until = since + timedelta(days=3)
    line = timeline(*world, PLANS, since, until)
    assert line[0][0] == since
    for moment in others:
        if since <= moment < until:
            here = [found for when, found in line if when <= moment][-1]
            assert bare(here) == bare(look(world, moment))
    assert all(bare(a) != bare(b) for (_, a), (_, b) in pairwise(line))


@given(worlds(), st.lists(moments(), min_size=2, max_size=6))
def test_order_of_looking_makes_no_difference(world: World, times: list[datetime]) -> None:
    """An operator that was down over any edge, and a clock that jumps back or forward, end at the same place."""
    forward = {now: look(world, now) for now in sorted(times)}
    windows.forget()
    for now in reversed(times):
        assert look(world, now) == forward[now]


@st.composite
def raises(draw: st.DrawFn) -> tuple[Participant, Promotion, datetime, datetime]:
    """A participant in one promotion, a moment at which it is raised, and a later one."""
    made = draw(promotions("a"))
    calm = made.model_copy(update={"spec": made.spec.model_copy(update={"suspend": False})})
    entry = draw(entries("a").filter(lambda entry: len(entry) > 1))
    one = draw(st.sampled_from(intervals(calm, utc("2026-10-29"), utc("2026-11-05"))))
    now = one.warm_up_from + draw(st.floats(0, 0.99)) * (one.cool_down_until - one.warm_up_from)
    return taking_part(entry), calm, now, now + timedelta(minutes=draw(st.integers(0, 1500)))


@given(raises(), st.booleans())
def test_what_is_held_is_what_it_was_until_its_end_and_no_longer(
    raised_now: tuple[Participant, Promotion, datetime, datetime], suspended: bool
) -> None:
    who, calm, now, later = raised_now
    was = look((who, {"a": calm}), now)
    assert was.until is not None
    held = (Held("a", was.plan, was.floor, was.ceiling, was.until),)
    gone = calm.model_copy(update={"spec": calm.spec.model_copy(update={"suspend": True})})
    found = look((replace(who, held=held), {"a": gone} if suspended else {}), later)
    if later < was.until:
        assert (found.plan, found.floor, found.ceiling) == (was.plan, was.floor, was.ceiling)
        assert (found.reason, found.until) == (was.reason, was.until)
        assert found.next
        assert found.next.at == was.until
    else:
        assert (found.plan, found.floor, found.ceiling, found.reason) == ("vm.small", 1, 3, "")


@given(scenes())
def test_held_counts_for_nothing_while_its_promotion_is_to_be_had(scene: Scene) -> None:
    world, now = scene
    who, known = world
    names = [entry.name for entry in who.promotions if entry.name in known and not known[entry.name].spec.suspend]
    assume(names)
    held = (Held(names[0], "vm.huge", 500, 900, now + timedelta(days=9)),)
    assert look((replace(who, held=held), known), now) == look(world, now)


@given(scenes(), st.sets(st.sampled_from(["a", "b", "c"])), st.integers(0, 3000))
def test_each_promotion_that_vanishes_is_held_as_status_says_and_no_other(
    scene: Scene, gone: set[str], later: int
) -> None:
    """Together with what is left: nothing that was promised comes down early, and nothing is held that went on."""
    (who, known), now = scene
    known = {name: made for name, made in known.items() if not made.spec.suspend}
    was, then = look((who, known), now), now + timedelta(minutes=later)
    status = PlanStatus.model_validate({"promotions": spelled(was.held)})
    left = {name: made for name, made in known.items() if name not in gone}

    found = look((replace(who, held=read(status, 0, 0)), left), then)
    rest = look((who, left), then)
    held = [one for one in was.held if one.promotion not in left and one.until and then < one.until]

    assert found.floor == max([rest.floor, *(one.floor for one in held)])
    ends = [one.until for one in held if one.until and raises_size(who, one.promotion)]
    assert found.until == max([*ends, *([rest.until] if rest.until else [])], default=None)
    order = ["vm.missing", "vm.tiny", "vm.small", "vm.large", "vm.huge"]
    assert found.plan == max([rest.plan or "", *(one.plan for one in held if one.plan)], key=order.index)
    assert found.ceiling >= found.floor
    if not held:
        assert found == rest


def raises_size(who: Participant, name: str) -> bool:
    """Whether an entry does not only freeze."""
    entry = next(entry for entry in who.promotions if entry.name == name)
    return bool(entry.plan_ref or getattr(entry, "replicas", None))

# SPDX-License-Identifier: Apache-2.0
"""The pool has room for all, no more of it than that takes, and does not breathe with every round."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cairn.pool.assign import Claim, assigned
from cairn.pool.leases import Slot
from cairn.pool.pace import Limit
from cairn.pool.size import Rising, Settling, Size, fewest, loaded, wanted

ROOM = Claim(1000, 1000)
CLAIMS = st.dictionaries(
    st.text("abc-", min_size=1, max_size=6), st.builds(Claim, st.integers(0, 1000), st.integers(0, 1000)), max_size=12
)


def slot(name: str, millicores: int, *, wanted: bool = True) -> Slot:
    return Slot(name, wanted, "1", Claim(millicores, 1), "", ready=False, restarts=0)


def slots(*millicores: int) -> list[Slot]:
    return [slot(f"seller-{number}--orders", one) for number, one in enumerate(millicores)]


@given(CLAIMS)
def test_fewest_members_have_room_for_all_and_one_less_has_not_or_had_luck(claims: dict[str, Claim]) -> None:
    found = fewest(claims, ROOM, len(claims) + 1)
    assert found <= len(claims)
    for turn in range(3):
        members = {f"cairn-pool-{turn}-{number}": ROOM for number in range(found)}
        assert assigned(claims, members).keys() == claims.keys()
    fewer = [{f"cairn-pool-{turn}-{number}": ROOM for number in range(found - 1)} for turn in range(3)]
    assert not found or any(assigned(claims, members).keys() < claims.keys() for members in fewer)


@given(CLAIMS, st.integers(0, 5))
def test_fewest_members_are_never_more_than_asked_about(claims: dict[str, Claim], most: int) -> None:
    assert fewest(claims, ROOM, most) == min(most, fewest(claims, ROOM, len(claims)))


def test_what_no_member_has_room_for_is_named_and_does_not_make_the_pool_grow() -> None:
    assert wanted([*slots(600, 600), slot("giant", 1001)], {}, ROOM, 0, 10) == Size(2, ("giant",))


def test_what_is_paused_needs_no_room() -> None:
    assert wanted([slot("one", 600), slot("paused", 600, wanted=False)], {}, ROOM, 0, 10) == Size(1)


def test_promotion_that_reserves_more_needs_one_more() -> None:
    assert wanted(slots(300, 300, 300), {}, ROOM, 1, 10) == Size(1)
    assert wanted(slots(300, 300, 600), {}, ROOM, 1, 10) == Size(2)


def test_one_more_when_those_that_live_do_not_have_the_room_that_as_many_would() -> None:
    smaller = dict.fromkeys("ab", Claim(500, 500))  # of before a change of the chart's values
    assert wanted(slots(600, 600), smaller, ROOM, 2, 10) == Size(3)
    assert wanted(slots(600, 600), smaller, ROOM, 3, 10) == Size(2)  # the third is on its way


def test_grows_at_once_and_shrinks_when_it_has_settled() -> None:
    settling = Settling(600)
    assert settling.next(0, 1, 3) == 3
    for at in range(15, 615, 15):
        assert settling.next(at, 3, 1) == 3
    assert settling.next(615, 3, 1) == 1


def test_shrinks_no_lower_than_what_was_wanted_meanwhile() -> None:
    settling = Settling(600)
    assert settling.next(0, 5, 1) == 5
    assert settling.next(300, 5, 2) == 5
    assert settling.next(600, 5, 1) == 2


@given(st.lists(st.tuples(st.floats(1, 400), st.integers(0, 9)), min_size=1, max_size=40))
def test_never_smaller_than_wanted_within_the_time_and_always_down_to_it_after(rounds: list[tuple[float, int]]) -> None:
    settling, standing, now, seen = Settling(600), 0, 0.0, []
    for pause, members in rounds:
        now += pause
        seen.append((now, members))
        standing = settling.next(now, standing, members)
        assert standing >= max(one for at, one in seen if at > now - 600)
    for _ in range(3):
        now += 600
        standing = settling.next(now, standing, 1)
    assert standing == 1


def test_new_leader_takes_none_away_before_it_has_looked_for_long() -> None:
    settling = Settling(600)
    assert settling.next(10_000, 4, 1) == 4
    assert settling.next(10_599, 4, 1) == 4
    assert settling.next(10_600, 4, 1) == 1


def working(limit: Limit, drain: int, used: int, holder: str = "a") -> Slot:
    return replace(slot("one", 1), holder=holder, limit=limit, drain=drain, used=used)


@given(st.lists(st.tuples(st.sampled_from(Limit), st.integers(0, 10**6), st.integers(0, 1000)), max_size=8))
def test_load_asks_for_more_only_where_more_help_and_at_most_for_twice_as_many(
    rows: list[tuple[Limit, int, int]],
) -> None:
    slots = [working(limit, drain if limit else 0, used) for limit, drain, used in rows]
    more, kept = loaded(slots, {"a": ROOM, "b": ROOM}, 2)
    assert kept <= 2
    assert more <= 4
    assert (more > 2) == any(one.limit == Limit.NEIGHBOURS and one.drain > 120 for one in slots)


def test_load_of_who_is_held_by_nobody_that_lives_does_not_count() -> None:
    assert loaded([working(Limit.NEIGHBOURS, 600, 900, "dead")], {"a": ROOM}, 1) == (0, 0)


def test_members_that_are_busy_are_kept() -> None:
    alive = {"a": ROOM, "b": ROOM, "c": ROOM}
    assert loaded([working(Limit.NONE, 0, 1300)], alive, 3) == (0, 3)
    assert loaded([working(Limit.NONE, 0, 1200)], alive, 3) == (0, 2)
    assert loaded([working(Limit.NONE, 0, 0)], alive, 3) == (0, 0)


def test_load_is_believed_when_it_lasts() -> None:
    rising = Rising(90)
    assert [rising.next(at, 1, 2) for at in range(0, 91, 15)] == [0] * 6 + [2]
    assert rising.next(105, 2, 4) == 0  # what stands is new: its pace is not known yet
    assert [rising.next(at, 2, 3) for at in (120, 180, 195)] == [0, 0, 3]
    assert rising.next(210, 2, 2) == 0
    assert rising.next(225, 2, 3) == 0


@given(st.lists(st.tuples(st.floats(0, 60), st.integers(1, 3), st.integers(0, 6)), max_size=40))
def test_load_raises_no_higher_than_it_asked_for_throughout(rounds: list[tuple[float, int, int]]) -> None:
    rising, now, seen = Rising(90), 0.0, []
    for pause, standing, members in rounds:
        now += pause
        seen.append((now, standing, members))
        found = rising.next(now, standing, members)
        recent = [one for one in seen if one[0] > now - 90]
        if found:
            assert found > standing
            assert all(standing == was and asked >= found for _, was, asked in recent)
            assert now - seen[0][0] >= 90

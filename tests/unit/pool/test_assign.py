# SPDX-License-Identifier: Apache-2.0
"""Everybody agrees, nobody is given more than fits, and as little as possible moves."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cairn.pool.assign import Claim, assigned

NAMES = st.text("abc-/0123", min_size=1, max_size=6)
CLAIMS = st.builds(Claim, st.integers(1, 500), st.integers(1, 500))
SUBSCRIPTIONS = st.dictionaries(NAMES, CLAIMS, max_size=30)
MEMBERS = st.dictionaries(NAMES, st.builds(Claim, st.integers(0, 2000), st.integers(0, 2000)), max_size=6)
WIDE = Claim(10**9, 10**9)


@given(SUBSCRIPTIONS, MEMBERS, st.randoms(use_true_random=False))
def test_everybody_agrees_in_whatever_order_things_are_known(
    subscriptions: dict[str, Claim], members: dict[str, Claim], shuffled: random.Random
) -> None:
    found = assigned(subscriptions, members)
    ones, others = list(subscriptions.items()), list(members.items())
    shuffled.shuffle(ones)
    shuffled.shuffle(others)
    assert assigned(dict(ones), dict(others)) == found


@given(SUBSCRIPTIONS, MEMBERS)
def test_nobody_is_given_more_than_fits_and_what_is_left_over_fits_nowhere(
    subscriptions: dict[str, Claim], members: dict[str, Claim]
) -> None:
    found, room = assigned(subscriptions, members), dict(members)
    for one, member in found.items():
        assert subscriptions[one].fits(room[member])
        room[member] -= subscriptions[one]
    for one in subscriptions.keys() - found.keys():
        assert not any(subscriptions[one].fits(left) for left in room.values())


@given(SUBSCRIPTIONS, st.lists(NAMES, unique=True, min_size=1, max_size=6))
def test_member_that_goes_moves_only_what_it_had_and_one_that_comes_only_what_it_takes(
    subscriptions: dict[str, Claim], members: list[str]
) -> None:
    full = assigned(subscriptions, dict.fromkeys(members, WIDE))
    fewer = assigned(subscriptions, dict.fromkeys(members[1:], WIDE))
    assert full.keys() == subscriptions.keys()
    moved = {one for one in subscriptions if full[one] != fewer.get(one)}
    assert moved == {one for one in full if full[one] == members[0]}


def test_one_member_more_takes_its_share_from_all() -> None:
    subscriptions = {f"seller-{number}--orders": Claim(1, 1) for number in range(3000)}
    seven = assigned(subscriptions, {f"cairn-pool-{number}": WIDE for number in range(7)})
    eight = assigned(subscriptions, {f"cairn-pool-{number}": WIDE for number in range(8)})
    moved = sum(seven[one] != eight[one] for one in subscriptions)
    assert 0.8 < moved / (3000 / 8) < 1.2
    counts = Counter(eight.values())
    assert 0.75 * 375 < min(counts.values()) <= max(counts.values()) < 1.25 * 375

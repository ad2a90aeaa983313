# SPDX-License-Identifier: Apache-2.0
"""Whose records are refused, by what waits; and how long a verdict is believed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.bus.admin import EPOCH
from cairn.bus.connection import BusFullError, SellerFullError
from cairn.bus.quota import SAMPLES, places, waiting
from cairn.bus.verdict import RELEASE, STALE_SECONDS, Verdict, encode, over

SELLERS = st.sampled_from([str(number) for number in range(1, 7)])
BYTES = st.dictionaries(SELLERS, st.floats(0, 1e12))
SUBJECTS = st.builds("push.{}.1.{}".format, SELLERS, st.sampled_from(["trades", "items"]))


@given(BYTES, st.floats(1, 1e12), st.frozensets(SELLERS))
def test_over_refuses_above_the_quota_and_releases_below_its_part(
    held: dict[str, float], quota: float, before: frozenset[str]
) -> None:
    full = over(held, quota, before)
    for seller in held.keys() | before:
        size = held.get(seller, 0)
        if size > quota:
            assert seller in full
        elif size <= RELEASE * quota:
            assert seller not in full
        else:
            assert (seller in full) == (seller in before)
    assert over(held, quota, full) == full, "the same figures change nothing"


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_places_are_few_in_order_and_reach_from_the_first_to_the_last(first: int, more: int) -> None:
    found = places(first, first + more)
    assert found == sorted(set(found))
    assert (found[0], found[-1]) == (first, first + more)
    assert len(found) == min(SAMPLES, more + 1)


def consumer(subjects: list[str], pending: int = 0, *, delivered: int = 0, floor: int = 0, ours: bool = True) -> Any:
    config = {"filter_subjects": subjects, "metadata": {EPOCH: "1"} if ours else {}}
    return {
        "config": config,
        "num_pending": pending,
        "delivered": {"consumer_seq": delivered},
        "ack_floor": {"consumer_seq": floor},
    }


@given(st.dictionaries(SUBJECTS, st.integers(1, 1000)), st.lists(st.tuples(SUBJECTS, st.integers(0, 2000))))
def test_waiting_is_never_more_than_there_is_nor_of_others(
    counts: dict[str, int], consumers: list[tuple[str, int]]
) -> None:
    found = waiting(counts, [consumer([subject], pending) for subject, pending in consumers])
    for seller, most in found.items():
        there = sum(count for subject, count in counts.items() if subject.split(".")[1] == seller)
        assert 0 <= most <= there
    for subject, count in counts.items():
        if subject not in {name for name, _ in consumers}:
            assert found[subject.split(".")[1]] >= count


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        pytest.param(consumer(["push.1.1.trades"], 3, delivered=9, floor=9), 3, id="not-delivered"),
        pytest.param(consumer(["push.1.1.trades"], 0, delivered=9, floor=4), 5, id="behind-one-not-acknowledged"),
        pytest.param(consumer(["push.1.1.trades"], 3, delivered=9, floor=4), 8, id="both"),
        pytest.param(consumer(["push.1.1.trades"], 0, delivered=9, floor=9), 0, id="all-applied"),
        pytest.param(consumer(["push.1.1.trades"], 3, ours=False), 20, id="somebody-elses-is-no-subscription"),
    ],
)
def test_waiting_of_a_consumer(one: Any, wanted: int) -> None:
    assert waiting({"push.1.1.trades": 20, "push.2.1.trades": 1}, [one]) == {"1": wanted, "2": 1}


@given(st.frozensets(SELLERS), st.floats(0, 10 * STALE_SECONDS))
def test_verdict_is_believed_until_it_is_old(full: frozenset[str], age: float) -> None:
    now = 0.0
    verdict = Verdict(lambda: now)
    verdict.hear(encode(full))
    now = age
    assert verdict.full == (full if age <= STALE_SECONDS else frozenset())


@given(st.binary() | st.sampled_from([b"{}", b"[]", b'{"full": 1}', b'{"full": [1]}', b'{"full": "12"}', b"null"]))
def test_verdict_that_is_none_changes_nothing(data: bytes) -> None:
    verdict = Verdict()
    verdict.tell({"1"})
    with pytest.raises(ValueError, match="no verdict"):
        verdict.hear(data)
    assert verdict.full == {"1"}


def test_verdict_before_anybody_told_refuses_nobody() -> None:
    assert Verdict().full == frozenset()


def test_seller_full_is_a_kind_of_full() -> None:
    assert issubclass(SellerFullError, BusFullError)

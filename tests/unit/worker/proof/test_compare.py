# SPDX-License-Identifier: Apache-2.0
"""What differs between two sides, and what is the matter with a row."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cairn.api.proof import Head, Slice, token
from cairn.sql.push.book import Stood
from cairn.worker.proof.compare import Verdict, different, judge, suspects, version_over

NOON = datetime(2026, 11, 11, 12)  # noqa: DTZ001 -- a wall clock
HASHES = st.sampled_from([f"{n:032x}" for n in (0, 1, 2**127, 2**128 - 1)])
HEADS = st.builds(
    Head, st.integers(1, 6), st.sampled_from([NOON, NOON + timedelta(seconds=1), NOON + timedelta(minutes=6)]), HASHES
)
SIDES = st.dictionaries(st.integers(1, 6), HEADS).map(lambda of: [head._replace(key=key) for key, head in of.items()])
STEP = timedelta(minutes=5)


def slices(heads: list[Head]) -> list[Slice]:
    found: dict[datetime, Slice] = {}
    for head in heads:
        start = NOON + (head.modified - NOON) // STEP * STEP
        before = found.get(start, Slice(start, 0, 0))
        found[start] = Slice(start, before.records + 1, before.total + token(head.hash))
    return list(found.values())


@given(SIDES, SIDES)
def test_whatever_differs_by_count_or_sum_holds_a_suspect(theirs: list[Head], ours: list[Head]) -> None:
    differing, alone = suspects(theirs, ours)
    assert bool(differing or alone) >= bool(different(slices(theirs), slices(ours)))
    assert (set(theirs) == set(ours)) == (not differing and not alone)


@given(SIDES)
def test_the_same_on_both_sides_differs_nowhere(heads: list[Head]) -> None:
    assert different(slices(heads), slices(heads[::-1])) == []
    assert suspects(heads, heads[::-1]) == (set(), set())


@given(HEADS, HEADS, st.booleans(), st.booleans(), st.integers(0, 2**40))
def test_a_row_that_is_mended_is_fine_afterwards(
    newest: Head, there: Head, sound: bool, quarantined: bool, version: int
) -> None:
    row = Stood(there.modified, version, there.hash, sound)
    verdict = judge(newest, row, quarantined=quarantined)
    if verdict in (Verdict.STALE, Verdict.WRONG):
        over = version_over(row, newest)
        assert (newest.modified, over, newest.hash) > (row.modified, row.version, row.hash), "the guard lets it through"
        mended = Stood(newest.modified, over, newest.hash, sound=True)
        assert judge(newest, mended, quarantined=False) is Verdict.FINE
    elif verdict is Verdict.FINE:
        assert row.modified > newest.modified or (row.hash, row.sound) == (newest.hash, True)


def test_no_row_is_missing_unless_it_is_kept() -> None:
    assert judge(Head(1, NOON, "0" * 32), None, quarantined=False) is Verdict.MISSING
    assert judge(Head(1, NOON, "0" * 32), None, quarantined=True) is Verdict.KEPT


def test_what_is_brought_in_loses_against_what_is_pushed_in_the_same_second() -> None:
    assert version_over(None, Head(1, NOON, "0" * 32)) == 1
    assert version_over(Stood(NOON - STEP, 2**50, "0" * 32, sound=True), Head(1, NOON, "0" * 32)) == 1

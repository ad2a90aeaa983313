# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.gateway.limits import KEPT, Buckets, Limits, Rate

LIMITS = Limits(records_per_second=10, burst=100, sellers={"7": Rate(records_per_second=1000)})


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 1000)), max_size=60))
def test_a_seller_gets_its_burst_its_rate_and_one_batch_more(asked: list[tuple[float, int]]) -> None:
    buckets, now, taken = Buckets(LIMITS), 0.0, 0
    for pause, records in asked:
        now += pause
        if not buckets.wait("1", now):
            buckets.take("1", records, now)
            taken += records
    assert taken <= 100 + 10 * now + 1000


def test_who_waits_as_long_as_told_is_let_in() -> None:
    buckets = Buckets(LIMITS)
    buckets.take("1", 600, 0.0)
    wait = buckets.wait("1", 0.0)
    assert wait == pytest.approx(50.1)
    assert buckets.wait("1", wait - 0.2) > 0
    assert buckets.wait("1", wait) == 0
    assert buckets.wait("2", 0.0) == 0


def test_without_a_rate_there_is_no_limit_and_nothing_is_kept() -> None:
    buckets = Buckets(Limits())
    buckets.take("1", 10**9, 0.0)
    assert buckets.wait("1", 0.0) == 0
    assert not buckets._buckets


def test_buckets_that_are_full_again_are_not_kept() -> None:
    buckets = Buckets(LIMITS)
    for seller in range(KEPT):
        buckets.take(str(seller), 1, 0.0)
    buckets.take("late", 1000, 1.0)
    assert len(buckets._buckets) == 1


def test_load_reads_what_the_chart_writes_and_names_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "limits.yaml"
    file.write_text('{"recordsPerSecond": 5, "burst": 50, "sellers": {"2088": {"recordsPerSecond": 0, "burst": 1}}}')
    assert Limits.load(file).of("1") == Limits(records_per_second=5, burst=50, sellers={"2088": Rate(burst=1)})
    assert Limits.load(file).of("2088").records_per_second == 0
    file.write_text("sellers: {2088: {burst: 0}}")
    with pytest.raises(ValueError, match=r"limits.yaml: sellers"):
        Limits.load(file)
    file.write_text("sellers: {'2088': {burst: 0}}")
    with pytest.raises(ValueError, match=r"limits.yaml: sellers.2088.burst: .* not 0"):
        Limits.load(file)

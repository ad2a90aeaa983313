# SPDX-License-Identifier: Apache-2.0
"""Load: what is too much for the base, what would do with fewer, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.api.resources import Obj
from cairn.vm import load
from cairn.vm.load import LOW_LOAD, Low

NOW = datetime(2026, 11, 11, 12, tzinfo=UTC)
EARLIER = NOW - timedelta(minutes=3)


@pytest.mark.parametrize(
    ("used", "clones"),
    [
        pytest.param("0", 0, id="idle"),
        pytest.param("0.8", 0, id="the base alone, at its margin"),
        pytest.param("0.81", 1, id="a little more"),
        pytest.param("8", 9, id="ten machines at their margin"),
    ],
)
def test_needed_counts_the_base(used: str, clones: int) -> None:
    assert load.needed(Decimal(used), Decimal(1)) == clones


@given(st.decimals(0, 1000, places=3), st.integers(1, 64), st.integers(10, 95))
def test_needed_never_makes_the_autoscaler_ask_again(used: Decimal, cpu: int, percent: int) -> None:
    """With as few machines as are said to do, each has less than the autoscaler would raise for."""
    wanted = load.limit(cpu, percent)

    assert used / (load.needed(used, wanted) + 1) <= wanted


@pytest.mark.parametrize(
    ("noted", "enough", "expected"),
    [
        pytest.param(None, None, None, id="load is not known"),
        pytest.param(Low(EARLIER, 2), None, None, id="load is not known any more"),
        pytest.param(None, 5, None, id="all are needed"),
        pytest.param(Low(EARLIER, 2), 6, None, id="more are needed"),
        pytest.param(None, 3, Low(NOW, 3), id="low from now on"),
        pytest.param(Low(EARLIER, 3), 1, Low(EARLIER, 3), id="still low: the most counts"),
        pytest.param(Low(EARLIER, 1), 4, Low(EARLIER, 4), id="still low, but more are needed than before"),
        pytest.param(Low(EARLIER, 7), 1, Low(NOW, 1), id="a note from when there were more"),
    ],
)
def test_low_keeps_since_and_most(noted: Low | None, enough: int | None, expected: Low | None) -> None:
    assert load.low(noted, enough, 5, NOW) == expected


def test_note_is_read_as_written() -> None:
    note = Low(EARLIER, 3)

    assert load.read({"metadata": {"annotations": {LOW_LOAD: str(note)}}}) == note


@pytest.mark.parametrize("text", ["", "yesterday/3", "2026-11-11T11:57:00Z", "2026-11-11T11:57:00Z/x", "/"])
def test_note_that_cannot_be_read_is_none(text: str) -> None:
    assert load.read({"metadata": {"annotations": {LOW_LOAD: text}}}) is None


def test_cores_are_those_of_the_guest() -> None:
    def container(name: str, cpu: str) -> Obj:
        return {"name": name, "usage": {"cpu": cpu}}

    pods: list[Obj] = [
        {"metadata": {"name": "a"}, "containers": [container("compute", "730m"), container("guest-console-log", "1")]},
        {"metadata": {"name": "b"}, "containers": []},
    ]

    assert load.cores(pods) == {"a": "730m"}


def test_total_is_known_only_if_every_pod_is() -> None:
    used = {"a": "500m", "b": "1"}

    assert load.total(used, ["a", "b"]) == Decimal("1.5")
    assert load.total(used, ["a", "c"]) is None
    assert load.total(None, []) is None

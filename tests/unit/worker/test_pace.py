# SPDX-License-Identifier: Apache-2.0
"""The pace of the last minute."""

from __future__ import annotations

import asyncio
from math import inf, isnan
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.bus.interface import Message, Reader
from cairn.worker import apply
from cairn.worker.apply import Applier
from cairn.worker.decode import Place
from cairn.worker.lane import Budget, Held
from cairn.worker.metrics import Metrics
from cairn.worker.pace import LOOKS, Look, Pace, cpus


def pace(*looks: tuple[float, int, float, float, float]) -> Pace:
    """Of looks: at, done, busy, writing trades, cpu."""
    found = Pace()
    for at, done, busy, writing, cpu in looks:
        found.note(Look(at, done, busy, {"trades": writing}, cpu))
    return found


def test_backlog_takes_as_long_as_its_messages_took_while_there_was_work() -> None:
    one = pace((0, 100, 50.0, 40.0, 9.0), (60, 300, 70.0, 58.0, 15.0))
    assert one.drain_seconds(1000) == 100, "200 in the 20 s with work, not in the 60 s between the looks"
    assert one.writing_ratio("trades") == 0.9
    assert one.cpu_ratio(1.0) == pytest.approx(0.1)
    assert one.cpu_ratio(0.125) == pytest.approx(0.8)


def test_what_tells_nothing_is_not_told() -> None:
    new, idle = pace((0, 0, 0.0, 0.0, 0.0)), pace((0, 5, 1.0, 1.0, 1.0), (60, 5, 1.0, 3.0, 1.0))
    for one in (new, idle):
        assert one.drain_seconds(0) == 0
        assert isnan(one.drain_seconds(7))
        assert isnan(one.writing_ratio("trades"))
    assert isnan(new.cpu_ratio(1.0))
    assert idle.cpu_ratio(1.0) == 0


def test_backlog_of_a_worker_that_commits_nothing_never_ends() -> None:
    assert pace((0, 5, 1.0, 1.0, 1.0), (60, 5, 61.0, 1.0, 1.0)).drain_seconds(1) == inf


def test_what_was_before_the_last_minute_counts_no_more() -> None:
    looks = [(15.0 * number, 1000 if number else 0, 15.0 * number, 0.0, 0.0) for number in range(LOOKS + 1)]
    assert pace(*looks[:LOOKS]).drain_seconds(1) == pytest.approx(0.06)
    assert pace(*looks).drain_seconds(1) == inf


@given(st.lists(st.tuples(*[st.integers(0, 10**6)] * 4), min_size=1, max_size=9), st.integers(1, 10**9))
def test_pace_is_never_negative_and_a_longer_backlog_never_takes_less(
    steps: list[tuple[int, ...]], backlog: int
) -> None:
    at = done = busy = writing = 0
    found = Pace()
    for gone, more, worked, wrote in steps:
        at, done, busy, writing = at + gone, done + more, busy + min(gone, worked), writing + wrote
        found.note(Look(at, done, busy, {"trades": writing}, at / 2))
    takes = found.drain_seconds(backlog)
    assert isnan(takes) or 0 <= takes <= found.drain_seconds(backlog + 1)
    assert isnan(found.writing_ratio("trades")) or 0 <= found.writing_ratio("trades") <= 1


@pytest.mark.parametrize(
    ("text", "allowed"), [("25000 100000\n", 0.25), ("400000 100000\n", 1.0), ("max 100000\n", 1.0), ("", 1.0)]
)
def test_worker_may_take_what_its_container_may_and_never_more_than_one_processor(
    tmp_path: Path, text: str, allowed: float
) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert cpus(tmp_path / "cpu.max") == allowed
    assert cpus(tmp_path / "missing") == 1.0


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


def test_budget_is_busy_from_the_first_message_to_the_last_that_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("cairn.worker.lane.time", clock)
    budget = Budget(100)
    message = Message("push.2088.55501.trades", b"x", "reply", 1, 1, redelivered=False)
    one, two = (Held(message, 1, cast("Reader", None), Place("PUSH", 1, number)) for number in (1, 2))
    clock.now += 5
    budget.take(one)
    clock.now += 2
    budget.take(two)
    clock.now += 3
    assert budget.busy_seconds == 5
    budget.free([one])
    clock.now += 4
    budget.free([two])
    clock.now += 100
    assert (budget.busy_seconds, budget.done) == (9, 2)


class SlowSink:
    """Answers when told to."""

    def __init__(self) -> None:
        self.begun, self.go = asyncio.Event(), asyncio.Event()

    async def write(self, *_args: Any) -> None:
        self.begun.set()
        await self.go.wait()
        raise ConnectionResetError

    async def close(self) -> None:
        pass


async def test_transaction_counts_while_it_runs_and_when_it_failed_and_waiting_afterwards_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, sink, metrics = Clock(), SlowSink(), Metrics("seller-2088/orders")
    monkeypatch.setattr(apply, "time", clock)
    monkeypatch.setattr(clock, "perf_counter", clock.monotonic, raising=False)
    applier = Applier("trades", cast("Any", sink), metrics.lane("trades"), metrics)
    task = asyncio.create_task(applier.apply((), ()))
    await sink.begun.wait()
    clock.now += 7
    assert applier.writing_seconds == 7
    sink.go.set()
    sink.begun.clear()
    async with asyncio.timeout(5):
        while applier.held is None:  # noqa: ASYNC110 -- the applier has nobody to tell
            await asyncio.sleep(0)
    clock.now += 50
    assert applier.writing_seconds == 7
    task.cancel()

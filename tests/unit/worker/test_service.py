# SPDX-License-Identifier: Apache-2.0
"""Room in memory, readiness and liveness, without bus or database."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import ValidationError

from cairn.bus.connection import BusError
from cairn.bus.interface import ConsumerFacts, Message, Reader
from cairn.datasets import shipped
from cairn.sql.push.fault import Fault
from cairn.worker import service
from cairn.worker.config import WorkerConfig
from cairn.worker.decode import Place
from cairn.worker.lane import Budget, Held
from cairn.worker.metrics import Metrics
from cairn.worker.run import assemble
from cairn.worker.service import STUCK_SECONDS

CONFIG: dict[str, Any] = {
    "subscription": "seller-2088/orders",
    "bus": {
        "url": "nats://bus:4222",
        "stream": "PUSH",
        "consumer": "seller-2088--orders",
        "credsFile": "/x/user.creds",
    },
    "database": {
        "engine": "postgresql",
        "host": "db",
        "port": 5432,
        "database": "shop",
        "usernameFile": "/x/username",
        "passwordFile": "/x/password",
        "caFile": "/x/ca.crt",
    },
    "datasets": [dataset.model_dump(mode="json") for dataset in shipped().values()],
    "shops": {"55501": "taobao001"},
}


def held(size: int) -> Held:
    message = Message("push.2088.55501.trades", b"x" * size, "reply", 1, 1, redelivered=False)
    return Held(message, size, cast("Reader", None), Place("PUSH", 1, 1))


def config(tmp_path: Path, **changes: Any) -> WorkerConfig:
    (tmp_path / "worker.json").write_text(json.dumps(CONFIG | changes))
    return WorkerConfig.load(tmp_path / "worker.json")


async def test_worker_whose_supply_ends_by_itself_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TaskGroup lets a task go that a library cancelled; a worker that reads no more must not look alive."""
    worker, _ = assemble(config(tmp_path))

    async def cancelled() -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(worker, "_supply", cancelled)
    with pytest.raises(ExceptionGroup, match="TaskGroup") as raised:
        await asyncio.wait_for(worker.run(), 10)
    assert "ended by itself" in str(raised.value.exceptions[0])


async def test_budget_makes_wait_until_there_is_room() -> None:
    budget = Budget(100)
    first, second = held(60), held(30)
    budget.take(first)
    budget.take(second)
    waiting = asyncio.create_task(budget.room(50, messages=10))
    await asyncio.sleep(0)
    assert not waiting.done()
    budget.free([first])
    assert await asyncio.wait_for(waiting, 1) == 70


async def test_budget_counts_messages_as_well_as_bytes() -> None:
    budget = Budget(100)
    budget.take(held(1))
    waiting = asyncio.create_task(budget.room(1, messages=1))
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_worker_that_neither_reads_nor_asks_for_the_bus_is_stuck(tmp_path: Path) -> None:
    worker, _ = assemble(config(tmp_path))
    assert worker.stuck() is None
    worker._asked -= STUCK_SECONDS + 1
    assert "the bus" in str(worker.stuck())
    worker._reader = cast("Reader", object())
    assert worker.stuck() is None, "it reads"


async def test_worker_whose_bus_is_away_asks_and_is_not_stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For hours, if need be: a restart would not help."""
    worker, _ = assemble(config(tmp_path))
    asked = asyncio.Event()

    async def away(*_: Any) -> None:
        asked.set()
        raise BusError("away")

    monkeypatch.setattr(service, "line_to", away)
    worker._asked -= STUCK_SECONDS + 1
    supply = asyncio.create_task(worker._supply())
    await asyncio.wait_for(asked.wait(), 10)
    assert worker.stuck() is None
    supply.cancel()


async def test_worker_that_lost_the_bus_after_a_long_while_is_not_stuck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, _ = assemble(config(tmp_path))
    left = asyncio.Event()

    async def line(*_: Any) -> Any:
        return cast("Any", SimpleNamespace(reader=None))

    async def lost(*_: Any) -> None:
        worker._asked -= STUCK_SECONDS + 1
        raise BusError("lost")

    async def leave(*_: Any) -> None:
        left.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(service, "line_to", line)
    monkeypatch.setattr(worker, "_pull", lost)
    monkeypatch.setattr(worker, "_leave", leave)
    supply = asyncio.create_task(worker._supply())
    await asyncio.wait_for(left.wait(), 10)
    assert worker.stuck() is None
    supply.cancel()


async def test_worker_that_has_work_and_ends_no_attempt_is_stuck_and_one_that_is_held_is_not(tmp_path: Path) -> None:
    worker, _ = assemble(config(tmp_path))
    lane = worker._lanes["trades"]
    assert worker.stuck() is None
    lane.applier.tried -= STUCK_SECONDS + 1
    assert worker.stuck() is None, "nothing to do is not stuck"
    lane.offer(held(10))
    assert worker.stuck() is None, "the first in a while is given its time"
    lane.applier.tried -= STUCK_SECONDS + 1
    assert "trades" in str(worker.stuck())
    lane.applier._note(ConnectionRefusedError(), Fault.TRANSIENT)
    assert worker.stuck() is None
    assert worker.held().keys() == {"trades"}
    assert not worker.ready


class StubReader:
    """Of a connection that is gone, or not."""

    def __init__(self, *, gone: bool = False) -> None:
        self.gone, self.connected = gone, True
        self.kept = self.acknowledged = 0
        self.stalls = 0

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        await self.keep(messages)
        self.acknowledged += 1

    async def keep(self, _messages: Sequence[Message]) -> None:
        if self.gone:
            raise BusError("the connection was lost")
        self.kept += 1

    async def info(self) -> ConsumerFacts:
        return ConsumerFacts("me", (), pending=40, unacknowledged=2, redelivered=0, epoch=1)


async def test_worker_that_holds_messages_of_a_lost_connection_keeps_the_others_and_tells_the_lag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "KEEP_SECONDS", 0.001)
    worker, metrics = assemble(config(tmp_path))
    lost, live = StubReader(gone=True), StubReader()
    for reader in (lost, live):
        worker._budget.take(Held(held(1).message, 1, cast("Reader", reader), Place("PUSH", 1, 1)))
    worker._reader = cast("Reader", live)
    task = asyncio.create_task(worker._keep())
    async with asyncio.timeout(5):
        while live.kept < 2:  # noqa: ASYNC110 -- the worker has nobody to tell
            await asyncio.sleep(0.001)
    assert metrics.registry.get_sample_value("cairn_push_lag_messages", {"subscription": "seller-2088/orders"}) == 42
    task.cancel()


async def test_lane_acknowledges_what_came_over_the_new_connection_beside_what_came_over_the_lost_one(
    tmp_path: Path,
) -> None:
    """Else it would be delivered again a minute later, and count as lag until then."""
    worker, metrics = assemble(config(tmp_path))
    lost, live = StubReader(gone=True), StubReader()
    batch = [
        Held(held(1).message, 1, cast("Reader", reader), Place("PUSH", 1, 1)) for reader in (live, lost, live, lost)
    ]
    for one in batch:
        worker._budget.take(one)
    await worker._lanes["trades"]._acknowledge(batch)
    assert live.acknowledged == 2
    assert worker._budget.bytes == 0
    labels = {"subscription": "seller-2088/orders", "dataset": "trades"}
    assert metrics.registry.get_sample_value("cairn_push_acked_total", labels) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shops": {}}, "shops"),
        ({"datasets": []}, "datasets"),
        ({"datasets": [CONFIG["datasets"][0]] * 2}, "listed twice"),
        ({"database": CONFIG["database"] | {"engine": "oracle"}}, "database.engine"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_config_that_is_wrong_names_the_key(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        config(tmp_path, **changes)


def test_messages_that_come_again_are_counted_and_no_lag_is_told_before_the_bus_was_asked(tmp_path: Path) -> None:
    worker, metrics = assemble(config(tmp_path))
    lag = metrics.registry.get_sample_value("cairn_push_lag_messages", {"subscription": "seller-2088/orders"})
    assert lag is not None
    assert isnan(lag)
    lane, first = worker._lanes["trades"], held(1)
    lane.offer(first)
    first.message = first.message._replace(redelivered=True)
    lane.offer(first)
    labels = {"subscription": "seller-2088/orders", "dataset": "trades"}
    assert metrics.registry.get_sample_value("cairn_push_redelivered_total", labels) == 1


def level(metrics: Metrics, name: str, **labels: str) -> float:
    found = metrics.registry.get_sample_value(f"cairn_level_{name}", {"subscription": "seller-2088/orders"} | labels)
    assert found is not None
    return found


async def test_lane_is_late_by_what_it_has_not_written_and_an_idle_one_by_nothing(tmp_path: Path) -> None:
    worker, metrics = assemble(config(tmp_path))
    lanes = worker.lanes
    for lane in lanes.values():
        lane._known_us = (time.time_ns() // 1000) - 100_000_000
    assert level(metrics, "late_seconds", dataset="trades") == pytest.approx(100, abs=5), "nobody has looked since"
    lanes["trades"].through_us = time.time_ns() // 1000
    assert level(metrics, "late_seconds", dataset="trades") < 5
    lanes["trades"].through_us = 0
    assert level(metrics, "late_seconds", dataset="trades") < 5, "a new session with the bus takes back nothing"
    stored = (time.time_ns() // 1000) - 30_000_000
    reader = cast("Reader", StubReader())
    for message in (held(1).message, held(2).message):
        worker._offer(message._replace(subject="push.2088.55501.refunds", stored_us=stored), reader, 1)
        stored += 20_000_000
    assert level(metrics, "late_seconds", dataset="items") == pytest.approx(10, abs=5), "nothing older can come"
    assert level(metrics, "late_seconds", dataset="refunds") == pytest.approx(30, abs=5), "as old as what it holds"


async def test_what_gives_no_answer_is_unreachable(tmp_path: Path) -> None:
    worker, metrics = assemble(config(tmp_path))
    assert level(metrics, "unreachable", what="bus") == 1
    reader = StubReader()
    worker._reader = cast("Reader", reader)
    assert level(metrics, "unreachable", what="bus") == 0
    reader.connected = False
    assert (level(metrics, "unreachable", what="bus"), worker.ready) == (1, False)
    reader.connected = True
    assert level(metrics, "unreachable", what="database") == 0
    worker.lanes["trades"].applier._note(ConnectionRefusedError(), Fault.TRANSIENT)
    assert level(metrics, "unreachable", what="database") == 1
    metrics.proof()
    assert isnan(level(metrics, "unreachable", what="source"))

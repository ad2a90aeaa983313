# SPDX-License-Identifier: Apache-2.0
"""The same over Kafka: gateway and worker as processes, the topic made by Cairn's own command. What was accepted is
sent once, and has to stand whoever was killed."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from cairn.bus.kafka.admin import Topic
from cairn.bus.kafka.read import KafkaReader
from cairn.cli.main import main
from cairn.datasets import shipped
from cairn.sql.postgresql import Connection, Target
from cairn.sql.push.postgresql.schema import ensure_schema
from cairn.sql.roles import ensure_role, grant_push
from cairn.worker.lane import BATCH_ROWS
from chaos.test_push_kills import KEYS, check, numbers, records, send
from data.kafka import KafkaBroker
from data.plane import CONSUMER, SHOPS, SUBJECTS, DataPlane, trade
from data.servers import scratch


@dataclass
class KafkaPlane(DataPlane):
    broker: KafkaBroker = field(kw_only=True)
    stream: str = field(kw_only=True)
    topic: dict[str, Any] = field(kw_only=True)

    def gateway_options(self) -> list[str]:
        return [f"--bus-url={self.broker.url}", f"--stream={self.stream}"]

    def bus_config(self) -> dict[str, Any]:
        return {"url": self.broker.url, "stream": self.stream, "consumer": CONSUMER, "topic": self.topic}

    async def waiting(self) -> int:
        watching = KafkaReader(self.broker.url, self.stream, CONSUMER, Topic(**self.topic), SUBJECTS)
        try:
            facts = await watching.start()
        finally:
            await watching.close()
        return facts.pending + facts.unacknowledged


@pytest.fixture(scope="module")
def broker() -> Iterator[KafkaBroker]:
    home = scratch("kafka")
    broker = KafkaBroker(home)
    try:
        yield broker
    finally:
        broker.kill()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def stream(broker: KafkaBroker) -> str:
    broker.start()
    return f"push-{uuid4().hex}"


@pytest.fixture
def topic(broker: KafkaBroker, stream: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    made = ["bus", "topic", f"--bus-url={broker.url}", f"--stream={stream}", "--seller=2088", "--replicas=1"]
    assert main(made) == 0
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert main(made) == 1, "when it was made is not made up"
    return printed


@pytest_asyncio.fixture
async def plane(
    broker: KafkaBroker, stream: str, topic: dict[str, Any], database: Target, conn: Connection
) -> AsyncIterator[KafkaPlane]:
    await ensure_schema(conn, tuple(shipped().values()), SHOPS)
    login = f"{database.database}_push"
    await ensure_role(conn, login, password="push-password")
    await grant_push(conn, database.database, login, tuple(dataset.table for dataset in shipped().values()))
    home = scratch("plane")
    user = replace(database, user=login, password="push-password")
    plane = KafkaPlane(database, user, home, broker=broker, stream=stream, topic=topic)
    try:
        plane.gateway.start()
        plane.gateway.ready()
        yield plane
    finally:
        plane.close()
        shutil.rmtree(home, ignore_errors=True)


def more_than_a_batch(seed: int) -> tuple[list[bytes], dict[int, bytes]]:
    """As `records`, and so many that some are fetched and not written when the first are."""
    lines, newest = records(seed)
    more = {tid: trade(tid, "2026-11-11 00:00:00") for tid in range(KEYS + 1, KEYS + BATCH_ROWS[1] + 1)}
    return [*lines, *more.values()], newest | more


@pytest.mark.parametrize(("moment", "nth"), [("before-commit", 1), ("after-commit", 1), ("mid-ack", 5)])
async def test_worker_killed_loses_nothing_and_repeats_nothing(
    plane: KafkaPlane, conn: Connection, moment: str, nth: int
) -> None:
    lines, newest = more_than_a_batch(seed=nth)
    await send(plane, lines)
    dying = plane.worker(("-m", "chaos.dying_worker", moment, str(nth)))
    dying.start()
    assert dying.process is not None
    assert await asyncio.to_thread(dying.process.wait, 40) == -signal.SIGKILL
    dying.process = None
    before = await numbers(conn)
    plane.worker().start()
    await plane.drained(40)
    await check(conn, newest)
    after = await numbers(conn)
    assert all(after[same] == before[same] for same in after.keys() & before.keys())


async def test_broker_killed_under_both_loses_nothing(plane: KafkaPlane, conn: Connection) -> None:
    lines, newest = records(seed=7)
    worker = plane.worker()
    worker.start()
    await send(plane, lines[: len(lines) // 2])
    plane.broker.kill()
    plane.broker.start()
    await send(plane, lines[len(lines) // 2 :])
    await plane.drained(40)
    await check(conn, newest)
    assert worker.stop(signal.SIGTERM) == 0

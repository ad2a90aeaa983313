# SPDX-License-Identifier: Apache-2.0
"""A slow database is told from a slow worker, over a real bus and a real database."""

from __future__ import annotations

import asyncio
import json

import pytest

from cairn.sql.postgresql import Connection
from cairn.worker import service
from cairn.worker.config import WorkerConfig
from cairn.worker.metrics import Metrics
from cairn.worker.run import assemble
from data.plane import Plane, trade

SLOW = """
CREATE FUNCTION sys_info.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$;
CREATE TRIGGER slow BEFORE INSERT ON sys_info.jdp_tb_trade FOR EACH STATEMENT EXECUTE FUNCTION sys_info.slow();
"""


def told(metrics: Metrics, name: str, **labels: str) -> float:
    found = metrics.registry.get_sample_value(f"cairn_push_{name}", {"subscription": "seller-2088/orders"} | labels)
    assert found is not None
    return found


def database_bound(metrics: Metrics) -> bool:
    return told(metrics, "drain_seconds") > 0 and told(metrics, "writing_ratio", dataset="trades") > 0.8


async def test_worker_says_how_long_its_backlog_takes_and_that_the_database_sets_the_pace(
    plane: Plane, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "KEEP_SECONDS", 0.2)
    await conn.execute(SLOW)
    (plane.home / "pace.json").write_text(json.dumps(plane.config(9090)))
    worker, metrics = assemble(WorkerConfig.load(plane.home / "pace.json"))

    async def send() -> None:
        for tid in range(1, 10_000):
            await plane.deliver([trade(tid, "2026-11-11 00:00:01")])

    running, sending = asyncio.create_task(worker.run()), asyncio.create_task(send())
    async with asyncio.timeout(20):
        while not database_bound(metrics):  # noqa: ASYNC110 -- the worker has nobody to tell
            await asyncio.sleep(0.05)
    assert not told(metrics, "writing_ratio", dataset="refunds") > 0.8
    assert told(metrics, "cpu_ratio") > 0
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    async with asyncio.timeout(20):
        while told(metrics, "drain_seconds") != 0:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    worker.stop()
    await running
    for lane in worker.lanes.values():
        await lane.applier._sink.close()

# SPDX-License-Identifier: Apache-2.0
"""What is older than kept goes, whatever kills the worker; nobody calls it missing, and nobody brings it back."""

from __future__ import annotations

import asyncio
import json
import signal
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from cairn.api.dataset import Dataset
from cairn.api.proof import Slice
from cairn.datasets import shipped
from cairn.sql.postgresql import Connection, Target, connect
from cairn.sql.push.engine import Asked
from cairn.sql.push.postgresql.engine import PostgreSQLPush
from cairn.sql.push.postgresql.ledger import Ledger
from cairn.sql.roles import grant_push
from cairn.worker.config import WorkerConfig
from cairn.worker.proof.auditor import Auditor
from cairn.worker.proof.windows import Depth, Span
from cairn.worker.run import assemble, feeds
from cairn.worker.run import platform as source
from data.plane import SHOPS, Plane, Program
from data.proof.platform import Platform, hours_ago, now, order
from data.proof.test_proof import book, proven, rows, until

TRADES = shipped()["trades"]
TABLES = tuple(dataset.table for dataset in shipped().values())
TAKEN = "SELECT rows_taken FROM sys_info.jdp_retention WHERE table_name = 'jdp_tb_trade'"
HISTORY = "SELECT bool_and(done_at IS NOT NULL) FROM sys_info.jdp_backfill WHERE table_name = 'jdp_tb_trade'"


def keeping(platform: Platform, days: int, **proof: object) -> Program:
    worker = platform.worker(maxRowsPerSecond=100_000, **proof)
    file = platform.plane.home / f"{worker.name}.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"retentionDays": days}))
    return worker


async def test_what_is_older_goes_and_is_neither_missing_nor_brought_back(
    platform: Platform, plane: Plane, conn: Connection
) -> None:
    old = {tid: order(tid, hours_ago(96, seconds=tid // 3)) for tid in range(1, 9001)}
    young = {tid: order(tid, hours_ago(30, seconds=tid - 10_000)) for tid in range(10_001, 10_101)}
    for first in range(1, 9001, 1500):
        platform.take([old[tid] for tid in range(first, first + 1500)], push=False)
    platform.take(young.values(), push=False)
    for_ever, keeps = keeping(platform, 0, historyDays=6), keeping(platform, 2, historyDays=6)
    for_ever.start()
    await proven(conn, 2, sent=9100, missing=0)
    for_ever.stop(signal.SIGKILL)

    await grant_push(conn, plane.database.database, plane.push.user, TABLES, ("jdp_tb_trade", "jdp_tb_refund"))
    keeps.start()
    await until("some are gone", lambda: conn.fetchval(TAKEN))
    keeps.stop(signal.SIGKILL)
    left = await rows(conn)
    assert len(young) < len(left) < 9100, "it was killed in the middle"
    assert await conn.fetchval(TAKEN) == 9100 - len(left), "what is told to be gone is gone, and no more"

    await conn.execute("DELETE FROM sys_info.jdp_audit; DELETE FROM sys_info.jdp_backfill")
    for_ever.start()
    await until("the history is in again", lambda: conn.fetchval(HISTORY))
    (window,) = await proven(conn, 1, sent=100, missing=0, repaired=0)
    assert window["window_start"] >= await conn.fetchval("SELECT max(horizon) FROM sys_info.jdp_retention")
    assert await rows(conn) == left, "nothing came back"
    assert await asyncio.to_thread(for_ever.metric, "cairn_level_lost_records") == 0
    for_ever.stop(signal.SIGKILL)

    keeps.start()
    wanted = {tid: payload.decode() for tid, payload in young.items()}

    async def kept() -> bool:
        return await rows(conn) == wanted

    await until("the rest is gone", kept)
    await plane.deliver([old[1]])

    async def pushed() -> bool:
        return 1 in await rows(conn)

    await until("what is pushed is written, however old", pushed)
    keeps.stop(signal.SIGKILL)
    keeps.start()
    await until("and goes at the next pass", kept)
    assert all(one["missing"] == 0 for one in await book(conn))


class Overtaken(Ledger):
    """Retention goes by while hours are compared that were chosen before."""

    async def slices(self, dataset: Dataset, nick: str, *span: Any, **how: Any) -> list[Slice]:
        await self.keep_from(dataset, "55501", now().replace(hour=0, minute=0, second=0) - timedelta(days=2))
        return await super().slices(dataset, nick, *span, **how)


async def test_hours_that_retention_overtakes_are_neither_noted_nor_mended(
    platform: Platform, plane: Plane, conn: Connection
) -> None:
    platform.take((order(tid, hours_ago(96, seconds=tid)) for tid in range(1, 21)), push=False)
    config = WorkerConfig.load(plane.home / f"{platform.worker(historyDays=6).name}.json")
    worker, metrics = assemble(config)
    feed = next(one for one in feeds(config, worker.lanes) if one.dataset == TRADES)
    ledger, lane = Overtaken(lambda: plane.push, "test"), asyncio.create_task(feed.lane.run())
    assert config.proof is not None
    try:
        async with source(config.proof, metrics.proof()) as platforms:
            span = Span(hours_ago(97), hours_ago(94), Depth.DEEP)
            assert await Auditor(platforms, ledger, repair=True).span(feed, span) == []
    finally:
        feed.lane.stop()
        await lane
        await ledger.close()
    assert await rows(conn) == {}
    assert await conn.fetchval("SELECT count(*) FROM sys_info.jdp_audit") == 0


async def aged(conn: Connection, moment: datetime) -> None:
    await conn.execute(
        "INSERT INTO sys_info.jdp_tb_trade (tid, seller_nick, modified) VALUES ($1, 'taobao001', $2),"
        " (2, 'taobao001', $3), (3, 'somebody', $2), (4, 'taobao001', NULL)",
        1, moment - timedelta(seconds=1), moment,
    )  # fmt: skip


async def test_row_that_is_written_while_it_is_to_go_stays(plane: Plane, conn: Connection) -> None:
    moment = now() - timedelta(days=5)
    await grant_push(conn, plane.database.database, plane.push.user, TABLES, ("jdp_tb_trade",))
    await aged(conn, moment)
    ledger = Ledger(lambda: plane.push, "test")
    try:
        assert await ledger.expire(TRADES, "55501", "taobao001", 10) == (0, 0), "no horizon, nothing goes"
        await ledger.keep_from(TRADES, "55501", moment)
        await ledger.keep_from(TRADES, "55501", moment - timedelta(days=1))
        assert await ledger.horizon(TRADES, "55501") == moment, "it only moves forward"
        async with conn.transaction():
            await conn.execute("UPDATE sys_info.jdp_tb_trade SET modified = $1 WHERE tid = 1", moment)
            going = asyncio.create_task(ledger.expire(TRADES, "55501", "taobao001", 10))
            waits = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"
            await until("it waits for the writer", lambda: conn.fetchval(waits))
        assert await going == (1, 0)
        await conn.execute("UPDATE sys_info.jdp_tb_trade SET modified = $1 WHERE tid = 2", moment - timedelta(days=1))
        assert await ledger.expire(TRADES, "55501", "taobao001", 10) == (1, 1)
        assert set(await rows(conn)) == {1, 3, 4}, "others' rows, and those without a time, stay"
        assert await conn.fetchval(TAKEN) == 1
    finally:
        await ledger.close()


async def test_login_may_delete_only_where_and_while_records_are_kept_for_less_than_ever(
    plane: Plane, database: Target, conn: Connection
) -> None:
    engine, datasets = PostgreSQLPush(), tuple(shipped().values())
    asked = Asked(database.database, datasets, SHOPS, plane.push.user, plane.push.password)
    expiring = replace(asked, expiring=("jdp_tb_refund", "jdp_tb_trade"))
    await engine.settle(database, asked)
    assert (await engine.look(database, asked)).granted
    assert not (await engine.look(database, expiring)).granted
    await engine.settle(database, expiring)
    found = await engine.look(database, expiring)
    assert found.granted
    assert found.proof["retention"] is None
    assert not (await engine.look(database, asked)).granted, "what is not to be deleted any more must be taken back"
    login = await connect(plane.push)
    try:
        await login.execute("DELETE FROM sys_info.jdp_tb_trade")
        for table in ("jdp_tb_item", "jdp_audit", "jdp_backfill", "jdp_retention", "jdp_quarantine", "jdp_cursor"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await login.execute(f"DELETE FROM sys_info.{table}")
        await engine.settle(database, asked)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.execute("DELETE FROM sys_info.jdp_tb_trade")
    finally:
        await login.close()
    assert (await engine.look(database, asked)).granted

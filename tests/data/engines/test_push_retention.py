# SPDX-License-Identifier: Apache-2.0
"""Retention on each MySQL and MariaDB: what goes, what stays, and who may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import pytest_asyncio

from cairn.datasets import shipped
from cairn.sql.push.engine import Asked
from cairn.sql.push.fault import WriteError
from cairn.sql.push.mysql.engine import MySQLPush, end
from cairn.sql.push.mysql.ledger import Ledger
from cairn.sql.share.mysql.connection import Session, connect
from cairn.worker.metrics import Metrics
from cairn.worker.retention import Retention
from data.engines.pushed import pushed
from data.engines.servers import MySQL

TRADES = shipped()["trades"]
ASKED = Asked(
    "sys_info", tuple(shipped().values()), {"1": "taobao001"}, "push1", "secret-word", expiring=("jdp_tb_trade",)
)
WAITING = "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
MOMENT = datetime(2026, 11, 20)  # noqa: DTZ001 -- the platform's wall clock


@pytest_asyncio.fixture
async def session(mysql: MySQL) -> AsyncIterator[Session]:
    async with pushed(mysql, ASKED) as session:
        yield session


@pytest_asyncio.fixture
async def ledger(mysql: MySQL, session: Session) -> AsyncIterator[Ledger]:
    ledger = Ledger(lambda: replace(mysql.admin, user=ASKED.login, password=ASKED.password))
    yield ledger
    await ledger.close()


async def put(session: Session, tid: int, nick: str, modified: datetime | None) -> None:
    await session.execute(
        "REPLACE INTO sys_info.jdp_tb_trade (tid, seller_nick, modified) VALUES (%s, %s, %s)", (tid, nick, modified)
    )


async def keys(session: Session) -> set[int]:
    return {row[0] for row in await session.fetch("SELECT tid FROM sys_info.jdp_tb_trade")}


async def waits(session: Session) -> None:
    """Until somebody waits for a lock."""
    async with asyncio.timeout(20):
        while not await session.fetch(WAITING):  # noqa: ASYNC110 -- the database has no event of ours
            await asyncio.sleep(0.2)  # these servers tell no more often


async def ledger_session(session: Session) -> list[int]:
    found = await session.fetch("SELECT id FROM information_schema.processlist WHERE user = %s", (ASKED.login,))
    return [int(row[0]) for row in found]


async def test_what_is_older_goes_and_a_row_that_is_written_meanwhile_stays(
    mysql: MySQL, session: Session, ledger: Ledger
) -> None:
    await session.execute(
        "ALTER TABLE sys_info.jdp_tb_trade MODIFY seller_nick varchar(32) CHARACTER SET utf8mb4 COLLATE"
        " utf8mb4_general_ci"
    )
    before = MOMENT - timedelta(seconds=1)
    for tid, nick, modified in ((1, "taobao001", before), (2, "taobao001", MOMENT), (3, "TAOBAO001", before)):
        await put(session, tid, nick, modified)
    await put(session, 4, "taobao001", None)
    assert await ledger.expire(TRADES, "1", "taobao001", 10) == (0, 0), "no horizon, nothing goes"
    await ledger.keep_from(TRADES, "1", MOMENT)
    await ledger.keep_from(TRADES, "1", MOMENT - timedelta(days=1))
    assert await ledger.horizon(TRADES, "1") == MOMENT, "it only moves forward"
    writer = await connect(mysql.admin)
    try:
        await writer.execute("START TRANSACTION")
        await writer.execute("UPDATE sys_info.jdp_tb_trade SET modified = %s WHERE tid = 1", (MOMENT,))
        going = asyncio.create_task(ledger.expire(TRADES, "1", "taobao001", 10))
        await waits(session)
        await writer.execute("COMMIT")
    finally:
        await writer.close()
    assert await going == (1, 0)
    await put(session, 2, "taobao001", before)
    assert await ledger.expire(TRADES, "1", "taobao001", 10) == (1, 1)
    assert await keys(session) == {1, 3, 4}, "rows of another nick, and those without a time, stay"
    assert await session.fetch("SELECT rows_taken FROM sys_info.jdp_retention") == [(1,)]


async def test_worker_that_dies_in_the_middle_of_a_chunk_takes_none_of_it_and_goes_on(
    mysql: MySQL, session: Session, ledger: Ledger
) -> None:
    for tid in range(1, 6):
        await put(session, tid, "taobao001", MOMENT - timedelta(seconds=tid))
    await ledger.keep_from(TRADES, "1", MOMENT)
    writer = await connect(mysql.admin)
    try:
        await writer.execute("START TRANSACTION")
        await writer.execute("UPDATE sys_info.jdp_tb_trade SET status = 'x' WHERE tid = 4")
        going = asyncio.create_task(ledger.expire(TRADES, "1", "taobao001", 10))
        await waits(session)
        await end(session, (await ledger_session(session))[0])
        with pytest.raises(WriteError):
            await going
    finally:
        await writer.close()
    assert await keys(session) == {1, 2, 3, 4, 5}
    assert await session.fetch("SELECT rows_taken FROM sys_info.jdp_retention") == [(0,)]
    await ledger.close()
    assert await ledger.horizon(TRADES, "1") == MOMENT, "it is noted before anything goes"
    assert await ledger.expire(TRADES, "1", "taobao001", 10) == (5, 5)


async def test_pass_goes_on_until_nothing_older_stands_and_is_told(
    mysql: MySQL, session: Session, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cairn.worker.retention.CHUNK", 3)
    monkeypatch.setattr("cairn.worker.retention.REST_SECONDS", 0.0)
    behind = await ledger.clock() - 5 * 86400
    (today,) = (await session.fetch("SELECT DATE(FROM_UNIXTIME(%s) + INTERVAL 8 HOUR)", (behind,)))[0]
    midnight = datetime.combine(today, datetime.min.time()) - timedelta(days=2)
    for tid in range(1, 9):
        await put(session, tid, "taobao001", midnight - timedelta(seconds=tid))
    await put(session, 9, "taobao001", midnight)
    metrics = Metrics("seller-1/orders")
    await Retention(2, ASKED.datasets, ASKED.shops, ledger, metrics, lambda: behind).once()
    assert await keys(session) == {9}
    found = (await MySQLPush().look(mysql.admin, ASKED)).proof["retention"]
    assert found == {"horizon": midnight.isoformat(), "rows": 8}
    at = {"subscription": "seller-1/orders", "dataset": "trades"}
    assert metrics.registry.get_sample_value("cairn_push_retention_rows_total", at) == 8


async def test_clock_that_runs_ahead_deletes_nothing_of_days_to_come(session: Session, ledger: Ledger) -> None:
    """The worker's is ten years ahead of the server's."""
    ahead = await ledger.clock() + 3650 * 86400
    (there,) = (await session.fetch("SELECT UTC_TIMESTAMP() + INTERVAL 8 HOUR"))[0]
    await put(session, 1, "taobao001", there - timedelta(days=29))
    await Retention(30, ASKED.datasets, ASKED.shops, ledger, Metrics("a/b"), lambda: ahead).once()
    assert await keys(session) == {1}


async def test_login_may_delete_only_where_and_while_records_are_kept_for_less_than_ever(
    mysql: MySQL, session: Session, ledger: Ledger
) -> None:
    engine, for_ever = MySQLPush(), replace(ASKED, expiring=())
    assert (await engine.look(mysql.admin, ASKED)).granted
    assert not (await engine.look(mysql.admin, for_ever)).granted
    await ledger._fetch("DELETE FROM sys_info.jdp_tb_trade", ())
    for table in ("jdp_tb_item", "jdp_audit", "jdp_backfill", "jdp_retention", "jdp_quarantine", "jdp_cursor"):
        with pytest.raises(WriteError):
            await ledger._fetch(f"DELETE FROM sys_info.{table}", ())
    await engine.settle(mysql.admin, for_ever)
    assert (await engine.look(mysql.admin, for_ever)).granted
    await ledger.close()
    with pytest.raises(WriteError):
        await ledger._fetch("DELETE FROM sys_info.jdp_tb_trade", ())

# SPDX-License-Identifier: Apache-2.0
"""Servers that come back without what they had told to be safe: the proof finds what is gone, and brings it in."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Iterator

import pytest

from cairn.sql.postgresql import Connection, Target, connect
from data.plane import CONSUMER, SUBJECTS, Plane
from data.proof.platform import Platform, hours_ago, order
from data.proof.test_proof import proven, rows, until
from data.servers import PostgreSQL


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    """Of its own: nobody else is to lose what this one loses."""
    server = PostgreSQL("")
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="module")
def admin(postgresql: PostgreSQL) -> Target:
    return Target("localhost", postgresql.port, "postgres", "postgres", "secret", postgresql.ca, address="127.0.0.1")


async def test_commits_that_a_failover_lost_are_brought_in_again(
    platform: Platform, plane: Plane, postgresql: PostgreSQL, database: Target
) -> None:
    """Nobody delivers them again, and their hour was found to be right before."""
    worker = platform.worker(historyDays=1)
    worker.start()
    platform.take(order(tid, hours_ago(3, seconds=tid)) for tid in range(1, 101))
    conn = await connect(database)
    await until("all stand", lambda: stand(conn, platform.truth()))
    await proven(conn, 1, missing=0)
    standby = await asyncio.to_thread(postgresql.copy)
    platform.take(order(tid, hours_ago(3, minutes=5), status="TRADE_CLOSED") for tid in range(51, 151))
    await until("all stand", lambda: stand(conn, platform.truth()))
    await plane.drained()
    highest = await conn.fetchval("SELECT max(jdp_seq) FROM sys_info.jdp_tb_trade")
    await conn.close()

    postgresql.fail_over(standby)

    conn = await connect(database)
    assert len(await rows(conn)) == 100
    platform.take([order(999, hours_ago(0))])
    await until("what was lost stands again", lambda: stand(conn, platform.truth()), 60)
    again = await conn.fetchval("SELECT min(jdp_seq) FROM sys_info.jdp_tb_trade WHERE tid > 50")
    assert again > highest, "a reader that was beyond a number does not look there again"
    assert worker.metric("cairn_push_fell_back_total", dataset="trades") == 1
    await conn.close()


async def test_records_that_the_bus_lost_are_brought_in_again(
    platform: Platform, plane: Plane, database: Target
) -> None:
    """They were accepted while the worker was slow; then the bus comes back from a backup from before."""
    worker = platform.worker(historyDays=1)
    worker.start()
    platform.take(order(tid, hours_ago(3, seconds=tid)) for tid in range(1, 101))
    conn = await connect(database)
    await until("all stand", lambda: stand(conn, platform.truth()))
    await proven(conn, 1, missing=0)
    assert worker.process is not None
    worker.process.send_signal(signal.SIGSTOP)
    plane.bus.server.kill()  # or what comes would be on its way already
    plane.bus.server.start()
    platform.take(order(tid, hours_ago(3, minutes=5), status="TRADE_CLOSED") for tid in range(51, 151))
    await until("all are accepted", lambda: asyncio.to_thread(platform.truth))
    plane.bus.server.kill()
    shutil.rmtree(plane.bus.server.config.parent / "store")
    plane.bus.server.start()
    await plane.bus.prepare((CONSUMER, SUBJECTS))
    worker.process.send_signal(signal.SIGCONT)
    await until("what was lost stands again", lambda: stand(conn, platform.truth()), 60)
    await conn.close()


async def stand(conn: Connection, truth: dict[int, str]) -> bool:
    return bool(truth) and await rows(conn) == truth

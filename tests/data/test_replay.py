# SPDX-License-Identifier: Apache-2.0
"""What the database refused is tried again, with real processes, bus and database."""

from __future__ import annotations

import asyncio
import signal

from cairn.sql.postgresql import Connection
from cairn.worker.apply import MAX_REFUSED_PER_MINUTE
from data.plane import Plane, trade
from data.servers import until

WHEN = "2026-11-11 00:00:00"
REFUSE = "ALTER TABLE sys_info.jdp_tb_trade ADD CONSTRAINT cheap CHECK (status <> 'CLOSED') NOT VALID"
MEND = "ALTER TABLE sys_info.jdp_tb_trade DROP CONSTRAINT cheap"
STATES = "SELECT object_key::int, state FROM sys_info.jdp_quarantine ORDER BY 1"


async def holds(conn: Connection, query: str, value: object) -> None:
    """Wait until it does."""
    found = None
    try:
        async with asyncio.timeout(45):
            while (found := await conn.fetchval(query)) != value:  # noqa: ASYNC110 -- another process
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{query}: {found}, not {value}") from None


async def test_refused_records_of_all_batches_stand_once_the_fault_that_held_the_lane_is_gone(
    plane: Plane, conn: Connection
) -> None:
    worker = plane.worker()
    worker.start()
    await conn.execute(REFUSE)
    for tid in range(1, MAX_REFUSED_PER_MINUTE + 1):
        await plane.deliver([trade(tid, WHEN, "CLOSED")])
    await holds(conn, "SELECT count(*) FROM sys_info.jdp_quarantine WHERE state = 'open'", MAX_REFUSED_PER_MINUTE)
    await plane.drained()
    await plane.deliver([trade(99, WHEN, "CLOSED")])
    await asyncio.to_thread(until, "the lane is held", lambda: worker.metric("cairn_push_breaker_state") == 1)
    await conn.execute(MEND)
    await plane.drained(40)
    await holds(conn, "SELECT count(*) FROM sys_info.jdp_tb_trade", MAX_REFUSED_PER_MINUTE + 1)
    await holds(conn, "SELECT count(*) FROM sys_info.jdp_quarantine WHERE state = 'open'", 0)


async def test_refused_records_are_tried_again_at_the_start_and_never_beat_newer_ones(
    plane: Plane, conn: Connection
) -> None:
    worker = plane.worker()
    worker.start()
    await conn.execute(REFUSE)
    await plane.deliver([trade(1, WHEN, "CLOSED"), trade(2, WHEN, "CLOSED"), trade(3, WHEN, "CLOSED", title="third")])
    await plane.deliver([trade(2, WHEN, "PAID")])
    await plane.drained()
    assert await conn.fetchval("SELECT array_agg(tid) FROM sys_info.jdp_tb_trade") == [2]
    worker.stop(signal.SIGKILL)
    await conn.execute(MEND)
    await conn.execute("ALTER TABLE sys_info.jdp_tb_trade ADD CONSTRAINT other CHECK (tid <> 3)")
    plane.worker().start()
    newest = "SELECT attempts FROM sys_info.jdp_quarantine WHERE object_key = '3' AND error_text LIKE '%other%'"
    await holds(conn, newest, 2)
    rows = await conn.fetch("SELECT tid, status FROM sys_info.jdp_tb_trade ORDER BY tid")
    assert [tuple(row) for row in rows] == [(1, "CLOSED"), (2, "PAID")]
    assert [tuple(row) for row in await conn.fetch(STATES)] == [(1, "retried"), (2, "retried"), (3, "open")]

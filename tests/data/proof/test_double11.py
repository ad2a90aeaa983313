# SPDX-License-Identifier: Apache-2.0
"""Double 11 in small: four versions of each order, late, twice, shuffled; a worker that dies, pushes that get lost."""

from __future__ import annotations

import asyncio
import signal

from cairn.sql.postgresql import Connection
from data.plane import Plane
from data.proof.platform import Platform
from data.proof.test_proof import rows, until

ORDERS = 400
COMPARED = "SELECT count(*) > 180 FROM sys_info.jdp_audit WHERE table_name = 'jdp_tb_trade'"
REPAIRED = "SELECT sum(repaired) FROM sys_info.jdp_audit WHERE table_name = 'jdp_tb_trade'"
LEFT = "SELECT sum(missing + stale + wrong) FROM sys_info.jdp_audit WHERE sent <> stood OR missing + stale + wrong > 0"


async def test_what_was_never_pushed_is_found_and_mended(platform: Platform, plane: Plane, conn: Connection) -> None:
    worker = platform.worker(historyDays=8, maxRowsPerSecond=100_000)
    worker.start()
    await until("all hours are compared while there is nothing", lambda: conn.fetchval(COMPARED))
    platform.play(ORDERS, withhold=0.1)

    async def begun() -> bool:
        return len(await rows(conn)) > ORDERS // 4

    await until("orders stand", begun)
    worker.stop(signal.SIGKILL)
    worker.start()

    async def told() -> bool:
        return len(await asyncio.to_thread(platform.truth)) == ORDERS

    await until("all is pushed", told)
    await plane.drained(seconds=30)
    truth, stood = platform.truth(), await rows(conn)
    lost = {tid for tid in truth if stood.get(tid) != truth[tid]}
    assert ORDERS // 20 < len(lost) < ORDERS // 4, "what is withheld does not stand"

    worker.stop(signal.SIGKILL)
    await conn.execute("DELETE FROM sys_info.jdp_audit")
    worker.start()

    async def mended() -> bool:
        return await rows(conn) == truth

    await until("the database has what the platform has", mended)
    await until("the book is complete", lambda: conn.fetchval(COMPARED))
    assert await conn.fetchval(REPAIRED) == len(lost), "and nothing else was touched"
    assert await conn.fetchval(LEFT) is None

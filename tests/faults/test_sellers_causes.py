# SPDX-License-Identifier: Apache-2.0
"""Why 13 of 13 big sellers lost orders in 2012, and that none of it loses one here."""

from __future__ import annotations

import asyncio
import random
import signal

import pytest

from cairn.sql.postgresql import Connection
from faults.oracle.sender import order
from faults.oracle.truth import Sent
from faults.proxy import Proxy
from faults.run import Run


async def test_consumer_is_upgraded_in_the_middle(run: Run) -> None:
    """4 of 13: a restart lost what was in hand. Here the next one starts first, and the old one ends well or not."""
    running = run.worker()
    running.start()
    run.start_load(seed=61)
    for how in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
        await run.accepted(200)
        upgraded = run.worker()
        upgraded.start()
        await run.accepted(60)
        running.stop(how)
        running = upgraded
    await run.accepted(100)
    await run.judge()


@pytest.mark.parametrize("which", ["database", "bus"])
async def test_answers_are_too_large_or_too_slow(run: Run, which: str) -> None:
    """1 of 13: a large answer ran into a timeout, and all of it was lost. Orders of up to 400 KB, a way of 100 ms."""
    run.worker().start()
    run.start_load(seed=62, threads=1)
    randomly = random.Random(62)
    getattr(run, which).delay = 0.1
    for number in range(20):
        key, modified = 1_000_000 + number % 7, f"2026-11-11 00:00:{number:02d}"
        line = order(key, modified, f"L{number}", pad="x" * randomly.randrange(100_000, 400_000))
        await asyncio.to_thread(run.sender.deliver, [Sent(key, modified, line)])
    getattr(run, which).delay = 0.0
    await run.judge()


async def test_orders_come_in_reverse_and_in_time_slices(run: Run, conn: Connection) -> None:
    """7 of 13: who pages through a list that grows, newest first, skips; who cuts time into slices loses the edges.

    What is handed in like that, slices in any order, edges in both and each backwards, stands whole all the same.
    """
    moments = [f"2026-11-11 00:00:{second:02d}" for second in range(50)]
    # an order's version is newer than the one before by a second or by nothing, as at the edge of a slice
    told = [
        Sent(key, moments[(key + version // 2) % 50], order(key, moments[(key + version // 2) % 50], f"R{version}"))
        for version in range(4)
        for key in range(1, 121)
    ]
    slices = [
        [one for one in told if moments[at] <= one.modified <= moments[min(at + 10, 49)]] for at in range(0, 50, 10)
    ]
    random.Random(63).shuffle(slices)
    run.worker().start()
    for one in slices:
        for at in range(len(one), 0, -25):
            await asyncio.to_thread(run.sender.deliver, one[max(0, at - 25) : at][::-1])
    await run.judge()
    assert await conn.fetchval("SELECT count(*) FROM sys_info.jdp_tb_trade") == 120


async def test_network_breaks_everywhere_again_and_again(run: Run) -> None:
    """1 of 13. From the platform to the gateway, from the bus to the worker, from the worker to the database."""
    platform = Proxy(run.sender.port)
    run.sender.port = platform.port
    try:
        run.worker().start()
        run.start_load(seed=64)
        randomly = random.Random(64)
        ways = [platform, run.bus, run.database]
        for _ in range(4):
            await run.accepted(60)
            for way in randomly.sample(ways, 2):
                way.cut()
            broken = randomly.choice(ways)
            broken.refuse = True
            broken.cut()
            if broken is platform:
                await run.unanswered()
            else:
                await run.accepted(60)
            broken.refuse = False
        await run.accepted(60)
        await run.judge()
    finally:
        platform.close()

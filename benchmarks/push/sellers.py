# SPDX-License-Identifier: Apache-2.0
"""Many sellers on one server: a writer and a database each, all at once, the same number of rows altogether."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from statistics import median

from ground import TRADES, batches, seller

from cairn.sql.postgresql import Connection, Target
from cairn.sql.push.postgresql.writer import Writer
from cairn.sql.push.rows import Row

BATCH = 500
"""What a seller's lane has at hand: a wide fleet has small batches."""


async def _lane(writer: Writer, work: Sequence[Sequence[Row]]) -> None:
    for batch in work:
        await writer.write(batch, ())


async def measure(admin: Target, count: int, sellers: int, rounds: int) -> float:
    """Rows a second of all together."""
    grounds = [await seller(admin, f"seller{sellers}x{number}") for number in range(sellers)]
    writers = [Writer(lambda target=target: target, TRADES, "bench") for target, _ in grounds]  # type: ignore[misc]
    work = batches(count // sellers, BATCH, 1)
    rates = []
    for writer in writers:
        await writer.open()
    for _ in range(rounds):
        for _, conn in grounds:
            await conn.execute("TRUNCATE sys_info.jdp_tb_trade")
        await grounds[0][1].execute("CHECKPOINT")
        begun = time.perf_counter()
        await asyncio.gather(*(_lane(writer, work) for writer in writers))
        rates.append(count // sellers * sellers / (time.perf_counter() - begun))
    for writer in writers:
        await writer.close()
    await _gone([conn for _, conn in grounds])
    return median(rates)


async def _gone(conns: Sequence[Connection]) -> None:
    for conn in conns:
        await conn.close()

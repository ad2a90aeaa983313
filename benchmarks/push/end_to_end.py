# SPDX-License-Identifier: Apache-2.0
"""Gateway, bus, one worker and the database as processes on loopback, from the HTTP request to the row.

First as fast as it goes: orders of about 1.2 KB, three versions each, shuffled, over four connections, until every
message is acknowledged. Then at a steady pace for the latency, as a reader sees it that LISTENs.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import quantiles
from typing import Any

import aiohttp
from ground import SHOPS, seller

from cairn.api.signing import signature
from cairn.datasets import shipped
from cairn.sql.postgresql import Connection, Target
from cairn.sql.push.postgresql.schema import ensure_schema
from cairn.sql.roles import ensure_role, grant_push
from data.bus import Bus
from data.plane import CONSUMER, KEY, SUBJECTS, Plane, Program, trade
from data.servers import scratch

VERSIONS, BATCH = 3, 300
PATH = "/v1/push/2088/55501/trades"
PACE = 50
"""Requests of one order a second, for the latency."""


def bodies(orders: int) -> list[bytes]:
    padding = {f"field_{number}": "x" * 20 for number in range(28)}
    lines = [
        trade(10**6 + order, f"2026-11-11 0{version}:00:00", f"S{version}", **padding)
        for order in range(orders)
        for version in range(VERSIONS)
    ]
    random.Random(1).shuffle(lines)
    return [b"\n".join(lines[at : at + BATCH]) for at in range(0, len(lines), BATCH)]


async def post(session: aiohttp.ClientSession, url: str, body: bytes) -> None:
    """Until it is accepted: where the gateway asks for patience, the wait is part of what is measured."""
    while wait := await _wait_asked(session, url, body):  # noqa: ASYNC110 - the gateway has no event of ours
        await asyncio.sleep(wait)


async def _wait_asked(session: aiohttp.ClientSession, url: str, body: bytes) -> float:
    """Seconds; 0 where the request was accepted."""
    stamp = str(int(time.time()))
    signed = signature(KEY.encode(), "POST", PATH, stamp, body)
    headers = {"X-Cairn-Timestamp": stamp, "X-Cairn-Signature": signed}
    async with session.post(url + PATH, data=body, headers=headers) as response:
        if response.status == 202:
            return 0.0
        if "Retry-After" not in response.headers:
            raise RuntimeError(await response.text())
        return float(response.headers["Retry-After"])


async def _posts(session: aiohttp.ClientSession, url: str, work: Iterator[bytes]) -> None:
    for body in work:
        await post(session, url, body)


def rss_mib(program: Program) -> int:
    assert program.process is not None
    status = Path(f"/proc/{program.process.pid}/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) // 1024


async def _latencies(plane: Plane, url: str, conn: Connection, seconds: float) -> list[float]:
    """From the beginning of the request until a reader that listens has fetched the row."""
    sent: dict[int, float] = {}
    took: list[float] = []
    news = asyncio.Event()
    last = await conn.fetchval("SELECT max(jdp_seq) FROM sys_info.jdp_tb_trade")
    await conn.add_listener("jdp_tb_trade", lambda *_: news.set())

    async def read(count: int) -> None:
        nonlocal last
        while len(took) < count:
            await news.wait()
            news.clear()
            rows = await conn.fetch(
                "SELECT tid, jdp_seq FROM sys_info.jdp_tb_trade WHERE jdp_seq > $1 ORDER BY 2", last
            )
            took.extend(time.perf_counter() - sent[row["tid"]] for row in rows)
            last = rows[-1]["jdp_seq"] if rows else last

    count = int(seconds * PACE)
    async with aiohttp.ClientSession() as session, asyncio.timeout(seconds * 4), asyncio.TaskGroup() as group:
        group.create_task(read(count))
        begun = time.perf_counter()
        for number in range(count):
            await asyncio.sleep(max(0.0, begun + number / PACE - time.perf_counter()))
            sent[number + 1] = time.perf_counter()
            group.create_task(post(session, url, trade(number + 1, "2026-11-11 00:00:00")))
    return took


async def measure(admin: Target, orders: int, seconds: float) -> dict[str, Any]:
    database, conn = await seller(admin, "end_to_end")
    datasets = tuple(shipped().values())
    await ensure_schema(conn, datasets, SHOPS)
    await ensure_role(conn, "push", password="push")
    await grant_push(conn, database.database, "push", tuple(dataset.table for dataset in datasets))
    homes = scratch("bus"), scratch("plane")
    bus = Bus.prepared(homes[0])
    bus.server.start()
    await bus.prepare((CONSUMER, SUBJECTS), max_bytes=2**32)
    plane = Plane(database, replace(database, user="push", password="push"), homes[1], bus=bus)
    try:
        plane.gateway.start()
        worker = plane.worker()
        worker.start()
        worker.ready()
        url, work = f"http://127.0.0.1:{plane.gateway.port}", iter(bodies(orders))
        start, begun = rss_mib(worker), time.perf_counter()
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(_posts(session, url, work))
        await plane.drained(900)
        rate = orders * VERSIONS / (time.perf_counter() - begun)
        await _newest(conn, orders)
        parts = quantiles(await _latencies(plane, url, conn, seconds), n=100)
        speed = {"http_to_row_per_s": rate, "p50_s": parts[49], "p99_s": parts[98]}
        return {"end_to_end": speed, "rss_mib": {"start": start, "end": rss_mib(worker)}}
    finally:
        plane.close()
        bus.server.kill()
        await conn.close()
        for home in homes:
            shutil.rmtree(home, ignore_errors=True)


async def _newest(conn: Connection, orders: int) -> None:
    query = "SELECT count(*), count(*) FILTER (WHERE status = $1) FROM sys_info.jdp_tb_trade"
    rows, newest = await conn.fetchrow(query, f"S{VERSIONS - 1}") or (0, 0)
    if (rows, newest) != (orders, orders):
        raise RuntimeError(f"{rows} rows, {newest} of them newest, of {orders} orders")

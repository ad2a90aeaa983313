# SPDX-License-Identifier: Apache-2.0
"""Gateway, bus, one worker and the database as processes on loopback: `python benchmarks/push/end_to_end.py`.

Orders of about 1.2 KB, three versions each, shuffled, sent over four connections. Ends when every message is
acknowledged, and says what each process used.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import aiohttp

TREE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TREE / part) for part in ("operator", "tests", "tests/devcluster")]

from cairn.api.signing import signature  # noqa: E402
from cairn.datasets import shipped  # noqa: E402
from cairn.sql.postgresql import Target, connect  # noqa: E402
from cairn.sql.push.postgresql.schema import ensure_schema  # noqa: E402
from cairn.sql.roles import ensure_database, ensure_role, grant_push  # noqa: E402
from data.bus import Bus  # noqa: E402
from data.plane import CONSUMER, KEY, SHOPS, SUBJECTS, Plane, Program, trade  # noqa: E402
from data.servers import PostgreSQL, scratch  # noqa: E402

VERSIONS = 3
PATH = "/v1/push/2088/55501/trades"


def bodies(orders: int, batch: int) -> list[bytes]:
    padding = {f"field_{number}": "x" * 20 for number in range(28)}
    lines = [
        trade(10**6 + order, f"2026-11-11 0{version}:00:00", f"S{version}", **padding)
        for order in range(orders)
        for version in range(VERSIONS)
    ]
    random.Random(1).shuffle(lines)
    return [b"\n".join(lines[at : at + batch]) for at in range(0, len(lines), batch)]


async def post(session: aiohttp.ClientSession, url: str, work: Iterator[bytes]) -> None:
    for body in work:
        stamp = str(int(time.time()))
        signed = signature(KEY.encode(), "POST", PATH, stamp, body)
        headers = {"X-Cairn-Timestamp": stamp, "X-Cairn-Signature": signed}
        async with session.post(url + PATH, data=body, headers=headers) as response:
            if response.status != 202:
                raise RuntimeError(await response.text())


def used(program: Program) -> str:
    assert program.process is not None
    fields = Path(f"/proc/{program.process.pid}/stat").read_text().split()
    peak = next(line for line in Path(f"/proc/{program.process.pid}/status").read_text().splitlines() if "HWM" in line)
    seconds = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    return f"{program.name}: {seconds:.1f} s of CPU, at most {int(peak.split()[1]) // 1024} MiB"


async def measure(server: PostgreSQL, bus: Bus, home: Path, orders: int, batch: int) -> None:
    admin = Target("localhost", server.port, "postgres", "postgres", "secret", server.ca, address="127.0.0.1")
    conn = await connect(admin)
    await ensure_role(conn, "owner", password="x")
    await ensure_database(conn, "shop", "owner")
    await conn.close()
    database = replace(admin, database="shop")
    conn = await connect(database)
    datasets = tuple(shipped().values())
    await ensure_schema(conn, datasets, SHOPS)
    await ensure_role(conn, "push", password="push")
    await grant_push(conn, "shop", "push", tuple(dataset.table for dataset in datasets))
    await bus.prepare((CONSUMER, SUBJECTS), max_bytes=2**32)
    plane = Plane(bus, database, replace(database, user="push", password="push"), home)
    try:
        plane.gateway.start()
        worker = plane.worker()
        worker.start()
        worker.ready()
        work = iter(bodies(orders, batch))
        begun = time.monotonic()
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(post(session, f"http://127.0.0.1:{plane.gateway.port}", work))
        accepted = time.monotonic() - begun
        await plane.drained(900)
        landed = time.monotonic() - begun
        stale = await conn.fetchval("SELECT count(*) FROM sys_info.jdp_tb_trade WHERE status <> 'S2'")
        rows = await conn.fetchval("SELECT count(*) FROM sys_info.jdp_tb_trade")
        count = orders * VERSIONS
        print(f"accepted {count / accepted:,.0f} records/s, landed {count / landed:,.0f} records/s in {landed:.1f} s")
        print(f"{rows} of {orders} rows, {stale} not at their newest version")
        print(f"{used(plane.gateway)}\n{used(worker)}")
    finally:
        plane.close()
        await conn.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the data plane end to end.")
    parser.add_argument("--orders", type=int, default=160_000)
    parser.add_argument("--batch", type=int, default=300)
    args = parser.parse_args()
    server, homes = PostgreSQL(), [scratch("bus"), scratch("plane")]
    bus = Bus.prepared(homes[0])
    try:
        server.start()
        bus.server.start()
        asyncio.run(measure(server, bus, homes[1], args.orders, args.batch))
    finally:
        bus.server.kill()
        server.remove()
        for home in homes:
            shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()

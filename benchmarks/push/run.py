# SPDX-License-Identifier: Apache-2.0
"""The writer against what PostgreSQL can do at all, in one run on one server: `python benchmarks/push/run.py`.

New rows: against COPY of the same rows, in the same order, into the same table with the same indexes. Updates: against
an unguarded UPDATE … FROM a stage of the same rows. Each round takes turns; the medians and their ratio are printed.
All sessions stand before a round begins.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TREE / part) for part in ("operator", "tests", "tests/devcluster")]

from cairn.bus.pack import digest  # noqa: E402
from cairn.datasets import shipped  # noqa: E402
from cairn.sql.postgresql import Connection, Target, connect  # noqa: E402
from cairn.sql.push.postgresql.schema import ensure_schema  # noqa: E402
from cairn.sql.push.postgresql.writer import Writer  # noqa: E402
from cairn.sql.push.rows import Row  # noqa: E402
from cairn.sql.roles import ensure_database, ensure_role  # noqa: E402
from data.servers import PostgreSQL  # noqa: E402

TRADES = shipped()["trades"]
START = datetime(2026, 11, 11)  # noqa: DTZ001
PADDING = "x" * 1000


def batches(count: int, size: int, version: int) -> list[list[Row]]:
    """Orders of about 1.2 KB, by key."""
    made = []
    for key in range(count):
        payload = json.dumps({"trade_fullinfo_get_response": {"trade": {"tid": key, "v": version, "x": PADDING}}})
        modified = START + timedelta(seconds=version)
        hashed = digest(payload.encode()).hex()
        values = (key, f"S{version}", "fixed", "taobao001", f"buyer{key}", START, modified, hashed, payload)
        made.append(Row(key, (modified, version, hashed), values, ("s", version, 0)))
    return [made[at : at + size] for at in range(0, count, size)]


class Bench:
    """One server, one table."""

    def __init__(self, target: Target, conn: Connection, count: int, size: int) -> None:
        self._conn, self._count = conn, count
        self._writer = Writer(lambda: target, TRADES, "bench")
        self._new, self._newer = batches(count, size, 1), batches(count, size, 2)
        self._columns = [name for name in TRADES.column_names if name not in ("jdp_created", "jdp_modified")]

    async def timed(self, work: Callable[[], Awaitable[None]], *, empty: bool) -> float:
        """Rows a second. The table is empty, or holds the first version of every row, as a plain COPY leaves it."""
        await self._conn.execute("TRUNCATE sys_info.jdp_tb_trade")
        if not empty:
            await self.copy()
        await self._conn.execute("CHECKPOINT")
        begun = time.perf_counter()
        await work()
        return self._count / (time.perf_counter() - begun)

    async def copy(self) -> None:
        columns = [*self._columns, "jdp_created", "jdp_modified"]
        for number, batch in enumerate(self._new):
            first = number * len(batch)
            records = [(*r.values, r.order[1], first + at, START, START) for at, r in enumerate(batch)]
            await self._conn.copy_records_to_table(
                "jdp_tb_trade", schema_name="sys_info", columns=columns, records=records
            )

    async def update(self) -> None:
        """Unguarded, but every column is written, jdp_seq and jdp_modified too: the indexes have the same work."""
        names = [name for name in self._columns if name != "tid"]
        await self._conn.execute(
            "CREATE TEMPORARY TABLE IF NOT EXISTS bench (LIKE sys_info.jdp_tb_trade) ON COMMIT DELETE ROWS"
        )
        sets = ", ".join(f"{name} = s.{name}" for name in (*names, "jdp_modified"))
        for number, batch in enumerate(self._newer):
            first = self._count + number * len(batch)
            moment = START + timedelta(hours=1)
            records = [
                (*r.values, r.order[1], first + at, moment + at * timedelta(microseconds=1))
                for at, r in enumerate(batch)
            ]
            async with self._conn.transaction():
                columns = [*self._columns, "jdp_modified"]
                await self._conn.copy_records_to_table("bench", columns=columns, records=records)
                await self._conn.execute(
                    f"UPDATE sys_info.jdp_tb_trade t SET {sets} FROM pg_temp.bench s WHERE t.tid = s.tid"
                )

    async def writer(self, work: Sequence[Sequence[Row]]) -> None:
        for batch in work:
            await self._writer.write(batch, ())

    async def run(self, rounds: int) -> dict[str, float]:
        contests: dict[str, tuple[Callable[[], Awaitable[None]], bool]] = {
            "copy": (self.copy, True),
            "writer, new rows": (lambda: self.writer(self._new), True),
            "unguarded update": (self.update, False),
            "writer, updates": (lambda: self.writer(self._newer), False),
        }
        rates: dict[str, list[float]] = {name: [] for name in contests}
        await self._writer.open()
        for _ in range(rounds):
            for name, (work, empty) in contests.items():
                rates[name].append(await self.timed(work, empty=empty))
        await self._writer.close()
        return {name: statistics.median(found) for name, found in rates.items()}


async def measure(count: int, size: int, rounds: int) -> None:
    server = PostgreSQL()
    try:
        server.start()
        admin = Target("localhost", server.port, "postgres", "postgres", "secret", server.ca, address="127.0.0.1")
        conn = await connect(admin)
        await ensure_role(conn, "owner", password="x")
        await ensure_database(conn, "shop", "owner")
        await conn.close()
        target = replace(admin, database="shop")
        conn = await connect(target, statement_timeout_ms=120_000, cached_statements=50)
        await ensure_schema(conn, (TRADES,), {"55501": "taobao001"})
        found = await Bench(target, conn, count, size).run(rounds)
        await conn.close()
    finally:
        server.remove()
    for name, rate in found.items():
        print(f"{name:20} {rate:10,.0f} rows/s")
    print(f"new rows / copy      {found['writer, new rows'] / found['copy']:10.2f}   target 0.95")
    print(f"updates / unguarded  {found['writer, updates'] / found['unguarded update']:10.2f}   target 0.90")


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the writer with bare PostgreSQL.")
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--batch", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    asyncio.run(measure(args.rows, args.batch, args.rounds))


if __name__ == "__main__":
    main()

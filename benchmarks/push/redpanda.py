# SPDX-License-Identifier: Apache-2.0
"""The same orders from JSON to rows, by Cairn and by Redpanda Connect, in turns, on one table of one server.

Connect reads lines of a file, maps them and inserts with `sql_insert`, without a guard and with one that is as Cairn's
(ON CONFLICT … WHERE the triple is newer); it gives no numbers in the order of commits and puts no poison aside. Cairn
takes packs from memory, decodes them and writes with one writer. What Connect takes to start and end is subtracted.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from ground import SHOPS, TRADES, seller

from cairn.bus.interface import Message
from cairn.bus.pack import Pack, Record, digest, encode, split
from cairn.sql.postgresql import Connection, Target
from cairn.sql.push.postgresql.writer import Writer
from cairn.sql.push.rows import newest
from cairn.worker.decode import Decoder, Place
from cairn_devcluster import modules
from data.plane import trade

MODIFIED = datetime(2026, 11, 11, 1, tzinfo=UTC)
"""The platform's wall clock, as if it were UTC."""
SUBJECT = "push.2088.55501.trades"
STATEMENT = 1000
"""Rows of a statement of Connect's: 250 and 3,000 were no faster. PostgreSQL takes 65,535 parameters, 13 a row."""
COLUMNS = [column.name for column in TRADES.columns]
STORED = [*COLUMNS, "jdp_hashcode", "jdp_response", "jdp_version", "jdp_created", "jdp_modified", "jdp_seq"]
MAPPING = f"""
let t = this.trade_fullinfo_get_response.trade
let now = now().ts_format("2006-01-02 15:04:05.000000", "UTC")
let hash = content().hash("sha256").encode("hex").slice(0, 32)
root = [ {", ".join(f"$t.{name}" for name in COLUMNS)}, $hash, content().string(), 0, $now, $now, $t.tid ]
"""
TRIPLE = ("modified", "jdp_version", "jdp_hashcode")
KEPT = [name for name in STORED if name not in ("tid", "jdp_created")]
GUARD = (
    f"ON CONFLICT (tid) DO UPDATE SET {', '.join(f'{name} = EXCLUDED.{name}' for name in KEPT)}"
    f" WHERE ({', '.join(f'jdp_tb_trade.{name}' for name in TRIPLE)})"
    f" < ({', '.join(f'EXCLUDED.{name}' for name in TRIPLE)})"
)


class Bench:
    def __init__(self, target: Target, conn: Connection, orders: int, batch: int, home: Path) -> None:
        self._target, self._conn, self._orders, self._batch, self._home = target, conn, orders, batch, home
        padding = {f"field_{number}": "x" * 20 for number in range(28)}
        lines = [trade(1 + key, f"{MODIFIED:%Y-%m-%d %H:%M:%S}", **padding) for key in range(orders)]
        (home / "orders").write_bytes(b"\n".join(lines) + b"\n")
        (home / "none").touch()
        records = [Record(1 + key, int(MODIFIED.timestamp()), 0, digest(line), line) for key, line in enumerate(lines)]
        self._packs = [encode(Pack(SUBJECT, 0, part)) for part in split(records)]
        self._writer = Writer(lambda: target, TRADES, "bench")

    async def cairn(self) -> float:
        await self._empty()
        await self._writer.open()
        decoder, rows = Decoder(TRADES, SHOPS), []
        begun = time.perf_counter()
        for number, data in enumerate(self._packs, 1):
            message = Message(SUBJECT, data, "", number, number, redelivered=False)
            rows += decoder.message(message, Place("PUSH", 1, number)).rows
            if len(rows) >= self._batch or number == len(self._packs):
                await self._writer.write(newest(rows), ())
                rows = []
        took = time.perf_counter() - begun
        await self._writer.close()
        await self._whole()
        return self._orders / took

    async def connect(self, connections: int, suffix: str) -> float:
        await self._empty()
        idle = await asyncio.to_thread(self._run, "none", connections, suffix)
        took = await asyncio.to_thread(self._run, "orders", connections, suffix)
        await self._whole()
        return self._orders / (took - idle)

    def _run(self, lines: str, connections: int, suffix: str) -> float:
        """Seconds of the whole process."""
        at = self._target
        config = {
            "http": {"enabled": False},
            "logger": {"level": "ERROR"},
            "input": {"file": {"paths": [str(self._home / lines)], "scanner": {"lines": {}}}},
            "output": {
                "sql_insert": {
                    "driver": "postgres",
                    "dsn": f"postgres://{at.user}:{at.password}@{at.address}:{at.port}/{at.database}?sslmode=require",
                    "table": "sys_info.jdp_tb_trade",
                    "columns": STORED,
                    "args_mapping": MAPPING,
                    "suffix": suffix,
                    "max_in_flight": connections,
                    "batching": {"count": STATEMENT, "period": "1s"},
                }
            },
        }
        file = self._home / "connect.json"
        file.write_text(json.dumps(config))
        begun = time.perf_counter()
        done = subprocess.run([_program(), "run", file], capture_output=True, text=True, check=False, timeout=300)
        took = time.perf_counter() - begun
        if done.returncode or "level=error" in done.stdout + done.stderr:
            raise RuntimeError(f"Redpanda Connect: {(done.stdout + done.stderr)[-2000:]}")
        return took

    async def _empty(self) -> None:
        await self._conn.execute("TRUNCATE sys_info.jdp_tb_trade")
        await self._conn.execute("CHECKPOINT")

    async def _whole(self) -> None:
        if await self._conn.fetchval("SELECT count(*) FROM sys_info.jdp_tb_trade") != self._orders:
            raise RuntimeError("not all rows stand")


def _program() -> Path:
    return modules.PEER.directory() / modules.PEER.targets[0][1]


async def measure(admin: Target, orders: int, batch: int, rounds: int) -> dict[str, Any] | None:
    """Medians of rows a second. None where Redpanda Connect could not be built."""
    if not modules.PEER.built():
        return None
    target, conn = await seller(admin, "peer")
    with TemporaryDirectory() as home:
        bench = Bench(target, conn, orders, batch, Path(home))
        works: dict[str, Callable[[], Awaitable[float]]] = {
            "cairn": bench.cairn,
            "unguarded_1": lambda: bench.connect(1, ""),
            "guarded_1": lambda: bench.connect(1, GUARD),
            "guarded_4": lambda: bench.connect(4, GUARD),
        }
        rates: dict[str, list[float]] = {name: [] for name in works}
        for number in range(rounds):
            for name in list(works) if number % 2 == 0 else reversed(works):
                rates[name].append(await works[name]())
    await conn.close()
    found = {name: median(rate) for name, rate in rates.items()}
    return {f"{name}_rows_per_s": rate for name, rate in found.items()} | {
        "ratio_to_guarded_1": found["cairn"] / found["guarded_1"]
    }

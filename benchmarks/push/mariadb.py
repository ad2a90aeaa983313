# SPDX-License-Identifier: Apache-2.0
"""The writer against what MariaDB can do at all, in turns, on one table of one server that flushes at each COMMIT.

New rows: against INSERT of the same rows in statements of the same size, and against LOAD DATA LOCAL from a file that
lies ready. Updates: against an unguarded INSERT … ON DUPLICATE KEY UPDATE. One connection each.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pymysql
from ground import SHOPS, START, TRADES, batches

from cairn.sql.push.engine import Asked
from cairn.sql.push.mysql.engine import MySQLPush
from cairn.sql.push.mysql.writer import Writer, parts
from cairn.sql.push.rows import Row
from cairn_devcluster import databases
from data.engines.servers import MySQL, present
from data.servers import scratch

MICROSECOND = timedelta(microseconds=1)
TABLE = "sys_info.jdp_tb_trade"
VALUES = (*(column.name for column in TRADES.columns), "jdp_hashcode", "jdp_response")
COLUMNS = (*VALUES, "jdp_version", "jdp_created", "jdp_modified", "jdp_seq")
SAME_SIZE = 4 * 2**20
"""Bytes of a statement: a quarter of max_allowed_packet, as the writer's."""
Work = Callable[[Sequence[Sequence[Row]]], Any]


def records(rows: Sequence[Row], shift: int) -> list[tuple[Any, ...]]:
    """With numbers and moments of their own, as the writer's rows have."""
    return [
        (*row.values, row.order[1], START, START + (shift + row.key) * MICROSECOND, shift + row.key) for row in rows
    ]


class Bench:
    def __init__(self, server: MySQL, count: int, size: int) -> None:
        self._count = count
        self._new, self._newer = batches(count, size, 1), batches(count, size, 2)
        admin = server.admin
        self._writer = Writer(lambda: admin, TRADES)
        self._plain = pymysql.connect(
            host="127.0.0.1", port=server.port, user="admin", password="secret",
            ssl_ca=str(server.home / "ca.pem"), charset="utf8mb4", local_infile=True,
        )  # fmt: skip
        self._files = scratch("load")
        head = f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}) VALUES "
        self._head, self._row = head, "(" + ", ".join(["%s"] * len(COLUMNS)) + ")"
        self._tail = " ON DUPLICATE KEY UPDATE " + ", ".join(f"{name} = VALUES({name})" for name in COLUMNS[1:])

    async def close(self) -> None:
        await self._writer.close()
        self._plain.close()
        shutil.rmtree(self._files)

    async def new(self, rounds: int) -> dict[str, float]:
        self._lay_ready()
        inserted, loaded, written = await self._turns((self._insert, self._load, self._write), rounds, empty=True)
        ratios = {"ratio": written / inserted, "ratio_to_load_data": written / loaded}
        return {"rows_per_s": written, "insert_rows_per_s": inserted, "load_data_rows_per_s": loaded} | ratios

    async def updates(self, rounds: int) -> dict[str, float]:
        plain, written = await self._turns((self._upsert, self._write), rounds, empty=False)
        return {"rows_per_s": written, "unguarded_rows_per_s": plain, "ratio_to_unguarded": written / plain}

    async def _turns(self, works: Sequence[Work], rounds: int, *, empty: bool) -> list[float]:
        rates: list[list[float]] = [[] for _ in works]
        for number in range(rounds):
            for at in range(len(works)):
                turn = (at + number) % len(works)
                rates[turn].append(await self._timed(works[turn], empty=empty))
        return [median(found) for found in rates]

    async def _timed(self, work: Work, *, empty: bool) -> float:
        """Rows a second into an empty table, or over the first version of every row."""
        await self._writer.close()
        self.say(f"TRUNCATE {TABLE}")
        if not empty:
            await asyncio.to_thread(self._insert, self._new)
        await self._writer.open()
        given = self._new if empty else self._newer
        begun = time.perf_counter()
        if work == self._write:
            await self._write(given)
        else:
            await asyncio.to_thread(work, given)
        took = time.perf_counter() - begun
        status = given[0][0].values[1]
        if self.say(f"SELECT count(*) FROM {TABLE} WHERE status = %s", (status,))[0][0] != self._count:
            raise RuntimeError("not all rows stand as they were written")
        return self._count / took

    async def _write(self, work: Sequence[Sequence[Row]]) -> None:
        for batch in work:
            await self._writer.write(batch, ())

    def _insert(self, work: Sequence[Sequence[Row]]) -> None:
        self._send(work, "", 1)

    def _upsert(self, work: Sequence[Sequence[Row]]) -> None:
        self._send(work, self._tail, self._count + 1)

    def _send(self, work: Sequence[Sequence[Row]], tail: str, shift: int) -> None:
        for batch in work:
            for part in parts(batch, SAME_SIZE):
                values = [value for record in records(part, shift) for value in record]
                self.say(self._head + ", ".join([self._row] * len(part)) + tail, values)
            self._plain.commit()

    def _load(self, work: Sequence[Sequence[Row]]) -> None:
        for number in range(len(work)):
            self.say(f"LOAD DATA LOCAL INFILE %s INTO TABLE {TABLE} ({', '.join(COLUMNS)})", (str(self._file(number)),))
            self._plain.commit()

    def _lay_ready(self) -> None:
        """Tabs and backslashes as LOAD DATA reads them; no value of these rows is NULL."""
        for number, batch in enumerate(self._new):
            lines = ("\t".join(str(value).replace("\\", "\\\\") for value in one) for one in records(batch, 1))
            self._file(number).write_text("\n".join(lines) + "\n")

    def _file(self, number: int) -> Path:
        return self._files / str(number)

    def say(self, statement: str, values: Sequence[Any] = ()) -> tuple[Any, ...]:
        with self._plain.cursor() as cursor:
            cursor.execute(statement, values or None)
            return tuple(cursor.fetchall())


async def measure(rows: int, size: int, rounds: int) -> dict[str, Any] | None:
    """None where MariaDB can't run: without root, or without its packages."""
    if os.getuid() != 0 or not present(databases.MARIADB_TRIXIE):
        return None
    server = MySQL(databases.MARIADB_TRIXIE)
    try:
        server.start()
        push = Asked("sys_info", (TRADES,), SHOPS, "push1", "a-password-of-the-worker")
        await MySQLPush().settle(server.admin, push)
        bench = Bench(server, rows, size)
        try:
            bench.say("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
            bench.say("SET GLOBAL local_infile = ON")
            return {"new": await bench.new(rounds), "updates": await bench.updates(rounds)}
        finally:
            await bench.close()
    finally:
        server.remove()

# SPDX-License-Identifier: Apache-2.0
"""The writer against what PostgreSQL can do at all, in turns, on one table of one server.

New rows: against COPY of the same rows, in the same order, over as many connections, into the same table with the same
indexes. Updates: against an unguarded UPDATE … FROM a stage of the same rows. All sessions stand before a round begins.
A ratio is the median of the rounds' own: the two of a round met the same disk and the same neighbours.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from statistics import median

from ground import START, TRADES, batches

from cairn.sql.postgresql import Connection, Target, connect
from cairn.sql.push.postgresql.writer import Writer
from cairn.sql.push.rows import Row

MICROSECOND = timedelta(microseconds=1)
Work = Callable[[int, Sequence[Sequence[Row]]], Awaitable[None]]


class Bench:
    """One table. Each connection takes every n-th batch."""

    def __init__(self, target: Target, conn: Connection, count: int, size: int) -> None:
        self._target, self._conn, self._count, self._size = target, conn, count, size
        self._new, self._newer = batches(count, size, 1), batches(count, size, 2)
        self._plain = [name for name in TRADES.column_names if name not in ("jdp_created", "jdp_modified")]
        self._sessions: list[Connection] = []
        self._writers: list[Writer] = []

    async def open(self, connections: int) -> None:
        while len(self._sessions) < connections:
            session = await connect(self._target, statement_timeout_ms=120_000, cached_statements=50)
            await session.execute("CREATE TEMPORARY TABLE bench (LIKE sys_info.jdp_tb_trade) ON COMMIT DELETE ROWS")
            # the same plans as the writer's: what is compared is the guard
            await session.execute("SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off")
            writer = Writer(lambda: self._target, TRADES, "bench")
            await writer.open()
            self._sessions.append(session)
            self._writers.append(writer)

    async def close(self) -> None:
        for session in self._sessions:
            await session.close()
        for writer in self._writers:
            await writer.close()

    async def new(self, connections: int, rounds: int) -> dict[str, float]:
        """Medians of rows a second, and of their ratio."""
        copied, written, ratio = await self._turns((self._copy, self._write), connections, rounds, empty=True)
        return {"rows_per_s": written, "copy_rows_per_s": copied, "ratio": ratio}

    async def updates(self, rounds: int) -> dict[str, float]:
        plain, written, ratio = await self._turns((self._update, self._write), 1, rounds, empty=False)
        return {"rows_per_s": written, "unguarded_rows_per_s": plain, "ratio_to_unguarded": ratio}

    async def _turns(self, works: tuple[Work, Work], connections: int, rounds: int, *, empty: bool) -> list[float]:
        await self.open(connections)
        rates: list[list[float]] = [[], []]
        for number in range(rounds):
            for at in (0, 1) if number % 2 == 0 else (1, 0):
                rates[at].append(await self._timed(works[at], connections, empty=empty))
        plain, written = rates
        return [median(plain), median(written), median(ours / theirs for theirs, ours in zip(*rates, strict=True))]

    async def _timed(self, work: Work, connections: int, *, empty: bool) -> float:
        """Rows a second. The table is empty, or holds the first version of every row, as a plain COPY leaves it."""
        await self._conn.execute("TRUNCATE sys_info.jdp_tb_trade")
        if not empty:
            await self._copy(0, self._new)
            await self._conn.execute("ANALYZE sys_info.jdp_tb_trade")
        await self._conn.execute("CHECKPOINT")
        given = self._new if empty else self._newer
        begun = time.perf_counter()
        await asyncio.gather(*(work(at, given[at::connections]) for at in range(connections)))
        took = time.perf_counter() - begun
        query = "SELECT count(*) FROM sys_info.jdp_tb_trade WHERE status = $1"
        if await self._conn.fetchval(query, given[0][0].values[1]) != self._count:
            raise RuntimeError("not all rows stand as they were written")
        return self._count / took

    async def _write(self, connection: int, work: Sequence[Sequence[Row]]) -> None:
        for batch in work:
            await self._writers[connection].write(batch, ())

    async def _copy(self, connection: int, work: Sequence[Sequence[Row]]) -> None:
        """Numbers and moments are as different as the writer's: equal ones would make smaller indexes."""
        columns = [*self._plain, "jdp_created", "jdp_modified"]
        for batch in work:
            moments = [START + row.key * MICROSECOND for row in batch]
            records = (
                (*row.values, row.order[1], row.key, moment, moment) for row, moment in zip(batch, moments, strict=True)
            )
            await self._sessions[connection].copy_records_to_table(
                "jdp_tb_trade", schema_name="sys_info", columns=columns, records=records
            )

    async def _update(self, connection: int, work: Sequence[Sequence[Row]]) -> None:
        """Every column is written, jdp_seq and jdp_modified too: the indexes have the same work."""
        session = self._sessions[connection]
        sets = ", ".join(f"{name} = s.{name}" for name in (*self._plain, "jdp_modified") if name != TRADES.key)
        columns = [*self._plain, "jdp_modified"]
        moment = START + timedelta(hours=1)
        for batch in work:
            records = [
                (*row.values, row.order[1], self._count + row.key, moment + row.key * MICROSECOND) for row in batch
            ]
            async with session.transaction():
                await session.copy_records_to_table("bench", columns=columns, records=records)
                await session.execute(
                    f"UPDATE sys_info.jdp_tb_trade t SET {sets} FROM pg_temp.bench s WHERE t.tid = s.tid"
                )

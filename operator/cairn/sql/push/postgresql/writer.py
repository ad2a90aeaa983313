# SPDX-License-Identifier: Apache-2.0
"""Takes rows into one pushed table of PostgreSQL, so that a row never goes back and numbers come in commit order.

Per batch, in one transaction: look up which keys are there; stage what is newer; lock the cursor; COPY what is new
straight into the table; update from the stage under the guard; quarantine; COMMIT. Nothing slow follows the cursor's
lock but the writing itself. Another writer that was faster with a new key makes the COPY fail: then it is staged as
well. After a batch of nothing but new rows, or nothing but newer ones, the next is not looked up: it is probably such a
one. If not, the new ones' COPY is taken back and the batch looked up; newer ones are left to the guard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from cairn.api.conditions import Reason
from cairn.api.dataset import Dataset
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Connection, Target, connect
from cairn.sql.push.given import Given
from cairn.sql.push.postgresql.upsert import AT, CURSOR, QUARANTINE, statements
from cairn.sql.push.rows import Order, Poison, Row, Split, Written, newest, split

STATEMENT_TIMEOUT_MS = 30_000
LOCK_TIMEOUT_MS = 5_000
_MICROSECOND = timedelta(microseconds=1)


class Writer:
    """One session of one lane. Opened at the first write, and again after `close`."""

    def __init__(self, target: Callable[[], Target], dataset: Dataset, application: str) -> None:
        self._target, self._dataset, self._application = target, dataset, application
        self._sql = statements(dataset)
        self._conn: Connection | None = None
        self._changing = self._growing = False
        self._given = Given()

    @property
    def connected(self) -> bool:
        return self._conn is not None and not self._conn.is_closed()

    async def open(self) -> Connection:
        """The session. SqlError says why there is none."""
        if self._conn is None or self._conn.is_closed():
            self._conn = None
            conn = await connect(
                self._target(),
                application=self._application,
                statement_timeout_ms=STATEMENT_TIMEOUT_MS,
                lock_timeout_ms=LOCK_TIMEOUT_MS,
                cached_statements=50,
            )
            try:
                # The look-up's plan is made once, often while the table is empty: it would be a scan of all of it.
                await conn.execute("SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off")
                await conn.execute(self._sql.create_stage)
                self._given.connected(await conn.fetchval(AT, self._dataset.table) or 0)
            except BaseException:
                conn.terminate()
                raise
            self._conn = conn
        return self._conn

    async def close(self) -> None:
        """End the session at once; what was not committed is rolled back."""
        if self._conn is not None:
            self._conn.terminate()
            self._conn = None

    async def write(self, rows: Sequence[Row], poison: Sequence[Poison]) -> Written:
        """All of it is committed when this returns. Errors of asyncpg come as they are, see `worker.faults`."""
        conn = await self.open()
        distinct = newest(rows)
        self._given.begin()
        async with conn.transaction():
            written = await self._rows(conn, distinct) if distinct else Written()
            kept = await conn.fetch(QUARANTINE, *map(list, zip(*poison, strict=True))) if poison else []
        reasons = tuple(row["reason"] for row in kept)
        stale = written.stale + len(rows) - len(distinct)
        return replace(written, stale=stale, quarantined=reasons, fell_back=self._given.committed())

    async def _rows(self, conn: Connection, rows: Sequence[Row]) -> Written:
        if self._growing and await self._copy(conn, rows):
            return Written(inserted=len(rows))
        self._growing = False
        news = Split([], list(rows), 0) if self._changing else split(rows, await self._there(conn, rows))
        if not news.new and not news.changed:
            return Written(stale=news.stale)
        await self._stage(conn, news.changed, 0)
        base, start = await self._numbers(conn, len(news.changed) + len(news.new))
        staged, inserted = len(news.changed), 0
        if news.new:
            if await self._copy(conn, news.new, (base + staged, start + staged * _MICROSECOND)):
                inserted = len(news.new)
            else:
                await self._stage(conn, news.new, staged)
                staged += len(news.new)
        updated = 0
        if news.changed:
            tag = await conn.execute(self._sql.update, start, base)
            updated = int(tag.rsplit(" ", 1)[1])
        self._changing, self._growing = updated == len(rows), inserted == len(rows)
        if updated < staged:  # not looked up, or not as it was then: new after all, gone, or not newer
            found = (await conn.fetch(self._sql.upsert, start, base))[0]
            inserted, updated = inserted + found["inserted"], updated + found["updated"]
        return Written(inserted, updated, len(rows) - inserted - updated)

    async def _there(self, conn: Connection, rows: Sequence[Row]) -> dict[int, Order]:
        found = await conn.fetch(self._sql.probe, [row.key for row in rows])
        return {key: (modified, version, hashed) for key, modified, version, hashed in found}

    async def _numbers(self, conn: Connection, count: int) -> tuple[int, datetime]:
        row = await conn.fetchrow(CURSOR, self._dataset.table, count, self._given.last)
        if row is None:
            raise SqlError(Reason.SCHEMA_DRIFT, f"sys_info.jdp_cursor has no row for {self._dataset.table}")
        self._given.pending = row["base"] + count
        return row["base"], row["start"]

    async def _stage(self, conn: Connection, rows: Sequence[Row], after: int) -> None:
        if rows:
            records = ((*row.values, row.order[1], None, None, number) for number, row in enumerate(rows, after + 1))
            await self._copy_in(conn, self._sql.stage_name, None, records)

    async def _copy(self, conn: Connection, rows: Sequence[Row], given: tuple[int, datetime] | None = None) -> bool:
        """Straight into the table; False, and nothing happened, no number given out, where a row was there already.

        given: numbers and moments that were taken before; else they are taken here
        """
        try:
            async with conn.transaction():
                records = _numbered(rows, *(given or await self._numbers(conn, len(rows))))
                await self._copy_in(conn, self._dataset.table, "sys_info", records)
        except asyncpg.UniqueViolationError:
            if given is None:
                self._given.begin()
            return False
        return True

    async def _copy_in(self, conn: Connection, table: str, schema: str | None, records: Iterable[Any]) -> None:
        """records: made while the server takes in those before."""
        columns = list(self._sql.columns)
        await conn.copy_records_to_table(table, schema_name=schema, columns=columns, records=records)


def _numbered(rows: Sequence[Row], base: int, start: datetime) -> Iterator[tuple[Any, ...]]:
    moment = start
    for number, row in enumerate(rows, base + 1):
        moment += _MICROSECOND
        yield (*row.values, row.order[1], moment, moment, number)

# SPDX-License-Identifier: Apache-2.0
"""Takes rows into one pushed table of MySQL or MariaDB, so that a row never goes back and numbers come in commit order.

Per batch, in one transaction: look up which keys are there; lock the cursor; load many new rows where the server takes
them, which leaves alone what is there; upsert other news, in statements that fit a packet, each row under the guard;
quarantine; COMMIT. Nothing slow follows the cursor's lock but the writing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pymysql

from cairn.api.conditions import Reason
from cairn.api.dataset import Dataset
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Target
from cairn.sql.push.given import Given
from cairn.sql.push.mysql.faults import translated
from cairn.sql.push.mysql.upsert import AT, CURSOR, CURSOR_GIVEN, NO_LOADING, OLDEST, QUARANTINE, Statements, statements
from cairn.sql.push.rows import Order, Poison, Row, Written, newest, split
from cairn.sql.share.mysql.connection import Session, connect
from cairn.sql.share.mysql.upload import line

log = logging.getLogger(__name__)
STATEMENT_SECONDS = 30.0
MOST_ROWS = 1_000
_MICROSECOND = timedelta(microseconds=1)
_LOADS_NO_MORE = ((1148,), (3948,), (4166,))
"""local_infile is off."""


class Writer:
    """One session of one lane. Opened at the first write, and again after `close`.

    LOADED_FROM: so many new rows at once go by LOAD DATA, where the server takes it
    """

    LOADED_FROM = 25

    def __init__(self, target: Callable[[], Target], dataset: Dataset) -> None:
        self._target, self._dataset = target, dataset
        self._session: Session | None = None
        self._sql: Statements
        self._packet, self._loads = 0, False
        self._given = Given()

    async def open(self) -> Session:
        """The session. SqlError says why there is none."""
        if self._session is None or not self._session.open:
            self._session = None
            session = await connect(self._target(), statement_timeout=STATEMENT_SECONDS, upload=True)
            try:
                self._packet = int((await session.fetch("SELECT @@max_allowed_packet"))[0][0])
                hindered = await session.fetch(NO_LOADING)
                at = await session.fetch(AT, (self._dataset.table,))
                self._given.connected(int(at[0][0]) if at else 0)
            except BaseException:
                session.abort()
                raise
            self._loads = not hindered
            if hindered:
                settings = ", ".join(f"{name} = {value}" for name, value in hindered)
                log.info("%s: new rows go by INSERT, more slowly, because of %s", self._dataset.name, settings)
            self._sql = statements(self._dataset, session.flavour)
            self._session = session
        return self._session

    async def close(self) -> None:
        """End the session at once; what was not committed is rolled back."""
        if self._session is not None:
            self._session.abort()
            self._session = None

    async def write(self, rows: Sequence[Row], poison: Sequence[Poison]) -> Written:
        """All of it is committed when this returns."""
        with translated():
            session = await self.open()
            distinct = newest(rows)
            self._given.begin()
            await session.execute("START TRANSACTION")
            try:
                written = await self._rows(session, distinct) if distinct else Written()
                kept = [one.reason for one in poison if await _changed(session, QUARANTINE, one)]
                await session.execute("COMMIT")
            except BaseException:
                await self.close()  # rolls back; some errors of these servers undo a statement, and no more
                raise
        stale = written.stale + len(rows) - len(distinct)
        return replace(written, stale=stale, quarantined=tuple(kept), fell_back=self._given.committed())

    async def _rows(self, session: Session, rows: Sequence[Row]) -> Written:
        news = split(rows, await self._there(session, rows))
        if not news.new and not news.changed:
            return Written(stale=news.stale)
        base, start = await self._numbers(session, len(news.changed) + len(news.new))
        updated = await self._upsert(session, news.changed, base, start) // 2
        after = len(news.changed)
        inserted = await self._insert(session, news.new, base + after, start + after * _MICROSECOND)
        return Written(inserted, updated, len(rows) - inserted - updated)

    async def _there(self, session: Session, rows: Sequence[Row]) -> dict[int, Order]:
        found = await session.fetch(self._sql.probe, ([row.key for row in rows],))
        return {key: (modified or OLDEST, version, hashed) for key, modified, version, hashed in found}

    async def _numbers(self, session: Session, count: int) -> tuple[int, datetime]:
        await session.execute(CURSOR, (self._given.last, count, count, self._dataset.table))
        found = await session.fetch(CURSOR_GIVEN, (count, count, self._dataset.table))
        if not found:
            raise SqlError(Reason.SCHEMA_DRIFT, f"sys_info.jdp_cursor has no row for {self._dataset.table}")
        base = int(found[0][0])
        self._given.pending = base + count
        return base, found[0][1]

    async def _insert(self, session: Session, rows: Sequence[Row], base: int, start: datetime) -> int:
        """How many rows are new. Those that another writer made meanwhile LOAD would leave out, and values that do not
        fit it would cut: where it says anything at all, nothing of it stays.
        """
        if self._loads and len(rows) >= self.LOADED_FROM:
            await session.execute("SAVEPOINT loading")
            if await self._load(session, _lines(rows, base, start)) == (len(rows), 0):
                return len(rows)
            await session.execute("ROLLBACK TO SAVEPOINT loading")
        return min(len(rows), await self._upsert(session, rows, base, start))

    async def _load(self, session: Session, lines: bytes) -> tuple[int, int]:
        """Rows made and warnings; no row where the server has come to take no file."""
        try:
            return await session.load(self._sql.load, lines)
        except pymysql.err.MySQLError as error:
            if error.args[:1] not in _LOADS_NO_MORE:
                raise
            self._loads = False
            return 0, 0

    async def _upsert(self, session: Session, rows: Sequence[Row], base: int, start: datetime) -> int:
        """How many rows it touched, as the server counts: 1 for each that is new, 2 for each that was changed."""
        touched = 0
        for part in parts(rows, self._packet // 4):
            values: list[Any] = []
            for row in part:
                base, start = base + 1, start + _MICROSECOND
                values += (*row.values, row.order[1], start, start, base)
            statement = self._sql.head + ", ".join([self._sql.row] * len(part)) + self._sql.tail
            touched += await _changed(session, statement, values)
        return touched


def parts(rows: Sequence[Row], limit: int) -> Iterator[Sequence[Row]]:
    """Neighbours that together have about so many bytes of text, and each at least one row."""
    begun, held = 0, 0
    for at, row in enumerate(rows):
        size = 200 + sum(len(value.encode()) for value in row.values if isinstance(value, str))
        if at > begun and (held + size > limit or at - begun >= MOST_ROWS):
            yield rows[begun:at]
            begun, held = at, 0
        held += size
    if begun < len(rows):
        yield rows[begun:]


def _lines(rows: Sequence[Row], base: int, start: datetime) -> bytes:
    """With their numbers and moments."""
    moments = ((base + at, start + at * _MICROSECOND) for at in range(1, len(rows) + 1))
    return b"".join(
        line((*row.values, row.order[1], moment, moment, number))
        for row, (number, moment) in zip(rows, moments, strict=True)
    )


async def _changed(session: Session, statement: str, values: Sequence[object]) -> int:
    await session.execute(statement, values)
    return int((await session.fetch("SELECT ROW_COUNT()"))[0][0])

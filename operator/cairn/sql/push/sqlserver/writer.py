# SPDX-License-Identifier: Apache-2.0
"""Takes rows into one pushed table of SQL Server, so that a row never goes back and numbers come in commit order.

Per batch: look up which keys are there; put what is news into the stage, by bulk copy, which commits by itself. Then in
one transaction: quarantine; lock the cursor; update under the guard, insert what is not there; empty the stage; COMMIT.
Nothing slow follows the cursor's lock but the writing. What a writer that died left in the stage is nobody's, and goes
when the next one connects.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytds

from cairn.api.conditions import Reason
from cairn.api.dataset import Dataset
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Target
from cairn.sql.push.fault import Fault
from cairn.sql.push.given import Given
from cairn.sql.push.rows import Order, Poison, Row, Split, Written, newest, split
from cairn.sql.push.sqlserver.faults import TAKEN, kind_of, translated
from cairn.sql.push.sqlserver.stage import chunks, limits, staged_rows
from cairn.sql.push.sqlserver.upsert import AT, BEGIN, COMMIT, CURSOR, OLDEST, QUARANTINE, ROLLBACK, statements
from cairn.sql.share.sqlserver.connection import Session, connect

STATEMENT_SECONDS = 30.0
TRIES = 3
_MICROSECOND = timedelta(microseconds=1)


class Writer:
    """One session of one lane. Opened at the first write, and again after `close`."""

    def __init__(self, target: Callable[[], Target], dataset: Dataset) -> None:
        self._target, self._dataset = target, dataset
        self._sql, self._limits = statements(dataset), limits(dataset)
        self._session: Session | None = None
        self._bulk = True
        self._given = Given()

    async def open(self) -> Session:
        """The session. SqlError says why there is none."""
        if self._session is None or not self._session.open:
            self._session = None
            session = await self._connect()
            try:
                await session.execute(self._sql.orphans)
                at = await session.fetch(AT, (self._dataset.table,))
                self._given.connected(int(at[0][0]) if at else 0)
            except BaseException:
                session.abort()
                raise
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
            try:
                news = split(distinct, await self._there(session, distinct)) if distinct else Split([], [], 0)
                staged = sorted((*news.changed, *news.new), key=lambda row: row.key)
                batch = await self._stage(session, staged) if staged else None
                written = await self._apply(session, batch, len(staged), poison) if batch or poison else Written()
            except BaseException:
                await self.close()
                raise
        stale = len(rows) - written.inserted - written.updated
        return replace(written, stale=stale, fell_back=self._given.committed())

    async def _connect(self) -> Session:
        return await connect(self._target(), statement_timeout=STATEMENT_SECONDS)

    async def _there(self, session: Session, rows: Sequence[Row]) -> dict[int, Order]:
        found = await session.fetch(self._sql.probe, (json.dumps([row.key for row in rows]),))
        return {key: (modified or OLDEST, version, hashed) for key, modified, version, hashed in found}

    async def _stage(self, session: Session, rows: Sequence[Row]) -> UUID:
        """What a bulk copy that the server refuses left, if anything, is under a batch that nobody applies."""
        if self._bulk:
            batch = uuid4()
            try:
                await session.copy_in("dbo", self._sql.stage, self._sql.columns, staged_rows(rows, batch, self._limits))
            except pytds.DatabaseError as error:
                if not session.open or kind_of(error.msg_no) is not Fault.DESTINATION:
                    raise
                self._bulk = False
            else:
                return batch
        batch = uuid4()
        for part in chunks(list(staged_rows(rows, batch, self._limits)), len(self._sql.columns)):
            statement = self._sql.head + ", ".join([self._sql.row] * len(part))
            await session.execute(statement, [value for row in part for value in row])
        return batch

    async def _apply(self, session: Session, batch: UUID | None, count: int, poison: Sequence[Poison]) -> Written:
        """Once more where a key was taken meanwhile: then it is there, and left to the guard."""
        for more in reversed(range(TRIES)):
            try:
                return await self._transaction(session, batch, count, poison)
            except pytds.DatabaseError as error:
                if error.msg_no not in TAKEN or not more or not session.open:
                    raise
                await session.execute(ROLLBACK)
        raise AssertionError("unreachable")

    async def _transaction(self, session: Session, batch: UUID | None, count: int, poison: Sequence[Poison]) -> Written:
        await session.execute(BEGIN)
        kept = tuple([one.reason for one in poison if await _counted(session, QUARANTINE, _values(one))])
        updated = inserted = 0
        if batch is not None:
            number, moment = await self._numbers(session, count)
            updated = await _counted(session, self._sql.update, (moment, number, batch))
            inserted = await _counted(session, self._sql.insert, (moment, number, batch))
            await session.execute(self._sql.clear, (batch,))
        await session.execute(COMMIT)
        return Written(inserted, updated, 0, kept)

    async def _numbers(self, session: Session, count: int) -> tuple[int, datetime]:
        """What comes before the first of so many."""
        found = await session.fetch(CURSOR, (*[self._given.last] * 2, count, count, count, self._dataset.table))
        if not found:
            raise SqlError(Reason.SCHEMA_DRIFT, f"dbo.jdp_cursor has no row for {self._dataset.table}")
        last = int(found[0][0])
        self._given.pending = last
        return last - count, found[0][1] - count * _MICROSECOND


def _values(poison: Poison) -> tuple[object, ...]:
    return (*poison[:-1], pytds.Binary(poison.payload))


async def _counted(session: Session, statement: str, values: Sequence[object]) -> int:
    return int((await session.fetch(statement, values))[0][0])

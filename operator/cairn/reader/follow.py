# SPDX-License-Identifier: Apache-2.0
"""Follows one table of PostgreSQL: its cursor and what is done with the rows are committed together.

At a kill, a lost session or a restart of the database the step under way is undone as a whole and done again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from cairn.reader.statements import Source, statements

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

Handle = Callable[[Connection, Sequence[asyncpg.Record]], Awaitable[None]]
"""Given the session, inside the step's transaction: what it writes is committed with the cursor, or not at all."""

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""How long a row can stay unread when no notification comes: through a pooler, or after a worker was killed."""
LONGEST_WAIT_SECONDS = 10.0
PASSING = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidCachedStatementError,  # the table has got, or lost, a column: a new session asks anew
)
"""Connect again and go on. Anything else is the handler's or the owner's to mend, and ends `run`."""


class Reader:
    """One consumer, known by `name`. Several processes of one name take turns; only one of them has work."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        source: Source,
        name: str,
        handle: Handle,
        *,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._connect, self._source, self._name, self._handle = connect, source, name, handle
        self._poll_seconds = poll_seconds
        self._sql = statements("postgresql", source)
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        wait = 0.1
        while True:
            try:
                conn = await self._connect()
                try:
                    await self.prepare(conn)
                    while True:
                        await self._until_idle(conn)
                        wait = 0.1
                        with suppress(TimeoutError):
                            await asyncio.wait_for(self._wake.wait(), self._poll_seconds)
                finally:
                    conn.terminate()
            except PASSING as error:
                log.warning("%s: %s; again in %.1f s", self._name, str(error) or type(error).__name__, wait)
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT_SECONDS)

    async def prepare(self, conn: Connection) -> None:
        """The cursor stands, and this session hears of commits. The schema of the cursors must be there already."""
        if await conn.fetchval("SELECT to_regclass($1) IS NULL", f"{self._source.cursors}.jdp_reader"):
            await conn.execute(self._sql.create)
        await conn.execute(self._sql.begin, self._name, self._source.relation)
        await conn.add_listener(self._source.table, self._heard)

    async def step(self, conn: Connection) -> int:
        """One transaction; how many rows it handled. 0: all that is committed has been handled."""
        async with conn.transaction(isolation="read_committed"):
            cursor = await conn.fetchrow(self._sql.lock, self._name, self._source.relation)
            if cursor is None:
                raise LookupError(f"{self._source.cursors}.jdp_reader has no row for {self._name!r} any more")
            if cursor["old_key"] is not None:
                return await self._old(conn, cursor["old_key"])
            rows = await conn.fetch(self._sql.rows, cursor["seq"])
            if rows:
                await self._handle(conn, rows)
                await conn.execute(self._sql.advance, rows[-1]["jdp_seq"], self._name, self._source.relation)
            return len(rows)

    async def _old(self, conn: Connection, after: int) -> int:
        """Rows from before Cairn have no number: first, by key. One that is pushed meanwhile gets a number."""
        rows = await conn.fetch(self._sql.old_rows, after)
        if rows:
            await self._handle(conn, rows)
        key = rows[-1][self._source.key] if rows else None
        await conn.execute(self._sql.advance_old, key, self._name, self._source.relation)
        return len(rows) or 1

    async def _until_idle(self, conn: Connection) -> None:
        self._wake.clear()  # before looking: what is committed from here on is either seen or heard of
        while await self.step(conn):
            pass

    def _heard(self, *_: Any) -> None:
        self._wake.set()

# SPDX-License-Identifier: Apache-2.0
"""The audit: rows that are appended, each with a hash over itself and the one before. Triggers refuse anything else."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime

import pymysql

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.share.chain import COLUMNS, NAMES, link, texts
from cairn.sql.share.engine import Record
from cairn.sql.share.mysql.connection import Session
from cairn.sql.share.names import APPS

_LOCK = "cairn.share"
_TRIES = 20
_IN_THE_WAY = "SELECT id, user FROM information_schema.PROCESSLIST WHERE id = IS_USED_LOCK(%s) OR state = 'User lock'"


@contextlib.asynccontextmanager
async def exclusively(session: Session) -> AsyncIterator[None]:
    """One writer at a time: the lock is the session's, and goes with it. Whoever may connect can take it: an app that
    holds it, or waits to, is thrown out."""
    ((held,),) = await session.fetch("SELECT GET_LOCK(%s, 0)", (_LOCK,))
    for _ in range(_TRIES):
        if held == 1 or not await _throw_out(session):
            break
        ((held,),) = await session.fetch("SELECT GET_LOCK(%s, 1)", (_LOCK,))
    if held != 1:
        ((held,),) = await session.fetch("SELECT GET_LOCK(%s, 5)", (_LOCK,))
    if held != 1:
        raise SqlError(Reason.LOCK_TIMEOUT, "another session of Cairn's is at work here, and was for five seconds")
    try:
        yield
    finally:
        if session.open:
            await session.fetch("SELECT RELEASE_LOCK(%s)", (_LOCK,))


async def _throw_out(session: Session) -> int:
    """How many sessions of apps were ended."""
    rows = await session.fetch(_IN_THE_WAY, (_LOCK,))
    numbers = [int(number) for number, user in rows if APPS.fullmatch(str(user))]
    for number in numbers:
        with contextlib.suppress(pymysql.err.MySQLError):  # it has gone by itself
            await session.execute(f"KILL CONNECTION {number}")
    return len(numbers)


async def append(session: Session, tenant: str, records: Sequence[Record]) -> None:
    """Under the lock of `exclusively`."""
    rows = await session.fetch("SELECT seq, hash FROM audit.log ORDER BY seq DESC LIMIT 1")
    seq, prev = (int(rows[0][0]), str(rows[0][1])) if rows else (0, "")
    ((now,),) = await session.fetch("SELECT UTC_TIMESTAMP(6)")
    for record in records:
        seq += 1
        words = texts(tenant, record)
        chained = link(prev, seq, now, words)
        values = (seq, now, *words, prev, chained)
        await session.execute(f"INSERT INTO audit.log ({COLUMNS}) VALUES ({', '.join(['%s'] * len(values))})", values)
        prev = chained


async def read(session: Session, since: datetime | None, limit: int) -> list[Mapping[str, object]]:
    after = since.astimezone(UTC).replace(tzinfo=None) if since else datetime(1970, 1, 1)  # noqa: DTZ001 -- as stored
    rows = await session.fetch(f"SELECT {COLUMNS} FROM audit.log WHERE at >= %s ORDER BY seq LIMIT %s", (after, limit))
    return [{**dict(zip(NAMES, row, strict=True)), "at": row[1].replace(tzinfo=UTC)} for row in rows]

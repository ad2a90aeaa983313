# SPDX-License-Identifier: Apache-2.0
"""The audit: rows that are appended, each with a hash over itself and the one before. Triggers refuse anything else."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.share.chain import COLUMNS, NAMES, link, texts
from cairn.sql.share.engine import Record
from cairn.sql.share.mysql.connection import Session

_LOCK = "cairn.share"


@contextlib.asynccontextmanager
async def exclusively(session: Session) -> AsyncIterator[None]:
    """One writer at a time: the lock is the session's, and goes with it."""
    ((held,),) = await session.fetch("SELECT GET_LOCK(%s, 5)", (_LOCK,))
    if held != 1:
        raise SqlError(Reason.LOCK_TIMEOUT, "another session of Cairn's is at work here, and was for five seconds")
    try:
        yield
    finally:
        if session.open:
            await session.fetch("SELECT RELEASE_LOCK(%s)", (_LOCK,))


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

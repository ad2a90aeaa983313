# SPDX-License-Identifier: Apache-2.0
"""The audit: rows that are appended, each with a hash over itself and the one before. A trigger refuses the rest."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.share.blocking import Blocking
from cairn.sql.share.chain import COLUMNS, NAMES, link, texts
from cairn.sql.share.engine import Record

LOCK = (
    "DECLARE @held int; EXEC @held = sys.sp_getapplock @Resource = N'cairn.share', @LockMode = 'Exclusive',"
    " @LockOwner = 'Session', @LockTimeout = 5000; SELECT @held"
)
UNLOCK = "EXEC sys.sp_releaseapplock @Resource = N'cairn.share', @LockOwner = 'Session'"
LAST = "SELECT TOP (1) seq, hash FROM audit.log ORDER BY seq DESC"
NOW = "SELECT CAST(SYSUTCDATETIME() AS datetime2(6))"
APPEND = f"INSERT INTO audit.log ({COLUMNS}) VALUES ({', '.join(['%s'] * len(NAMES))})"
READ = f"SELECT TOP (%s) {COLUMNS} FROM audit.log WHERE at >= %s ORDER BY seq DESC"


@contextlib.asynccontextmanager
async def exclusively(session: Blocking) -> AsyncIterator[None]:
    """One writer at a time: the lock is the session's, and goes with it."""
    ((held,),) = await session.fetch(LOCK)
    if held < 0:
        raise SqlError(Reason.LOCK_TIMEOUT, "another session of Cairn's is at work here, and was for five seconds")
    try:
        yield
    finally:
        if session.open:
            await session.execute(UNLOCK)


async def append(session: Blocking, tenant: str, records: Sequence[Record]) -> None:
    """Under the lock of `exclusively`."""
    rows = await session.fetch(LAST)
    seq, prev = (int(rows[0][0]), str(rows[0][1]).strip()) if rows else (0, "")
    ((now,),) = await session.fetch(NOW)
    for record in records:
        seq += 1
        words = texts(tenant, record)
        chained = link(prev, seq, now, words)
        await session.execute(APPEND, (seq, now, *words, prev, chained))
        prev = chained


async def read(session: Blocking, since: datetime | None, limit: int) -> list[Mapping[str, object]]:
    """Oldest first; of many the newest `limit`."""
    after = since.astimezone(UTC).replace(tzinfo=None) if since else datetime(1970, 1, 1)  # noqa: DTZ001 -- as stored
    rows = [dict(zip(NAMES, row, strict=True)) for row in await session.fetch(READ, (limit, after))]
    return [
        {
            **row,
            "at": row["at"].replace(tzinfo=UTC),
            "prev": row["prev"].strip(),
            "before": tuple(row["before"].splitlines()),
            "after": tuple(row["after"].splitlines()),
        }
        for row in reversed(rows)
    ]

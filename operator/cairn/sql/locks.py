# SPDX-License-Identifier: Apache-2.0
"""Advisory locks, which whoever may connect can take: nobody keeps Cairn out with one."""

from __future__ import annotations

from cairn.sql.postgresql import Connection
from cairn.sql.quoting import literal


async def end_holders(conn: Connection, first: int, second: int) -> None:
    """End sessions of others that hold a lock of Cairn's. first, second: its key, or the halves of a long one"""
    await conn.fetch(
        "SELECT pg_catalog.pg_terminate_backend(l.pid, 2000) FROM pg_catalog.pg_locks l"
        " JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid"
        " WHERE l.locktype = 'advisory' AND l.classid = $1 AND l.objid = $2 AND l.granted"
        " AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
        " AND a.usename <> session_user",
        first,
        second,
    )


async def forget_prepared(conn: Connection, owners: str) -> int:
    """Roll back this database's prepared transactions of logins whose name is like `owners` (a pattern): such a one
    holds locks without a session that could be ended. How many there were."""
    rows = await conn.fetch(
        "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = pg_catalog.current_database()"
        " AND owner OPERATOR(pg_catalog.~) $1",
        owners,
    )
    for row in rows:
        await conn.execute(f"ROLLBACK PREPARED {literal(row['gid'])}")
    return len(rows)

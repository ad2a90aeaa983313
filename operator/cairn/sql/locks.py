# SPDX-License-Identifier: Apache-2.0
"""Locks, which whoever may connect can take: nobody keeps Cairn out with one."""

from __future__ import annotations

from cairn.sql.postgresql import Connection
from cairn.sql.quoting import literal

_OTHERS = (
    " JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid"
    " WHERE l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
    " AND a.usename <> session_user AND NOT r.rolsuper"
)
"""Sessions of a superuser are an admin's or Cairn's own by another name: those are waited for."""


async def end_holders(conn: Connection, *key: int) -> None:
    """End sessions of others that hold this advisory lock of Cairn's. key: one number, or two"""
    first, second = key if len(key) == 2 else (key[0] >> 32, key[0] & 0xFFFFFFFF)
    await conn.fetch(
        f"SELECT pg_catalog.pg_terminate_backend(l.pid, 2000) FROM pg_catalog.pg_locks l{_OTHERS}"
        " AND l.locktype = 'advisory' AND l.classid = $1 AND l.objid = $2 AND l.objsubid = $3 AND l.granted",
        first,
        second,
        len(key),  # so the server tells a lock by one number from one by two
    )


async def end_lockers(conn: Connection, owners: str, schemas: str) -> int:
    """End sessions of logins like `owners` that lock a table in schemas like `schemas` (patterns) against its readers,
    or wait to. How many there were. They are not waited for: who asks for the table now is before those who come back.
    """
    rows = await conn.fetch(
        "SELECT pg_catalog.pg_terminate_backend(x.pid) FROM (SELECT DISTINCT l.pid FROM pg_catalog.pg_locks l"
        " JOIN pg_catalog.pg_class c ON c.oid = l.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        f"{_OTHERS} AND l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'"
        " AND a.usename OPERATOR(pg_catalog.~) $1 AND n.nspname OPERATOR(pg_catalog.~) $2) x",
        owners,
        schemas,
    )
    return len(rows) + await forget_prepared(conn, owners)


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

# SPDX-License-Identifier: Apache-2.0
"""The push login in a seller's database, and who may do what there. A user of the database: contained, by password."""

from __future__ import annotations

from collections.abc import Iterator

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.push.engine import Asked
from cairn.sql.push.sqlserver.ddl import stage_name
from cairn.sql.push.sqlserver.observe import Schema
from cairn.sql.push.sqlserver.schema import NEW_MADE
from cairn.sql.share.blocking import Blocking
from cairn.sql.share.sqlserver.steps import SET_PASSWORD
from cairn.sql.share.sqlserver.text import identifier, qualified

WRITES = {
    "jdp_quarantine": ("SELECT", "INSERT", "UPDATE"),
    "jdp_audit": ("SELECT", "INSERT", "UPDATE"),
    "jdp_backfill": ("SELECT", "INSERT", "UPDATE"),
    "jdp_retention": ("SELECT", "INSERT", "UPDATE"),
    "jdp_cursor": ("SELECT", "UPDATE"),
    "jdp_request": ("SELECT", "UPDATE"),
}
READS = ("jdp_audit", "jdp_backfill", "jdp_retention")
"""Besides the pushed tables and their views. Quarantine and stage are nobody's reading."""

CREATE_USER = (
    "DECLARE @name sysname = %s, @password nvarchar(128) = %s;"
    " DECLARE @sql nvarchar(max) = N'CREATE USER ' + QUOTENAME(@name) + N' WITH PASSWORD = '"
    " + QUOTENAME(@password, '''') + N', DEFAULT_SCHEMA = [dbo]'; EXEC sys.sp_executesql @sql"
)
"""A password can be no parameter of the statement itself."""
EXISTS = "SELECT p.name FROM sys.database_principals AS p WHERE p.name = %s"
HELD = (
    "SELECT COALESCE(s.name, o.name) AS target, p.permission_name FROM sys.database_permissions AS p"
    " JOIN sys.database_principals AS e ON e.principal_id = p.grantee_principal_id"
    " LEFT JOIN sys.objects AS o ON p.class = 1 AND p.minor_id = 0 AND o.object_id = p.major_id"
    " AND o.schema_id = SCHEMA_ID('dbo')"
    " LEFT JOIN sys.schemas AS s ON p.class = 3 AND s.schema_id = p.major_id"
    " WHERE e.name = %s AND p.state IN ('G', 'W')"
)
SESSIONS = (
    "SELECT s.session_id FROM sys.dm_exec_sessions AS s WHERE s.is_user_process = 1"
    " AND s.authenticating_database_id = DB_ID() AND s.original_login_name = %s"
)
FORGET = "DELETE FROM [dbo].[jdp_made] WHERE kind = 'login' AND name = %s"


def writer_rights(asked: Asked) -> dict[str, tuple[str, ...]]:
    rights: dict[str, tuple[str, ...]] = {}
    for dataset in asked.datasets:
        deletes = ("DELETE",) if dataset.table in asked.expiring else ()
        rights[dataset.table] = ("SELECT", "INSERT", "UPDATE", *deletes)
        rights[stage_name(dataset)] = ("SELECT", "INSERT", "DELETE")
    return {**rights, **WRITES}


def reader_rights(asked: Asked) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys((*(dataset.table for dataset in asked.datasets), *READS), ("SELECT",))


def grants(asked: Asked, readers: Iterator[str]) -> Iterator[str]:
    for table, rights in writer_rights(asked).items():
        yield f"GRANT {', '.join(rights)} ON OBJECT::{qualified('dbo', table)} TO {identifier(asked.login)}"
    for dataset in asked.datasets:
        if dataset.table not in asked.expiring:
            yield f"REVOKE DELETE ON OBJECT::{qualified('dbo', dataset.table)} FROM {identifier(asked.login)}"
    for reader in readers:
        for table, rights in reader_rights(asked).items():
            yield f"GRANT {', '.join(rights)} ON OBJECT::{qualified('dbo', table)} TO {identifier(reader)}"
        yield f"GRANT SELECT ON SCHEMA::[platform] TO {identifier(reader)}"


def known(asked: Asked, schema: Schema) -> Iterator[str]:
    return (reader for reader in asked.readers if reader in schema.made)


async def exists(session: Blocking, login: str) -> bool:
    return bool(await session.fetch(EXISTS, (login,)))


async def granted(session: Blocking, asked: Asked, schema: Schema) -> bool:
    """The login may write, and the readers may read."""
    wanted = {asked.login: _pairs(writer_rights(asked))}
    wanted |= {reader: _pairs(reader_rights(asked)) | {("platform", "SELECT")} for reader in known(asked, schema)}
    for login, rights in wanted.items():
        held = {(str(target), str(right)) for target, right in await session.fetch(HELD, (login,))}
        surplus = {(dataset.table, "DELETE") for dataset in asked.datasets} - rights
        if not rights <= held or surplus & held:
            return False
    return True


async def ensure_login(session: Blocking, asked: Asked, schema: Schema) -> None:
    there = await exists(session, asked.login)
    if there and asked.login not in schema.made:
        raise SqlError(Reason.CONFLICT, f"user {asked.login!r} exists and is not Cairn's: rename or drop it")
    await session.execute(NEW_MADE, ("login", asked.login, "login", asked.login, ""))
    if there:
        await session.execute(SET_PASSWORD, (asked.login, asked.password, "dbo"))
    else:
        await session.execute(CREATE_USER, (asked.login, asked.password))
    for grant in grants(asked, known(asked, schema)):
        await session.execute(grant)


async def drop(session: Blocking, login: str) -> None:
    """No new session, none that is open, and then no login."""
    if await exists(session, login):
        await session.execute(f"REVOKE CONNECT FROM {identifier(login)}")
        for (number,) in await session.fetch(SESSIONS, (login,)):
            await session.execute(f"KILL {int(number)}")
        await session.execute(f"DROP USER {identifier(login)}")
    await session.execute(FORGET, (login,))


def _pairs(rights: dict[str, tuple[str, ...]]) -> set[tuple[str, str]]:
    return {(table, right) for table, names in rights.items() for right in names}

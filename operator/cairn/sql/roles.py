# SPDX-License-Identifier: Apache-2.0
"""Databases and roles on a PostgreSQL server. Every function is idempotent and takes over nothing by name.

A role that Cairn made carries the comment `MARK`; one without it is somebody else's and stays as it is.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64encode

import asyncpg

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Connection
from cairn.sql.quoting import identifier, literal, qualified

MARK = "managed by cairn"


def scram_verifier(password: str, *, salt: bytes | None = None, iterations: int = 4096) -> str:
    """What PostgreSQL stores of an ASCII password: the password itself never stands in a statement or a log."""
    salt = secrets.token_bytes(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = (b64encode(part).decode() for part in (salt, stored, server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(iterations, *parts)


async def ensure_role(
    conn: Connection, name: str, *, password: str | None = None, login: bool = True, connection_limit: int = -1
) -> None:
    """The role exists, is ours, has no power over the server, and logs in with this password (None: keeps its own).

    SqlError(Conflict) where a role of this name is somebody else's.
    """
    async with conn.transaction():
        row = await conn.fetchrow(
            "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS mighty,"
            " pg_catalog.shobj_description(oid, 'pg_authid') AS mark FROM pg_catalog.pg_roles WHERE rolname = $1",
            name,
        )
        if row is not None and (row["mark"] != MARK or row["mighty"]):
            raise SqlError(
                Reason.CONFLICT,
                f"role {name!r} exists and is not Cairn's: rename or drop it, or COMMENT ON ROLE {identifier(name)}"
                f" IS '{MARK}' after making sure that it has no more rights than a plain role",
            )
        options = f"{'LOGIN' if login else 'NOLOGIN'} CONNECTION LIMIT {connection_limit:d}"
        if password is not None:
            options += f" PASSWORD {literal(scram_verifier(password))}"
        await conn.execute(f"{'CREATE' if row is None else 'ALTER'} ROLE {identifier(name)} {options}")
        if row is None:
            await conn.execute(f"COMMENT ON ROLE {identifier(name)} IS {literal(MARK)}")


async def drop_role(conn: Connection, name: str) -> None:
    """The role is gone, with what was granted to it in the database of this session. Somebody else's role stays."""
    mark = await conn.fetchval(
        "SELECT pg_catalog.shobj_description(oid, 'pg_authid') FROM pg_catalog.pg_roles WHERE rolname = $1", name
    )
    if mark != MARK:
        return
    await conn.execute(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = $1", name
    )
    async with conn.transaction():
        await _join(conn, name)
        await conn.execute(f"DROP OWNED BY {identifier(name)}")
        await conn.execute(f"DROP ROLE {identifier(name)}")


async def ensure_database(conn: Connection, name: str, owner: str) -> None:
    """The database exists. A new one is UTF-8, belongs to `owner`, and lets in nobody who was not granted it.

    One that exists already with another owner is left as it is: whether that is a conflict is the caller's to say
    (`server_facts().databases` has the owners).
    """
    found = await conn.fetchval(
        "SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = $1", name
    )
    if found is None:
        await _join(conn, owner)
        try:
            await conn.execute(
                f"CREATE DATABASE {identifier(name)} OWNER {identifier(owner)} TEMPLATE template0 ENCODING 'UTF8'"
            )
        except asyncpg.DuplicateDatabaseError:
            return
    elif found != owner:
        return
    await conn.execute(f"REVOKE ALL ON DATABASE {identifier(name)} FROM PUBLIC")


async def grant_reader(conn: Connection, database: str, role: str) -> None:
    """In the database of this session: `role` reads sys_info and platform, tables that come later included.

    Call it after `ensure_schema`, as the same login: later tables are those that this login makes.
    """
    who = identifier(role)
    async with conn.transaction():
        await conn.execute(f"GRANT CONNECT ON DATABASE {identifier(database)} TO {who}")
        for schema in ("sys_info", "platform"):
            await conn.execute(f"GRANT USAGE ON SCHEMA {schema} TO {who}")
            await conn.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {who}")
            await conn.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {who}")


async def may_delete(conn: Connection, role: str) -> set[str]:
    """Tables of sys_info whose owner lets this role delete rows."""
    found = await conn.fetch(
        "SELECT DISTINCT c.relname FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a"
        " WHERE c.relnamespace = pg_catalog.to_regnamespace('sys_info') AND a.privilege_type = 'DELETE'"
        " AND a.grantor = c.relowner AND a.grantee = pg_catalog.to_regrole(pg_catalog.quote_ident($1))",
        role,
    )
    return {row[0] for row in found}


async def grant_push(
    conn: Connection, database: str, role: str, tables: tuple[str, ...], expiring: tuple[str, ...] = ()
) -> None:
    """In the database of this session: `role` writes the pushed tables (SELECT, INSERT, UPDATE, TEMP), no schema.

    expiring: those out of which it may delete; out of all others it may not.
    """
    who = identifier(role)
    async with conn.transaction():
        await conn.execute(f"GRANT CONNECT, TEMPORARY ON DATABASE {identifier(database)} TO {who}")
        await conn.execute(f"GRANT USAGE ON SCHEMA sys_info TO {who}")
        for table in (*tables, "jdp_quarantine", "jdp_audit", "jdp_backfill", "jdp_retention"):
            await conn.execute(f"GRANT SELECT, INSERT, UPDATE ON {qualified('sys_info', table)} TO {who}")
        for table in await may_delete(conn, role) - set(expiring):
            await conn.execute(f"REVOKE DELETE ON {qualified('sys_info', table)} FROM {who}")
        for table in expiring:
            await conn.execute(f"GRANT DELETE ON {qualified('sys_info', table)} TO {who}")
        await conn.execute(f"GRANT SELECT, UPDATE ON sys_info.jdp_cursor, sys_info.jdp_request TO {who}")


async def _join(conn: Connection, role: str) -> None:
    """A login that is no superuser must belong to a role before it can give it a database or drop what it has."""
    # From 16 on whoever makes a role may give it away, and yet not act as it.
    version = conn.get_server_version().major
    able = await conn.fetchval("SELECT pg_catalog.pg_has_role($1, $2)", role, "SET" if version >= 16 else "MEMBER")
    if not able:
        await conn.execute(f"GRANT {identifier(role)} TO CURRENT_USER")

# SPDX-License-Identifier: Apache-2.0
"""Whether logins work as their Secrets say, and the small grants that let them in."""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import replace

import asyncpg

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Connection, Target, connect
from cairn.sql.quoting import identifier, literal
from cairn.sql.roles import scram_verifier

MOST_ITERATIONS = 100_000
"""A login may store a verifier of its own making: one that takes longer to compare than these is none of ours."""


def opens(verifier: str | None, password: str) -> bool:
    """Whether a password is the one that PostgreSQL stored a SCRAM verifier of."""
    if not verifier or not password.isascii():
        return False
    try:
        _, parameters, _ = verifier.split("$")
        iterations, salt = parameters.split(":")
        if len(iterations) > len(str(MOST_ITERATIONS)) or not 0 < int(iterations) <= MOST_ITERATIONS:
            return False
        known = scram_verifier(password, salt=b64decode(salt, validate=True), iterations=int(iterations))
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(known, verifier)


async def passwords_open(conn: Connection, target: Target, logins: Mapping[str, tuple[str, str]]) -> dict[str, bool]:
    """For each login (name to password and database): whether its password opens it.

    A superuser reads it off the stored verifiers; any other admin has to try.
    """
    try:
        rows = await conn.fetch(
            "SELECT rolname, rolpassword FROM pg_catalog.pg_authid WHERE rolname = ANY($1)", list(logins)
        )
    except asyncpg.InsufficientPrivilegeError:
        return {
            name: await _logs_in(replace(target, user=name, password=password, database=database))
            for name, (password, database) in logins.items()
        }
    stored = {row["rolname"]: row["rolpassword"] for row in rows}
    return {name: opens(stored.get(name), password) for name, (password, _) in logins.items()}


async def _logs_in(target: Target) -> bool:
    try:
        conn = await connect(target, timeout=3)
    except SqlError as error:
        # Anything after the password was taken (no CONNECT yet, no such database) is not the password's fault.
        return error.reason is not Reason.AUTHENTICATION_FAILED
    await conn.close()
    return True


async def may_connect(conn: Connection, pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Of these roles and databases, those where both exist and the one may connect to the other."""
    rows = await conn.fetch(
        # By the oids of what exists: a name that doesn't is an error, in whatever order the conditions are tried.
        "SELECT r, d FROM ROWS FROM"
        " (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]))"
        " AS wanted(r, d) JOIN pg_catalog.pg_roles role ON role.rolname = r"
        " JOIN pg_catalog.pg_database db ON db.datname = d"
        " WHERE pg_catalog.has_database_privilege(role.oid, db.oid, 'CONNECT')",
        *([list(column) for column in zip(*pairs, strict=True)] or [[], []]),
    )
    return {(row["r"], row["d"]) for row in rows}


async def may_push(conn: Connection, role: str, tables: Iterable[str]) -> bool:
    """Whether a role that exists may write these tables of sys_info in the database of this session."""
    return await _may(conn, role, tables, ("SELECT", "INSERT", "UPDATE"))


async def may_change(conn: Connection, role: str, tables: Iterable[str]) -> bool:
    """Whether a role that exists may read these tables of sys_info, and change the rows that stand there."""
    return await _may(conn, role, tables, ("SELECT", "UPDATE"))


async def may_read(conn: Connection, role: str, tables: Iterable[str]) -> bool:
    """Whether a role that exists may read these tables of sys_info in the database of this session."""
    return await _may(conn, role, tables, ("SELECT",))


async def _may(conn: Connection, role: str, tables: Iterable[str], privileges: tuple[str, ...]) -> bool:
    found = await conn.fetchval(
        "SELECT coalesce(pg_catalog.bool_and(coalesce(pg_catalog.has_table_privilege($1, pg_catalog.to_regclass("
        "'sys_info.' || pg_catalog.quote_ident(t)), p), false)), true) AND coalesce(pg_catalog.has_schema_privilege("
        "$1, pg_catalog.to_regnamespace('sys_info'), 'USAGE'), false)"
        " FROM pg_catalog.unnest($2::pg_catalog.text[]) AS wanted(t),"
        " pg_catalog.unnest($3::pg_catalog.text[]) AS needed(p)",
        role,
        list(tables),
        list(privileges),
    )
    return bool(found)


async def grant_connect(conn: Connection, database: str, role: str) -> None:
    await conn.execute(f"GRANT CONNECT ON DATABASE {identifier(database)} TO {identifier(role)}")


HOLDER = "cairn: "
"""Begins the comment on a database that says for whom Cairn keeps it: one SellerRDS, as `cairn: namespace/name`."""


async def comments(conn: Connection) -> dict[str, str]:
    """The comment on each database that has one."""
    rows = await conn.fetch(
        "SELECT datname, pg_catalog.shobj_description(oid, 'pg_database') AS comment FROM pg_catalog.pg_database"
    )
    return {row["datname"]: row["comment"] for row in rows if row["comment"]}


async def refuse_others(conn: Connection, database: str, holder: str) -> None:
    """SqlError(Conflict) where Cairn keeps the database for somebody else: both would change each other's passwords."""
    held_for = (await comments(conn)).get(database, "")
    if held_for.startswith(HOLDER) and held_for != HOLDER + holder:
        message = f"database {database} is kept for SellerRDS {held_for.removeprefix(HOLDER)}: name another"
        raise SqlError(Reason.CONFLICT, message)


async def hold(conn: Connection, database: str, holder: str) -> None:
    """Write down for whom the database is kept, unless something else is written there."""
    if database not in await comments(conn):
        await conn.execute(f"COMMENT ON DATABASE {identifier(database)} IS {literal(HOLDER + holder)}")


async def reload_config(conn: Connection) -> None:
    """The server reads its configuration and certificate anew; open connections go on."""
    await conn.execute("SELECT pg_catalog.pg_reload_conf()")


async def loaded_at(conn: Connection) -> str:
    """When the server last read its configuration, ISO 8601."""
    when = await conn.fetchval("SELECT pg_catalog.pg_conf_load_time()")
    return str(when.isoformat())


async def current_settings(conn: Connection, names: Iterable[str]) -> dict[str, str]:
    """Parameters as the server spells them, such as 1GB."""
    rows = await conn.fetch(
        "SELECT n, pg_catalog.current_setting(n, true) AS value"
        " FROM pg_catalog.unnest($1::pg_catalog.text[]) AS wanted(n)",
        list(names),
    )
    return {row["n"]: row["value"] for row in rows if row["value"] is not None}

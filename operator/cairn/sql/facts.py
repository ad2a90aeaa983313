# SPDX-License-Identifier: Apache-2.0
"""What is so on a PostgreSQL server: read only, for plans to decide by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import asyncpg

from cairn.sql.postgresql import Connection
from cairn.sql.roles import MARK


@dataclass(frozen=True, slots=True)
class RoleFact:
    """login: may log in; ours: made by Cairn."""

    login: bool
    superuser: bool
    ours: bool


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A server. `version` is its major version ("17"); `system_identifier` is None where the login may not read it.

    settings: of fsync, full_page_writes and synchronous_commit, the server's own values
    """

    version: str
    system_identifier: str | None
    in_recovery: bool
    databases: Mapping[str, str]
    roles: Mapping[str, RoleFact]
    settings: Mapping[str, str]

    @property
    def weak(self) -> tuple[str, ...]:
        """Settings under which a commit can be lost, as `name = value (must be other)`."""
        return tuple(
            f"{name} = {value} (must be on)" for name, value in sorted(self.settings.items()) if value == "off"
        )


@dataclass(frozen=True, slots=True)
class ColumnFact:
    """type: as PostgreSQL prints it, e.g. `character varying(32)`. unique: by an index on it alone."""

    type: str
    not_null: bool
    has_default: bool
    unique: bool = False


@dataclass(frozen=True, slots=True)
class SchemaFacts:
    """The schemas sys_info and platform in one database.

    version: highest migration applied, 0 for none
    owner: of sys_info, None where it doesn't exist; `ours` says whether that is the login of this session
    views: digest of the descriptor that each view of `platform` was made from
    quarantined: records in quarantine that nobody has resolved
    """

    version: int = 0
    owner: str | None = None
    ours: bool = True
    tables: Mapping[str, Mapping[str, ColumnFact]] = field(default_factory=dict)
    indexes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    views: Mapping[str, str] = field(default_factory=dict)
    shops: Mapping[str, str] = field(default_factory=dict)
    quarantined: int = 0


async def server_facts(conn: Connection) -> ServerFacts:
    """Look at the server. Needs no more than CONNECT."""
    version = await conn.fetchval("SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4 / 10000")
    try:
        identifier = await conn.fetchval(
            "SELECT system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system()"
        )
    except asyncpg.InsufficientPrivilegeError:
        identifier = None
    databases = await conn.fetch(
        "SELECT datname, pg_catalog.pg_get_userbyid(datdba) AS owner"
        " FROM pg_catalog.pg_database WHERE NOT datistemplate"
    )
    roles = await conn.fetch(
        "SELECT rolname, rolcanlogin, rolsuper, pg_catalog.shobj_description(oid, 'pg_authid') AS mark"
        " FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_'"
    )
    settings = await conn.fetch(
        "SELECT name, coalesce(reset_val, setting) AS value FROM pg_catalog.pg_settings WHERE name = ANY($1)",
        ["fsync", "full_page_writes"],
    )
    return ServerFacts(
        version=str(version),
        system_identifier=identifier,
        in_recovery=await conn.fetchval("SELECT pg_catalog.pg_is_in_recovery()"),
        databases={row["datname"]: row["owner"] for row in databases},
        roles={row["rolname"]: RoleFact(row["rolcanlogin"], row["rolsuper"], row["mark"] == MARK) for row in roles},
        settings={row["name"]: row["value"] for row in settings},
    )


async def schema_facts(conn: Connection) -> SchemaFacts:
    """Look at sys_info and platform in the database of this session."""
    owner = await conn.fetchrow(
        "SELECT pg_catalog.pg_get_userbyid(nspowner) AS name,"
        " pg_catalog.pg_get_userbyid(nspowner) = current_user AS ours"
        " FROM pg_catalog.pg_namespace WHERE nspname = 'sys_info'"
    )
    if owner is None:
        return SchemaFacts()
    if not owner["ours"]:
        return SchemaFacts(owner=owner["name"], ours=False)
    tables = await _columns(conn)
    known = {"jdp_schema_version", "jdp_shop", "jdp_quarantine"} <= set(tables)
    return SchemaFacts(
        version=await conn.fetchval("SELECT coalesce(max(version), 0) FROM sys_info.jdp_schema_version")
        if known
        else 0,
        owner=owner["name"],
        tables=tables,
        indexes=await _indexes(conn),
        views=await _views(conn),
        shops=await _shops(conn) if known else {},
        quarantined=await conn.fetchval("SELECT count(*) FROM sys_info.jdp_quarantine WHERE state = 'open'")
        if known
        else 0,
    )


async def _shops(conn: Connection) -> dict[str, str]:
    rows = await conn.fetch("SELECT shop_id, seller_nick FROM sys_info.jdp_shop")
    return {row["shop_id"]: row["seller_nick"] for row in rows}


async def _columns(conn: Connection) -> dict[str, dict[str, ColumnFact]]:
    rows = await conn.fetch(
        "SELECT c.relname, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull,"
        " a.atthasdef OR a.attidentity <> '' AS has_default,"
        " EXISTS (SELECT FROM pg_catalog.pg_index x WHERE x.indrelid = c.oid AND x.indisunique AND x.indisvalid"
        " AND x.indimmediate AND x.indpred IS NULL AND x.indnkeyatts = 1 AND x.indkey[0] = a.attnum) AS is_unique"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relnamespace = 'sys_info'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p')"
        " AND a.attnum > 0 AND NOT a.attisdropped"
    )
    tables: dict[str, dict[str, ColumnFact]] = {}
    for row in rows:
        fact = ColumnFact(row["type"], row["attnotnull"], row["has_default"], row["is_unique"])
        tables.setdefault(row["relname"], {})[row["attname"]] = fact
    return tables


async def _indexes(conn: Connection) -> dict[str, frozenset[str]]:
    rows = await conn.fetch(
        "SELECT t.relname AS table_name, pg_catalog.array_agg(i.relname::pg_catalog.text) AS names"
        " FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid"
        " JOIN pg_catalog.pg_class t ON t.oid = x.indrelid"
        " WHERE t.relnamespace = 'sys_info'::pg_catalog.regnamespace AND x.indisvalid GROUP BY t.relname"
    )
    return {row["table_name"]: frozenset(row["names"]) for row in rows}


async def _views(conn: Connection) -> dict[str, str]:
    rows = await conn.fetch(
        "SELECT c.relname, pg_catalog.obj_description(c.oid, 'pg_class') AS digest FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'platform' AND c.relkind = 'v'"
    )
    return {row["relname"]: row["digest"] or "" for row in rows}

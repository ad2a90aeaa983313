# SPDX-License-Identifier: Apache-2.0
"""The schemas sys_info and platform in a seller's PostgreSQL database: made and kept up to date, never destroyed.

Everything here adds. It runs under an advisory lock, in one transaction, and may be repeated and interrupted at will.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files

import asyncpg

from cairn.api.conditions import Reason
from cairn.api.dataset import Dataset
from cairn.sql.errors import SqlError
from cairn.sql.facts import SchemaFacts, schema_facts
from cairn.sql.locks import end_holders
from cairn.sql.postgresql import Connection
from cairn.sql.push.lacking import changed, lacking
from cairn.sql.push.postgresql.ddl import drift, index_sql, table_sql, view_digest, view_sql
from cairn.sql.quoting import identifier, literal, qualified

MIGRATIONS: tuple[tuple[int, str], ...] = ((1, "foundation"), (2, "proof"), (3, "request"), (4, "retention"))
"""Number and name of each step; its SQL is `migrations/<number>-<name>.sql`. Add, never edit."""

SCHEMA_VERSION = MIGRATIONS[-1][0]
_LOCK = 0x636169726E  # "cairn"


def missing(facts: SchemaFacts, datasets: Iterable[Dataset], shops: Mapping[str, str]) -> tuple[str, ...]:
    """What `ensure_schema` would still have to do, in words; empty when all stands. Pure: for plans."""
    old = [f"schema version {facts.version} of {SCHEMA_VERSION}"] if facts.version < SCHEMA_VERSION else []
    return (*old, *lacking(facts, datasets, shops, view_digest))


def drifted(facts: SchemaFacts, datasets: Iterable[Dataset]) -> tuple[str, ...]:
    """What the worker can't write to, each with the statement that mends it. Pure: for plans. See `ddl.drift`."""
    return changed(facts, datasets, drift)


async def ensure_schema(conn: Connection, datasets: Iterable[Dataset], shops: Mapping[str, str]) -> None:
    """Bring the database of this session to SCHEMA_VERSION, with tables, views and the shops' nicks by id.

    SqlError(Conflict) where a schema belongs to somebody else, SqlError(SchemaDrift) where a table can't be mended by
    adding. The login of this session becomes the owner of all of it.
    """
    datasets = tuple(datasets)
    if not await conn.fetchval(f"SELECT pg_catalog.pg_try_advisory_lock({_LOCK})"):
        await end_holders(conn, _LOCK)
        await conn.execute(f"SELECT pg_catalog.pg_advisory_lock({_LOCK})")
    try:
        async with conn.transaction():
            await _migrate(conn)
            before = (await schema_facts(conn)).tables
            for dataset in datasets:
                await _ensure_table(conn, dataset, new=dataset.table not in before)
                await _ensure_view(conn, dataset)
            await _ensure_shops(conn, shops)
        facts = await schema_facts(conn)
        for dataset in datasets:
            await _ensure_indexes(conn, dataset, facts.indexes.get(dataset.table, frozenset()))
    finally:
        if not conn.is_closed():
            await conn.execute(f"SELECT pg_catalog.pg_advisory_unlock({_LOCK})")
    if problems := drifted(facts, datasets):
        raise SqlError(Reason.SCHEMA_DRIFT, "; ".join(problems))


async def _migrate(conn: Connection) -> None:
    for schema in ("sys_info", "platform"):
        owner = await conn.fetchval(
            "SELECT pg_catalog.pg_get_userbyid(nspowner) FROM pg_catalog.pg_namespace WHERE nspname = $1", schema
        )
        me = await conn.fetchval("SELECT current_user")
        if owner is None:
            await conn.execute(f"CREATE SCHEMA {schema}")
        elif owner != me:
            message = (
                f"schema {schema} exists and belongs to {owner}: rename it, or ALTER SCHEMA {schema} OWNER TO"
                f" {identifier(me)} after making sure that its triggers and functions can be trusted"
            )
            raise SqlError(Reason.CONFLICT, message)
    await conn.execute(
        "CREATE TABLE IF NOT EXISTS sys_info.jdp_schema_version"
        " (version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT pg_catalog.now())"
    )
    applied = {row["version"] for row in await conn.fetch("SELECT version FROM sys_info.jdp_schema_version")}
    for number, name in MIGRATIONS:
        if number not in applied:
            await conn.execute((files(__package__) / "migrations" / f"{number:04d}-{name}.sql").read_text("utf-8"))
            await conn.execute("INSERT INTO sys_info.jdp_schema_version (version, name) VALUES ($1, $2)", number, name)


async def _ensure_table(conn: Connection, dataset: Dataset, *, new: bool) -> None:
    table = qualified("sys_info", dataset.table)
    if new:
        await conn.execute(table_sql(dataset))
        for index in dataset.indexes:
            await conn.execute(index_sql(dataset, index.name))
    await conn.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS jdp_version bigint NOT NULL DEFAULT 0")
    await conn.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS jdp_seq bigint")
    await conn.execute(
        "INSERT INTO sys_info.jdp_cursor (table_name, seq, ts)"
        f" SELECT $1, coalesce(max(jdp_seq), 0), coalesce(max(jdp_modified), '2000-01-01') FROM {table}"
        " ON CONFLICT (table_name) DO NOTHING",
        dataset.table,
    )


async def _ensure_view(conn: Connection, dataset: Dataset) -> None:
    view = f"platform.{identifier(dataset.name)}"
    digest = await conn.fetchval("SELECT pg_catalog.obj_description(pg_catalog.to_regclass($1), 'pg_class')", view)
    if digest == view_digest(dataset):
        return
    try:
        async with conn.transaction():
            await conn.execute(view_sql(dataset))
    except asyncpg.InvalidTableDefinitionError:
        # A column was renamed or left out. RESTRICT: a view that somebody built on it is worth more than ours.
        await conn.execute(f"DROP VIEW {view} RESTRICT")
        await conn.execute(view_sql(dataset))
    await conn.execute(f"COMMENT ON VIEW {view} IS {literal(view_digest(dataset))}")


async def _ensure_shops(conn: Connection, shops: Mapping[str, str]) -> None:
    nicks = list(shops.values())
    if len(set(nicks)) != len(nicks):
        raise SqlError(Reason.CONFLICT, "two shops have the same nick: their records could not be told apart")
    await conn.execute("DELETE FROM sys_info.jdp_shop WHERE shop_id = ANY($1)", list(shops))
    await conn.executemany(
        "INSERT INTO sys_info.jdp_shop (seller_nick, shop_id) VALUES ($2, $1)"
        " ON CONFLICT (seller_nick) DO UPDATE SET shop_id = EXCLUDED.shop_id",
        list(shops.items()),
    )


async def _ensure_indexes(conn: Connection, dataset: Dataset, valid: frozenset[str]) -> None:
    """Indexes that somebody dropped, or whose building was interrupted: without holding up writers."""
    for index in dataset.indexes:
        if index.name not in valid:
            await conn.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {qualified('sys_info', index.name)}")
            await conn.execute(index_sql(dataset, index.name, concurrently=True))

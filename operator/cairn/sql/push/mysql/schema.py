# SPDX-License-Identifier: Apache-2.0
"""The databases sys_info and platform on a seller's server: made and kept up to date, never destroyed.

Everything here adds. It runs under a named lock, statement by statement, and may be repeated and interrupted at will:
these servers commit at each DDL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files

from cairn.api.conditions import Reason
from cairn.api.dataset import Dataset
from cairn.sql.errors import SqlError
from cairn.sql.push.lacking import changed, lacking
from cairn.sql.push.mysql.ddl import Column, drift, index_sql, sql_type, table_sql, view_digest, view_sql
from cairn.sql.share.mysql.connection import Session
from cairn.sql.share.mysql.names import identifier, qualified

OWN = (
    "jdp_cursor",
    "jdp_quarantine",
    "jdp_shop",
    "jdp_audit",
    "jdp_backfill",
    "jdp_request",
    "jdp_retention",
    "jdp_made",
)
_LOCK = "cairn push"
_STEPS = ("0001-foundation.sql", "0002-request.sql", "0003-retention.sql")


@dataclass(frozen=True, slots=True)
class Schema:
    """What stands in sys_info and platform. views: the digest that each was made from. made: logins of Cairn's."""

    tables: Mapping[str, Mapping[str, Column]]
    indexes: Mapping[str, frozenset[str]]
    views: Mapping[str, str] = field(default_factory=dict)
    shops: Mapping[str, str] = field(default_factory=dict)
    made: frozenset[str] = frozenset()
    quarantined: int = 0


async def observe(session: Session) -> Schema:
    """Read only."""
    indexes: dict[str, set[str]] = {}
    alone: dict[tuple[str, str], int] = {}
    for table, name, unique in await session.fetch(
        "SELECT table_name, index_name, IF(MAX(non_unique) = 0 AND COUNT(*) = 1, MAX(column_name), NULL)"
        " FROM information_schema.statistics WHERE table_schema = 'sys_info' GROUP BY table_name, index_name"
    ):
        indexes.setdefault(table, set()).add(name)
        if unique:
            alone[table, unique] = 1
    tables: dict[str, dict[str, Column]] = {}
    for table, name, kind, charset, nullable, default, extra in await session.fetch(
        "SELECT c.table_name, c.column_name, c.column_type, c.character_set_name, c.is_nullable,"
        " c.column_default, c.extra"
        " FROM information_schema.columns c JOIN information_schema.tables t ON t.table_schema = c.table_schema"
        " AND t.table_name = c.table_name WHERE c.table_schema = 'sys_info' AND t.table_type = 'BASE TABLE'"
    ):
        filled = default is not None or bool(extra)
        tables.setdefault(table, {})[name] = Column(
            str(kind), charset, nullable == "YES", filled, (table, name) in alone
        )
    frozen = {table: frozenset(names) for table, names in indexes.items()}
    if not set(OWN) <= set(tables):
        return Schema(tables, frozen)
    there = {name for (name,) in await session.fetch(
        "SELECT table_name FROM information_schema.views WHERE table_schema = 'platform'"
    )}  # fmt: skip
    made = await session.fetch("SELECT kind, name, digest FROM sys_info.jdp_made")
    return Schema(
        tables,
        frozen,
        {name: digest for kind, name, digest in made if kind == "view" and name in there},
        dict(await session.fetch("SELECT shop_id, seller_nick FROM sys_info.jdp_shop")),
        frozenset(name for kind, name, _ in made if kind == "login"),
        (await session.fetch("SELECT COUNT(*) FROM sys_info.jdp_quarantine WHERE state = 'open'"))[0][0],
    )


def missing(schema: Schema, datasets: Iterable[Dataset], shops: Mapping[str, str]) -> tuple[str, ...]:
    """What `ensure` would still have to do, in words; empty when all stands. Pure."""
    own = [f"table {name}" for name in OWN if name not in schema.tables]
    return (*own, *lacking(schema, datasets, shops, view_digest))


def drifted(schema: Schema, datasets: Iterable[Dataset]) -> tuple[str, ...]:
    """What the worker can't write to, each with the statement that mends it. Pure."""
    return changed(schema, datasets, drift)


async def ensure(session: Session, datasets: Iterable[Dataset], shops: Mapping[str, str]) -> None:
    """All of it stands, with the shops' nicks by id. SqlError(SchemaDrift) where a table can't be mended by adding."""
    datasets = tuple(datasets)
    if (await session.fetch("SELECT GET_LOCK(%s, 5)", (_LOCK,)))[0][0] != 1:
        raise SqlError(Reason.DATABASE_UNREACHABLE, f"another session holds the lock {_LOCK!r}; trying again")
    try:
        for database in ("sys_info", "platform"):
            await session.execute(f"CREATE DATABASE IF NOT EXISTS {database} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        for step in _STEPS:
            for statement in statements((files(__package__) / "migrations" / step).read_text("utf-8")):
                await session.execute(statement)
        before = await observe(session)
        for dataset in datasets:
            await _ensure_table(session, dataset, before)
        if problems := drifted(await observe(session), datasets):
            raise SqlError(Reason.SCHEMA_DRIFT, "; ".join(problems))
        for dataset in datasets:
            await _ensure_view(session, dataset, before)
        await _ensure_shops(session, shops, before)
    finally:
        if session.open:
            await session.execute("DO RELEASE_LOCK(%s)", (_LOCK,))


def statements(text: str) -> list[str]:
    """Of a script whose statements end where a line ends with a semicolon."""
    lines = (line for line in text.splitlines() if not line.startswith("--"))
    return [part.strip() for part in "\n".join(lines).split(";\n") if part.strip()]


async def _ensure_table(session: Session, dataset: Dataset, before: Schema) -> None:
    table, found = qualified("sys_info", dataset.table), before.tables.get(dataset.table)
    if found is None:
        await session.execute(table_sql(dataset))
    else:
        for name in ("jdp_version", "jdp_seq"):
            if name not in found:
                await session.execute(f"ALTER TABLE {table} ADD COLUMN {name} {sql_type(dataset, name)}")
        for index in dataset.indexes:
            usable = set(index.columns) <= {*found, "jdp_version", "jdp_seq"}
            if usable and index.name not in before.indexes.get(dataset.table, frozenset()):
                await session.execute(index_sql(dataset, index.name))
    await session.execute(
        "INSERT IGNORE INTO sys_info.jdp_cursor (table_name, seq, ts)"
        f" SELECT %s, COALESCE(MAX(jdp_seq), 0), COALESCE(MAX(jdp_modified), '2000-01-01') FROM {table}",
        (dataset.table,),
    )


async def _ensure_view(session: Session, dataset: Dataset, before: Schema) -> None:
    digest = view_digest(dataset)
    if before.views.get(dataset.name) != digest:
        await session.execute(view_sql(dataset))
        await session.execute("REPLACE INTO sys_info.jdp_made VALUES ('view', %s, %s)", (dataset.name, digest))


async def _ensure_shops(session: Session, shops: Mapping[str, str], before: Schema) -> None:
    nicks = list(shops.values())
    if len(set(nicks)) != len(nicks):
        raise SqlError(Reason.CONFLICT, "two shops have the same nick: their records could not be told apart")
    for shop, nick in shops.items():
        if before.shops.get(shop) != nick:
            # REPLACE gives way to whatever held the nick or the id
            await session.execute(
                f"REPLACE INTO {qualified('sys_info', 'jdp_shop')} ({identifier('seller_nick')}, shop_id)"
                " VALUES (%s, %s)",
                (nick, shop),
            )

# SPDX-License-Identifier: Apache-2.0
"""What stands in a seller's database, from the server's catalogs. Read only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cairn.sql.push.sqlserver.drift import Column, Database
from cairn.sql.share.blocking import Blocking
from cairn.sql.share.sqlserver.tables import type_name

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

DATABASE = (
    "SELECT d.compatibility_level, d.containment, d.delayed_durability_desc, d.is_read_committed_snapshot_on"
    " FROM sys.databases AS d WHERE d.database_id = DB_ID()"
)
COLUMNS = (
    "SELECT o.name AS table_name, c.name, y.name AS type_name, c.max_length, c.precision, c.scale, c.collation_name,"
    " c.is_nullable, CASE WHEN c.default_object_id <> 0 OR c.is_identity = 1 OR c.is_computed = 1"
    " OR y.name = 'timestamp' THEN 1 ELSE 0 END AS filled FROM sys.columns AS c"
    " JOIN sys.tables AS o ON o.object_id = c.object_id JOIN sys.types AS y ON y.user_type_id = c.user_type_id"
    " WHERE o.schema_id = SCHEMA_ID('dbo')"
)
INDEXES = (
    "SELECT o.name AS table_name, i.name, CASE WHEN MAX(CAST(i.is_unique AS int)) = 1 AND COUNT(*) = 1"
    " THEN MAX(c.name) END AS alone FROM sys.indexes AS i JOIN sys.tables AS o ON o.object_id = i.object_id"
    " JOIN sys.index_columns AS x ON x.object_id = i.object_id AND x.index_id = i.index_id AND x.key_ordinal > 0"
    " JOIN sys.columns AS c ON c.object_id = x.object_id AND c.column_id = x.column_id"
    " WHERE o.schema_id = SCHEMA_ID('dbo') AND i.is_disabled = 0 AND i.has_filter = 0 GROUP BY o.name, i.name"
)
VIEWS = "SELECT v.name FROM sys.views AS v WHERE v.schema_id = SCHEMA_ID('platform')"
MADE = "SELECT kind, name, digest FROM [dbo].[jdp_made]"
SHOPS = "SELECT shop_id, seller_nick FROM [dbo].[jdp_shop]"
QUARANTINED = "SELECT COUNT(*) AS n FROM [dbo].[jdp_quarantine] WHERE state = 'open'"


@dataclass(frozen=True, slots=True)
class Schema:
    """views: the digest that each was made from. made: logins of Cairn's."""

    database: Database
    tables: Mapping[str, Mapping[str, Column]]
    indexes: Mapping[str, frozenset[str]]
    views: Mapping[str, str] = field(default_factory=dict)
    shops: Mapping[str, str] = field(default_factory=dict)
    made: frozenset[str] = frozenset()
    quarantined: int = 0


async def observe(session: Blocking) -> Schema:
    ((level, contained, delayed, snapshots),) = await session.fetch(DATABASE)
    database = Database(int(level), bool(contained), str(delayed), bool(snapshots))
    indexes: dict[str, set[str]] = {}
    alone: set[tuple[str, str]] = set()
    for table, name, column in await session.fetch(INDEXES):
        indexes.setdefault(table, set()).add(name)
        if column:
            alone.add((table, column))
    tables: dict[str, dict[str, Column]] = {}
    for table, name, kind, length, precision, scale, collation, nullable, filled in await session.fetch(COLUMNS):
        tables.setdefault(table, {})[name] = Column(
            type_name(kind, length, precision, scale),
            str(collation or "").endswith("_UTF8"),
            bool(nullable),
            bool(filled),
            (table, name) in alone,
        )
    frozen = {table: frozenset(names) for table, names in indexes.items()}
    if not set(OWN) <= set(tables):
        return Schema(database, tables, frozen)
    there = {name for (name,) in await session.fetch(VIEWS)}
    made = await session.fetch(MADE)
    return Schema(
        database,
        tables,
        frozen,
        {name: digest for kind, name, digest in made if kind == "view" and name in there},
        dict(await session.fetch(SHOPS)),
        frozenset(name for kind, name, _ in made if kind == "login"),
        int((await session.fetch(QUARANTINED))[0][0]),
    )

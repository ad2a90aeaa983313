# SPDX-License-Identifier: Apache-2.0
"""How tables are made, in words that their statements and the catalog have in common. Pure text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator

from cairn.sql.share.model import Table, TableColumn
from cairn.sql.share.names import published
from cairn.sql.share.sqlserver.text import TYPES, identifier, qualified

OWN_TABLES = {
    "map.mac": "name nvarchar(120) PRIMARY KEY, ipad binary(64) NOT NULL, opad binary(64) NOT NULL,"
    " retired bit NOT NULL DEFAULT 0",
    "map.scope": "view_name nvarchar(120) NOT NULL, shop nvarchar(64) NOT NULL, PRIMARY KEY (view_name, shop)",
    "map.ended": "grantkey nvarchar(64) PRIMARY KEY, at datetime2(6) NOT NULL",
    "map.clock": "id tinyint PRIMARY KEY, seen datetime2(6) NOT NULL",
    "map.erased": "shop nvarchar(64) NOT NULL, digest char(64) NOT NULL, PRIMARY KEY (shop, digest)",
    "map.due": "login sysname PRIMARY KEY",
    "map.applied": "id tinyint PRIMARY KEY, state nvarchar(max) NOT NULL",
    "map.passwords": "login sysname PRIMARY KEY, salt char(32) NOT NULL, digest char(64) NOT NULL,"
    " changed datetime NOT NULL",
    "audit.log": "seq bigint PRIMARY KEY, at datetime2(6) NOT NULL, action nvarchar(32) NOT NULL,"
    " actor nvarchar(255) NOT NULL, tenant nvarchar(255) NOT NULL, subject nvarchar(255) NOT NULL,"
    " reason nvarchar(max) NOT NULL, contract nvarchar(80) NOT NULL, entries_before nvarchar(max) NOT NULL,"
    " entries_after nvarchar(max) NOT NULL, prev char(64) NOT NULL, hash char(64) NOT NULL",
}
"""due: whose sessions are still to be ended. applied: what the last pass left. passwords: see `passwords`."""
TRIGGER = (
    "CREATE TRIGGER audit.keep ON audit.log INSTEAD OF UPDATE, DELETE AS"
    " THROW 50000, 'the audit is appended to, and never changed', 1"
)
INDEXED = "nvarchar(255)"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def module_digest(text: str) -> str:
    """Of a view or trigger, without its first words: the server keeps CREATE OR ALTER otherwise than it was sent."""
    return digest(re.sub(r"^\s*(CREATE|ALTER)\s+(OR\s+ALTER\s+)?", "", text).strip())


def full_name(table: Table) -> str:
    return f"{published(table.party)}.{table.name}"


def _stored(table: Table, column: TableColumn) -> tuple[str, bool]:
    """Type, and whether it is always filled."""
    joins = {table.mapping.column, table.mapping.shop_column} if table.mapping else set()
    indexed = column.type in ("text", "json") and (column.name in table.key or column.name in joins)
    return INDEXED if indexed else TYPES[column.type], column.required or column.name in table.key


def column_sql(table: Table, column: TableColumn) -> str:
    kind, filled = _stored(table, column)
    return f"{identifier(column.name)} {kind} {'NOT NULL' if filled else 'NULL'}"


def table_sql(table: Table) -> str:
    lines = [column_sql(table, column) for column in table.columns]
    if table.key:
        lines.append(f"PRIMARY KEY ({', '.join(identifier(name) for name in table.key)})")
    return f"CREATE TABLE {qualified(published(table.party), table.name)} ({', '.join(lines)})"


def widened(table: Table, there: Iterable[str]) -> Iterator[str]:
    """Columns that a contract has more than the table."""
    known = set(there)
    for column in table.columns:
        if column.name not in known:
            name = qualified(published(table.party), table.name)
            yield f"ALTER TABLE {name} ADD {column_sql(table, column)}"


def described(columns: Iterable[str]) -> str:
    """A table by its columns as `column` tells of them, in no order."""
    return f"({', '.join(sorted(columns))})"


def column(name: str, kind: str, *, filled: bool) -> str:
    return f"{name} {kind}{'!' if filled else ''}"


def table_digest(table: Table) -> str:
    return described(column(c.name, kind, filled=filled) for c in table.columns for kind, filled in [_stored(table, c)])


def type_name(name: str, length: int, precision: int, scale: int) -> str:
    """A type of the catalog as statements write it."""
    size = "max" if length == -1 else str(length // 2 if name.startswith("n") else length)
    if name in ("nvarchar", "varchar", "char", "nchar", "binary", "varbinary"):
        return f"{name}({size})"
    if name == "decimal":
        return f"decimal({precision}, {scale})"
    return f"{name}({scale})" if name == "datetime2" else name

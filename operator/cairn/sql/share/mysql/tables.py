# SPDX-License-Identifier: Apache-2.0
"""Tables that Cairn makes: its own small ones, the audit, and those that apps publish. Pure text."""

from __future__ import annotations

import hashlib

from cairn.sql.share.model import Table
from cairn.sql.share.mysql.masks import stored
from cairn.sql.share.mysql.names import identifier, qualified
from cairn.sql.share.names import published

_OPTIONS = "ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin"

MAP_TABLES = {
    "mac": "name varchar(120) PRIMARY KEY, ipad binary(64) NOT NULL, opad binary(64) NOT NULL,"
    " retired boolean NOT NULL DEFAULT FALSE",
    "scope": "view varchar(120) NOT NULL, shop varchar(64) NOT NULL, PRIMARY KEY (view, shop)",
    "ended": "grantkey varchar(64) PRIMARY KEY, at datetime(6) NOT NULL",
    "clock": "id tinyint PRIMARY KEY, seen decimal(20,6) NOT NULL",
    "erased": "shop varchar(64) NOT NULL, digest char(64) NOT NULL, PRIMARY KEY (shop, digest)",
    "due": "login varchar(32) PRIMARY KEY",
    "made": "object varchar(160) PRIMARY KEY, wanted char(16) NOT NULL, found char(16) NOT NULL,"
    " grantkey varchar(64) NOT NULL DEFAULT ''",
    "applied": "id tinyint PRIMARY KEY, state longtext NOT NULL",
}
"""due: whose sessions are still to be ended. made: what Cairn made, as it was asked for and as the server shows it,
for the server keeps no text as it was given. applied: what the last pass left. The rest: see `model`."""

READ_BY_VIEWS = ("clock", "ended", "erased", "mac", "scope")

AUDIT_TABLE = (
    "seq bigint unsigned AUTO_INCREMENT PRIMARY KEY, at datetime(6) NOT NULL, action varchar(32) NOT NULL,"
    " actor varchar(255) NOT NULL, tenant varchar(255) NOT NULL, subject varchar(255) NOT NULL, reason text NOT NULL,"
    " contract varchar(80) NOT NULL, entries_before longtext NOT NULL, entries_after longtext NOT NULL,"
    " prev char(64) NOT NULL, hash char(64) NOT NULL"
)
AUDIT_TRIGGERS = {"noupdate": "UPDATE", "nodelete": "DELETE"}


def own_tables() -> dict[str, str]:
    """Statements that make them, by `database.table`."""
    tables = {f"map.{name}": columns for name, columns in MAP_TABLES.items()} | {"audit.log": AUDIT_TABLE}
    return {name: f"CREATE TABLE IF NOT EXISTS {name} ({columns}) {_OPTIONS}" for name, columns in tables.items()}


def own_triggers() -> dict[str, str]:
    return {
        f"audit.{name}": f"CREATE TRIGGER audit.{name} BEFORE {event} ON audit.log FOR EACH ROW"
        " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit is appended to, and never changed'"
        for name, event in AUDIT_TRIGGERS.items()
    }


def table_name(table: Table) -> str:
    return f"{published(table.party)}.{table.name}"


def column_sql(table: Table, name: str) -> str:
    column = next(column for column in table.columns if column.name == name)
    mapping = table.mapping
    joins = {mapping.column, mapping.shop_column} if mapping else set()
    kind = stored(column, indexed=name in table.key or name in joins)
    return f"{identifier(name)} {kind} {'NOT NULL' if column.required or name in table.key else 'NULL'}"


def table_sql(table: Table) -> str:
    lines = [column_sql(table, column.name) for column in table.columns]
    if table.key:
        lines.append(f"PRIMARY KEY ({', '.join(identifier(name) for name in table.key)})")
    if table.mapping and tuple(table.key) != (table.mapping.column,):
        lines.append(f"KEY mapping ({identifier(table.mapping.column)})")
    return f"CREATE TABLE {qualified(published(table.party), table.name)} ({', '.join(lines)}) {_OPTIONS}"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]

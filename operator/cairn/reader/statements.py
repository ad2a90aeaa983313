# SPDX-License-Identifier: Apache-2.0
"""What a reader says to its database: pure text for each engine, the same that docs/reading.md shows.

A step is one transaction: `lock`, `rows` or `old_rows`, the reader's own work, `advance` or `advance_old`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")

BEFORE_ALL = -(2**63)
"""`old_key` of a reader that has read none of the rows that have no number."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is read, e.g. `sys_info.jdp_tb_trade` or a view with jdp_seq, and the key's column.

    table: the pushed table behind it, which the notifications are named after
    cursors: schema (on MySQL: database) of the reader's own, where its table of cursors stands
    """

    relation: str
    key: str
    table: str
    cursors: str
    limit: int = field(default=1000, kw_only=True)

    def __post_init__(self) -> None:
        for what, text in (("key", self.key), ("table", self.table), ("cursors", self.cursors)):
            if not _NAME.match(text):
                raise ValueError(f"{what}: {text!r} is no plain name: letters, digits and _, not longer than 64")
        if not all(_NAME.match(part) for part in self.relation.split(".")):
            raise ValueError(f"relation: {self.relation!r} is no name of a table or view, like sys_info.jdp_tb_trade")
        if self.limit < 1:
            raise ValueError(f"limit: {self.limit} rows a step; give at least 1")


@dataclass(frozen=True, slots=True)
class Statements:
    """create: the table of cursors. begin: of (name, relation), where it reads for the first time. lock: gives seq
    and old_key; a second reader of the same name waits here.

    rows: of (seq). advance: of (seq, name, relation). old_rows: of (old_key), rows from before Cairn, which have no
    number. advance_old: of (old_key or None for all read, name, relation).
    """

    create: str
    begin: str
    lock: str
    rows: str
    advance: str
    old_rows: str
    advance_old: str


def statements(engine: str, source: Source) -> Statements:
    """For `postgresql` (parameters $1), `mysql` (MariaDB, too) or `sqlserver` (both %s)."""
    if engine not in _CREATE:
        raise ValueError(f"engine: {engine!r}; known are {', '.join(_CREATE)}")
    cursors = f"{source.cursors}.jdp_reader"
    first, last = ("", f" LIMIT {source.limit}") if engine != "sqlserver" else (f"TOP ({source.limit}) ", "")
    hint, end = (" WITH (UPDLOCK)", "") if engine == "sqlserver" else ("", " FOR UPDATE")
    where = "WHERE name = {} AND relation = {}"
    unnumbered = f"WHERE jdp_seq IS NULL AND {source.key} > {{}}"
    texts = (
        _CREATE[engine].format(cursors),
        _BEGIN[engine].format(cursors),
        f"SELECT seq, old_key FROM {cursors}{hint} {where}{end}",
        f"SELECT {first}* FROM {source.relation} WHERE jdp_seq > {{}} ORDER BY jdp_seq{last}",
        f"UPDATE {cursors} SET seq = {{}} {where}",
        f"SELECT {first}* FROM {source.relation} {unnumbered} ORDER BY {source.key}{last}",
        f"UPDATE {cursors} SET old_key = {{}} {where}",
    )
    return Statements(*(_numbered(text) if engine == "postgresql" else text.replace("{}", "%s") for text in texts))


def _numbered(text: str) -> str:
    return text.format(*(f"${number}" for number in range(1, 4)))


_COLUMNS = (
    "(name varchar(64) NOT NULL, relation varchar(128) NOT NULL, seq bigint NOT NULL DEFAULT 0,"
    f" old_key bigint DEFAULT {BEFORE_ALL}, PRIMARY KEY (name, relation))"
)
_CREATE = {
    "postgresql": "CREATE TABLE IF NOT EXISTS {} " + _COLUMNS,
    "mysql": "CREATE TABLE IF NOT EXISTS {} " + _COLUMNS + " ENGINE=InnoDB",
    "sqlserver": "IF OBJECT_ID('{0}') IS NULL CREATE TABLE {0} " + _COLUMNS,
}
_BEGIN = {
    "postgresql": "INSERT INTO {} (name, relation) VALUES ({{}}, {{}}) ON CONFLICT DO NOTHING",
    "mysql": "INSERT IGNORE INTO {} (name, relation) VALUES ({{}}, {{}})",
    "sqlserver": "INSERT INTO {0} (name, relation) SELECT n.name, n.relation FROM (VALUES ({{}}, {{}}))"
    " n(name, relation) WHERE NOT EXISTS (SELECT 1 FROM {0} c WITH (UPDLOCK, HOLDLOCK)"
    " WHERE c.name = n.name AND c.relation = n.relation)",
}

# SPDX-License-Identifier: Apache-2.0
"""Answers of a SQL Server's catalogs, written by hand after its documentation.

They stand for a server that can't run here: they show what a pass makes of such answers, in what order it sends what,
and not that a server gives them or takes the statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from cairn.sql.share.applied import Applied
from cairn.sql.share.blocking import Blocking, Row
from cairn.sql.share.model import Design
from cairn.sql.share.names import group, own_role, published, shares, work
from cairn.sql.share.sqlserver import audit, queries, tables
from cairn.sql.share.sqlserver.desired import desired
from cairn.sql.share.sqlserver.passwords import salted
from cairn.sql.share.sqlserver.views import full_name, view_sql

AT = datetime(2026, 6, 1, 12, 0, 0)  # noqa: DTZ001 -- as the server has it
SALT = "00" * 16
PASSWORD = "App-password-1"
TYPES = {
    "bigint": ("bigint", 8, 19, 0),
    "nvarchar(max)": ("nvarchar", -1, 0, 0),
    "nvarchar(255)": ("nvarchar", 510, 0, 0),
}


@dataclass(frozen=True)
class Answers:
    """Rows by query."""

    rows: dict[str, list[Row]] = field(default_factory=dict)

    def more(self, query: str, *rows: Row) -> Answers:
        return Answers({**self.rows, query: [*self.rows.get(query, []), *rows]})

    def instead(self, query: str, rows: Sequence[Row]) -> Answers:
        return Answers({**self.rows, query: list(rows)})


EMPTY = Answers(
    {
        queries.FLAGS: [(False, False, 1)],
        queries.SCHEMAS: [("dbo", "dbo"), ("guest", "guest"), ("sys", "sys"), ("platform", "dbo")],
        queries.PRINCIPALS: [
            ("public", "R", 0, None, "dbo", AT),
            ("dbo", "S", 1, "dbo", None, AT),
            ("guest", "S", 0, "guest", None, AT),
            ("shop_reader", "R", 0, None, "dbo", AT),
        ],
        queries.OBJECTS: [("platform", "trades", "U ", "dbo", None, None, None)],
        queries.COLUMNS: [("platform", "trades", "tid", "bigint", 8, 19, 0, False, False)],
        queries.PERMISSIONS: [
            ("DATABASE", "G", "CONNECT", "dbo", "dbo", "", None),
            ("DATABASE", "G", "CONNECT", "guest", "dbo", "", None),
            ("SCHEMA", "G", "SELECT", "shop_reader", "dbo", "platform", None),
        ],
        queries.MEMBERS: [("db_owner", "dbo")],
        queries.SESSIONS: [(50, "sa")],
    }
)


def standing(whole: Design, *, applied: bool = True) -> Answers:
    """The catalogs of a database in which all of a design stands."""
    own = own_role(whole.id)
    schemas = [("dbo", "dbo"), ("platform", own), ("map", own), ("audit", own)]
    principals: list[Row] = [("dbo", "S", 1, "dbo", None, AT), (own, "S", 0, "dbo", None, AT)]
    permissions: list[Row] = [
        ("DATABASE", "G", "CONNECT", "dbo", "dbo", "", None),
        ("SCHEMA", "G", "SELECT", "shop_reader", own, "platform", None),
    ]
    objects: list[Row] = [("platform", "trades", "U ", own, None, None, None)]
    objects += [(*name.split("."), "U ", own, None, None, None) for name in tables.OWN_TABLES]
    objects += [
        ("audit", "keep", "TR", own, None, tables.TRIGGER, None),
        ("map", "PK__mac", "PK", own, None, None, None),
    ]
    members: list[Row] = [("db_owner", "dbo")]
    for party in whole.parties:
        role = group(party.id)
        principals.append((role, "R", 0, None, own, AT))
        schemas.append((shares(party.id), own))
        if not party.staff:
            schemas += [(published(party.id), own), (work(party.id), role)]
            permissions.append(("DATABASE", "G", "CREATE TABLE", role, "dbo", "", None))
        for login in party.logins:
            principals.append((login.name, "S", 2, work(party.id), None, AT))
            members.append((role, login.name))
            if login.enabled:
                permissions.append(("DATABASE", "G", "CONNECT", login.name, "dbo", "", None))
    for view in whole.views:
        text = view_sql(whole, view).replace("CREATE OR ALTER VIEW", "CREATE   VIEW")
        objects.append((shares(view.party), view.name, "V ", own, None, text, None))
        permissions.append(("OBJECT_OR_COLUMN", "G", "SELECT", group(view.party), own, full_name(view), None))
    columns: list[Row] = []
    for table in whole.tables:
        schema = published(table.party)
        objects.append((schema, table.name, "U ", own, None, None, None))
        for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            target = f"{schema}.{table.name}"
            permissions.append(("OBJECT_OR_COLUMN", "G", privilege, group(table.party), own, target, None))
        for column in table.columns:
            kind = tables.column_sql(table, column).removeprefix(f"[{column.name}] ").rpartition(" N")[0]
            kind, filled = (kind.removesuffix(" NOT"), kind.endswith(" NOT"))
            columns.append((schema, table.name, column.name, *TYPES[kind], not filled, False))
    enabled = [login.name for party in whole.parties for login in party.logins if login.enabled]
    state = desired(whole)
    return Answers(
        {
            **EMPTY.rows,
            queries.SCHEMAS: list(schemas),
            queries.PRINCIPALS: principals,
            queries.OBJECTS: objects,
            queries.COLUMNS: columns,
            queries.PERMISSIONS: permissions,
            queries.MEMBERS: members,
            queries.SEEN: [(AT,)],
            queries.ROWS["map.scope"]: [(full_name(view), shop) for view in whole.views for shop in view.shops],
            queries.ROWS["map.mac"]: [(name, False) for (name,) in state.rows["map.mac"]],
            queries.ROWS["map.due"]: [],
            queries.ROWS["map.ended"]: [(key,) for key in sorted(whole.ended)],
            queries.ROWS["map.applied"]: [(Applied.of(state).text(),)] if applied else [],
            queries.ROWS["map.passwords"]: [(name, SALT, salted(PASSWORD, SALT), AT) for name in enabled],
        }
    )


class Recorded(Blocking):
    """Answers look after look, the last one for ever, and keeps what it was sent. after: breaks once so many were."""

    def __init__(self, *looks: Answers, after: int | None = None) -> None:
        super().__init__()
        self._looks = list(looks)
        self._now: Answers | None = None
        self._after = after
        self.sent: list[tuple[str, tuple[object, ...]]] = []

    @property
    def open(self) -> bool:
        return True

    def abort(self) -> None: ...

    def _close(self) -> None: ...

    def _query(self, statement: str, parameters: tuple[object, ...]) -> list[Row]:
        raise NotImplementedError

    async def fetch(self, statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        if statement == queries.FLAGS:
            self._now = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        fixed: dict[str, list[Row]] = {audit.LOCK: [(0,)], audit.LAST: [], audit.NOW: [(AT,)], queries.CLOCK: [(AT,)]}
        if statement in fixed:
            return fixed[statement]
        if self._now is None:
            raise AssertionError(f"asked before anything was looked at: {statement}")
        rows = self._now.rows.get(statement)
        if rows is None:
            raise AssertionError(f"no answer was written for: {statement}")
        if statement == queries.SESSIONS:
            ended = {sql.removeprefix("KILL ") for sql, _ in self.sent if sql.startswith("KILL ")}
            return [row for row in rows if str(row[0]) not in ended]
        return rows

    async def execute(self, statement: str, parameters: Sequence[object] = ()) -> None:
        if statement == audit.UNLOCK:
            return
        if self._after is not None and len(self.sent) >= self._after:
            raise BreakError
        self.sent.append((statement, tuple(parameters)))


class BreakError(Exception):
    pass


def narrower(whole: Design, columns: int) -> Design:
    """The first view with fewer columns."""
    first = whole.views[0]
    return replace(whole, views=(replace(first, columns=first.columns[:columns]), *whole.views[1:]))


def written(sent: Sequence[tuple[str, tuple[Any, ...]]]) -> str:
    """Statements for people to read: one after the other, with what goes as parameters."""
    lines = [sql + (f"\n-- with {list(map(str, values))}" if values else "") for sql, values in sent]
    return "\nGO\n".join(lines) + ("\n" if lines else "")

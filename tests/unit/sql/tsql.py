# SPDX-License-Identifier: Apache-2.0
"""T-SQL of the push, run by SQLite: sqlglot reads it, and what only SQL Server has is put in SQLite's words.

It shows what the statements say: which row is newer, what is changed and counted. Nothing of locks, of types, or of
whether a server takes them.
"""

from __future__ import annotations

import functools
import re
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytds
import sqlglot
from sqlglot import exp

from cairn.api.dataset import Dataset
from cairn.sql.push.sqlserver.ddl import EXACT, HASHED, stage_name, staged

_TIME = "%Y-%m-%d %H:%M:%S.%f"
_COUNTED = "SELECT @@ROWCOUNT AS n"


def dateadd(unit: str, count: int, at: str) -> str:
    return (datetime.strptime(at, _TIME) + timedelta(**{f"{unit}s": count})).strftime(_TIME)  # noqa: DTZ007


def _order(one: str, other: str) -> int:
    return (one > other) - (one < other)


class Modelled:
    """A session of SQL Server's in the writer's eyes. bulk: whether it takes a bulk copy. refuse: errors to come."""

    def __init__(self, dataset: Dataset, *, bulk: bool = True) -> None:
        self.bulk, self.open = bulk, True
        self.sent: list[str] = []
        self.refuse: list[tuple[str, int]] = []
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._db.create_function("dateadd", 3, dateadd)
        self._db.create_function("sysutcdatetime", 0, lambda: datetime.now(UTC).strftime(_TIME))
        self._db.create_function("datalength", 1, lambda text: None if text is None else len(text.encode("utf-16-le")))
        for collation in (HASHED, EXACT):
            self._db.create_collation(collation, _order)
        self._db.execute("ATTACH ':memory:' AS dbo")
        columns = [f"[{name}]{' INTEGER PRIMARY KEY' if name == dataset.key else ''}" for name in dataset.column_names]
        self._db.execute(f"CREATE TABLE dbo.[{dataset.table}] ({', '.join(columns)})")
        columns = [f"[{name}]" for name, _ in staged(dataset)]
        columns.append("jdp_staged DEFAULT (sysutcdatetime())")
        self._db.execute(f"CREATE TABLE dbo.[{stage_name(dataset)}] ({', '.join(columns)})")
        self._db.execute("CREATE TABLE dbo.jdp_cursor (table_name, seq, ts)")
        self._db.execute("INSERT INTO dbo.jdp_cursor VALUES (?, 0, '2000-01-01 00:00:00.000000')", (dataset.table,))
        self._db.execute(
            "CREATE TABLE dbo.jdp_quarantine (topic, object_key, seller_nick, stream, stream_seq, member_no, reason,"
            " error_code, error_text, payload)"
        )

    async def fetch(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        self.sent.append(statement)
        if self.refuse and statement.startswith(self.refuse[0][0]):
            error = pytds.DatabaseError("refused")
            error.msg_no = self.refuse.pop(0)[1]
            raise error
        if statement.startswith("IF @@TRANCOUNT"):
            self._db.rollback()
            return []
        return self.run(statement, parameters)

    async def execute(self, statement: str, parameters: Sequence[object] = ()) -> None:
        await self.fetch(statement, parameters)

    async def copy_in(
        self, schema: str, table: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[object]]
    ) -> None:
        if not self.bulk:
            error = pytds.DatabaseError("You do not have permission to use the bulk load statement.")
            error.msg_no = 4834
            raise error
        assert not self._db.in_transaction
        names = ", ".join(name for name, _ in columns)
        marks = ", ".join(["?"] * len(columns))
        self._db.executemany(f"INSERT INTO {schema}.{table} ({names}) VALUES ({marks})", [_told(row) for row in rows])

    def abort(self) -> None:
        """The tests look at what stands afterwards: the session's end is a roll-back."""
        self._db.rollback()

    def run(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        names = iter(range(1, len(parameters) + 1))
        text = re.sub("%s", lambda _: f"@P{next(names)}", statement)
        counted, text = text.endswith(_COUNTED), text.removesuffix(_COUNTED).rstrip("; ")
        given = {f"P{number}": value for number, value in enumerate(_told(parameters), 1)}
        cursor = self._db.execute(_translated(text), given)
        if counted:
            return [(cursor.rowcount,)]
        return [tuple(map(_read, row)) for row in cursor.fetchall()]


def _told(values: Sequence[object]) -> list[Any]:
    return [
        value.strftime(_TIME).rjust(26, "0")
        if isinstance(value, datetime)
        else str(value)
        if isinstance(value, UUID)
        else value
        for value in values
    ]


def _read(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", value):
        return datetime.strptime(value, _TIME)  # noqa: DTZ007
    return value


@functools.cache
def _translated(text: str) -> str:
    (tree,) = sqlglot.parse(text, dialect="tsql", error_level=sqlglot.ErrorLevel.RAISE)
    assert tree is not None
    return _sqlite(tree).sql(dialect="sqlite")


def _sqlite(tree: exp.Expr) -> exp.Expr:
    tree = tree.transform(_word)
    if isinstance(tree, exp.Update) and tree.args.get("from_"):
        return _update(tree)
    return tree


def _word(node: exp.Expr) -> exp.Expr:
    match node:
        case exp.OpenJSON():
            (column,) = node.expressions
            return sqlglot.parse_one(
                f"(SELECT value AS {column.name} FROM json_each({node.this.sql()}))", dialect="sqlite"
            )
        case exp.DateAdd() | exp.TsOrDsAdd():
            unit = node.text("unit").lower()
            return exp.Anonymous(this="dateadd", expressions=[exp.Literal.string(unit), node.expression, node.this])
        case exp.Cast() if node.to.this in (exp.DataType.Type.DATETIME2, exp.DataType.Type.TIMESTAMP):
            return _word(node.this)
        case exp.Column() if node.table == "INSERTED":
            return exp.column(node.this)
        case exp.Values() if node.args.get("alias") and node.args["alias"].columns:
            (row,) = node.expressions
            named = zip(row.expressions, node.args["alias"].columns, strict=True)
            return exp.select(*(exp.alias_(value, name) for value, name in named)).subquery(node.alias)
    return node


def _update(tree: exp.Update) -> exp.Expr:
    """UPDATE t SET … FROM table AS t JOIN …: the alias names the table that is changed."""
    source = tree.args["from_"].this
    first, *more = source.args.pop("joins", None) or tree.args["from_"].args.get("joins") or []
    where = exp.and_(first.args["on"], tree.args["where"].this)
    tables = ", ".join(join.this.sql(dialect="sqlite") for join in (first, *more))
    changes = ", ".join(change.sql(dialect="sqlite") for change in tree.expressions)
    return sqlglot.parse_one(
        f"UPDATE {source.sql(dialect='sqlite')} SET {changes} FROM {tables} WHERE {where.sql(dialect='sqlite')}",
        dialect="sqlite",
    )

# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL DDL for a dataset: pure text from a descriptor, and what an existing table lacks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from cairn.api.dataset import ALWAYS_SHOWN, Dataset, ViewColumn
from cairn.sql.facts import ColumnFact
from cairn.sql.quoting import identifier, literal, qualified

TAIL_TYPES = {
    "jdp_hashcode": 'varchar(128) COLLATE "C"',
    "jdp_response": "text",
    "jdp_created": "timestamp(6)",
    "jdp_modified": "timestamp(6)",
    "jdp_version": "bigint NOT NULL DEFAULT 0",
    "jdp_seq": "bigint",
}
VIEW_REVISION = 1
"""Raise it when `view_sql` changes: views are made anew when their digest differs."""

_CASTS = {
    "text": "{}",
    "json": "{}",
    "bigint": "CASE WHEN {0} ~ '^-?[0-9]{{1,18}}$' THEN ({0})::pg_catalog.int8 END",
    "numeric": "CASE WHEN {0} ~ '^-?[0-9]{{1,30}}([.][0-9]{{1,20}})?$' THEN ({0})::pg_catalog.numeric END",
    "boolean": "CASE pg_catalog.lower({0}) WHEN 'true' THEN true WHEN 'false' THEN false END",
    "timestamp": "sys_info.cairn_timestamp({})",
}


def sql_type(kind: str) -> str:
    """A stored column's type in PostgreSQL."""
    return "timestamp(0)" if kind == "timestamp" else kind


def printed_type(kind: str) -> str:
    """The same as `format_type` prints it."""
    if kind == "timestamp":
        return "timestamp(0) without time zone"
    return {"int": "integer"}.get(kind, kind.replace("varchar", "character varying"))


def table_sql(dataset: Dataset) -> str:
    kinds = {column.name: sql_type(column.type) for column in dataset.columns} | TAIL_TYPES
    lines = [
        f"{identifier(name)} {kinds[name]}{' PRIMARY KEY' if name == dataset.key else ''}"
        for name in dataset.column_names
    ]
    return (
        f"CREATE TABLE IF NOT EXISTS {qualified('sys_info', dataset.table)} (\n  " + ",\n  ".join(lines) + "\n)"
        " WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02)"
    )


def index_sql(dataset: Dataset, name: str, *, concurrently: bool = False) -> str:
    index = next(index for index in dataset.indexes if index.name == name)
    columns = ", ".join(identifier(column) for column in index.columns)
    how = "CONCURRENTLY " if concurrently else ""
    return f"CREATE INDEX {how}IF NOT EXISTS {identifier(name)} ON {qualified('sys_info', dataset.table)} ({columns})"


def view_sql(dataset: Dataset) -> str:
    """The view's query never raises, whatever stands in jdp_response: a value that is no such type reads as NULL."""
    fixed = {"shop_id": "s.shop_id", "jdp_modified": "t.jdp_modified", "jdp_seq": "t.jdp_seq"}
    columns = [f"{fixed[name]} AS {name}" for name in ALWAYS_SHOWN]
    columns += [f"{_expression(column)} AS {identifier(column.name)}" for column in dataset.view]
    envelope = _path(dataset.envelope)
    return (
        f"CREATE OR REPLACE VIEW platform.{identifier(dataset.name)} AS SELECT\n  " + ",\n  ".join(columns) + "\n"
        f"FROM sys_info.{identifier(dataset.table)} t\n"
        f"LEFT JOIN sys_info.jdp_shop s ON s.seller_nick = t.{identifier(dataset.owner)}\n"
        f"CROSS JOIN LATERAL (SELECT sys_info.cairn_json(t.jdp_response) #> {envelope} AS record OFFSET 0) r"
    )


def view_digest(dataset: Dataset) -> str:
    """Stands as the comment on the view that was made from this descriptor by this code."""
    return f"cairn:{VIEW_REVISION}:{hashlib.sha256(view_sql(dataset).encode()).hexdigest()[:16]}"


def _expression(column: ViewColumn) -> str:
    if column.path is None or column.type is None:
        return f"t.{identifier(column.name)}"
    value = f"r.record {'#>' if column.type == 'json' else '#>>'} {_path(column.path)}"
    return _CASTS[column.type].format(f"({value})")


def _path(members: tuple[str, ...]) -> str:
    return "ARRAY[" + ", ".join(literal(member) for member in members) + "]::pg_catalog.text[]"


def drift(dataset: Dataset, found: Mapping[str, ColumnFact]) -> tuple[str, ...]:
    """What keeps the worker from writing to a table that exists, each with the statement that mends it.

    A missing column, one of another or a narrower type, a key that is none, and a column of somebody else's that must
    not be empty.
    """
    table = qualified("sys_info", dataset.table)
    wanted = {column.name: column.type for column in dataset.columns}
    problems = []
    for name in dataset.column_names:
        asked = sql_type(wanted[name]) if name in wanted else TAIL_TYPES[name]
        printed = printed_type(wanted[name] if name in wanted else TAIL_TYPES[name].split(" ")[0])
        printed = {"timestamp(6)": "timestamp(6) without time zone"}.get(printed, printed)
        if name not in found:
            problems.append(f"column {name} is missing: ALTER TABLE {table} ADD COLUMN {identifier(name)} {asked}")
        elif not _holds(found[name].type, printed):
            change = f"ALTER TABLE {table} ALTER COLUMN {identifier(name)} TYPE {asked.split(' ')[0]}"
            problems.append(f"column {name} is {found[name].type}, not {printed}: {change}")
    if dataset.key in found and not found[dataset.key].unique:
        change = f"ALTER TABLE {table} ADD PRIMARY KEY ({identifier(dataset.key)})"
        problems.append(f"column {dataset.key} may hold a value twice: {change}")
    for name, column in sorted(found.items()):
        if name not in dataset.column_names and column.not_null and not column.has_default:
            change = f"ALTER TABLE {table} ALTER COLUMN {identifier(name)} DROP NOT NULL"
            problems.append(f"column {name} is not Cairn's and must not be empty: {change}")
    return tuple(problems)


def _holds(found: str, wanted: str) -> bool:
    """Whether a column of the type found takes every value of the type wanted."""
    if found == wanted:
        return True
    if wanted.startswith("character varying("):
        if found in ("text", "character varying"):
            return True
        if found.startswith("character varying("):
            return int(found[18:-1]) >= int(wanted[18:-1])
    if wanted == "integer":
        return found == "bigint"
    return wanted.startswith("timestamp(0)") and found.startswith("timestamp") and found.endswith("without time zone")

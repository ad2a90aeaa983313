# SPDX-License-Identifier: Apache-2.0
"""MySQL's and MariaDB's DDL for a dataset: pure text from a descriptor, and what an existing table lacks."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from cairn.api.dataset import ALWAYS_SHOWN, Dataset, ViewColumn
from cairn.sql.share.mysql.names import identifier, literal, qualified

TAIL_TYPES = {
    "jdp_hashcode": "varchar(128) CHARACTER SET ascii COLLATE ascii_bin",
    "jdp_response": "mediumtext",
    "jdp_created": "datetime(6)",
    "jdp_modified": "datetime(6)",
    "jdp_version": "bigint NOT NULL DEFAULT 0",
    "jdp_seq": "bigint",
}
VIEW_REVISION = 1
"""Raise it when `view_sql` changes: views are made anew when their digest differs."""

_TIME = "^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}$"
_CASTS = {
    "text": "{}",
    "bigint": "CASE WHEN {0} REGEXP '^-?[0-9]{{1,18}}$' THEN CAST({0} AS SIGNED) END",
    "numeric": "CASE WHEN {0} REGEXP '^-?[0-9]{{1,30}}([.][0-9]{{1,20}})?$' THEN CAST({0} AS DECIMAL(50,20)) END",
    "boolean": "CASE LOWER({0}) WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END",
    "timestamp": f"CASE WHEN {{0}} REGEXP '{_TIME}' THEN CAST({{0}} AS DATETIME) END",
}


class Column(NamedTuple):
    """As information_schema has it. charset: None where it is no text. unique: by an index on it alone."""

    type: str
    charset: str | None
    nullable: bool
    has_default: bool
    unique: bool


def sql_type(dataset: Dataset, name: str) -> str:
    """A column's type in a table of ours."""
    if name in TAIL_TYPES:
        return TAIL_TYPES[name]
    kind = dataset.column(name).type
    return "datetime" if kind == "timestamp" else kind


def table_sql(dataset: Dataset) -> str:
    lines = [
        f"{identifier(name)} {sql_type(dataset, name)}{' NOT NULL PRIMARY KEY' if name == dataset.key else ''}"
        for name in dataset.column_names
    ]
    lines += [
        f"KEY {identifier(index.name)} ({', '.join(map(identifier, index.columns))})" for index in dataset.indexes
    ]
    return (
        f"CREATE TABLE IF NOT EXISTS {qualified('sys_info', dataset.table)} (\n  " + ",\n  ".join(lines) + "\n)"
        " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
    )


def index_sql(dataset: Dataset, name: str) -> str:
    index = next(index for index in dataset.indexes if index.name == name)
    columns = ", ".join(map(identifier, index.columns))
    return f"CREATE INDEX {identifier(name)} ON {qualified('sys_info', dataset.table)} ({columns})"


def view_sql(dataset: Dataset) -> str:
    """The view's query never raises, whatever stands in jdp_response: a value that is no such type reads as NULL."""
    fixed = {"shop_id": "s.shop_id", "jdp_modified": "t.jdp_modified", "jdp_seq": "t.jdp_seq"}
    columns = [f"{fixed[name]} AS {name}" for name in ALWAYS_SHOWN]
    columns += [f"{_expression(dataset, column)} AS {identifier(column.name)}" for column in dataset.view]
    return (
        f"CREATE OR REPLACE SQL SECURITY DEFINER VIEW platform.{identifier(dataset.name)} AS SELECT\n  "
        + ",\n  ".join(columns)
        + f"\nFROM sys_info.{identifier(dataset.table)} t\n"
        f"LEFT JOIN sys_info.jdp_shop s ON s.seller_nick = t.{identifier(dataset.owner)}"
    )


def view_digest(dataset: Dataset) -> str:
    """Of the view that is made from this descriptor by this code."""
    return f"cairn:{VIEW_REVISION}:{hashlib.sha256(view_sql(dataset).encode()).hexdigest()[:16]}"


def _expression(dataset: Dataset, column: ViewColumn) -> str:
    if column.path is None or column.type is None:
        return f"t.{identifier(column.name)}"
    path = literal("$" + "".join("." + json.dumps(member) for member in (*dataset.envelope, *column.path)))
    found = f"JSON_EXTRACT(IF(JSON_VALID(t.jdp_response), t.jdp_response, '{{}}'), {path})"
    if column.type == "json":
        return found
    return _CASTS[column.type].format(f"IF(JSON_TYPE({found}) = 'NULL', NULL, JSON_UNQUOTE({found}))")


def drift(dataset: Dataset, found: Mapping[str, Column]) -> tuple[str, ...]:
    """What keeps the worker from writing to a table that exists, each with the statement that mends it.

    A missing column, one of another or a narrower type or of a character set that not every record fits, a key that is
    none, and a column of somebody else's that must not be empty.
    """
    table = qualified("sys_info", dataset.table)
    problems = []
    for name in dataset.column_names:
        asked = sql_type(dataset, name)
        if name not in found:
            problems.append(f"column {name} is missing: ALTER TABLE {table} ADD COLUMN {identifier(name)} {asked}")
            continue
        narrow = name != "jdp_hashcode" and found[name].charset not in (None, "utf8mb4")
        if narrow or not _holds(found[name].type, asked.split(" ")[0]):
            is_now = f"{found[name].type} {found[name].charset or ''}".rstrip()
            wanted = f"{asked} CHARACTER SET utf8mb4" if narrow else asked
            change = f"ALTER TABLE {table} MODIFY COLUMN {identifier(name)} {wanted}"
            problems.append(f"column {name} is {is_now}, not {wanted}: {change}")
    if dataset.key in found and not found[dataset.key].unique:
        change = f"ALTER TABLE {table} ADD PRIMARY KEY ({identifier(dataset.key)})"
        problems.append(f"column {dataset.key} may hold a value twice: {change}")
    for name, column in sorted(found.items()):
        if name not in dataset.column_names and not column.nullable and not column.has_default:
            change = f"ALTER TABLE {table} MODIFY COLUMN {identifier(name)} {column.type} NULL"
            problems.append(f"column {name} is not Cairn's and must not be empty: {change}")
    return tuple(problems)


def _holds(found: str, wanted: str) -> bool:
    """Whether a column of the type found takes every value of the type wanted. Old servers print a display width."""
    found = re.sub(r"^(bigint|int)\(\d+\)$", r"\1", found)
    if found == wanted or (wanted, found) in {("int", "bigint"), ("mediumtext", "longtext")}:
        return True
    if wanted.startswith("varchar(") and found.startswith("varchar("):
        return int(found[8:-1]) >= int(wanted[8:-1])
    if wanted.startswith("varchar("):
        return found in ("text", "mediumtext", "longtext")
    return wanted == "datetime" and found.startswith("datetime(")

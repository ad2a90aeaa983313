# SPDX-License-Identifier: Apache-2.0
"""T-SQL for the tables of a dataset: pure text from a descriptor."""

from __future__ import annotations

from cairn.api.dataset import Dataset
from cairn.sql.share.sqlserver.text import identifier, qualified

HASHED = "Latin1_General_BIN2"
EXACT = "Latin1_General_100_BIN2"
"""Compares text by its characters, whatever the database's own collation."""

TAIL_TYPES = {
    "jdp_hashcode": f"varchar(128) COLLATE {HASHED}",
    "jdp_response": "nvarchar(max)",
    "jdp_created": "datetime2(6)",
    "jdp_modified": "datetime2(6)",
    "jdp_version": "bigint",
    "jdp_seq": "bigint",
}
MOST_UNITS = 4_000
"""nvarchar counts units of UTF-16; a longer one is nvarchar(max)."""


def units(dataset: Dataset, name: str) -> int | None:
    """How many units of UTF-16 fit into a stored column; None where it is no text, or takes any."""
    length = dataset.column(name).length
    return length if length is not None and length <= MOST_UNITS else None


def sql_type(dataset: Dataset, name: str) -> str:
    """A column's type in a table of ours."""
    if name in TAIL_TYPES:
        return TAIL_TYPES[name]
    column = dataset.column(name)
    if column.length is not None:
        return f"nvarchar({units(dataset, name) or 'max'})"
    return "datetime2(0)" if column.type == "timestamp" else column.type


def column_sql(dataset: Dataset, name: str) -> str:
    end = "NULL"
    if name == dataset.key:
        end = f"NOT NULL CONSTRAINT {identifier(f'pk_{dataset.table}')} PRIMARY KEY"
    elif name == "jdp_version":
        end = "NOT NULL DEFAULT 0"
    return f"{identifier(name)} {sql_type(dataset, name)} {end}"


def table_sql(dataset: Dataset) -> str:
    columns = ",\n  ".join(column_sql(dataset, name) for name in dataset.column_names)
    return f"CREATE TABLE {qualified('dbo', dataset.table)} (\n  {columns}\n)"


def index_sql(dataset: Dataset, name: str) -> str:
    index = next(index for index in dataset.indexes if index.name == name)
    columns = ", ".join(map(identifier, index.columns))
    return f"CREATE INDEX {identifier(name)} ON {qualified('dbo', dataset.table)} ({columns})"


def stage_name(dataset: Dataset) -> str:
    return f"jdp_stage_{dataset.table.removeprefix('jdp_')}"


def staged(dataset: Dataset) -> tuple[tuple[str, str], ...]:
    """Columns of the stage that a writer fills, with their types: batch, place in it, `Row.values`, version."""
    values = (*(column.name for column in dataset.columns), "jdp_hashcode", "jdp_response")
    return (
        ("jdp_batch", "uniqueidentifier"),
        ("jdp_row", "int"),
        *((name, sql_type(dataset, name).split(" ")[0]) for name in values),
        ("jdp_version", "bigint"),
    )


def stage_sql(dataset: Dataset) -> tuple[str, str]:
    """The table and its one index, by which a batch is found whatever others are there."""
    fixed = {"jdp_batch", "jdp_row"}
    lines = [
        f"{identifier(name)} {kind}{f' COLLATE {HASHED}' if name == 'jdp_hashcode' else ''}"
        f" {'NOT NULL' if name in fixed else 'NULL'}"
        for name, kind in staged(dataset)
    ]
    lines.append("[jdp_staged] datetime2(6) NOT NULL DEFAULT SYSUTCDATETIME()")
    table = qualified("dbo", stage_name(dataset))
    return (
        f"CREATE TABLE {table} (\n  " + ",\n  ".join(lines) + "\n)",
        f"CREATE UNIQUE CLUSTERED INDEX [jdp_stage_batch] ON {table} ([jdp_batch], [jdp_row])",
    )

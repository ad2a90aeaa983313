# SPDX-License-Identifier: Apache-2.0
"""What keeps the worker from writing to a table that exists, or to its database. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cairn.api.dataset import Dataset
from cairn.sql.push.sqlserver.ddl import sql_type
from cairn.sql.share.sqlserver.text import identifier, qualified

OLDEST_LEVEL = 130
"""OPENJSON needs a compatibility level of SQL Server 2016."""


class Column(NamedTuple):
    """type: as statements write it. utf8: text of a UTF-8 collation. unique: by an index on it alone."""

    type: str
    utf8: bool
    nullable: bool
    has_default: bool
    unique: bool


class Database(NamedTuple):
    """As sys.databases has it."""

    level: int
    contained: bool
    delayed_durability: str
    snapshots: bool


def database_drift(database: Database) -> Iterator[str]:
    """Each with the statement that mends it."""
    if database.level < OLDEST_LEVEL:
        change = "ALTER DATABASE CURRENT SET COMPATIBILITY_LEVEL = 140"
        yield f"database: compatibility level {database.level} is below {OLDEST_LEVEL}: {change}"
    if not database.contained:
        change = "ALTER DATABASE CURRENT SET CONTAINMENT = PARTIAL"
        yield f"database: is not contained, so that it can have no users of its own: {change}"


def drift(dataset: Dataset, found: Mapping[str, Column]) -> tuple[str, ...]:
    """A missing column, one of another or a narrower type, a key that is none, and a column of somebody else's that
    must not be empty; each with the statement that mends it.
    """
    table = qualified("dbo", dataset.table)
    problems = []
    for name in dataset.column_names:
        asked = sql_type(dataset, name)
        if name not in found:
            problems.append(f"column {name} is missing: ALTER TABLE {table} ADD {identifier(name)} {asked} NULL")
        elif not _holds(found[name], asked.split(" ")[0], hashed=name == "jdp_hashcode"):
            change = f"ALTER TABLE {table} ALTER COLUMN {identifier(name)} {asked}"
            problems.append(f"column {name} is {found[name].type}, not {asked}: {change}")
    if dataset.key in found and not found[dataset.key].unique:
        change = f"CREATE UNIQUE INDEX {identifier(f'pk_{dataset.table}')} ON {table} ({identifier(dataset.key)})"
        problems.append(f"column {dataset.key} may hold a value twice: {change}")
    for name, column in sorted(found.items()):
        if name not in dataset.column_names and not column.nullable and not column.has_default:
            change = f"ALTER TABLE {table} ALTER COLUMN {identifier(name)} {column.type} NULL"
            problems.append(f"column {name} is not Cairn's and must not be empty: {change}")
    return tuple(problems)


def _holds(found: Column, wanted: str, *, hashed: bool) -> bool:
    """Whether a column takes every value of the type wanted. varchar keeps no more than its code page, unless UTF-8."""
    if found.type == wanted or (wanted, found.type) == ("int", "bigint"):
        return True
    if wanted == "datetime2(0)":  # whole seconds are exact in it; what has fractions is not
        return found.type == "datetime" or found.type.startswith("datetime2(")
    if wanted == "datetime2(6)":
        return found.type == "datetime2(7)"
    there, asked = _text(found.type), _text(wanted)
    if there is None or asked is None:
        return False
    whole = there[0] == "nvarchar" or hashed
    if found.utf8 and not whole:
        return there[1] is None or (asked[1] is not None and there[1] >= 4 * asked[1])
    return whole and (there[1] is None or (asked[1] is not None and there[1] >= asked[1]))


def _text(kind: str) -> tuple[str, int | None] | None:
    """Name and length; None for max."""
    match = re.fullmatch(r"(n?varchar)\((\d+|max)\)", kind)
    return (match[1], None if match[2] == "max" else int(match[2])) if match else None

# SPDX-License-Identifier: Apache-2.0
"""Quoting, masks and types in T-SQL. Pure text."""

from __future__ import annotations

from cairn.sql.share.model import ColumnType, ShownColumn

TYPES: dict[ColumnType, str] = {
    "text": "nvarchar(max)",
    "bigint": "bigint",
    "numeric": "decimal(38, 10)",
    "timestamp": "datetime2(6)",
    "boolean": "bit",
    "json": "nvarchar(max)",
    "date": "date",
}
BINARY = "Latin1_General_100_BIN2_UTF8"
ERASED = "erased"


def identifier(name: str) -> str:
    """The name in brackets. ValueError for what could not be stored whole."""
    if not name or "\0" in name or len(name) > 128:
        raise ValueError(f"not a SQL Server name (1 to 128 characters, no NUL): {name!r}")
    return "[" + name.replace("]", "]]") + "]"


def qualified(schema: str, name: str) -> str:
    return f"{identifier(schema)}.{identifier(name)}"


def literal(text: str) -> str:
    if "\0" in text:
        raise ValueError("no text of Cairn's holds a NUL")
    return "N'" + text.replace("'", "''") + "'"


def compared(expression: str) -> str:
    """A value as text that compares by its characters, whatever the database's collation."""
    return f"CAST({expression} AS nvarchar(4000)) COLLATE {BINARY}"


def normalised(expression: str) -> str:
    """Two ways to write one value are one value; nothing is nothing."""
    return f"NULLIF(LOWER(LTRIM(RTRIM(CAST({expression} AS nvarchar(4000))))), N'')"


def mac(key: str, message: str) -> str:
    """HMAC-SHA256 of a text in UTF-8, in hexadecimal; NULL without the key."""

    def half(name: str) -> str:
        return f"(SELECT k.{name} FROM map.mac AS k WHERE k.name = {literal(key)})"

    utf8 = f"CAST(CAST(({message}) COLLATE {BINARY} AS varchar(8000)) AS varbinary(8000))"
    inner = f"HASHBYTES('SHA2_256', {half('ipad')} + {utf8})"
    return f"LOWER(CONVERT(char(64), HASHBYTES('SHA2_256', {half('opad')} + {inner}), 2))"


def erased_digest(kind: str, expression: str) -> str:
    """By what an erased buyer's ouid, omid or nick is known. + with NULL is NULL."""
    return mac(ERASED, f"{literal(kind + ':')} + {normalised(expression)}")


def shown(column: ShownColumn, relation: str) -> str:
    """The expression of a view's column."""
    value = f"{relation}.{identifier(column.source)}"
    match column.mask.kind:
        case "plain":
            return value
        case "hmac" | "hmac-shared":
            return mac(column.mask.key, normalised(value))
        case "partial":
            return _partial(f"CAST({value} AS nvarchar(4000))")
        case "bucket":
            return _bucket(value, column)
        case "null":
            return f"CAST(NULL AS {TYPES[column.type]})"
    raise ValueError(f"column {column.name}: no such mask: {column.mask.kind}")


def _partial(value: str) -> str:
    """A telephone number keeps 3 and 4 digits, anything shorter at most one character in four."""
    return (
        f"CASE WHEN {value} IS NULL THEN NULL"
        f" WHEN LEN({value}) >= 11 THEN LEFT({value}, 3) + N'****' + RIGHT({value}, 4)"
        f" WHEN LEN({value}) >= 2 THEN LEFT({value}, 1) + N'**' ELSE N'*' END"
    )


_FIRST_DAY = {
    "day": "CAST({0} AS date)",
    "week": "DATEADD(day, -(DATEDIFF(day, '19000101', {0}) % 7), CAST({0} AS date))",
    "month": "DATEFROMPARTS(YEAR({0}), MONTH({0}), 1)",
    "quarter": "DATEFROMPARTS(YEAR({0}), (DATEPART(quarter, {0}) - 1) * 3 + 1, 1)",
    "year": "DATEFROMPARTS(YEAR({0}), 1, 1)",
}
"""1900-01-01 was a Monday."""


def _bucket(value: str, column: ShownColumn) -> str:
    bucket = column.mask.bucket
    if column.type in ("timestamp", "date"):
        if bucket not in _FIRST_DAY:
            raise ValueError(f"a bucket of time is one of {', '.join(_FIRST_DAY)}, not {bucket!r}")
        return f"CAST({_FIRST_DAY[bucket].format(value)} AS {TYPES[column.type]})"
    if column.type in ("bigint", "numeric"):
        if not bucket.isascii() or not bucket.isdigit() or int(bucket) == 0:
            raise ValueError(f"a bucket of numbers is a positive whole number, not {bucket!r}")
        size = f"CAST({int(bucket)} AS decimal(38, 10))"
        return f"CAST(FLOOR({value} / {size}) * {size} AS {TYPES[column.type]})"
    raise ValueError(f"{column.type} has no buckets")

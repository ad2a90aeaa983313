# SPDX-License-Identifier: Apache-2.0
"""Masks and types in the words of MySQL. Pure text.

Keys stand in `map.mac`, halved into the two blocks of HMAC (RFC 2104), and only the owner reads them: MySQL has SHA2
alone, and the text of a view is no secret.
"""

from __future__ import annotations

from cairn.sql.share.model import ColumnType, ShownColumn, TableColumn
from cairn.sql.share.mysql.names import Flavour, identifier, literal

_STORED: dict[ColumnType, str] = {
    "text": "longtext",
    "bigint": "bigint",
    "numeric": "decimal(38,10)",
    "timestamp": "datetime(6)",
    "boolean": "boolean",
    "json": "json",
    "date": "date",
}
_CAST: dict[ColumnType, str] = {
    "text": "char",
    "bigint": "signed",
    "numeric": "decimal(38,10)",
    "timestamp": "datetime(6)",
    "boolean": "signed",
    "json": "json",
    "date": "date",
}
ERASED = "erased"
"""The key of the digests by which erased buyers are known."""
INDEXED = 255
"""Characters of a text that is part of a key: MySQL indexes no text without a length."""


def stored(column: TableColumn, *, indexed: bool) -> str:
    """A published column's type. `indexed`: part of the key, or what rows are joined by"""
    if indexed and column.type in ("text", "json"):
        return f"varchar({INDEXED})"
    return _STORED[column.type]


def text(expression: str) -> str:
    """A value as text that compares by its bytes, whatever character set it comes from."""
    return f"(CAST({expression} AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin)"


def normalised(expression: str) -> str:
    """Two ways to write one value are one value; nothing is nothing."""
    return f"NULLIF(LOWER(TRIM({text(expression)})), '')"


def mac(key: str, message: str) -> str:
    """HMAC-SHA256 of a text, in hexadecimal; NULL without the key. The view's definer looks the halves up."""

    def half(name: str) -> str:
        return f"(SELECT k.{name} FROM map.mac k WHERE k.name = {literal(key)})"

    return f"SHA2(CONCAT({half('opad')}, UNHEX(SHA2(CONCAT({half('ipad')}, CAST({message} AS BINARY)), 256))), 256)"


def erased_digest(kind: str, expression: str) -> str:
    """By what an erased buyer's ouid, omid or nick is known."""
    return mac(ERASED, f"CONCAT({literal(kind + ':')}, {normalised(expression)})")


def null(kind: ColumnType, flavour: Flavour) -> str:
    cast = "char" if kind == "json" and flavour.mariadb else _CAST[kind]
    return f"CAST(NULL AS {cast})"


def shown(column: ShownColumn, relation: str, flavour: Flavour) -> str:
    """The expression of a view's column."""
    value = f"{relation}.{identifier(column.source)}"
    match column.mask.kind:
        case "plain":
            return value
        case "hmac" | "hmac-shared":
            return mac(column.mask.key, normalised(value))
        case "partial":
            return _partial(text(value))
        case "bucket":
            return _bucket(value, column)
        case "null":
            return null(column.type, flavour)
    raise ValueError(f"column {column.name}: no such mask: {column.mask.kind}")


def _partial(value: str) -> str:
    """A telephone number keeps 3 and 4 digits, anything shorter at most one character in four."""
    return (
        f"CASE WHEN {value} IS NULL THEN NULL"
        f" WHEN CHAR_LENGTH({value}) >= 11 THEN CONCAT(LEFT({value}, 3), '****', RIGHT({value}, 4))"
        f" WHEN CHAR_LENGTH({value}) >= 2 THEN CONCAT(LEFT({value}, 1), '**') ELSE '*' END"
    )


_FIRST_DAY = {
    "day": "DATE({0})",
    "week": "DATE({0}) - INTERVAL WEEKDAY({0}) DAY",
    "month": "DATE({0}) - INTERVAL DAYOFMONTH({0}) - 1 DAY",
    "quarter": "MAKEDATE(YEAR({0}), 1) + INTERVAL QUARTER({0}) - 1 QUARTER",
    "year": "MAKEDATE(YEAR({0}), 1)",
}


def _bucket(value: str, column: ShownColumn) -> str:
    bucket = column.mask.bucket
    if column.type in ("timestamp", "date"):
        if bucket not in _FIRST_DAY:
            raise ValueError(f"a bucket of time is one of {', '.join(_FIRST_DAY)}, not {bucket!r}")
        return f"CAST({_FIRST_DAY[bucket].format(value)} AS {_CAST[column.type]})"
    if column.type in ("bigint", "numeric"):
        if not bucket.isascii() or not bucket.isdigit() or int(bucket) == 0:
            raise ValueError(f"a bucket of numbers is a positive whole number, not {bucket!r}")
        return f"CAST(FLOOR({value} / {int(bucket)}) * {int(bucket)} AS {_CAST[column.type]})"
    raise ValueError(f"{column.type} has no buckets")

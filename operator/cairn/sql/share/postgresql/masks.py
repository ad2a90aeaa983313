# SPDX-License-Identifier: Apache-2.0
"""How a value is shown, as an expression. Built-in functions only, and no key in any text: every role reads both."""

from __future__ import annotations

from cairn.sql.quoting import identifier, literal
from cairn.sql.share.model import ColumnType, Mask, ShownColumn

TYPES: dict[ColumnType, str] = {
    "text": "text",
    "bigint": "int8",
    "numeric": "numeric",
    "timestamp": "timestamp",
    "boolean": "bool",
    "json": "jsonb",
    "date": "date",
}
ERASED = "erased"
"""The key of the digests by which erased buyers are known."""
SPANS = ("day", "week", "month", "quarter", "year")


def shown_type(column: ShownColumn) -> ColumnType:
    """The type that the reader sees."""
    return "text" if column.mask.kind in ("hmac", "hmac-shared", "partial") else column.type


def shown(column: ShownColumn, relation: str = "t") -> str:
    """The expression of a view's column."""
    value = f"{relation}.{identifier(column.source)}"
    wanted = f"pg_catalog.{TYPES[shown_type(column)]}"
    match column.mask.kind:
        case "plain":
            return f"({value})::{wanted}"
        case "hmac" | "hmac-shared":
            return hmac(column.mask.key, normalised(value))
        case "partial":
            return _partial(f"({value})::pg_catalog.text")
        case "bucket":
            return _bucket(value, column.type, column.mask)
        case "null":
            return f"NULL::{wanted}"
    raise ValueError(f"column {column.name}: no such mask: {column.mask.kind}")


def normalised(value: str) -> str:
    """Two ways to write one value are one value; nothing is nothing."""
    return f"NULLIF(pg_catalog.lower(pg_catalog.btrim(({value})::pg_catalog.text)), '')"


def hmac(key: str, text: str) -> str:
    """HMAC-SHA256 in hex. The key's halves are looked up as the view's owner; without them the value is NULL."""

    def half(name: str) -> str:
        return f"(SELECT k.{name} FROM map.key k WHERE k.name = {literal(key)})"

    inner = f"pg_catalog.sha256({half('ipad')} || pg_catalog.convert_to({text}, 'UTF8'))"
    return f"pg_catalog.encode(pg_catalog.sha256({half('opad')} || {inner}), 'hex')"


def erased_digest(kind: str, value: str) -> str:
    """By what an erased buyer's ouid, omid or nick is known."""
    return hmac(ERASED, f"{literal(kind + ':')} || {normalised(value)}")


def _partial(value: str) -> str:
    """A telephone number keeps 3 and 4 digits, anything shorter at most one character in four."""
    return (
        f"CASE WHEN {value} IS NULL THEN NULL"
        f" WHEN pg_catalog.char_length({value}) >= 11"
        f" THEN pg_catalog.left({value}, 3) || '****' || pg_catalog.right({value}, 4)"
        f" WHEN pg_catalog.char_length({value}) >= 2 THEN pg_catalog.left({value}, 1) || '**' ELSE '*' END"
    )


def _bucket(value: str, kind: ColumnType, mask: Mask) -> str:
    wanted = f"pg_catalog.{TYPES[kind]}"
    if kind in ("timestamp", "date"):
        if mask.bucket not in SPANS:
            raise ValueError(f"a bucket of time is one of {', '.join(SPANS)}, not {mask.bucket!r}")
        return f"pg_catalog.date_trunc({literal(mask.bucket)}, ({value})::pg_catalog.timestamp)::{wanted}"
    if kind in ("bigint", "numeric"):
        if not mask.bucket.isascii() or not mask.bucket.isdigit() or int(mask.bucket) == 0:
            raise ValueError(f"a bucket of numbers is a positive whole number, not {mask.bucket!r}")
        size = f"{int(mask.bucket)}::pg_catalog.numeric"
        return f"(pg_catalog.floor(({value})::pg_catalog.numeric / {size}) * {size})::{wanted}"
    raise ValueError(f"{kind} has no buckets")

# SPDX-License-Identifier: Apache-2.0
"""The view `platform.<dataset>` of SQL Server: pure text from a descriptor."""

from __future__ import annotations

import hashlib
import json

from cairn.api.dataset import ALWAYS_SHOWN, Dataset, ViewColumn
from cairn.sql.push.sqlserver.ddl import EXACT
from cairn.sql.share.sqlserver.text import identifier, literal, qualified

VIEW_REVISION = 1
"""Raise it when `view_sql` changes: views are made anew when their digest differs."""

_DIGIT = "[0-9]"
_TIME = f"{_DIGIT * 4}-{_DIGIT * 2}-{_DIGIT * 2} {_DIGIT * 2}:{_DIGIT * 2}:{_DIGIT * 2}"
_BEGINS = f"({{0}} LIKE N'{_DIGIT}%' OR {{0}} LIKE N'-{_DIGIT}%')"
"""TRY_CAST takes nothing, a blank and a lone sign for 0."""
_CASTS = {
    "text": "{0}",
    "json": "{0}",
    "bigint": f"CASE WHEN {_BEGINS} AND {{0}} NOT LIKE N'_%[^0-9]%' THEN TRY_CAST({{0}} AS bigint) END",
    "numeric": f"CASE WHEN {_BEGINS} AND {{0}} NOT LIKE N'_%[^0-9.]%' THEN TRY_CAST({{0}} AS decimal(38, 10)) END",
    "boolean": "CASE LOWER({0}) WHEN N'true' THEN CAST(1 AS bit) WHEN N'false' THEN CAST(0 AS bit) END",
    "timestamp": f"CASE WHEN {{0}} LIKE N'{_TIME}' THEN TRY_CONVERT(datetime2(0), {{0}}, 120) END",
}


def view_sql(dataset: Dataset) -> str:
    """The view's query never raises, whatever stands in jdp_response: a value that is no such type reads as NULL.

    A record is parsed once for all columns, and an array in the place of a record makes no more than one row. Nicks are
    compared as the index sorts them, and then by their characters.
    """
    fixed = {"shop_id": "s.shop_id", "jdp_modified": "t.jdp_modified", "jdp_seq": "t.jdp_seq"}
    columns = [f"{fixed[name]} AS {identifier(name)}" for name in ALWAYS_SHOWN]
    columns += [f"{_expression(column)} AS {identifier(column.name)}" for column in dataset.view]
    owner = f"t.{identifier(dataset.owner)}"
    members = [_member(dataset, column) for column in dataset.view if column.path is not None]
    record = (
        "\nOUTER APPLY (SELECT TOP (1) * FROM OPENJSON(CASE WHEN ISJSON(t.jdp_response) = 1 THEN t.jdp_response"
        " ELSE N'{}' END) WITH (\n  " + ",\n  ".join(members) + "\n)) AS j"
    )
    return (
        f"CREATE OR ALTER VIEW {qualified('platform', dataset.name)} AS SELECT\n  "
        + ",\n  ".join(columns)
        + f"\nFROM {qualified('dbo', dataset.table)} AS t"
        f"\nLEFT JOIN [dbo].[jdp_shop] AS s ON s.seller_nick COLLATE DATABASE_DEFAULT = {owner}"
        f" AND s.seller_nick = {owner} COLLATE {EXACT}" + (record if members else "")
    )


def view_digest(dataset: Dataset) -> str:
    """Of the view that is made from this descriptor by this code."""
    return f"cairn:{VIEW_REVISION}:{hashlib.sha256(view_sql(dataset).encode()).hexdigest()[:16]}"


def _expression(column: ViewColumn) -> str:
    if column.path is None or column.type is None:
        return f"t.{identifier(column.name)}"
    value = f"j.{identifier(column.name)}"
    return _CASTS[column.type].format(value if column.type in ("text", "json") else f"{value} COLLATE {EXACT}")


def _member(dataset: Dataset, column: ViewColumn) -> str:
    members = (*dataset.envelope, *(column.path or ()))
    path = "$" + "".join("." + json.dumps(member, ensure_ascii=False) for member in members)
    written = literal(path)[1:] if path.isascii() else literal(path)  # as the server's own manual writes it
    return f"{identifier(column.name)} nvarchar(max) {written}{' AS JSON' if column.type == 'json' else ''}"

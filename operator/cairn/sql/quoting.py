# SPDX-License-Identifier: Apache-2.0
"""Quoting for PostgreSQL statements that take no parameters (DDL, GRANT, COMMENT)."""

from __future__ import annotations


def identifier(name: str) -> str:
    """The name as a quoted identifier. ValueError for what PostgreSQL could not store whole."""
    if not name or "\0" in name or len(name.encode()) > 63:
        raise ValueError(f"not a PostgreSQL name (1 to 63 bytes, no NUL): {name!r}")
    return '"' + name.replace('"', '""') + '"'


def qualified(schema: str, name: str) -> str:
    return f"{identifier(schema)}.{identifier(name)}"


def literal(text: str) -> str:
    """The text as a literal that reads the same whatever `standard_conforming_strings` says."""
    if "\0" in text:
        raise ValueError("PostgreSQL text holds no NUL")
    quoted = text.replace("'", "''")
    return " E'" + quoted.replace("\\", "\\\\") + "'" if "\\" in text else f"'{quoted}'"

# SPDX-License-Identifier: Apache-2.0
"""One right, given or taken: pure text."""

from __future__ import annotations

import re
from dataclasses import replace

from cairn.sql.quoting import identifier
from cairn.sql.share.postgresql.facts import PUBLIC, Facts, Right
from cairn.sql.share.state import Entry, State

WORK = re.compile(r"w[a-z2-7]{16}")
_CLASSES = {"r": "TABLES", "S": "SEQUENCES", "f": "FUNCTIONS", "T": "TYPES", "n": "SCHEMAS", "L": "LARGE OBJECTS"}


def give(entry: Entry) -> str:
    """A right of `desired`, whose objects have plain names."""
    kind, _, rest = entry.object.partition(" ")
    who = identifier(entry.grantee)
    if kind == "role":
        return f"GRANT {identifier(rest)} TO {who}"
    name = identifier(rest) if kind == "database" else ".".join(identifier(part) for part in rest.split("."))
    if entry.privilege.startswith("no "):
        return f"REVOKE {entry.privilege.removeprefix('no ')} ON {kind} {name} FROM {who}"
    return f"GRANT {entry.privilege} ON {kind} {name} TO {who}"


def take(right: Right, wanted: State, facts: Facts) -> list[tuple[str, str]]:
    """The statements that end a right, each with the role to send it as: as whoever granted it, and all built on it."""
    entry = right.entry
    who = PUBLIC if entry.grantee == PUBLIC else identifier(entry.grantee)
    kept = replace(entry, grantable=False) in wanted.entries
    if right.kind == "lost":
        return [(f"GRANT {entry.privilege.removeprefix('no ')} ON {right.sql} TO {who}", right.owner)]
    if right.kind == "default":
        where = "" if right.sql == "*" else f" IN SCHEMA {identifier(right.sql)}"
        kind = _CLASSES[entry.object.split(" ")[1]]
        head = f"ALTER DEFAULT PRIVILEGES FOR ROLE {identifier(right.owner)}{where}"
        return [(f"{head} REVOKE {entry.privilege} ON {kind} FROM {who}", "")]
    if right.kind == "member":
        by = f" GRANTED BY {identifier(right.grantor)}" if facts.version >= 16 else ""
        option = "ADMIN OPTION FOR " if kept and entry.grantable else ""
        return [(f"REVOKE {option}{right.sql} FROM {who}{by} CASCADE", "")]
    column = f" ({identifier(entry.column)})" if entry.column else ""
    option = "GRANT OPTION FOR " if kept and entry.grantable else ""
    role = right.grantor if entry.grantor else ""
    return [(f"REVOKE {option}{entry.privilege}{column} ON {right.sql} FROM {who} CASCADE", role)]


def take_in_schema(right: Right) -> str | None:
    """One statement for all rights of a grantee in a work schema: an app can grant on as many objects as it likes."""
    kind, _, rest = right.entry.object.partition(" ")
    schema = rest.partition(".")[0]
    if kind not in ("table", "sequence", "routine") or right.kind != "object" or not WORK.fullmatch(schema):
        return None
    who = PUBLIC if right.entry.grantee == PUBLIC else identifier(right.entry.grantee)
    return f"REVOKE ALL ON ALL {kind.upper()}S IN SCHEMA {identifier(schema)} FROM {who} CASCADE"

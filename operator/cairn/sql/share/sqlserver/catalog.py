# SPDX-License-Identifier: Apache-2.0
"""What rows of the catalogs say, in the words of `state.State`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cairn.sql.share.blocking import Row
from cairn.sql.share.model import Design
from cairn.sql.share.names import APPS, OWNED, own_role
from cairn.sql.share.sqlserver import tables
from cairn.sql.share.state import Entry

OURS = ("map", "audit", "platform")
FOREIGN = "nobody of Cairn's made it"
_TARGETS = {"DATABASE": "database", "OBJECT_OR_COLUMN": "object", "SCHEMA": "schema"}
_KINDS = {
    "U": "table", "V": "view", "TR": "trigger", "P": "procedure", "FN": "function", "IF": "function", "TF": "function",
    "SN": "synonym", "SO": "sequence", "C": "constraint", "F": "constraint", "UQ": "constraint",
}  # fmt: skip
_PARTS = {"PK", "D", "IT", "S", "SQ"}
"""Of tables that are looked at themselves, or the server's own."""


def mine(design: Design, schema: str) -> bool:
    """Schemas that are looked into. Of a party that is gone, what it published and its own stay, not looked at."""
    known = {party.id for party in design.parties}
    return schema in OURS or (bool(OWNED.fullmatch(schema)) and (schema[1:] in known or schema[0] == "s"))


def ours(design: Design, principal: str) -> bool:
    return principal == own_role(design.id) or bool(APPS.fullmatch(principal))


def entries(design: Design, permissions: Iterable[Row], members: Iterable[Row]) -> Iterator[Entry]:
    """Every right on what is Cairn's, and every right of Cairn's roles and users."""
    for row in permissions:
        kind, state, privilege, grantee, grantor, target, column = (str(value or "") for value in row)
        if state == "R":
            continue
        what = _target(kind, target)
        if not ours(design, grantee) and not _managed(design, what, grantee):
            continue
        reading = privilege in ("SELECT", "CONNECT") and state == "G" and target.partition(".")[0] == "platform"
        if grantee in design.readers and reading:
            continue
        owners = ("dbo", own_role(design.id))
        yield Entry(
            what,
            column,
            grantee,
            f"DENY {privilege}" if state == "D" else privilege,
            grantable=state == "W",
            grantor="" if grantor in owners else grantor,
        )
    for role, member in members:
        if ours(design, role) or ours(design, member):
            yield Entry(f"role {role}", "", str(member), "MEMBER", grantable=False, grantor="")


def _target(kind: str, target: str) -> str:
    if kind == "DATABASE":
        return "database"
    if kind == "DATABASE_PRINCIPAL":
        return f"{'role' if target.startswith('g') else 'user'} {target}"
    return f"{_TARGETS.get(kind, kind.lower())} {target}"


def _managed(design: Design, what: str, grantee: str) -> bool:
    kind, _, name = what.partition(" ")
    if kind == "database":
        return grantee == "guest"
    if kind in ("role", "user"):
        return ours(design, name)
    schema = name.partition(".")[0] if kind == "object" else name
    return schema in OURS or bool(OWNED.fullmatch(schema))


def principals(design: Design, rows: Iterable[Row]) -> dict[str, str]:
    found = {}
    for name, kind, authentication, schema, owner, _ in rows:
        if not ours(design, name):
            continue
        if kind.strip() == "R":
            found[f"role {name}"] = f"owner={owner}"
        elif kind.strip() == "S" and authentication in (0, 2):
            found[f"user {name}"] = f"password schema={schema}" if authentication == 2 else "no login"
        else:
            found[f"user {name}"] = f"a user of type {kind.strip()} {authentication}"
    return found


def flags(row: Row) -> str:
    trusted, chained, containment = row
    odd = {"trusted": trusted, "chained": chained, "not contained": containment != 1}
    return " ".join(word for word, said in odd.items() if said) or "contained"


@dataclass(frozen=True, slots=True)
class Found:
    """objects: by name, with how each is made; texts: of views; columns: names of those of published tables"""

    objects: Mapping[str, str]
    texts: Mapping[str, str]
    columns: Mapping[str, tuple[str, ...]]


def objects(design: Design, rows: Iterable[Row], columns: Iterable[Row]) -> Found:
    described, names = _tables(columns)
    found: dict[str, str] = {}
    texts: dict[str, str] = {}
    published = {tables.full_name(table) for table in design.tables}
    for schema, name, kind, schema_owner, owner, definition, execute_as in rows:
        full, word = f"{schema}.{name}", _KINDS.get(kind.strip(), kind.strip().lower())
        made = f"owner={owner or schema_owner}{' of its own' if owner else ''}"
        acts = own_role(design.id) in (owner, schema_owner)
        if kind.strip() in _PARTS or schema == "platform" or (schema[:1] == "w" and OWNED.fullmatch(schema)):
            continue
        if not mine(design, schema):
            if acts and not OWNED.fullmatch(schema):
                found[f"{word} {full}"] = "acts with the owner's rights"
            continue
        if word == "table" and (full in published or schema in OURS):
            found[f"table {full}"] = f"{made} {described.get(full, '()')}" if full in published else made
        elif word == "table" and schema[0] == "p":
            continue  # of an older contract: it stays, and nobody has a right on it
        elif word in ("view", "trigger"):
            as_whom = " executes as another" if execute_as is not None else ""
            found[f"{word} {full}"] = f"{made} {tables.module_digest(definition or '')}{as_whom}"
            texts[full] = definition or ""
        else:
            found[f"{word} {full}"] = FOREIGN
    return Found(found, texts, names)


def _tables(rows: Iterable[Row]) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    lines: dict[str, list[str]] = {}
    names: dict[str, list[str]] = {}
    for schema, table, name, kind, length, precision, scale, nullable, computed in rows:
        full = f"{schema}.{table}"
        type_ = "computed" if computed else tables.type_name(kind, length, precision, scale)
        lines.setdefault(full, []).append(tables.column(name, type_, filled=not nullable))
        names.setdefault(full, []).append(name)
    described = {full: tables.described(columns) for full, columns in lines.items()}
    return described, {full: tuple(columns) for full, columns in names.items()}

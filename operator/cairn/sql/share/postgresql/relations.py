# SPDX-License-Identifier: Apache-2.0
"""The relations of Cairn's schemas, and how those are made that are Cairn's to make."""

from __future__ import annotations

from cairn.sql.postgresql import Connection
from cairn.sql.share.model import Design
from cairn.sql.share.postgresql import catalog
from cairn.sql.share.postgresql.base import BASE, published_spec
from cairn.sql.share.postgresql.facts import Relation
from cairn.sql.share.postgresql.judge import relation_digest


async def relations(conn: Connection, design: Design, schemas: set[str]) -> tuple[dict[str, Relation], dict[str, str]]:
    """The relations of Cairn's schemas, and how those are made that are Cairn's to make."""
    rows = [row for row in await conn.fetch(catalog.RELATIONS) if row["nspname"] in schemas]
    oids = [row["oid"] for row in rows]
    columns: dict[int, dict[str, tuple[str, bool]]] = {}
    aliens: dict[int, list[tuple[str, str]]] = {row["oid"]: [] for row in rows}
    for column in await conn.fetch(catalog.COLUMNS, oids):
        kind = column["typname"] + (f"({column['atttypmod']})" if column["atttypmod"] != -1 else "")
        kind = kind if column["plain"] else f"another's {kind}"
        columns.setdefault(column["attrelid"], {})[column["attname"]] = (kind, column["attnotnull"])
        if column["given"]:
            aliens[column["attrelid"]].append(("default", column["attname"]))
    for alien in await conn.fetch(catalog.ALIENS, oids):
        aliens[alien["relation"]].append((alien["kind"], alien["name"]))
    keys = {row["conrelid"]: tuple(row["columns"]) for row in await conn.fetch(catalog.KEYS, oids)}
    specs = {(s.schema, s.name): s for s in (*BASE, *(published_spec(table) for table in design.tables))}
    relations, objects = {}, {}
    for row in rows:
        schema, name, oid = row["nspname"], row["relname"], row["oid"]
        spec = specs.get((schema, name))
        if row["secured"]:
            aliens[oid].append(("row security", ""))
        if row["inherits"]:
            aliens[oid].append(("inheritance", ""))
        allowed = {("trigger", trigger) for trigger in (spec.triggers if spec else ())}
        missing = [("no trigger", trigger) for _, trigger in sorted(allowed - set(aliens[oid]))]
        strange = tuple(sorted(set(aliens[oid]) - allowed)) + tuple(missing)
        relation = Relation(row["relkind"], row["owner"], columns.get(oid, {}), strange, keys.get(oid, ()))
        relations[f"{schema}.{name}"] = relation
        if spec is not None or (row["relkind"] == "v" and schema[0] != "p"):
            objects[f"table {schema}.{name}"] = relation_digest(dict(row), relation, spec)
    return relations, objects

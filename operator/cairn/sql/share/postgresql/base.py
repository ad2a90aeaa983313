# SPDX-License-Identifier: Apache-2.0
"""Cairn's own small tables: keys, filters and ends in `map`, the log in `audit`. Only the owner role reads them."""

from __future__ import annotations

from dataclasses import dataclass

from cairn.sql.quoting import identifier, qualified
from cairn.sql.share.model import Table
from cairn.sql.share.names import published
from cairn.sql.share.postgresql.masks import TYPES


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A plain table of the owner role. columns: name to type and whether it must be filled; triggers: those allowed."""

    schema: str
    name: str
    columns: tuple[tuple[str, str, bool], ...]
    key: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()


BASE = (
    TableSpec(
        "map",
        "key",
        (("name", "text", True), ("ipad", "bytea", True), ("opad", "bytea", True), ("retired", "bool", True)),
        ("name",),
    ),
    TableSpec("map", "scope", (("view_name", "text", True), ("shop_id", "text", True)), ("view_name", "shop_id")),
    TableSpec("map", "ended", (("grant_key", "text", True), ("at", "timestamptz", True)), ("grant_key",)),
    TableSpec("map", "erased", (("shop_id", "text", True), ("digest", "text", True)), ("shop_id", "digest")),
    TableSpec("map", "due", (("login", "text", True),), ("login",)),
    TableSpec("map", "applied", (("one", "bool", True), ("state", "text", True)), ("one",)),
    TableSpec(
        "audit",
        "log",
        (
            ("seq", "int8", True),
            ("at", "timestamptz", True),
            ("action", "text", True),
            ("actor", "text", True),
            ("tenant", "text", True),
            ("subject", "text", True),
            ("reason", "text", True),
            ("contract", "text", True),
            ("before", "text", True),
            ("after", "text", True),
            ("prev", "text", True),
            ("hash", "text", True),
        ),
        ("seq",),
        ("chain", "keep"),
    ),
)

HASHED = "NEW.action, NEW.actor, NEW.tenant, NEW.subject, NEW.reason, NEW.contract, NEW.before, NEW.after"
CHAIN = f"""
DECLARE last record;
BEGIN
  SELECT seq, hash INTO last FROM audit.log ORDER BY seq DESC LIMIT 1;
  NEW.seq := coalesce(last.seq, 0) + 1;
  NEW.prev := coalesce(last.hash, '');
  NEW.at := greatest(clock_timestamp(), (SELECT l.at FROM audit.log l WHERE l.seq = last.seq));
  NEW.hash := encode(sha256(convert_to(jsonb_build_array(NEW.prev, NEW.seq,
    to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), {HASHED})::text, 'UTF8')), 'hex');
  RETURN NEW;
END"""
KEEP = """
BEGIN
  RAISE EXCEPTION 'the audit log is only appended to' USING ERRCODE = 'insufficient_privilege';
END"""
ROUTINES = {"chain": CHAIN, "keep": KEEP}
TRIGGERS = {
    "chain": "BEFORE INSERT ON audit.log FOR EACH ROW EXECUTE FUNCTION audit.chain()",
    "keep": "BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.log FOR EACH STATEMENT EXECUTE FUNCTION audit.keep()",
}


def routine_sql(name: str) -> str:
    return (
        f"CREATE OR REPLACE FUNCTION audit.{name}() RETURNS trigger LANGUAGE plpgsql"
        f" SET search_path = pg_catalog, pg_temp AS $cairn${ROUTINES[name]}$cairn$"
    )


def table_sql(spec: TableSpec) -> str:
    lines = [column_sql(*column) for column in spec.columns]
    if spec.key:
        lines.append(f"PRIMARY KEY ({', '.join(identifier(name) for name in spec.key)})")
    return f"CREATE TABLE {qualified(spec.schema, spec.name)} ({', '.join(lines)})"


def column_sql(name: str, kind: str, filled: bool) -> str:  # noqa: FBT001 -- unpacked from a TableSpec
    return f"{identifier(name)} pg_catalog.{kind}{' NOT NULL' if filled else ''}"


def published_spec(table: Table) -> TableSpec:
    columns = tuple((c.name, TYPES[c.type], c.required or c.name in table.key) for c in table.columns)
    return TableSpec(published(table.party), table.name, columns, table.key)

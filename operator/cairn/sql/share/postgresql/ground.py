# SPDX-License-Identifier: Apache-2.0
"""What shares stand on: the owner role, Cairn's own tables and views, keys. Pure."""

from __future__ import annotations

from cairn.sql.quoting import identifier, literal, qualified
from cairn.sql.share.postgresql import records
from cairn.sql.share.postgresql.base import BASE, ROUTINES, TRIGGERS, TableSpec, routine_sql, table_sql
from cairn.sql.share.postgresql.case import Batch, Case, Step
from cairn.sql.share.postgresql.desired import DEFAULTS
from cairn.sql.share.postgresql.grants import give, take
from cairn.sql.share.postgresql.roles import alter_role, create_role
from cairn.sql.share.postgresql.tables import mend
from cairn.sql.share.postgresql.views import base_views, digest


def ground_of(case: Case) -> Batch:
    """What all else stands on: the owner role, its schemas, Cairn's own tables.

    What its tables hold can't be told before: there is another look after it.
    """
    own, batch = case.own, Batch("ground")
    add = batch.steps.append
    if f"role {own}" in case.diff.absent:
        batch.steps += [Step(sql) for sql in create_role(case.facts, case.design.id, own)]
    elif f"role {own}" in case.diff.other:
        batch.steps += [Step(sql) for sql in alter_role(case.facts, own)]
    for entry in sorted(case.diff.surplus):
        lost = [right for right in case.facts.rights[entry] if right.kind == "lost"]
        batch.steps += [Step(sql, role) for right in lost for sql, role in take(right, case.wanted, case.facts)]
    for kind, word in DEFAULTS.items():
        if case.off(f"default {kind} {own}"):
            right = "EXECUTE" if kind == "f" else "USAGE"
            add(Step(f"ALTER DEFAULT PRIVILEGES FOR ROLE {own} REVOKE {right} ON {word} FROM PUBLIC"))
    for schema in ("map", "audit"):
        batch.steps += schema_made(case, schema, own)
    for name in ROUTINES:
        if case.off(f"routine audit.{name}()"):
            add(Step(routine_sql(name), own))
    for spec in BASE:
        name = f"table {spec.schema}.{spec.name}"
        if name in case.diff.absent:
            batch.steps += table_made(spec, own)
            batch.steps += [Step(f"CREATE TRIGGER {name} {TRIGGERS[name]}", own) for name in spec.triggers]
        elif name in case.diff.other:
            batch.steps += [Step(sql, role) for sql, role in mend(spec, case.facts, own)]
    for entry in case.missing("table audit.", "table map."):
        add(Step(give(entry), own))
    if batch:
        batch.records += records.ground(case)
    return batch


def schema_made(case: Case, schema: str, owner: str) -> list[Step]:
    name = f"schema {schema}"
    if name in case.diff.absent:
        return [Step(f"CREATE SCHEMA {identifier(schema)} AUTHORIZATION {owner}")]
    if name in case.diff.other:
        return [Step(f"ALTER SCHEMA {identifier(schema)} OWNER TO {owner}")]
    return []


def table_made(spec: TableSpec, own: str) -> list[Step]:
    """Default privileges say nothing about the type of a relation's rows."""
    name = qualified(spec.schema, spec.name)
    return [Step(table_sql(spec), own), Step(f"REVOKE ALL ON TYPE {name} FROM PUBLIC", own)]


def replaced(schema: str, name: str, text: str, case: Case, own: str, *, keep: bool = False) -> list[Step]:
    """A view made anew, with a note of how it was made. keep: what is built on it stays."""
    full = qualified(schema, name)
    note = (
        f"DO $cairn$ BEGIN EXECUTE pg_catalog.format('COMMENT ON VIEW {full} IS %L', 'cairn:{digest(text)}:' ||"
        f" pg_catalog.md5(pg_catalog.pg_get_viewdef('{full}'::pg_catalog.regclass))); END $cairn$"
    )
    found = case.facts.relations.get(f"{schema}.{name}")
    steps = []
    if found is not None and (not keep or found.owner != own or found.aliens):
        steps.append(Step(f"DROP VIEW {full} CASCADE", own if found.owner == own else ""))
    elif found is not None:
        text = text.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1)
    return [*steps, Step(text, own), Step(note, own), Step(f"REVOKE ALL ON TYPE {full} FROM PUBLIC", own)]


def platform(case: Case) -> Batch:
    """What the owner role reads of the platform's, for its views."""
    given = case.missing("schema platform", "table platform.")
    return Batch("platform", [Step(give(entry)) for entry in given], records.granted(case, given))


def masters(case: Case) -> Batch:
    """Views of `map`."""
    batch, own = Batch("masters"), case.own
    if case.facts.witness and case.off("table map.clock"):
        batch.steps.append(Step(f"GRANT USAGE ON SCHEMA sys_info TO {own}"))
        batch.steps.append(Step(f"GRANT SELECT ON TABLE sys_info.jdp_cursor TO {own}"))
    for name, text in base_views(case.design, witness=case.facts.witness).items():
        if case.off(f"table map.{name}"):
            batch.steps += replaced("map", name, text, case, own, keep=True)
            batch.records.append(records.made(case, f"map.{name}", "what published rows are joined to"))
    return batch


def keys(case: Case) -> Batch:
    """Keys of masks that are not there yet, or were put aside."""
    batch, own = Batch("new keys"), case.own
    missing = case.wanted.rows["map.key"] - case.facts.state.rows.get("map.key", frozenset())
    for (name,) in sorted(missing):
        again = name in case.facts.retired
        batch.steps.append(Step(_UNRETIRE.format(literal(name)) if again else _NEW_KEY.format(literal(name)), own))
    batch.records += records.keys(case, sorted(name for (name,) in missing))
    return batch


_UNRETIRE = "UPDATE map.key SET retired = false WHERE name = {}"
_RANDOM = " || ".join(["pg_catalog.uuid_send(pg_catalog.gen_random_uuid())"] * 4)
_PAD = (
    "(SELECT pg_catalog.string_agg(pg_catalog.set_byte('\\x00'::pg_catalog.bytea, 0, pg_catalog.get_byte(r.k, i) # {}),"
    " ''::pg_catalog.bytea ORDER BY i) FROM pg_catalog.generate_series(0, 63) i)"
)
_NEW_KEY = (
    "INSERT INTO map.key (name, ipad, opad, retired) SELECT {}, "
    + _PAD.format("54")
    + ", "
    + _PAD.format("92")
    + f", false FROM (SELECT pg_catalog.sha512({_RANDOM}) AS k OFFSET 0) r ON CONFLICT DO NOTHING"
)
"""Made in the database: a key is in no statement, on no wire and in no log. The halves are those of HMAC (RFC 2104)."""

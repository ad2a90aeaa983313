# SPDX-License-Identifier: Apache-2.0
"""What is made anew and given: parties, what they publish, what they read. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from cairn.sql.quoting import literal
from cairn.sql.share.engine import Record
from cairn.sql.share.model import Party
from cairn.sql.share.names import group, published, shares, work
from cairn.sql.share.postgresql import records
from cairn.sql.share.postgresql.base import published_spec
from cairn.sql.share.postgresql.case import Batch, Case, Step
from cairn.sql.share.postgresql.grants import give
from cairn.sql.share.postgresql.ground import replaced, schema_made, table_made
from cairn.sql.share.postgresql.roles import create_role, lock
from cairn.sql.share.postgresql.tables import mend
from cairn.sql.share.postgresql.taking import narrowed
from cairn.sql.share.postgresql.views import full_name, view_sql
from cairn.sql.share.state import Entry


def party_made(case: Case, party: Party) -> Batch:
    """A party's roles and schemas."""
    own, who, facts, batch = case.own, group(party.id), case.facts, Batch(f"party {party.id}")
    new = f"role {who}" in case.diff.absent
    if new:
        batch.steps += [Step(sql) for sql in create_role(facts, case.design.id, who)]
    for login in party.logins:
        if f"role {login.name}" in case.diff.absent:
            batch.steps += [Step(sql) for sql in create_role(facts, case.design.id, login.name, party)]
        if login.name in case.verifiers:
            verifier = literal(case.verifiers[login.name])
            batch.steps.append(Step(f"ALTER ROLE {login.name} PASSWORD {verifier}"))
    batch.steps += schema_made(case, shares(party.id), own)
    if not party.staff:
        batch.steps += [*schema_made(case, published(party.id), own), *schema_made(case, work(party.id), who)]
    given = [entry for entry in case.missing("schema ", "database ", "role ") if _is_for(entry, party)]
    batch.steps += [Step(give(entry), own if entry.object.startswith("schema ") else "") for entry in given]
    if batch:
        batch.records += records.admitted(case, party, given, new=new)
    return batch


def _is_for(entry: Entry, party: Party) -> bool:
    return entry.grantee == group(party.id) or entry.grantee in {login.name for login in party.logins}


def tables_made(case: Case, party: Party) -> Batch:
    """What a party publishes."""
    batch, own = Batch(f"tables of {party.id}"), case.own
    for table in case.design.tables:
        spec = published_spec(table)
        name = f"table {spec.schema}.{spec.name}"
        if table.party != party.id:
            continue
        if name in case.diff.absent:
            batch.steps += table_made(spec, own)
        elif name in case.diff.other:
            batch.steps += [Step(sql, role) for sql, role in mend(spec, case.facts, own)]
        given = [entry for entry in case.missing(name) if entry.object == name]
        batch.steps += [Step(give(entry), own) for entry in given]
        if given or case.off(name):
            batch.records.append(records.published(case, table, given))
    return batch


def shares_made(case: Case, party: Party) -> Iterator[Batch]:
    """What a party reads: each dropped and made again in one transaction, with its rights and filters."""
    own, less = case.own, narrowed(case)
    scope = case.wanted.rows["map.scope"] - case.facts.state.rows.get("map.scope", frozenset())
    for view in case.design.views:
        if view.party != party.id:
            continue
        name, full = f"table {full_name(view)}", full_name(view)
        batch = Batch(f"share {full}")
        if view in less:
            batch.shut = frozenset(login.name for login in party.logins if login.name in case.facts.roles)
        given = [entry for entry in case.missing(name) if entry.object == name]
        if case.off(name):
            batch.steps += replaced(shares(view.party), view.name, view_sql(view, case.design), case, own)
            given = [entry for entry in case.wanted.entries if entry.object == name]
        for shop in sorted(shop for who, shop in scope if who == full):
            row = f"INSERT INTO map.scope VALUES ({literal(full)}, {literal(shop)}) ON CONFLICT DO NOTHING"
            batch.steps.append(Step(row, own))
        batch.steps += [Step(give(entry), own) for entry in given]
        if batch:
            batch.records.append(records.shared(case, view))
        yield batch


def keep_out(batch: Batch) -> Batch:
    """No session of those who hold it up begins until the next round."""
    found = Batch(f"keep out {', '.join(sorted(batch.shut))}", due=set(batch.shut))
    for login in sorted(batch.shut):
        found.steps.append(Step(lock(login)))
        found.records.append(Record("revoke", records.CAIRN, login, f"kept out: it holds up {batch.title}"))
    return found

# SPDX-License-Identifier: Apache-2.0
"""The statements from what stands to what should, in the order that is safe wherever it breaks. Pure.

Each commits by itself, so: shut and take, end the sessions that may still use what went, remake what nobody may read at
that moment, and give at the end. Between any two of them nobody may more than before or after.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cairn.sql.share.model import Design, Party, PublishedSource, View
from cairn.sql.share.names import OWNED, group, own_role, published, shares, work
from cairn.sql.share.sqlserver import steps, tables
from cairn.sql.share.sqlserver.observe import Facts
from cairn.sql.share.sqlserver.passwords import fresh_salt, salted
from cairn.sql.share.sqlserver.text import identifier, literal
from cairn.sql.share.sqlserver.views import full_name, view_sql
from cairn.sql.share.state import Difference, Entry, State

_DROPPED = ("trigger", "procedure", "function", "synonym", "sequence")


@dataclass(frozen=True, slots=True)
class Step:
    """otherwise: what to send where it fails"""

    sql: str
    parameters: tuple[object, ...] = ()
    otherwise: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One pass. passwords: those that are to be set, by login; spare: for logins that are made and have none"""

    design: Design
    wanted: State
    facts: Facts
    diff: Difference
    passwords: Mapping[str, str]
    spare: str

    def off(self, name: str) -> bool:
        return name in self.diff.absent or name in self.diff.other

    @property
    def enabled(self) -> set[str]:
        return {login.name for party in self.design.parties for login in party.logins if login.enabled}


def ground(case: Case) -> Iterator[Step]:
    """Cairn's own: nobody may do anything with it."""
    own = own_role(case.design.id)
    if f"user {own}" in case.diff.absent:
        yield Step(f"CREATE USER {identifier(own)} WITHOUT LOGIN")
        yield Step(steps.shut(own))
    for option in ("TRUSTWORTHY", "DB_CHAINING"):
        if {"TRUSTWORTHY": "trusted", "DB_CHAINING": "chained"}[option] in case.facts.state.objects["database"].split():
            yield Step(f"ALTER DATABASE CURRENT SET {option} OFF")
    for name in ("platform", "map", "audit"):
        if case.off(f"schema {name}"):
            yield Step(_schema(case, name, own))
    for name, columns in tables.OWN_TABLES.items():
        if f"table {name}" in case.diff.absent:
            yield Step(f"CREATE TABLE {name} ({columns})")
        elif case.off(f"table {name}"):
            yield Step(f"ALTER AUTHORIZATION ON OBJECT::{name} TO SCHEMA OWNER")
    if case.off("table map.clock"):
        yield Step(steps.NEW_CLOCK)
    if case.off("trigger audit.keep"):
        yield Step(tables.TRIGGER.replace("CREATE TRIGGER", "CREATE OR ALTER TRIGGER", 1))


def _schema(case: Case, name: str, owner: str) -> str:
    if name in case.facts.schemas:
        return steps.owed(name, owner)
    return f"CREATE SCHEMA {identifier(name)} AUTHORIZATION {identifier(owner)}"


def shut(case: Case) -> list[Entry]:
    """What lets logins in that may not."""
    letting = {entry for entry in case.diff.surplus if (entry.object, entry.privilege) == ("database", "CONNECT")}
    return sorted(letting)


def due(case: Case) -> set[str]:
    """Logins whose sessions may be using what goes."""
    parties: set[str] = set()
    found: set[str] = set()
    for entry in case.diff.surplus:
        if entry.grantee.startswith("g") and entry.grantee != "guest":
            parties.add(entry.grantee[1:])
        elif entry.grantee.startswith("u"):
            found.add(entry.grantee)
    for name in case.diff.other | case.diff.unwanted:
        if name.startswith("view s"):
            parties.add(name[6:22])
        elif name.startswith("role g"):
            parties.add(name[6:])
    for view, _ in case.facts.state.rows["map.scope"] - case.wanted.rows["map.scope"]:
        parties.add(view[1:17])
    logins = {name[5:] for name in case.facts.state.objects if name.startswith("user u")}
    logins |= {session.login for session in case.facts.sessions}
    return (found & logins) | {name for name in logins if name[1:-1] in parties or name not in case.enabled}


def takings(case: Case) -> Iterator[Step]:
    letting = shut(case)
    yield from (Step(steps.take(entry)) for entry in letting)
    for key in sorted(case.design.ended - case.facts.ended):
        yield Step(steps.ended(key))
    for view, shop in sorted(case.facts.state.rows["map.scope"] - case.wanted.rows["map.scope"]):
        yield Step(f"DELETE FROM map.scope WHERE view_name = {literal(view)} AND shop = {literal(shop)}")
    taken = {entry for entry in case.diff.surplus - set(letting) if steps.takeable(entry)}
    yield from (Step(steps.take(entry)) for entry in sorted(taken | _meanwhile(case)))
    for name in sorted(case.diff.unwanted):
        kind, _, full = name.partition(" ")
        if kind in _DROPPED and _inside(full):
            yield Step(f"DROP {kind.upper()} IF EXISTS {_quoted(full)}")


def remakings(case: Case) -> Iterator[Step]:
    """After the sessions ended: whoever reads a view in an open transaction keeps it from being changed."""
    own = own_role(case.design.id)
    for view in case.design.views:
        name = f"view {full_name(view)}"
        if name in case.diff.other:
            drop = f"DROP VIEW IF EXISTS {_quoted(full_name(view))}"
            if _waits(case, view):
                yield Step(drop)
                continue
            if "of its own" in case.facts.state.objects[name]:
                yield Step(f"ALTER AUTHORIZATION ON OBJECT::{_quoted(full_name(view))} TO SCHEMA OWNER")
            yield Step(view_sql(case.design, view), otherwise=drop)
    for kind in ("view", "table"):
        for name in sorted(case.diff.unwanted):
            if name.startswith(f"{kind} ") and _inside(name.partition(" ")[2]):
                yield Step(f"DROP {kind.upper()} IF EXISTS {_quoted(name.partition(' ')[2])}")
    for name in sorted(case.diff.unwanted):
        kind, _, full = name.partition(" ")
        if kind == "user":
            yield Step(steps.FORGET_PASSWORD, (full,))
            yield Step(f"DROP USER IF EXISTS {identifier(full)}")
        elif kind == "schema" and full.startswith("s") and OWNED.fullmatch(full):
            yield Step(f"DROP SCHEMA IF EXISTS {identifier(full)}")
    for name in sorted(case.diff.unwanted):
        if name.startswith("role g"):
            role = name.removeprefix("role ")
            # What a party made of its own stays, and nobody can reach it.
            yield from (Step(steps.owed(s, own)) for s, owner in sorted(case.facts.schemas.items()) if owner == role)
            yield Step(f"DROP ROLE IF EXISTS {identifier(role)}")
    for (key,) in sorted(case.facts.state.rows["map.mac"] - case.wanted.rows["map.mac"]):
        yield Step(f"UPDATE map.mac SET retired = 1 WHERE name = {literal(key)}")


def _waits(case: Case, view: View) -> bool:
    """Whether its table is made or widened first: until then it can't be made, and what it showed is gone already."""
    source = view.source
    return isinstance(source, PublishedSource) and case.off(f"table {published(source.party)}.{source.table}")


def keys(case: Case) -> Iterator[Step]:
    for (name,) in sorted(case.wanted.rows["map.mac"] - case.facts.state.rows["map.mac"]):
        if name in case.facts.retired:
            yield Step(f"UPDATE map.mac SET retired = 0 WHERE name = {literal(name)}")
        else:
            yield Step(steps.NEW_KEY.format(literal(name)))


def made(case: Case, party: Party) -> Iterator[Step]:
    """A party's role, schemas and published tables; its logins, shut."""
    own, role = own_role(case.design.id), group(party.id)
    if f"role {role}" in case.diff.absent:
        yield Step(f"CREATE ROLE {identifier(role)} AUTHORIZATION {identifier(own)}")
    elif case.off(f"role {role}"):
        yield Step(f"ALTER AUTHORIZATION ON ROLE::{identifier(role)} TO {identifier(own)}")
    owners = {shares(party.id): own}
    if not party.staff:
        owners |= {published(party.id): own, work(party.id): role}
    for name, owner in owners.items():
        if case.off(f"schema {name}"):
            yield Step(_schema(case, name, owner))
    for login in party.logins:
        if f"user {login.name}" in case.diff.absent:
            password = case.passwords.get(login.name, case.spare)
            yield Step(steps.CREATE_USER, (login.name, password, work(party.id)))
    for table in case.design.tables:
        name = f"table {tables.full_name(table)}"
        if table.party != party.id or not case.off(name):
            continue
        if name in case.diff.absent:
            yield Step(tables.table_sql(table))
            continue
        if "of its own" in case.facts.state.objects[name]:
            yield Step(f"ALTER AUTHORIZATION ON OBJECT::{_quoted(tables.full_name(table))} TO SCHEMA OWNER")
        yield from (Step(sql) for sql in tables.widened(table, case.facts.columns.get(tables.full_name(table), ())))


def shown(case: Case, party: Party) -> Iterator[Step]:
    """A party's views with their rows and rights."""
    for view in case.design.views:
        name = full_name(view)
        if view.party != party.id:
            continue
        if f"view {name}" in case.diff.absent or (f"view {name}" in case.diff.other and _waits(case, view)):
            yield Step(view_sql(case.design, view))
        for row in sorted(case.wanted.rows["map.scope"] - case.facts.state.rows["map.scope"]):
            if row[0] == name:
                yield Step(steps.once("map.scope", view_name=literal(name), shop=literal(row[1])))
    given = case.diff.missing | _meanwhile(case)
    yield from (Step(steps.give(entry)) for entry in sorted(given) if entry.grantee == group(party.id))


def opened(case: Case, party: Party) -> Iterator[Step]:
    """A party's logins: role, password, and, last, the way in. What was set is noted once all of it is done."""
    for login in party.logins:
        new = f"user {login.name}" in case.diff.absent
        if not new and (login.name in case.passwords or case.off(f"user {login.name}")):
            password = case.passwords.get(login.name, case.spare)
            yield Step(steps.SET_PASSWORD, (login.name, password, work(party.id)))
        given = sorted((entry for entry in case.diff.missing if entry.grantee == login.name), reverse=True)
        yield from (Step(steps.give(entry)) for entry in given)  # CONNECT comes last
        if login.name in case.passwords:
            salt = fresh_salt()
            yield Step(steps.FORGET_PASSWORD, (login.name,))
            yield Step(steps.NOTE_PASSWORD, (salt, salted(case.passwords[login.name], salt), login.name))


def _meanwhile(case: Case) -> set[Entry]:
    """Rights on views that are remade: nobody has them until that is done."""
    return {
        entry
        for entry in case.facts.state.entries & case.wanted.entries
        if entry.object.startswith("object ") and f"view {entry.object[7:]}" in case.diff.other
    }


def _inside(full: str) -> bool:
    """Not what acts with the owner's rights in a schema that is somebody else's: that is told, not dropped."""
    schema = full.partition(".")[0]
    return schema in ("map", "audit") or bool(OWNED.fullmatch(schema))


def _quoted(full: str) -> str:
    schema, _, name = full.partition(".")
    return f"{identifier(schema)}.{identifier(name)}"

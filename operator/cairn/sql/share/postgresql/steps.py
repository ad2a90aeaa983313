# SPDX-License-Identifier: Apache-2.0
"""From what is found to what should stand: transactions of statements, in the order in which they must happen. Pure.

Locking and taking away come first and wait for nobody; what must wait for readers comes after their sessions are ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from cairn.sql.quoting import identifier, literal, qualified
from cairn.sql.share.engine import Record, Why
from cairn.sql.share.model import Design, Party, View
from cairn.sql.share.names import APPS, group, logins, own_role, published, shares, work
from cairn.sql.share.postgresql import records
from cairn.sql.share.postgresql.base import BASE, ROUTINES, TRIGGERS, TableSpec, published_spec, routine_sql, table_sql
from cairn.sql.share.postgresql.desired import DEFAULTS
from cairn.sql.share.postgresql.facts import Facts, Right
from cairn.sql.share.postgresql.grants import give, take, take_in_schema
from cairn.sql.share.postgresql.judge import POWERS
from cairn.sql.share.postgresql.roles import alter_role, create_role, drop_login, lock
from cairn.sql.share.postgresql.tables import mend
from cairn.sql.share.postgresql.views import base_views, digest, full_name, view_sql
from cairn.sql.share.state import Difference, Entry, State


@dataclass(frozen=True, slots=True)
class Step:
    """A statement, sent as a role: "" is the operator itself."""

    sql: str
    role: str = ""


@dataclass(slots=True)
class Batch:
    """One transaction: all of it or nothing, with its records.

    due: logins whose sessions must end after it
    shut: logins to be kept out where their sessions hold up what takes something from them
    """

    title: str
    steps: list[Step] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    due: set[str] = field(default_factory=set)
    shut: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.steps or self.due)


@dataclass(frozen=True, slots=True)
class Case:
    """All that a plan is made of. verifiers: passwords to be set, as the server stores them, by login"""

    design: Design
    wanted: State
    facts: Facts
    diff: Difference
    why: Why
    verifiers: Mapping[str, str]

    @property
    def own(self) -> str:
        return own_role(self.design.id)

    def off(self, name: str) -> bool:
        """Whether an object is not there, or made otherwise."""
        return name in self.diff.absent or name in self.diff.other

    def missing(self, *prefixes: str) -> list[Entry]:
        return sorted(entry for entry in self.diff.missing if entry.object.startswith(prefixes))


def taking(case: Case) -> list[Batch]:
    """Before sessions are ended: what locks and takes away."""
    return [batch for batch in (_lock(case), _revoke(case), *_disowned(case)) if batch]


def giving(case: Case) -> Iterator[Batch]:
    """After: what is made anew and given, then what is cleared away."""
    yield from filter(None, (_platform(case), _masters(case), _keys(case)))
    for party in case.design.parties:
        yield from filter(None, (_party(case, party),))
    for party in case.design.parties:
        yield from filter(None, (_tables(case, party),))
    for party in case.design.parties:
        yield from filter(None, _shares(case, party))
    yield from filter(None, _clear(case))


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
        batch.steps += _schema(case, schema, own)
    for name in ROUTINES:
        if case.off(f"routine audit.{name}()"):
            add(Step(routine_sql(name), own))
    for spec in BASE:
        name = f"table {spec.schema}.{spec.name}"
        if name in case.diff.absent:
            batch.steps += _table(spec, own)
            batch.steps += [Step(f"CREATE TRIGGER {name} {TRIGGERS[name]}", own) for name in spec.triggers]
        elif name in case.diff.other:
            batch.steps += [Step(sql, role) for sql, role in mend(spec, case.facts, own)]
    for entry in case.missing("table audit.", "table map."):
        add(Step(give(entry), own))
    if batch:
        batch.records += records.ground(case)
    return batch


def _schema(case: Case, schema: str, owner: str) -> list[Step]:
    name = f"schema {schema}"
    if name in case.diff.absent:
        return [Step(f"CREATE SCHEMA {identifier(schema)} AUTHORIZATION {owner}")]
    if name in case.diff.other:
        return [Step(f"ALTER SCHEMA {identifier(schema)} OWNER TO {owner}")]
    return []


def _lock(case: Case) -> Batch:
    """Nobody comes in who may not."""
    batch = Batch("lock")
    for name, opens in sorted(case.facts.roles.items()):
        if opens and not case.wanted.objects.get(f"role {name}", "").startswith("login"):
            batch.steps.append(Step(lock(name)))
            batch.due.add(name)
            batch.records.append(records.locked(case, name))
    return batch


def _revoke(case: Case) -> Batch:
    """Everything that goes, at once: it waits for no reader."""
    facts, own, batch = case.facts, case.own, Batch("revoke")
    theirs = {entry for entry in case.diff.surplus if all(map(by_app, facts.rights[entry]))}
    for entry in sorted(case.diff.surplus, key=lambda entry: (not entry.grantor, entry)):
        rights = [right for right in facts.rights[entry] if right.kind != "lost" and not by_app(right)]
        for right in rights:
            if not _falls(case, entry):
                batch.steps += [Step(sql, role) for sql, role in take(right, case.wanted, facts)]
        if rights:
            batch.due |= _affected(case, entry)
    for name in otherwise(case):
        role = name.removeprefix("role ")
        batch.steps += [Step(sql) for sql in alter_role(facts, role, _party_of(case, role))]
        if any(power in facts.state.objects[name] for power in POWERS):
            batch.due |= facts.members.get(role, frozenset()) | {role}
    for view in _narrowed(case):
        who = group(view.party)
        if _relation_owner(case, full_name(view)) == own:
            batch.steps.append(Step(f"REVOKE ALL ON {qualified(shares(view.party), view.name)} FROM {who}", own))
        batch.due |= facts.members.get(who, frozenset())
    scope = facts.state.rows.get("map.scope", frozenset()) - case.wanted.rows["map.scope"]
    for name, shop in sorted(scope):
        gone = f"DELETE FROM map.scope WHERE view_name = {literal(name)} AND shop_id = {literal(shop)}"
        batch.steps.append(Step(gone, own))
        batch.due |= facts.members.get(group(name[1:17]), frozenset())
    for key in sorted(case.design.ended - facts.ended):
        ended = f"INSERT INTO map.ended VALUES ({literal(key)}, pg_catalog.now()) ON CONFLICT DO NOTHING"
        batch.steps.append(Step(ended, own))
    if batch:
        batch.records += records.revoked(case, _narrowed(case), otherwise(case), theirs)
    batch.due &= _endable(case)
    return batch


def _falls(case: Case, entry: Entry) -> bool:
    """Whether a right goes with the grant option that its grantor has, which goes as well."""
    return bool(entry.grantor) and any(
        other.grantable
        and (other.object, other.grantee, other.privilege) == (entry.object, entry.grantor, entry.privilege)
        and other.column in ("", entry.column)
        for other in case.diff.surplus
    )


def otherwise(case: Case) -> list[str]:
    """Roles of parties that are not as they should be, but for logins that are shut and no more."""
    own, found = f"role {case.own}", case.facts.state.objects
    return [
        name
        for name in sorted(case.diff.other | case.diff.unwanted)
        if name.startswith("role ") and name != own
        if found[name].replace("login", "nologin", 1) != case.wanted.objects.get(name)
    ]


def by_app(right: Right) -> bool:
    """Whether a right stands on what an app made."""
    return right.kind in ("object", "default") and APPS.fullmatch(right.owner) is not None


def _disowned(case: Case) -> Iterator[Batch]:
    """What apps gave of their own, apart for each: however many and strange, it holds up nothing else."""
    found: dict[str, Batch] = {}
    entries: dict[str, list[Entry]] = {}
    for entry in sorted(case.diff.surplus):
        for right in case.facts.rights[entry]:
            if by_app(right):
                batch = found.setdefault(right.owner, Batch(f"what {right.owner} gave"))
                whole = take_in_schema(right)
                taken = [(whole, "")] if whole else take(right, case.wanted, case.facts)
                batch.steps += [Step(sql, role) for sql, role in taken]
                batch.due |= _affected(case, entry) & _endable(case)
                entries.setdefault(right.owner, []).append(entry)
    for owner, batch in found.items():
        batch.steps = list(dict.fromkeys(batch.steps))
        batch.records += records.disowned(case, owner, entries[owner])
        yield batch


def _affected(case: Case, entry: Entry) -> frozenset[str]:
    """Logins that may be using a right which goes."""
    members = case.facts.members
    if entry.object.startswith("role "):
        inside = members.get(entry.object[5:], frozenset())
        return frozenset({entry.grantee}) if entry.grantee in inside else inside
    if entry.grantee == "PUBLIC":
        everybody = frozenset(name for name in case.facts.roles if name.startswith("u"))
        return everybody if entry.object.startswith("table ") else frozenset()
    return members.get(entry.grantee, frozenset()) | ({entry.grantee} & case.facts.roles.keys())


def _endable(case: Case) -> set[str]:
    ours = {name for name in case.facts.roles if name.startswith("u")}
    return ours.union(*(members for role, members in case.facts.members.items() if role != case.own))


def _narrowed(case: Case) -> list[View]:
    """Views that change and show less in any way, as far as that can be told."""
    changed = [view for view in case.design.views if f"table {full_name(view)}" in case.diff.other]
    return [view for view in changed if not records.widens(case.facts.applied.views.get(full_name(view)), view)]


def _relation_owner(case: Case, name: str) -> str:
    relation = case.facts.relations.get(name)
    return relation.owner if relation else ""


def _platform(case: Case) -> Batch:
    """What the owner role reads of the platform's, for its views."""
    given = case.missing("schema platform", "table platform.")
    return Batch("platform", [Step(give(entry)) for entry in given], records.granted(case, given))


def _masters(case: Case) -> Batch:
    """Views of `map`."""
    batch, own = Batch("masters"), case.own
    if case.facts.witness and case.off("table map.clock"):
        batch.steps.append(Step(f"GRANT USAGE ON SCHEMA sys_info TO {own}"))
        batch.steps.append(Step(f"GRANT SELECT ON TABLE sys_info.jdp_cursor TO {own}"))
    for name, text in base_views(case.design, witness=case.facts.witness).items():
        if case.off(f"table map.{name}"):
            batch.steps += _replace("map", name, text, case, own, keep=True)
            batch.records.append(records.made(case, f"map.{name}", "what published rows are joined to"))
    return batch


def _keys(case: Case) -> Batch:
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


def _replace(schema: str, name: str, text: str, case: Case, own: str, *, keep: bool = False) -> list[Step]:
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


def _table(spec: TableSpec, own: str) -> list[Step]:
    """Default privileges say nothing about the type of a relation's rows."""
    name = qualified(spec.schema, spec.name)
    return [Step(table_sql(spec), own), Step(f"REVOKE ALL ON TYPE {name} FROM PUBLIC", own)]


def _party(case: Case, party: Party) -> Batch:
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
    batch.steps += _schema(case, shares(party.id), own)
    if not party.staff:
        batch.steps += [*_schema(case, published(party.id), own), *_schema(case, work(party.id), who)]
    given = [entry for entry in case.missing("schema ", "database ", "role ") if _is_for(entry, party)]
    batch.steps += [Step(give(entry), own if entry.object.startswith("schema ") else "") for entry in given]
    if batch:
        batch.records += records.admitted(case, party, given, new=new)
    return batch


def _is_for(entry: Entry, party: Party) -> bool:
    return entry.grantee == group(party.id) or entry.grantee in {login.name for login in party.logins}


def _tables(case: Case, party: Party) -> Batch:
    """What a party publishes."""
    batch, own = Batch(f"tables of {party.id}"), case.own
    for table in case.design.tables:
        spec = published_spec(table)
        name = f"table {spec.schema}.{spec.name}"
        if table.party != party.id:
            continue
        if name in case.diff.absent:
            batch.steps += _table(spec, own)
        elif name in case.diff.other:
            batch.steps += [Step(sql, role) for sql, role in mend(spec, case.facts, own)]
        given = [entry for entry in case.missing(name) if entry.object == name]
        batch.steps += [Step(give(entry), own) for entry in given]
        if given or case.off(name):
            batch.records.append(records.published(case, table, given))
    return batch


def _shares(case: Case, party: Party) -> Iterator[Batch]:
    """What a party reads: each dropped and made again in one transaction, with its rights and filters."""
    own, narrowed = case.own, _narrowed(case)
    scope = case.wanted.rows["map.scope"] - case.facts.state.rows.get("map.scope", frozenset())
    for view in case.design.views:
        if view.party != party.id:
            continue
        name, full = f"table {full_name(view)}", full_name(view)
        batch = Batch(f"share {full}")
        if view in narrowed:
            batch.shut = frozenset(login.name for login in party.logins if login.name in case.facts.roles)
        given = [entry for entry in case.missing(name) if entry.object == name]
        if case.off(name):
            batch.steps += _replace(shares(view.party), view.name, view_sql(view, case.design), case, own)
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


def _clear(case: Case) -> Iterable[Batch]:
    """What nobody may use any more."""
    own = case.own
    views, schemas = Batch("views that go"), Batch("schemas that go")
    gone: dict[str, Batch] = {}
    for name in sorted(case.diff.unwanted):
        kind, _, rest = name.partition(" ")
        if kind == "table":
            schema, _, view = rest.partition(".")
            role = own if _relation_owner(case, rest) == own else ""
            views.steps.append(Step(f"DROP VIEW IF EXISTS {qualified(schema, view)} CASCADE", role))
            views.records += records.dropped(case, rest)
        elif kind == "schema" and rest == shares(rest[1:]):
            role = own if case.facts.schemas.get(rest) == own else ""
            schemas.steps.append(Step(f"DROP SCHEMA {identifier(rest)} RESTRICT", role))
            schemas.records.append(records.cleared(case, rest))
        elif kind == "schema":
            owner = group(rest[1:]) if rest == work(rest[1:]) else own
            schemas.steps.append(Step(f"ALTER SCHEMA {identifier(rest)} OWNER TO {owner}"))
            schemas.records.append(records.cleared(case, rest))
        elif kind == "role" and rest in logins(rest[1:17]):
            batch = gone.setdefault(rest, Batch(f"login {rest}"))
            batch.steps += [Step(sql) for sql in drop_login(case.facts, rest, group(rest[1:17]))]
            batch.records.append(records.cleared(case, rest))
    keys = Batch("keys")
    for (name,) in sorted(case.facts.state.rows.get("map.key", frozenset()) - case.wanted.rows["map.key"]):
        keys.steps.append(Step(f"UPDATE map.key SET retired = true WHERE name = {literal(name)}", own))
    if keys:
        keys.records.append(records.made(case, "map.key", "keys that no mask needs are put aside"))
    return [views, schemas, *gone.values(), keys]


def _party_of(case: Case, role: str) -> Party | None:
    return next((p for p in case.design.parties if role in {login.name for login in p.logins}), None)


__all__ = ["Batch", "Case", "Step", "giving", "ground_of", "taking"]

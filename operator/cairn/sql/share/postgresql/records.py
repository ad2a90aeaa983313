# SPDX-License-Identifier: Apache-2.0
"""What the audit says of each transaction: what was asked for, and what was found otherwise and put right. Pure.

A difference is drift where the database is not as the last `settle` left it, although nobody asked for a change of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cairn.sql.share.engine import Record
from cairn.sql.share.model import Party, Table, View
from cairn.sql.share.names import group
from cairn.sql.share.names import published as published_schema
from cairn.sql.share.postgresql.base import BASE
from cairn.sql.share.postgresql.desired import describe
from cairn.sql.share.postgresql.views import full_name
from cairn.sql.share.state import Entry

if TYPE_CHECKING:
    from cairn.sql.share.postgresql.case import Case

DRIFT = "not as it was settled"
CAIRN = "cairn"


def line(entry: Entry) -> str:
    """An entry for people."""
    column = f" ({entry.column})" if entry.column else ""
    option = " with grant option" if entry.grantable else ""
    grantor = f" by {entry.grantor}" if entry.grantor else ""
    return f"{entry.privilege}{column} on {entry.object} to {entry.grantee}{option}{grantor}"


def widens(before: tuple[str, ...] | None, view: View) -> bool:
    """Whether a view now shows all that it did, the same way, and more."""
    if before is None:
        return False
    old, new = _parts(before), _parts(describe(view))
    wider = all(old.get(word, set()) <= new.get(word, set()) for word in ("column", "shop"))
    return wider and old.get("from") == new.get("from") and _days(old) <= _days(new) and _end(old) <= _end(new)


def _parts(lines: Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for text in lines:
        word, _, rest = text.partition(" ")
        found.setdefault(word, set()).add(rest)
    return found


def _days(parts: dict[str, set[str]]) -> float:
    (days,) = parts.get("window") or {"0"}
    return float("inf") if days == "all" else float(days)


def _end(parts: dict[str, set[str]]) -> str:
    (end,) = parts.get("until") or {""}
    return "~" if end == "withdrawn" else end


def ground(case: Case) -> list[Record]:
    own, facts = case.own, case.facts
    if not facts.applied.objects:
        return [_asked(case, "admit", case.design.database, "sharing is set up")]
    base = {f"role {own}", "schema map", "schema audit", *(f"table {spec.schema}.{spec.name}" for spec in BASE)}
    found = [
        _repair(name, (facts.state.objects.get(name, "absent"),), (case.wanted.objects[name],))
        for name in sorted(case.diff.absent | case.diff.other)
        if name in base or name.startswith(("routine ", "default "))
    ]
    lost: dict[str, list[str]] = {}
    for entry in _lost(case):
        lost.setdefault(entry.object, []).append(line(entry))
    found += [_repair(target, lines, ()) for target, lines in lost.items()]
    return found + granted(case, case.missing("table audit.", "table map."))


def granted(case: Case, given: list[Entry]) -> list[Record]:
    """To the owner role."""
    found = []
    for entry in given:
        if entry in case.facts.applied.entries:
            found.append(_repair(entry.object, (), (line(entry),)))
        else:
            found.append(_asked(case, "grant", entry.object, "a share reads it", after=(line(entry),)))
    return found


def _lost(case: Case) -> list[Entry]:
    """Rights that the owner role has no more."""
    rights = (right for entry in sorted(case.diff.surplus) for right in case.facts.rights[entry])
    return [right.entry for right in rights if right.kind == "lost"]


def _base_tables() -> frozenset[str]:
    from cairn.sql.share.postgresql.base import BASE

    return frozenset(f"table {spec.schema}.{spec.name}" for spec in BASE)


def locked(case: Case, login: str) -> Record:
    if login[1:17] not in {party.id for party in case.design.parties}:
        return _asked(case, "remove", login[1:17], case.why.reasons.get(login[1:17], ""), before=(f"login {login}",))
    if case.facts.applied.objects.get(f"role {login}", "").startswith("nologin"):
        return _repair(login, ("login",), ("nologin",))
    return _asked(case, "rotate", login, "the login is shut", before=("login",), after=("nologin",))


def revoked(case: Case, narrowed: Iterable[View], roles: Iterable[str], theirs: Iterable[Entry]) -> list[Record]:
    facts, found = case.facts, []
    drift: dict[tuple[str, str, str], list[Entry]] = {}
    asked: dict[str, list[Entry]] = {}
    for entry in sorted(case.diff.surplus - set(_lost(case)) - set(theirs)):
        if entry in facts.applied.entries or not facts.applied.objects:
            asked.setdefault(entry.grantee, []).append(entry)
        else:
            drift.setdefault((entry.object, entry.grantee, entry.grantor), []).append(entry)
    for entries in drift.values():
        found.append(_repair(entries[0].object, map(line, entries), ()))
    for grantee, entries in asked.items():
        shares = [e for e in entries if e.object.removeprefix("table ") in facts.applied.views]
        rest = [e for e in entries if e not in shares]
        found += [_withdrawn(case, e.object.removeprefix("table ")) for e in shares]
        if rest:
            reason = case.why.reasons.get(grantee[1:], "")
            found.append(_asked(case, "revoke", grantee, reason, before=map(line, rest)))
    for view in narrowed:
        name = full_name(view)
        if facts.applied.objects.get(f"table {name}") == case.wanted.objects[f"table {name}"]:
            found.append(_repair(name, ("altered",), ()))
        else:
            before = facts.applied.views.get(name, ())
            found.append(_asked(case, "revoke", name, _reason(case, view), view.grant, before, describe(view)))
    for name in roles:
        before, after = (facts.state.objects[name],), (case.wanted.objects.get(name, ""),)
        if facts.applied.objects.get(name) == after[0]:
            found.append(_repair(name, before, after))
        elif name in case.diff.other:
            found.append(_asked(case, "rotate", name, "", before=before, after=after))
    scope = facts.state.rows.get("map.scope", frozenset()) - case.wanted.rows["map.scope"]
    for name, shop in sorted(scope):
        if f"shop {shop}" not in facts.applied.views.get(name, ()):
            found.append(_repair("map.scope", (f"shop {shop} for {name}",), ()))
    found += [_asked(case, "expire", key, "it has ended") for key in sorted(case.design.ended - facts.ended)]
    return found


def disowned(case: Case, owner: str, entries: list[Entry]) -> list[Record]:
    """What a party gave of its own is one record, or one for its removal."""
    if owner[1:17] in {party.id for party in case.design.parties}:
        return [_repair(f"what {owner} gave", map(line, entries), ())]
    reason = case.why.reasons.get(owner[1:17], "")
    return [_asked(case, "remove", owner, reason, before=map(line, entries))]


def _withdrawn(case: Case, name: str) -> Record:
    before = case.facts.applied.views[name]
    grant = next((text.removeprefix("grant ") for text in before if text.startswith("grant ")), "")
    action = "expire" if grant in case.design.ended else "revoke"
    reason = case.why.reasons.get(grant) or case.why.reasons.get(name[1:17], "")
    return _asked(case, action, name, reason, grant, before)


def keys(case: Case, missing: list[str]) -> list[Record]:
    """Without its key a mask shows nothing; a new key gives new pseudonyms."""
    lost = [name for name in missing if f"key {name}" in case.facts.applied.objects]
    found = [_repair("map.key", (f"{name} is gone",), ("a new key",)) for name in lost]
    new = [name for name in missing if name not in lost]
    return [*found, _asked(case, "grant", "map.key", "keys of masks", after=new)] if new else found


def made(case: Case, subject: str, reason: str, after: Iterable[str] = ()) -> Record:
    known = case.facts.applied.objects
    if known and not after and known.get(f"table {subject}") == case.wanted.objects.get(f"table {subject}"):
        return _repair(subject, (), (reason,))
    return _asked(case, "grant", subject, reason, after=after)


def admitted(case: Case, party: Party, given: list[Entry], *, new: bool) -> list[Record]:
    found = []
    drift = [entry for entry in given if entry in case.facts.applied.entries]
    found += [_repair(entry.object, (), (line(entry),)) for entry in drift]
    rest = [line(entry) for entry in given if entry not in drift]
    names = {f"{kind}{party.id}" for kind in "psw"} | {group(party.id)} | {login.name for login in party.logins}
    for name in sorted(case.diff.absent | case.diff.other):
        kind, _, who = name.partition(" ")
        if kind in ("role", "schema") and who in names:
            if case.facts.applied.objects.get(name) == case.wanted.objects[name]:
                if not (kind == "role" and name in case.diff.other):
                    found.append(_repair(name, (case.facts.state.objects.get(name, "absent"),), ("made again",)))
            elif name in case.diff.absent:
                rest.append(name)
    if rest or new:
        found.append(_asked(case, "admit", party.id, case.why.reasons.get(party.id, ""), after=rest))
    for login in party.logins:
        if login.name in case.verifiers and f"role {login.name}" not in case.diff.absent:
            found.append(_asked(case, "rotate", login.name, "its password is set"))
    return found


def published(case: Case, table: Table, given: list[Entry]) -> Record:
    name = f"{published_schema(table.party)}.{table.name}"
    key = f"table {name}"
    if case.facts.applied.objects.get(key) == case.wanted.objects[key]:
        before = (case.facts.state.objects.get(key, "absent"),) if key in case.diff.absent | case.diff.other else ()
        return _repair(name, before, (case.wanted.objects[key], *map(line, given)))
    after = [f"column {column.name} {column.type}" for column in table.columns]
    return _asked(case, "grant", name, case.why.reasons.get(table.party, ""), after=after)


def shared(case: Case, view: View) -> Record:
    name = full_name(view)
    key, applied = f"table {name}", case.facts.applied
    after = describe(view)
    if applied.objects.get(key) == case.wanted.objects[key] and applied.views.get(name) == after:
        return _repair(name, (case.facts.state.objects.get(key, "absent"),), after)
    before = applied.views.get(name, ())
    action = "widen" if before and widens(before, view) else "grant"
    return _asked(case, action, name, _reason(case, view), view.grant, before, after)


def dropped(case: Case, name: str) -> list[Record]:
    if name in case.facts.applied.views or f"table {name}" in case.facts.applied.objects:
        return []
    return [_repair(name, (case.facts.state.objects.get(f"table {name}", ""),), ())]


def cleared(case: Case, name: str) -> Record:
    return _asked(case, "remove", name, case.why.reasons.get(name[1:17], ""), before=(name,))


def _reason(case: Case, view: View) -> str:
    return case.why.reasons.get(view.grant) or case.why.reasons.get(view.party, "")


def _repair(subject: str, before: Iterable[str], after: Iterable[str]) -> Record:
    return Record("repair", CAIRN, subject, DRIFT, before=tuple(before), after=tuple(after))


def _asked(
    case: Case,
    action: str,
    subject: str,
    reason: str,
    grant: str = "",
    before: Iterable[str] = (),
    after: Iterable[str] = (),
) -> Record:
    contract = case.why.contracts.get(grant, "")
    return Record(action, case.why.actor, subject, reason, contract, tuple(before), tuple(after))

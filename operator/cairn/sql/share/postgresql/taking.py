# SPDX-License-Identifier: Apache-2.0
"""What locks and takes away: at once, and without waiting for any reader. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cairn.sql.quoting import literal, qualified
from cairn.sql.share.model import Party, View
from cairn.sql.share.names import APPS, group, shares
from cairn.sql.share.postgresql import records
from cairn.sql.share.postgresql.case import Batch, Case, Step
from cairn.sql.share.postgresql.facts import Right
from cairn.sql.share.postgresql.grants import take, take_in_schema
from cairn.sql.share.postgresql.judge import POWERS
from cairn.sql.share.postgresql.roles import alter_role, lock
from cairn.sql.share.postgresql.views import full_name
from cairn.sql.share.state import Entry

AT_ONCE = 500
"""Rights that apps gave are taken so many to a transaction."""


def shut_logins(case: Case) -> Batch:
    """Nobody comes in who may not."""
    batch = Batch("lock")
    for name, opens in sorted(case.facts.roles.items()):
        if opens and not case.wanted.objects.get(f"role {name}", "").startswith("login"):
            batch.steps.append(Step(lock(name)))
            batch.due.add(name)
            batch.records.append(records.locked(case, name))
    return batch


def revoke(case: Case) -> Batch:
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
        batch.steps += [Step(sql) for sql in alter_role(facts, role, party_of(case, role))]
        if any(power in facts.state.objects[name] for power in POWERS):
            batch.due |= facts.members.get(role, frozenset()) | {role}
    for view in narrowed(case):
        who = group(view.party)
        if case.owner_of(full_name(view)) == own:
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
        batch.records += records.revoked(case, narrowed(case), otherwise(case), theirs)
    batch.due &= _endable(case)
    return batch


def by_app(right: Right) -> bool:
    """Whether a right stands on what an app made."""
    return right.kind in ("object", "default") and APPS.fullmatch(right.owner) is not None


def disowned(case: Case) -> Iterator[Batch]:
    """What apps gave of their own, apart for each and in parts: however many and strange, it holds up nothing else, and
    what is done stays done."""
    given: dict[str, dict[Step, list[Entry]]] = {}
    for entry in sorted(case.diff.surplus):
        for right in filter(by_app, case.facts.rights[entry]):
            whole = take_in_schema(right)
            for sql, role in [(whole, "")] if whole else take(right, case.wanted, case.facts):
                given.setdefault(right.owner, {}).setdefault(Step(sql, role), []).append(entry)
    for owner, steps in given.items():
        for start in range(0, len(steps), AT_ONCE):
            yield _disowned(case, owner, dict(list(steps.items())[start : start + AT_ONCE]))


def _disowned(case: Case, owner: str, steps: Mapping[Step, list[Entry]]) -> Batch:
    entries = list(dict.fromkeys(entry for found in steps.values() for entry in found))
    due = set().union(*(_affected(case, entry) for entry in entries)) & _endable(case)
    return Batch(f"what {owner} gave", list(steps), records.disowned(case, owner, entries), due)


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


def narrowed(case: Case) -> list[View]:
    """Views that change and show less in any way, as far as that can be told."""
    changed = [view for view in case.design.views if f"table {full_name(view)}" in case.diff.other]
    return [view for view in changed if not records.widens(case.facts.applied.views.get(full_name(view)), view)]


def party_of(case: Case, role: str) -> Party | None:
    return next((p for p in case.design.parties if role in {login.name for login in p.logins}), None)

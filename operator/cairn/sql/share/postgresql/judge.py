# SPDX-License-Identifier: Apache-2.0
"""What of all that a look finds is Cairn's to say, and how it is made, in the words of `desired`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cairn.sql.share.model import Design
from cairn.sql.share.names import group, own_role, published, work
from cairn.sql.share.postgresql.base import TableSpec
from cairn.sql.share.postgresql.desired import RETIRED, owned, role_digest
from cairn.sql.share.postgresql.facts import PUBLIC, Relation
from cairn.sql.share.state import Entry

OPTIONS = ["security_barrier=true", "security_invoker=false"]
POWERS = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls", "expires")
_NOTE = re.compile(r"cairn:([0-9a-f]{24}):([0-9a-f]{32})")
_LOOSE = re.compile(r"(routine|type) (platform|w[a-z2-7]{16})\.")


def tolerated(entry: Entry, design: Design, admin: str) -> bool:
    """Rights that stand by somebody else's leave, or that reach nothing.

    The readers' on `platform`; what PUBLIC may by default do with functions and types of schemas it can't enter; and
    members of a staff role that are no parties: who of the staff has which role is not said here.
    """
    plain = not entry.grantable and not entry.grantor and not entry.column
    if plain and entry.grantee in design.readers:
        if entry.object == f"default r {admin} platform" and entry.privilege == "SELECT":
            return True
        if entry.object == "schema platform" and entry.privilege == "USAGE":
            return True
        if entry.object.startswith("table platform.") and entry.privilege == "SELECT":
            return True
    if plain and entry.grantee == PUBLIC and _LOOSE.match(entry.object):
        return True
    staff = {f"role {group(party.id)}" for party in design.parties if party.staff}
    ours = {login.name for party in design.parties for login in party.logins}
    ours |= {group(party.id) for party in design.parties} | {own_role(design.id)}
    return entry.object in staff and entry.grantee not in ours and not entry.grantable


def listed(name: str, made: str, design: Design, *, owns: bool = False) -> bool:
    """Not so what is kept of a party that is gone: its group that nobody logs in as, its work, what it published.

    owns: a role that is still the owner of something; a login that can't be dropped for that is kept shut
    """
    kind, _, rest = name.partition(" ")
    parties = {party.id for party in design.parties}
    if rest[1:] in parties:
        return True
    own = own_role(design.id)
    if kind == "role" and (rest.startswith("g") or (owns and rest[1:-1] not in parties)) and rest != own:
        return made != RETIRED
    if kind == "schema" and rest == work(rest[1:]):
        return made != owned(group(rest[1:]))
    if kind == "schema" and rest == published(rest[1:]):
        return made != owned(own)
    return not (kind == "default" and not rest.endswith(f" {own}"))


def role_digest_of(row: Mapping[str, Any]) -> str:
    settings = [*(row["settings"] or ()), *(power for power in POWERS if row[power])]
    if not row["rolinherit"]:
        settings.append("noinherit")
    return role_digest(login=row["rolcanlogin"], limit=row["rolconnlimit"], settings=settings)


def relation_digest(row: Mapping[str, Any], relation: Relation, spec: TableSpec | None) -> str:
    """row: of `catalog.RELATIONS`."""
    strange = "".join(f" {kind} {name}".rstrip() for kind, name in relation.aliens)
    if relation.kind == "v":
        note = _NOTE.fullmatch(row["comment"] or "")
        same = note is not None and note[2] == row["made"] and sorted(row["reloptions"] or ()) == OPTIONS
        return f"{owned(relation.owner)} view {note[1] if note and same else 'altered'}{strange}"
    if relation.kind != "r":
        return f"{owned(relation.owner)} relkind {relation.kind}"
    wanted = {name for name, _, _ in spec.columns} if spec else set()
    columns = ",".join(
        f"{name}:{kind}{'!' if filled else ''}"
        for name, (kind, filled) in sorted(relation.columns.items())
        if name in wanted or filled or kind.startswith("another's ")
    )
    return f"{owned(relation.owner)} table ({columns}) key ({','.join(relation.key)}){strange}"

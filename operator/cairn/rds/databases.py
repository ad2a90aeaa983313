# SPDX-License-Identifier: Apache-2.0
"""Databases, roles and what the server told about them (the facts of `probe`). Pure.

Facts, all under the key "server": `error` and `message` (a Reason and why, nothing else then), or
- version, systemIdentifier, inRecovery, me (namespace/name of this SellerRDS);
- databases (name to owner), comments (on databases: for whom each is kept);
- roles (name to {ours, password}: whether the Secret's password opens it);
- connect (readers that may connect, as "role@database");
- weak (settings under which a commit can be lost), parameters (sized ones, as the server has them), loadedAt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from cairn.api.conditions import Condition, Reason, not_ready, progressing, ready
from cairn.api.database import Address
from cairn.api.engines import Traits
from cairn.api.resources import Obj
from cairn.engine.kind import Action, Observed
from cairn.rds.credentials import Login

FACTS = "server"
HOLDER = "cairn: "
"""As in `cairn.sql.logins`, which does I/O."""
LOOK_AGAIN = timedelta(seconds=15)
"""After a fault of the server: no event tells that it is over."""


def facts_of(observed: Observed) -> Mapping[str, Any]:
    found = observed.facts.get(FACTS)
    return found if isinstance(found, Mapping) and "error" not in found else {}


def error_of(observed: Observed) -> tuple[Reason, str] | None:
    found = observed.facts.get(FACTS)
    if not isinstance(found, Mapping) or "error" not in found:
        return None
    return Reason(found["error"]), str(found.get("message") or "")


def look_again(observed: Observed, now: datetime) -> datetime | None:
    """When to ask anew, where the last time went wrong."""
    waits = error_of(observed) is not None or facts_of(observed).get("inRecovery")
    return now + LOOK_AGAIN if waits else None


def mint_login(login: Login, address: Address) -> Action:
    """The Secret of a login: made with a new password where there is none, else brought up to date around it."""
    args = {
        "secret": login.secret,
        "role": login.role,
        "username": login.username,
        "database": login.database,
        "host": address.host,
        "port": address.port,
    }
    return Action("mint-login", args)


def pairs(logins: Iterable[Login]) -> list[tuple[Login, Login]]:
    """Owner and reader of each database."""
    found = list(logins)
    return list(zip(found[::2], found[1::2], strict=True))


def _stands(owner: Login, reader: Login, facts: Mapping[str, Any]) -> bool:
    roles = facts.get("roles") or {}
    opened = all((roles.get(login.username) or {}).get("password") is True for login in (owner, reader))
    connects = f"{reader.username}@{reader.database}" in (facts.get("connect") or ())
    kept = owner.database in (facts.get("comments") or {})
    return opened and connects and kept and (facts.get("databases") or {}).get(owner.database) == owner.username


def _foreign(owner: Login, reader: Login, facts: Mapping[str, Any], traits: Traits) -> str:
    """What has the name of something we would make and is somebody else's; empty where nothing has."""
    kept_for = str((facts.get("comments") or {}).get(owner.database) or "")
    if kept_for.startswith(HOLDER) and kept_for != f"{HOLDER}{facts.get('me')}":
        return f"database {owner.database} is kept for SellerRDS {kept_for.removeprefix(HOLDER)}: name another"
    held_by = (facts.get("databases") or {}).get(owner.database)
    if held_by is not None and held_by != owner.username:
        remedy = traits.hand_over.format(database=owner.database, owner=owner.username)
        return f"database {owner.database} exists and belongs to {held_by}: {remedy}"
    for login in (owner, reader):
        role = (facts.get("roles") or {}).get(login.username)
        if role is not None and not role.get("ours"):
            return f"role {login.username} exists and was not made by Cairn: rename or drop it"
    return ""


def standing(logins: Iterable[Login], observed: Observed) -> list[str]:
    facts = facts_of(observed)
    return sorted(owner.database for owner, reader in pairs(logins) if _stands(owner, reader, facts))


def actions(logins: Iterable[Login], observed: Observed, traits: Traits) -> list[Action]:
    """Databases, roles and passwords that are not as they should be; what is somebody else's is left alone."""
    facts = facts_of(observed)
    if not facts:
        return []
    return [
        Action(
            "database",
            {
                "database": owner.database,
                "owner": owner.username,
                "reader": reader.username,
                "ownerSecret": owner.secret,
                "readerSecret": reader.secret,
            },
        )
        for owner, reader in pairs(logins)
        if not _stands(owner, reader, facts) and not _foreign(owner, reader, facts, traits)
    ]


def state(logins: Iterable[Login], observed: Observed, traits: Traits) -> tuple[Condition, ...]:
    """Ready or not, by what the server told."""
    if error := error_of(observed):
        return not_ready(*error)
    facts = facts_of(observed)
    if not facts:
        return progressing(Reason.PROGRESSING, "the server is being asked for the first time")
    if facts.get("inRecovery"):
        return progressing(Reason.PROGRESSING, "the server is recovering and takes no writes yet")
    found = pairs(logins)
    if foreign := next((text for owner, reader in found if (text := _foreign(owner, reader, facts, traits))), ""):
        return not_ready(Reason.CONFLICT, foreign)
    if waiting := [owner.database for owner, reader in found if not _stands(owner, reader, facts)]:
        return progressing(Reason.PROGRESSING, f"databases are being set up: {', '.join(waiting)}")
    return ready()


def durability(observed: Observed) -> tuple[Condition, ...]:
    weak = facts_of(observed).get("weak") or ()
    if not weak:
        return ()
    message = f"{', '.join(weak)}: a commit that was answered can be lost"
    return (Condition("DurabilityWeak", True, Reason.DURABILITY_WEAK, message),)


def secrets_status(name: str, logins: Iterable[Login], admin: str) -> Obj:
    found: Obj = {"admin": admin}
    for login in logins:
        if login.secret in (f"{name}-owner", f"{name}-reader"):
            found[login.role] = login.secret
    return found

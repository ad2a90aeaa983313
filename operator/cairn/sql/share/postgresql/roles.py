# SPDX-License-Identifier: Apache-2.0
"""Roles made, brought to order and dropped: pure text."""

from __future__ import annotations

from cairn.sql.quoting import identifier, literal
from cairn.sql.share.model import Party
from cairn.sql.share.postgresql.desired import login_settings
from cairn.sql.share.postgresql.facts import MARK, Facts


def create_role(facts: Facts, design: str, name: str, party: Party | None = None) -> list[str]:
    """A role of Cairn's. party: of a login"""
    who = identifier(name)
    statements = [f"CREATE ROLE {who} NOLOGIN", f"COMMENT ON ROLE {who} IS {literal(MARK + design)}"]
    if not facts.superuser:
        statements.append(f"GRANT {who} TO CURRENT_USER")
    return statements + (_login(name, party) if party else [])


def alter_role(facts: Facts, name: str, party: Party | None = None) -> list[str]:
    """The role has no power of its own and no setting but those that its party's logins have."""
    who = identifier(name)
    powers = "NOCREATEROLE NOCREATEDB INHERIT VALID UNTIL 'infinity' CONNECTION LIMIT -1"
    if facts.superuser:
        powers += " NOSUPERUSER NOREPLICATION NOBYPASSRLS"
    statements = [f"ALTER ROLE {who} {powers}", f"ALTER ROLE {who} RESET ALL"]
    statements += [f"ALTER ROLE {who} IN DATABASE {identifier(name)} RESET ALL" for name in facts.databases]
    if party is None:
        return [*statements, lock(name)]
    return statements + _login(name, party)


def _login(name: str, party: Party) -> list[str]:
    who = identifier(name)
    enabled = any(login.enabled for login in party.logins if login.name == name)
    settings = [f"ALTER ROLE {who} SET {key} = {literal(value)}" for key, value in login_settings(party).items()]
    return [*settings, f"ALTER ROLE {who} {'LOGIN' if enabled else 'NOLOGIN'} CONNECTION LIMIT {party.connections:d}"]


def lock(name: str) -> str:
    """No session of it begins from the commit on; those that are open go on."""
    return f"ALTER ROLE {identifier(name)} NOLOGIN"


def drop_login(facts: Facts, name: str, heir: str) -> list[str]:
    """The login is gone; what it made belongs to its group."""
    who = identifier(name)
    join = [] if facts.superuser else [f"GRANT {who}, {identifier(heir)} TO CURRENT_USER"]
    return [*join, f"REASSIGN OWNED BY {who} TO {identifier(heir)}", f"DROP OWNED BY {who}", f"DROP ROLE {who}"]

# SPDX-License-Identifier: Apache-2.0
"""What should stand in a SQL Server database, for a design. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from cairn.sql.share.model import Design
from cairn.sql.share.names import group, own_role, published, shares, work
from cairn.sql.share.postgresql.desired import key_names
from cairn.sql.share.sqlserver.tables import OWN_TABLES, TRIGGER, module_digest, table_digest
from cairn.sql.share.sqlserver.views import full_name, view_sql
from cairn.sql.share.state import Entry, State

IN_PUBLISHED = ("DELETE", "INSERT", "SELECT", "UPDATE")


def desired(design: Design) -> State:
    rows = {
        "map.scope": frozenset((full_name(view), shop) for view in design.views for shop in view.shops),
        "map.mac": frozenset((name,) for name in key_names(design)),
        "map.due": frozenset(),
    }
    return State(frozenset(_entries(design)), dict(_objects(design)), rows)


def _objects(design: Design) -> Iterator[tuple[str, str]]:
    own = f"owner={own_role(design.id)}"
    yield f"user {own_role(design.id)}", "no login"
    yield "database", "contained"
    for name in ("map", "audit", "platform"):
        yield f"schema {name}", own
    for name in OWN_TABLES:
        yield f"table {name}", own
    yield "trigger audit.keep", f"{own} {module_digest(TRIGGER)}"
    for party in design.parties:
        yield f"role {group(party.id)}", own
        yield f"schema {shares(party.id)}", own
        if not party.staff:
            yield f"schema {published(party.id)}", own
            yield f"schema {work(party.id)}", f"owner={group(party.id)}"
        for login in party.logins:
            yield f"user {login.name}", f"password schema={work(party.id)}"
    for view in design.views:
        yield f"view {full_name(view)}", f"{own} {module_digest(view_sql(design, view))}"
    for table in design.tables:
        yield f"table {published(table.party)}.{table.name}", f"{own} {table_digest(table)}"


def _entries(design: Design) -> Iterator[Entry]:
    """Nothing on what views read: they and it have one owner, and the chain is not checked."""
    for party in design.parties:
        for login in party.logins:
            yield _entry(f"role {group(party.id)}", login.name, "MEMBER")
            if login.enabled:
                yield _entry("database", login.name, "CONNECT")
        if not party.staff:
            yield _entry("database", group(party.id), "CREATE TABLE")  # which takes ALTER on a schema, too: its own
    for view in design.views:
        yield _entry(f"object {full_name(view)}", group(view.party), "SELECT")
    for table in design.tables:
        for privilege in IN_PUBLISHED:
            yield _entry(f"object {published(table.party)}.{table.name}", group(table.party), privilege)


def _entry(name: str, grantee: str, privilege: str) -> Entry:
    return Entry(name, "", grantee, privilege, grantable=False, grantor="")

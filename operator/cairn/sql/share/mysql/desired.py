# SPDX-License-Identifier: Apache-2.0
"""What should stand on a MySQL or MariaDB server, for a design. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from cairn.sql.share.model import Design, Login, Party
from cairn.sql.share.mysql.names import Flavour
from cairn.sql.share.mysql.tables import READ_BY_VIEWS, digest, own_tables, own_triggers, table_name, table_sql
from cairn.sql.share.mysql.views import reads, view_name, view_sql
from cairn.sql.share.names import group, own_role, published, shares, work
from cairn.sql.share.postgresql.desired import key_names
from cairn.sql.share.state import Entry, State

IN_WORK = (
    "ALTER", "CREATE", "CREATE TEMPORARY TABLES", "DELETE", "DROP", "INDEX", "INSERT", "LOCK TABLES", "REFERENCES",
    "SELECT", "UPDATE",
)  # fmt: skip
"""In an app's own database: tables, and nothing that runs by itself or with another's rights."""
IN_PUBLISHED = ("DELETE", "INSERT", "SELECT", "UPDATE")


def desired(design: Design, flavour: Flavour) -> State:
    return State(
        entries=frozenset(_entries(design, flavour)), objects=dict(_objects(design, flavour)), rows=_rows(design)
    )


def login_digest(party: Party, login: Login, flavour: Flavour) -> str:
    """How an account that may log in is made: whether it may now, and within which limits."""
    seconds = f" {party.statement_timeout_ms / 1000:g}s" if flavour.mariadb else ""
    state = "open" if login.enabled else "locked"
    return f"{state} tls {party.connections}{seconds} {group(party.id)}"


def reader(design: Design, flavour: Flavour) -> str:
    """Who holds what the views read. In MySQL a role of their definer's: in a session with roles, 9.7 does not find
    what a definer without roles was given on tables, and refuses views of more than one."""
    return f"{own_role(design.id)}@localhost" if flavour.mariadb else f"{group(design.id)}@%"


def owner_digest(design: Design, flavour: Flavour) -> str:
    return "locked" if flavour.mariadb else f"locked {group(design.id)}"


ROLE_DIGEST = "role"
DATABASE_DIGEST = "utf8mb4"


def _objects(design: Design, flavour: Flavour) -> Iterator[tuple[str, str]]:
    yield f"account {own_role(design.id)}@localhost", owner_digest(design, flavour)
    if not flavour.mariadb:
        yield f"role {group(design.id)}", ROLE_DIGEST
    for party in design.parties:
        yield f"role {group(party.id)}", ROLE_DIGEST
        for login in party.logins:
            yield f"account {login.name}@%", login_digest(party, login, flavour)
        for name in databases(party):
            yield f"database {name}", DATABASE_DIGEST
    for name in ("map", "audit"):
        yield f"database {name}", DATABASE_DIGEST
    for name, statement in own_tables().items():
        yield f"table {name}", digest(statement)
    for name, statement in own_triggers().items():
        yield f"trigger {name}", digest(statement)
    for table in design.tables:
        yield f"table {table_name(table)}", digest(table_sql(table))
    for view in design.views:
        yield f"view {view_name(view)}", digest(view_sql(design, view, flavour))


def databases(party: Party) -> tuple[str, ...]:
    return (shares(party.id),) if party.staff else (published(party.id), shares(party.id), work(party.id))


def _entries(design: Design, flavour: Flavour) -> Iterator[Entry]:
    definer = reader(design, flavour)
    if not flavour.mariadb:
        yield _entry(f"role {group(design.id)}", f"{own_role(design.id)}@localhost", "MEMBER")
    read = {f"map.{name}" for name in READ_BY_VIEWS} if design.views else set()
    for view in design.views:
        read.update(reads(design, view))
        role = f"{group(view.party)}@{flavour.role_host}"
        yield _entry(f"table {view_name(view)}", role, "SELECT")
    for name in read:
        yield _entry(f"table {name}", definer, "SELECT")
    for table in design.tables:
        for privilege in IN_PUBLISHED:
            yield _entry(f"table {table_name(table)}", f"{group(table.party)}@{flavour.role_host}", privilege)
    for party in design.parties:
        for login in party.logins:
            yield _entry(f"role {group(party.id)}", f"{login.name}@%", "MEMBER")
        if not party.staff:
            for privilege in IN_WORK:
                yield _entry(f"database {work(party.id)}", f"{group(party.id)}@{flavour.role_host}", privilege)


def _entry(name: str, grantee: str, privilege: str) -> Entry:
    return Entry(name, "", grantee, privilege, grantable=False, grantor="")


def _rows(design: Design) -> dict[str, frozenset[tuple[str, ...]]]:
    return {
        "map.scope": frozenset((view_name(view), shop) for view in design.views for shop in view.shops),
        "map.mac": frozenset((name,) for name in key_names(design)),
        "map.due": frozenset(),
    }

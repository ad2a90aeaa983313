# SPDX-License-Identifier: Apache-2.0
"""The statements from what stands to what should, in the order that is safe wherever it breaks. Pure.

Each commits by itself, so: shut and take, end the sessions that may still use what went, remake what nobody may read at
that moment, and give at the end. Between any two of them nobody may more than before or after.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cairn.sql.share.model import Design, Login, Party, PublishedSource, Table, View
from cairn.sql.share.mysql.catalog import Account
from cairn.sql.share.mysql.desired import databases, reader
from cairn.sql.share.mysql.names import Flavour, account, identifier, literal, qualified
from cairn.sql.share.mysql.observe import Facts
from cairn.sql.share.mysql.passwords import caching_sha2, native
from cairn.sql.share.mysql.tables import column_sql, digest, own_tables, own_triggers, table_name, table_sql
from cairn.sql.share.mysql.views import view_name, view_sql
from cairn.sql.share.names import group, own_role, published
from cairn.sql.share.records import grouped
from cairn.sql.share.state import Difference, Entry, State


@dataclass(frozen=True, slots=True)
class Step:
    """makes: what it makes, to be noted with the digest that was wanted; else: what to send where it fails"""

    sql: str
    makes: str = ""
    wanted: str = ""
    grant: str = ""
    otherwise: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One pass. verifiers: what to set as passwords, by login, as the server stores it"""

    design: Design
    flavour: Flavour
    wanted: State
    facts: Facts
    diff: Difference
    verifiers: Mapping[str, str]

    def off(self, name: str) -> bool:
        return name in self.diff.absent or name in self.diff.other


def verifier(password: str, flavour: Flavour) -> str:
    return native(password) if flavour.mariadb else caching_sha2(password)


def identified(stored: str, flavour: Flavour) -> str:
    if flavour.mariadb:
        return f"IDENTIFIED VIA mysql_native_password USING {literal(stored)}"
    return f"IDENTIFIED WITH caching_sha2_password AS {literal(stored)}"


def ground(case: Case) -> Iterator[Step]:
    """Cairn's own: nobody may do anything with it."""
    for name in ("map", "audit"):
        if f"database {name}" in case.diff.absent:
            yield Step(f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    first = sorted(own_tables().items(), key=lambda item: item[0] != "map.made")
    for name, sql in first:
        if case.off(f"table {name}"):
            yield Step(sql, f"table {name}", digest(sql))
    if case.off("table map.clock"):
        yield Step("INSERT IGNORE INTO map.clock VALUES (1, UNIX_TIMESTAMP(SYSDATE(6)))")
    for name, sql in own_triggers().items():
        if case.off(f"trigger {name}"):
            yield Step(f"DROP TRIGGER IF EXISTS {name}")
            yield Step(sql)
    yield from _owner(case)


def _owner(case: Case) -> Iterator[Step]:
    name, role = own_role(case.design.id), group(case.design.id)
    who, member = account(name, "localhost"), not case.flavour.mariadb
    if f"role {role}" in case.diff.absent:
        yield Step(f"CREATE ROLE {case.flavour.role(role)}")
    if f"account {name}@localhost" in case.diff.absent:
        stored = verifier(secrets.token_urlsafe(32), case.flavour)
        yield Step(f"CREATE USER {who} {identified(stored, case.flavour)} ACCOUNT LOCK")
    elif case.off(f"account {name}@localhost"):
        yield Step(f"ALTER USER {who} ACCOUNT LOCK")
    if member and (case.off(f"account {name}@localhost") or f"role {role}" in case.diff.absent):
        yield Step(f"GRANT {case.flavour.role(role)} TO {who}")
        yield Step(f"SET DEFAULT ROLE {case.flavour.role(role)} TO {who}")


def shut(case: Case) -> list[Account]:
    """Accounts that are open and may not be."""
    enabled = {login.name for party in case.design.parties for login in party.logins if login.enabled}
    return [
        one
        for one in case.facts.accounts.values()
        if not one.role and one.digest.startswith("open") and not (one.name in enabled and one.host == "%")
    ]


def due(case: Case) -> set[str]:
    """Logins whose sessions may be using what goes."""
    parties: set[str] = set()
    found = {one.name for one in shut(case) if one.name.startswith("u")}
    for entry in case.diff.surplus:
        user = entry.grantee.rpartition("@")[0]
        if user.startswith("g"):
            parties.add(user[1:])
        elif user.startswith("u"):
            found.add(user)
    for name in case.diff.other | case.diff.unwanted:
        if name.startswith("view s"):
            parties.add(name[6:22])
        elif name.startswith("role g"):
            parties.add(name[6:])
    for view, _ in case.facts.state.rows["map.scope"] - case.wanted.rows["map.scope"]:
        parties.add(view[1:17])
    enabled = {login.name for party in case.design.parties for login in party.logins if login.enabled}
    logins = {one.name for one in case.facts.accounts.values() if one.name.startswith("u")}
    logins |= {session.login for session in case.facts.sessions if session.login.startswith("u")}
    return found | {name for name in logins if name[1:-1] in parties} | {name for name in logins if name not in enabled}


def takings(case: Case) -> Iterator[Step]:
    for one in shut(case):
        yield Step(f"ALTER USER {account(one.name, one.host)} ACCOUNT LOCK")
    for key in sorted(case.design.ended - case.facts.ended):
        yield Step(f"INSERT IGNORE INTO map.ended VALUES ({literal(key)}, UTC_TIMESTAMP(6))")
    for view, shop in sorted(case.facts.state.rows["map.scope"] - case.wanted.rows["map.scope"]):
        yield Step(f"DELETE FROM map.scope WHERE view = {literal(view)} AND shop = {literal(shop)}")
    taken = {entry for entry in case.diff.surplus if mendable(entry)} | _meanwhile(case)
    for together in grouped(taken):
        yield Step(take(together, case))
    for name in sorted(case.diff.unwanted):
        kind, _, full = name.partition(" ")
        if kind in ("trigger", "procedure", "function", "event", "package") and _mine(case, full):
            yield Step(f"DROP {kind.upper()} IF EXISTS {_quoted(full)}")


def remakings(case: Case) -> Iterator[Step]:
    """After the sessions ended: whoever reads a view in an open transaction keeps it from being changed."""
    for view in case.design.views:
        name = f"view {view_name(view)}"
        drop = f"DROP VIEW IF EXISTS {_quoted(view_name(view))}"
        if name in case.diff.other and _waits(case, view):
            yield Step(drop)
        elif name in case.diff.other:
            sql = view_sql(case.design, view, case.flavour)
            yield Step(sql, name, digest(sql), view.grant, otherwise=drop)
    for name in sorted(case.diff.unwanted):
        kind, _, full = name.partition(" ")
        if kind in ("view", "table") and _mine(case, full):
            yield Step(f"DROP {kind.upper()} IF EXISTS {_quoted(full)}")
            yield Step(f"DELETE FROM map.made WHERE object = {literal(name)}")
    for name in sorted(case.diff.unwanted):
        kind, _, full = name.partition(" ")
        if kind == "role":
            yield Step(f"DROP ROLE IF EXISTS {case.flavour.role(full)}")
        elif kind == "account":
            user, _, host = full.rpartition("@")
            yield Step(f"DROP USER IF EXISTS {account(user, host)}")
        elif kind == "database" and full.startswith("s"):
            yield Step(f"DROP DATABASE IF EXISTS {identifier(full)}")
    for (key,) in sorted(case.facts.state.rows["map.mac"] - case.wanted.rows["map.mac"]):
        yield Step(f"UPDATE map.mac SET retired = TRUE WHERE name = {literal(key)}")


_BYTE = "CONV(SUBSTRING(r.k, 2 * n.i - 1, 2), 16, 10)"
_PAD = f"UNHEX(GROUP_CONCAT(LPAD(HEX({_BYTE} ^ %d), 2, '0') ORDER BY n.i SEPARATOR ''))"
NEW_KEY = (
    "INSERT IGNORE INTO map.mac (name, ipad, opad) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
    " WHERE i < 64), r AS (SELECT HEX(RANDOM_BYTES(64)) AS k LIMIT 1)"
    f" SELECT {{0}}, {_PAD % 0x36}, {_PAD % 0x5C} FROM r CROSS JOIN n"
)
"""Made on the server: a key is in no statement, on no wire and in no log. The halves are those of HMAC (RFC 2104)."""


def _waits(case: Case, view: View) -> bool:
    """Whether its table is made or widened first: until then it can't be made, and what it showed is gone already."""
    source = view.source
    return isinstance(source, PublishedSource) and case.off(f"table {published(source.party)}.{source.table}")


def keys(case: Case) -> Iterator[Step]:
    for (name,) in sorted(case.wanted.rows["map.mac"] - case.facts.state.rows["map.mac"]):
        if name in case.facts.retired:
            yield Step(f"UPDATE map.mac SET retired = FALSE WHERE name = {literal(name)}")
        else:
            yield Step(NEW_KEY.format(literal(name)))
    definer = reader(case.design, case.flavour)
    for entry in sorted(case.diff.missing):
        if entry.object == f"role {group(case.design.id)}" or (
            entry.grantee == definer and entry.object.startswith(("table map.", "table platform."))
        ):
            yield Step(give([entry], case.flavour))


def made(case: Case, party: Party) -> Iterator[Step]:
    """A party's role, databases and published tables; its logins, shut."""
    if f"role {group(party.id)}" in case.diff.absent:
        yield Step(f"CREATE ROLE {case.flavour.role(group(party.id))}")
    for name in databases(party):
        if f"database {name}" in case.diff.absent:
            yield Step(f"CREATE DATABASE {identifier(name)} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    for login in party.logins:
        if f"account {login.name}@%" in case.diff.absent:
            stored = case.verifiers.get(login.name) or verifier(secrets.token_urlsafe(32), case.flavour)
            limits = _limits(party, case.flavour)
            yield Step(f"CREATE USER {account(login.name)} {identified(stored, case.flavour)} {limits} ACCOUNT LOCK")
    for table in case.design.tables:
        name = f"table {table_name(table)}"
        if table.party == party.id and name in case.diff.absent:
            sql = table_sql(table)
            yield Step(sql, name, digest(sql))


SCRATCH = "map.scratch"
"""A table as it should be, for a moment, to compare another with."""


def scratch(table: Table) -> tuple[str, str]:
    name = qualified(published(table.party), table.name)
    return f"DROP TABLE IF EXISTS {SCRATCH}", table_sql(table).replace(name, SCRATCH, 1)


def widened(table: Table, there: Sequence[str]) -> Iterator[str]:
    """Columns that a contract has more than the table, each in its place."""
    before = "FIRST"
    for column in table.columns:
        if column.name not in there:
            name = qualified(published(table.party), table.name)
            yield f"ALTER TABLE {name} ADD COLUMN {column_sql(table, column.name)} {before}"
        before = f"AFTER {identifier(column.name)}"


def shown(case: Case, party: Party) -> Iterator[Step]:
    """A party's views with their rows and rights."""
    for view in case.design.views:
        name = view_name(view)
        if view.party != party.id:
            continue
        yield from (Step(give([e], case.flavour)) for e in sorted(case.diff.missing) if _reads_for(e, case))
        if f"view {name}" in case.diff.absent or (f"view {name}" in case.diff.other and _waits(case, view)):
            sql = view_sql(case.design, view, case.flavour)
            yield Step(sql, f"view {name}", digest(sql), view.grant)
        for row in sorted(case.wanted.rows["map.scope"] - case.facts.state.rows["map.scope"]):
            if row[0] == name:
                yield Step(f"INSERT IGNORE INTO map.scope VALUES ({literal(name)}, {literal(row[1])})")
    who = f"{group(party.id)}@{case.flavour.role_host}"
    given = {entry for entry in case.diff.missing | _meanwhile(case) if entry.grantee == who}
    for together in grouped(given):
        yield Step(give(together, case.flavour))


def opened(case: Case, party: Party) -> Iterator[Step]:
    """A party's logins: its role, its password, and, last, open."""
    for login in party.logins:
        name = f"account {login.name}@%"
        member = Entry(f"role {group(party.id)}", "", f"{login.name}@%", "MEMBER", grantable=False, grantor="")
        if member in case.diff.missing:
            yield Step(give([member], case.flavour))
        if login.name in case.verifiers and name not in case.diff.absent:
            yield Step(f"ALTER USER {account(login.name)} {identified(case.verifiers[login.name], case.flavour)}")
        if case.off(name):
            yield from _account(case, party, login)


def _account(case: Case, party: Party, login: Login) -> Iterator[Step]:
    one = case.facts.accounts.get(f"account {login.name}@%")
    if one and "two passwords" in one.digest:
        yield Step(f"ALTER USER {account(login.name)} DISCARD OLD PASSWORD")
    yield Step(case.flavour.default_role(group(party.id), login.name))
    state = "UNLOCK" if login.enabled else "LOCK"
    yield Step(f"ALTER USER {account(login.name)} {_limits(party, case.flavour)} ACCOUNT {state}")


def _limits(party: Party, flavour: Flavour) -> str:
    seconds = f" MAX_STATEMENT_TIME {party.statement_timeout_ms / 1000:g}" if flavour.mariadb else ""
    return (
        "REQUIRE SSL WITH MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0 MAX_CONNECTIONS_PER_HOUR 0"
        f" MAX_USER_CONNECTIONS {party.connections:d}{seconds} PASSWORD EXPIRE NEVER"
    )


def _meanwhile(case: Case) -> set[Entry]:
    """Rights on views that are remade: nobody has them until that is done."""
    return {
        entry
        for entry in case.facts.state.entries & case.wanted.entries
        if entry.object.startswith("table ") and f"view {entry.object[6:]}" in case.diff.other
    }


def _reads_for(entry: Entry, case: Case) -> bool:
    """What the owner has to read, whatever view it is for: it may be the table of a party that comes later."""
    return entry.grantee == reader(case.design, case.flavour) and entry.object.startswith("table p")


def _mine(case: Case, full: str) -> bool:
    """Not what acts with the owner's rights in a database that is somebody else's: that is told, not dropped."""
    database = full.partition(".")[0]
    return f"database {database}" in case.wanted.objects or f"database {database}" in case.facts.state.objects


def _quoted(full: str) -> str:
    database, _, name = full.partition(".")
    return qualified(database, name)


def mendable(entry: Entry) -> bool:
    """Whether it can be taken without taking what is not Cairn's: others' patterns may be for other databases too."""
    if not entry.object.startswith("database "):
        return True
    return entry.grantee.startswith(("g", "u", "own")) or not set("%_\\") & set(entry.object)


def _target(name: str) -> str:
    kind, _, full = name.partition(" ")
    if kind == "server":
        return "*.*"
    if kind == "database":
        return f"{identifier(full)}.*"
    prefix = "" if kind == "table" else f"{kind.upper()} "
    return prefix + _quoted(full)


def grantee(name: str, flavour: Flavour) -> str:
    user, _, host = name.rpartition("@")
    if flavour.mariadb and not host:
        return "PUBLIC" if user == "PUBLIC" else flavour.role(user)
    return account(user, host)


def take(entries: Sequence[Entry], case: Case) -> str:
    first = entries[0]
    who = grantee(first.grantee, case.flavour)
    kind, _, full = first.object.partition(" ")
    if kind == "role":
        return f"REVOKE {case.flavour.role(full)} FROM {who}"
    if kind == "proxy":
        user, _, host = full.rpartition("@")
        return f"REVOKE PROXY ON {account(user, host)} FROM {who}"
    column = f" ({identifier(first.column)})" if first.column else ""
    what = [
        f"{entry.privilege}{column}"
        for entry in entries
        if entry.privilege != "USAGE"
        and not (entry.grantable and replace(entry, grantable=False) in case.wanted.entries)
    ]
    if any(entry.grantable for entry in entries):
        what.append("GRANT OPTION")
    return f"REVOKE {', '.join(what)} ON {_target(first.object)} FROM {who}"


def give(entries: Sequence[Entry], flavour: Flavour) -> str:
    first = entries[0]
    who = grantee(first.grantee, flavour)
    kind, _, full = first.object.partition(" ")
    if kind == "role":
        return f"GRANT {flavour.role(full)} TO {who}"
    return f"GRANT {', '.join(entry.privilege for entry in entries)} ON {_target(first.object)} TO {who}"

# SPDX-License-Identifier: Apache-2.0
"""Rights and accounts as the server keeps them. Reads the server's own tables, and nothing that an app made."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from cairn.sql.share.mysql.connection import Session
from cairn.sql.share.mysql.names import ACCOUNT, DATABASE, account
from cairn.sql.share.state import Entry

OURS = {"map", "audit", "platform"}
_GLOBAL = re.compile(r"GRANT (.+?) ON \*\.\* TO ")


@dataclass(frozen=True, slots=True)
class Account:
    """An account or role of Cairn's names. stored: what the server keeps of its password"""

    name: str
    host: str
    role: bool
    digest: str
    stored: str

    @property
    def grantee(self) -> str:
        return f"{self.name}@{self.host}"

    @property
    def object(self) -> str:
        return f"role {self.name}" if self.role else f"account {self.grantee}"


async def accounts(session: Session) -> list[Account]:
    found = await (_mariadb_accounts(session) if session.flavour.mariadb else _mysql_accounts(session))
    return [one for one in found if ACCOUNT.fullmatch(one.name)]


async def _mysql_accounts(session: Session) -> list[Account]:
    defaults = {
        (str(user), str(host)): str(role)
        for user, host, role in await session.fetch(
            "SELECT user, host, GROUP_CONCAT(default_role_user, '@', default_role_host ORDER BY 1)"
            " FROM mysql.default_roles GROUP BY user, host"
        )
    }
    rows = await session.fetch(
        "SELECT user, host, account_locked = 'Y', ssl_type, max_user_connections, max_questions + max_updates +"
        " max_connections, plugin, password_expired = 'Y', password_lifetime, CAST(authentication_string AS CHAR),"
        " CAST(user_attributes AS CHAR) FROM mysql.user"
    )
    found = []
    for user, host, locked, tls, connections, quotas, plugin, expired, lifetime, stored, attributes in rows:
        role = str(user).startswith("g")
        if role:
            digest = "role" if locked and expired and not stored else "a role that can log in"
        elif str(user).startswith("own"):
            digest = f"{'locked' if locked else 'open'} {defaults.get((user, host), 'no role').removesuffix('@%')}"
        else:
            words = ["locked" if locked else "open", "tls" if tls == "ANY" else "plain", str(connections)]
            words.append(defaults.get((user, host), "no role").removesuffix("@%"))
            more = {
                "quotas": quotas,
                str(plugin): plugin != "caching_sha2_password",
                "expired": expired,
                "lifetime": lifetime != 0,
                "two passwords": "additional_password" in str(attributes),
            }
            digest = " ".join(words + [name for name, odd in more.items() if odd])
        found.append(Account(str(user), str(host), role, digest, str(stored or "")))
    return found


async def _mariadb_accounts(session: Session) -> list[Account]:
    found = []
    for user, host, text in await session.fetch("SELECT User, Host, Priv FROM mysql.global_priv"):
        made = json.loads(text)
        role = bool(made.get("is_role"))
        locked = "locked" if made.get("account_locked") else "open"
        stored = str(made.get("authentication_string", ""))
        if role:
            digest = "role"
        elif str(user).startswith("own"):
            digest = locked
        else:
            words = [locked, "tls" if made.get("ssl_type") == 1 else "plain"]
            words.append(f"{made.get('max_user_connections', 0)} {float(made.get('max_statement_time', 0)):g}s")
            words.append(str(made.get("default_role") or "no role"))
            odd = [name for name in ("auth_or", "max_questions", "max_updates", "max_connections") if made.get(name)]
            odd += ["expired"] if made.get("password_last_changed") == 0 else []
            odd += ["lifetime"] if made.get("password_lifetime", -1) != 0 else []
            odd += [f"plugin {made.get('plugin')}"] if made.get("plugin") != "mysql_native_password" else []
            digest = " ".join(words + odd)
        found.append(Account(str(user), str(host), role, digest, stored))
    return found


def _ours(grantee: str) -> bool:
    return bool(ACCOUNT.fullmatch(grantee.rpartition("@")[0]))


def _plain(grantee: str) -> str:
    """'a'@'b' of the information schema as a@b. A MariaDB role is 'a'@''."""
    user, _, host = grantee.rpartition("@")
    return f"{user[1:-1]}@{host[1:-1]}"


def matching(stored: str, names: Iterable[str]) -> list[str]:
    """The databases that a database-level right reaches: its name is a pattern."""
    parts = re.findall(r"\\.|.", stored, re.DOTALL)
    wild = "".join(re.escape(p[1:]) if len(p) == 2 else {"_": ".", "%": ".*"}.get(p, re.escape(p)) for p in parts)
    return [name for name in names if re.fullmatch(wild, name, re.DOTALL)]


def unescaped(stored: str) -> str | None:
    """The one database that a stored pattern names, or None where it may be many."""
    if re.search(r"(?<!\\)[_%]", stored):
        return None
    return re.sub(r"\\(.)", r"\1", stored)


async def entries(session: Session, names: Iterable[str], readers: Iterable[str]) -> set[Entry]:
    """Every right on what is Cairn's, and every right of Cairn's accounts.

    names: the databases that are Cairn's; readers: users that may rightly read all of `platform`
    """
    managed = {name for name in names if name in OURS or DATABASE.fullmatch(name)} | OURS
    allowed = set(readers)
    found: set[Entry] = set()
    async for entry, database in _all(session):
        user = entry.grantee.rpartition("@")[0]
        reach = matching(database, managed) if entry.object.startswith("database ") else [database]
        on_ours = any(name in managed for name in reach)
        reading = entry.privilege in ("SELECT", "SHOW VIEW") and not entry.grantable and reach == ["platform"]
        if (on_ours or _ours(entry.grantee)) and not (user in allowed and reading):
            found.add(entry)
    return found | await _memberships(session)


async def _all(session: Session) -> AsyncIterator[tuple[Entry, str]]:
    rows = await session.fetch("SELECT grantee, privilege_type, is_grantable FROM information_schema.user_privileges")
    for grantee, privilege, grantable in rows:
        if privilege != "USAGE" or grantable == "YES":
            yield _entry("server", "", _plain(grantee), privilege, grantable), ""
    if session.flavour.mariadb:  # which leaves roles out there
        for name, text in await session.fetch("SELECT User, Priv FROM mysql.global_priv WHERE Host = ''"):
            if ACCOUNT.fullmatch(name) and json.loads(text).get("access"):
                async for privilege, grantable in _shown(session, name):
                    yield _entry("server", "", f"{name}@", privilege, grantable), ""
    for table, columns in (
        ("schema_privileges", "grantee, table_schema, '', '', privilege_type, is_grantable"),
        ("table_privileges", "grantee, table_schema, table_name, '', privilege_type, is_grantable"),
        ("column_privileges", "grantee, table_schema, table_name, column_name, privilege_type, is_grantable"),
    ):
        for grantee, database, name, column, privilege, grantable in await session.fetch(
            f"SELECT {columns} FROM information_schema.{table}"
        ):
            target = f"table {database}.{name}" if name else f"database {unescaped(database) or database}"
            if privilege != "USAGE" or grantable == "YES":
                yield _entry(target, column, _plain(grantee), privilege, grantable), database
    rows = await session.fetch("SELECT User, Host, Db, Routine_name, Routine_type, Proc_priv FROM mysql.procs_priv")
    for user, host, database, name, kind, privileges in rows:
        listed = [p.strip().upper() for p in _text(privileges).split(",")]
        for privilege in (p for p in listed if p not in ("", "GRANT")):
            target = f"{_text(kind).lower()} {_text(database)}.{_text(name)}"
            grantable = "YES" if "GRANT" in listed else "NO"
            yield _entry(target, "", f"{_text(user)}@{_text(host)}", privilege, grantable), _text(database)
    rows = await session.fetch("SELECT User, Host, Proxied_user, Proxied_host, With_grant FROM mysql.proxies_priv")
    for user, host, proxied, proxied_host, grantable in rows:
        if proxied or _ours(f"{_text(user)}@"):
            target = f"proxy {_text(proxied)}@{_text(proxied_host)}"
            entry = _entry(target, "", f"{_text(user)}@{_text(host)}", "PROXY", "YES" if grantable else "NO")
            if _ours(f"{_text(proxied)}@") or _ours(entry.grantee):
                yield entry, ""


async def _shown(session: Session, role: str) -> AsyncIterator[tuple[str, str]]:
    for (line,) in await session.fetch(f"SHOW GRANTS FOR {account(role).partition('@')[0]}"):
        if match := _GLOBAL.match(line):
            for privilege in match[1].split(", "):
                if privilege != "USAGE":
                    yield privilege, "YES" if line.endswith("WITH GRANT OPTION") else "NO"


async def _memberships(session: Session) -> set[Entry]:
    """Of Cairn's roles, and of whatever Cairn's accounts are members of."""
    if session.flavour.mariadb:
        # Whoever makes a role holds it, able to pass it on.
        rows = await session.fetch(
            "SELECT Role, '', User, Host, Admin_option FROM mysql.roles_mapping"
            " WHERE CONCAT(User, '@', Host) <> CURRENT_USER()"
        )
    else:
        rows = await session.fetch(
            "SELECT FROM_USER, FROM_HOST, TO_USER, TO_HOST, WITH_ADMIN_OPTION FROM mysql.role_edges"
        )
    return {
        _entry(f"role {_text(role)}", "", f"{_text(user)}@{_text(host)}", "MEMBER", "YES" if option == "Y" else "NO")
        for role, _, user, host, option in rows
        if ACCOUNT.fullmatch(_text(role)) or ACCOUNT.fullmatch(_text(user))
    }


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _entry(name: str, column: str, grantee: str, privilege: str, grantable: str) -> Entry:
    return Entry(name, column, grantee, privilege, grantable=grantable == "YES", grantor="")

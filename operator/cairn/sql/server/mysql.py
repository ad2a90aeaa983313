# SPDX-License-Identifier: Apache-2.0
"""`cairn.sql.server.engine.ServerEngine` for MySQL and MariaDB.

Neither a database nor an account can carry a mark on every such server: what Cairn made stands in sys_info.jdp_made,
with for whom a database is kept, and with the identity of the data, which a restored copy or a replica has too.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.logins import HOLDER
from cairn.sql.postgresql import Target
from cairn.sql.push.mysql.durability import durability
from cairn.sql.push.mysql.schema import ensure
from cairn.sql.push.mysql.session import told
from cairn.sql.server.engine import Account, Asked
from cairn.sql.share.mysql.connection import Session, connect
from cairn.sql.share.mysql.names import account, identifier, literal, pattern

CONNECT_SECONDS = 4.0
_READS = ("SELECT", "SHOW VIEW")
_OWNS = (
    "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "REFERENCES", "INDEX", "ALTER", "CREATE TEMPORARY TABLES",
    "LOCK TABLES", "EXECUTE", "CREATE VIEW", "SHOW VIEW", "CREATE ROUTINE", "ALTER ROUTINE", "EVENT", "TRIGGER",
)  # fmt: skip
"""All that concerns one database alone; not GRANT OPTION."""
Book = Mapping[tuple[str, str], str]
"""Digest by kind and name, as in sys_info.jdp_made."""


class MySQLServer:
    """Nothing is told of settings by name: only servers that Cairn runs are asked for them."""

    async def look(self, target: Target, asked: Asked) -> dict[str, Any]:
        async with _session(target, 4.0) as session:
            book = await _book(session)
            databases = {str(name) for (name,) in await session.fetch("SHOW DATABASES")}
            there = [one for one in asked.accounts if await _exists(session, one.name)]
            entitled = [one for one in there if await _entitled(session, one)]
            owners = {one.database for one in entitled if not one.reader}
            (read_only,) = (await session.fetch("SELECT @@GLOBAL.read_only"))[0]
            weak = await durability(session)
        return {
            "me": asked.holder,
            "version": f"{'MariaDB' if session.flavour.mariadb else 'MySQL'} {'.'.join(map(str, session.version[:2]))}",
            "systemIdentifier": book.get(("server", "identity")),
            "inRecovery": str(read_only).upper() not in ("0", "OFF"),
            "databases": {
                one.database: one.name if ("database", one.database) in book else "somebody else"
                for one in asked.accounts
                if not one.reader and one.database in databases
            },
            "roles": {
                one.name: {"ours": ("login", one.name) in book, "password": await _opens(target, one)} for one in there
            },
            "connect": sorted(
                f"{one.name}@{one.database}" for one in entitled if one.reader and one.database in owners
            ),
            "comments": {
                name: HOLDER + (asked.holder if digest == _digest(asked.holder) else "another namespace or name")
                for (kind, name), digest in book.items()
                if kind == "database"
            },
            "weak": list(weak),
        }

    async def settle(self, target: Target, holder: str, owner: Account, reader: Account) -> None:
        database = owner.database
        async with _session(target, 15.0) as session:
            await ensure(session, (), {})
            book = await _book(session)
            kept_for = book.get(("database", database))
            if kept_for is None and await _fetch_one(session, "SHOW DATABASES LIKE %s", _like(database)):
                raise SqlError(Reason.CONFLICT, f"database {database} exists and was not made by Cairn: name another")
            if kept_for not in (None, _digest(holder)):
                raise SqlError(Reason.CONFLICT, f"database {database} is kept for another SellerRDS: name another")
            await _note(session, "server", "identity", uuid.uuid4().hex)
            # First the note, then the thing: what is cut off between them is made the next time.
            await _note(session, "database", database, _digest(holder))
            await session.execute(
                f"CREATE DATABASE IF NOT EXISTS {identifier(database)} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
            )
            for one in (owner, reader):
                await _ensure_account(session, one, book)


def _digest(holder: str) -> str:
    return hashlib.sha256(holder.encode()).hexdigest()


def _like(name: str) -> str:
    return re.sub(r"([_%\\])", r"\\\1", name)


async def _fetch_one(session: Session, statement: str, *parameters: object) -> bool:
    return bool(await session.fetch(statement, parameters))


async def _book(session: Session) -> Book:
    stands = await _fetch_one(
        session,
        "SELECT 1 FROM information_schema.tables WHERE table_schema = 'sys_info' AND table_name = %s",
        "jdp_made",
    )
    if not stands:
        return {}
    rows = await session.fetch("SELECT kind, name, digest FROM sys_info.jdp_made")
    return {(str(kind), str(name)): str(digest) for kind, name, digest in rows}


async def _note(session: Session, kind: str, name: str, digest: str) -> None:
    await session.execute("INSERT IGNORE INTO sys_info.jdp_made VALUES (%s, %s, %s)", (kind, name, digest))


async def _exists(session: Session, login: str) -> bool:
    return await _fetch_one(session, "SELECT 1 FROM mysql.user WHERE user = %s AND host = %s", login, "%")


async def _entitled(session: Session, one: Account) -> bool:
    rows = await session.fetch(
        "SELECT privilege_type FROM information_schema.schema_privileges WHERE grantee = %s AND table_schema = %s",
        (account(one.name), _like(one.database)),
    )
    return set(_READS if one.reader else _OWNS) <= {str(right) for (right,) in rows}


async def _ensure_account(session: Session, one: Account, book: Book) -> None:
    who, there = account(one.name), await _exists(session, one.name)
    if there and ("login", one.name) not in book:
        raise SqlError(Reason.CONFLICT, f"account {who} exists and was not made by Cairn: rename or drop it")
    await _note(session, "login", one.name, "")
    verb = "ALTER USER" if there else "CREATE USER"
    await session.execute(f"{verb} {who} IDENTIFIED BY {literal(one.password)} REQUIRE SSL")
    rights = ", ".join(_READS if one.reader else _OWNS)
    await session.execute(f"GRANT {rights} ON {pattern(one.database)}.* TO {who}")


async def _opens(target: Target, one: Account) -> bool:
    try:
        session = await connect(replace(target, user=one.name, password=one.password, database=""), timeout=3)
    except SqlError as error:
        # Anything after the password was taken is not the password's fault.
        return error.reason is not Reason.AUTHENTICATION_FAILED
    await session.close()
    return True


def _session(target: Target, statement_timeout: float) -> AbstractAsyncContextManager[Session]:
    return told(target, timeout=CONNECT_SECONDS, statement_timeout=statement_timeout)

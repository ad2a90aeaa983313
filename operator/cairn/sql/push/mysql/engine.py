# SPDX-License-Identifier: Apache-2.0
"""`cairn.sql.push.engine.PushEngine` for MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pymysql

from cairn.api.conditions import Reason
from cairn.api.dataset import Dataset
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Target
from cairn.sql.push.engine import Asked, LoginFact, Standing
from cairn.sql.push.mysql import request as requests
from cairn.sql.push.mysql.durability import durability
from cairn.sql.push.mysql.ledger import Ledger
from cairn.sql.push.mysql.proof import BOOKS, proof_facts
from cairn.sql.push.mysql.schema import Schema, drifted, ensure, missing, observe
from cairn.sql.push.mysql.session import told
from cairn.sql.push.mysql.writer import Writer
from cairn.sql.push.request import Answer, Request
from cairn.sql.share.mysql.connection import Session, connect
from cairn.sql.share.mysql.names import account, identifier, literal, pattern, qualified

_WRITES = {
    "jdp_quarantine": ("SELECT", "INSERT", "UPDATE"),
    "jdp_audit": ("SELECT", "INSERT", "UPDATE"),
    "jdp_backfill": ("SELECT", "INSERT", "UPDATE"),
    "jdp_retention": ("SELECT", "INSERT", "UPDATE"),
    "jdp_cursor": ("SELECT", "UPDATE"),
    "jdp_request": ("SELECT", "UPDATE"),
}
_NO_SUCH_THREAD = 1094
_MAY_NOT_END = {1095, 1227}
_READ = ("sys_info", "platform")


class MySQLPush:
    """The databases sys_info and platform of one server; a target's own database is not looked at."""

    def writer(self, target: Callable[[], Target], dataset: Dataset, application: str) -> Writer:
        return Writer(lambda: _whole(target()), dataset)

    def ledger(self, target: Callable[[], Target], application: str) -> Ledger:
        return Ledger(lambda: _whole(target()))

    def desk(self, target: Callable[[], Target], application: str) -> requests.Desk:
        return requests.Desk(lambda: _whole(target()))

    async def look(self, target: Target, asked: Asked) -> Standing:
        async with _session(target, 3.0) as session:
            schema = await observe(session)
            exists = await _exists(session, asked.login)
            granted = exists and await _granted(session, asked, schema)
            weak = await durability(session)
            tables = [dataset.table for dataset in asked.datasets]
            proof = await proof_facts(session, tables, list(asked.shops)) if set(BOOKS) <= schema.tables.keys() else {}
        login = None
        if exists:
            login = LoginFact(asked.login in schema.made, await _opens(target, asked))
        standing = [f"sys_info.{dataset.table}" for dataset in asked.datasets if dataset.table in schema.tables]
        standing += [f"platform.{dataset.name}" for dataset in asked.datasets if dataset.name in schema.views]
        return Standing(
            missing(schema, asked.datasets, asked.shops),
            drifted(schema, asked.datasets),
            schema.quarantined,
            tuple(standing),
            login,
            granted,
            weak,
            proof,
        )

    async def settle(self, target: Target, asked: Asked) -> None:
        # Building indexes on a table that has rows already may take a while.
        async with _session(target, 55.0) as session:
            await ensure(session, asked.datasets, asked.shops)
            schema = await observe(session)
            await _ensure_login(session, asked, schema)
            for table, rights in _rights(asked).items():
                await session.execute(
                    f"GRANT {', '.join(rights)} ON {qualified('sys_info', table)} TO {account(asked.login)}"
                )
            for table in await _deletable(session, asked) - set(asked.expiring):
                await session.execute(f"REVOKE DELETE ON {qualified('sys_info', table)} FROM {account(asked.login)}")
            for reader in _known(asked.readers, schema):
                for database in _READ:
                    await session.execute(f"GRANT SELECT ON {pattern(database)}.* TO {account(reader)}")
                for database in _wide(await _readable(session, reader)):
                    await session.execute(f"REVOKE SELECT ON {identifier(database)}.* FROM {account(reader)}")

    async def drop_login(self, target: Target, login: str) -> None:
        async with _session(target, 55.0) as session:
            if login not in (await observe(session)).made:
                return
            await session.execute(f"DROP USER IF EXISTS {account(login)}")
            await _end_all(session, login)
            await session.execute("DELETE FROM sys_info.jdp_made WHERE kind = 'login' AND name = %s", (login,))

    async def submit(self, target: Target, subscription: str, request: Request) -> None:
        async with _session(target, 3.0) as session:
            await requests.submit(session, subscription, request)

    async def answer(self, target: Target, request: str) -> Answer | None:
        async with _session(target, 3.0) as session:
            return await requests.answer(session, request)

    async def withdraw(self, target: Target, request: str) -> None:
        async with _session(target, 3.0) as session:
            await requests.withdraw(session, request)


async def end(session: Session, number: int) -> None:
    """That session of the server is gone, or was already."""
    try:
        await session.execute(f"KILL {number}")
    except pymysql.err.MySQLError as error:
        if error.args[:1] != (_NO_SUCH_THREAD,):
            raise


async def _end_all(session: Session, login: str) -> None:
    """SqlError where some go on, which names them: each was tried."""
    left = []
    for (number,) in await session.fetch("SELECT id FROM information_schema.processlist WHERE user = %s", (login,)):
        try:
            await end(session, int(number))
        except pymysql.err.MySQLError as error:
            if error.args[0] not in _MAY_NOT_END:
                raise
            left.append(f"KILL {number}")
    if left:
        right = "CONNECTION ADMIN" if session.flavour.mariadb else "CONNECTION_ADMIN"
        message = (
            f"login {login} is dropped, but its open sessions go on, as Cairn's login may not end them:"
            f" grant it {right} on *.*, or end them: {'; '.join(left)}"
        )
        raise SqlError(Reason.ACTION_FAILED, message)


def _whole(target: Target) -> Target:
    return replace(target, database="")


def _rights(asked: Asked) -> dict[str, tuple[str, ...]]:
    pushed = {dataset.table: ("SELECT", "INSERT", "UPDATE") for dataset in asked.datasets}
    return {**pushed, **{table: (*pushed[table], "DELETE") for table in asked.expiring}, **_WRITES}


def _known(readers: Iterable[str], schema: Schema) -> list[str]:
    return [reader for reader in readers if reader in schema.made]


async def _exists(session: Session, login: str) -> bool:
    return bool(await session.fetch("SELECT 1 FROM mysql.user WHERE user = %s AND host = '%%'", (login,)))


async def _granted(session: Session, asked: Asked, schema: Schema) -> bool:
    found = await session.fetch(
        "SELECT table_name, privilege_type FROM information_schema.table_privileges"
        " WHERE table_schema = 'sys_info' AND grantee = %s",
        (account(asked.login),),
    )
    if not {(table, right) for table, rights in _rights(asked).items() for right in rights} <= set(found):
        return False
    if await _deletable(session, asked) != set(asked.expiring):
        return False
    for reader in _known(asked.readers, schema):
        readable = await _readable(session, reader)
        if _wide(readable) or not {_escaped(database) for database in _READ} <= readable:
            return False
    return True


async def _readable(session: Session, reader: str) -> set[str]:
    """Patterns of the databases that it may read."""
    rows = await session.fetch(
        "SELECT table_schema FROM information_schema.schema_privileges"
        " WHERE privilege_type = 'SELECT' AND grantee = %s",
        (account(reader),),
    )
    return {row[0] for row in rows}


def _wide(readable: set[str]) -> set[str]:
    """Grants as they were made before names were escaped: others' databases may match them."""
    return {database for database in _READ if database != _escaped(database)} & readable


def _escaped(database: str) -> str:
    return pattern(database)[1:-1]


async def _deletable(session: Session, asked: Asked) -> set[str]:
    """Tables out of which the login may delete rows."""
    found = await session.fetch(
        "SELECT table_name FROM information_schema.table_privileges"
        " WHERE table_schema = 'sys_info' AND privilege_type = 'DELETE' AND grantee = %s",
        (account(asked.login),),
    )
    return {row[0] for row in found}


async def _ensure_login(session: Session, asked: Asked, schema: Schema) -> None:
    there = await _exists(session, asked.login)
    if there and asked.login not in schema.made:
        message = f"account {account(asked.login)} exists and is not Cairn's: rename or drop it"
        raise SqlError(Reason.CONFLICT, message)
    await session.execute("REPLACE INTO sys_info.jdp_made VALUES ('login', %s, '')", (asked.login,))
    password = literal(asked.password)
    verb = "ALTER USER" if there else "CREATE USER"
    await session.execute(f"{verb} {account(asked.login)} IDENTIFIED BY {password} REQUIRE SSL")


async def _opens(target: Target, asked: Asked) -> bool:
    try:
        session = await connect(replace(_whole(target), user=asked.login, password=asked.password), timeout=3)
    except SqlError as error:
        return error.reason is not Reason.AUTHENTICATION_FAILED
    await session.close()
    return True


def _session(target: Target, statement_timeout: float) -> AbstractAsyncContextManager[Session]:
    return told(_whole(target), timeout=5.0, statement_timeout=statement_timeout)

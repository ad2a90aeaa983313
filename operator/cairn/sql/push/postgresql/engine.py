# SPDX-License-Identifier: Apache-2.0
"""`cairn.sql.push.engine.PushEngine` for PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg

from cairn.api.conditions import Reason
from cairn.api.dataset import Dataset
from cairn.sql.errors import SqlError
from cairn.sql.facts import schema_facts, server_facts
from cairn.sql.logins import may_change, may_push, may_read, passwords_open
from cairn.sql.postgresql import Connection, Target, connect
from cairn.sql.push.engine import Asked, LoginFact, Standing
from cairn.sql.push.postgresql import request as requests
from cairn.sql.push.postgresql.ledger import Ledger
from cairn.sql.push.postgresql.proof import BOOKS, proof_facts
from cairn.sql.push.postgresql.schema import drifted, ensure_schema, missing
from cairn.sql.push.postgresql.writer import Writer
from cairn.sql.push.request import Answer, Request
from cairn.sql.roles import drop_role, ensure_role, grant_push, grant_reader, may_delete


class PostgreSQLPush:
    """Schemas sys_info and platform of one database."""

    def writer(self, target: Callable[[], Target], dataset: Dataset, application: str) -> Writer:
        return Writer(target, dataset, application)

    def ledger(self, target: Callable[[], Target], application: str) -> Ledger:
        return Ledger(target, application)

    def desk(self, target: Callable[[], Target], application: str) -> requests.Desk:
        return requests.Desk(target, application)

    async def look(self, target: Target, asked: Asked) -> Standing:
        async with _session(target, timeout=3.0, statement_timeout_ms=3000) as conn:
            schema, server = await schema_facts(conn), await server_facts(conn)
            login, opens = server.roles.get(asked.login), False
            tables = [dataset.table for dataset in asked.datasets]
            granted = login is not None and await may_push(conn, asked.login, (*tables, "jdp_quarantine", *BOOKS))
            granted = granted and await may_change(conn, asked.login, ("jdp_cursor", "jdp_request"))
            granted = granted and await may_delete(conn, asked.login) == set(asked.expiring)
            if login is not None:
                tried = await passwords_open(conn, target, {asked.login: (asked.password, asked.database)})
                opens = tried.get(asked.login, False)
            proof = await proof_facts(conn, tables, list(asked.shops)) if set(BOOKS) <= schema.tables.keys() else {}
            for reader in asked.readers:
                if reader in server.roles and server.roles[reader].ours:
                    granted = granted and await may_read(conn, reader, tables)
        standing = [f"sys_info.{dataset.table}" for dataset in asked.datasets if dataset.table in schema.tables]
        standing += [f"platform.{dataset.name}" for dataset in asked.datasets if dataset.name in schema.views]
        return Standing(
            missing(schema, asked.datasets, asked.shops),
            drifted(schema, asked.datasets),
            schema.quarantined,
            tuple(standing),
            None if login is None else LoginFact(login.ours, opens),
            granted,
            server.weak,
            proof,
        )

    async def settle(self, target: Target, asked: Asked) -> None:
        # Building indexes on a table that has rows already may take a while.
        async with _session(target, timeout=5.0, statement_timeout_ms=55_000) as conn:
            await ensure_schema(conn, asked.datasets, asked.shops)
            await ensure_role(conn, asked.login, password=asked.password)
            tables = tuple(dataset.table for dataset in asked.datasets)
            await grant_push(conn, asked.database, asked.login, tables, asked.expiring)
            roles = (await server_facts(conn)).roles
            for reader in asked.readers:
                if reader in roles and roles[reader].ours:
                    await grant_reader(conn, asked.database, reader)

    async def drop_login(self, target: Target, login: str) -> None:
        async with _session(target, timeout=5.0, statement_timeout_ms=55_000) as conn:
            await drop_role(conn, login)

    async def submit(self, target: Target, subscription: str, request: Request) -> None:
        async with _session(target, timeout=3.0, statement_timeout_ms=3000) as conn:
            await requests.submit(conn, subscription, request)

    async def answer(self, target: Target, request: str) -> Answer | None:
        async with _session(target, timeout=3.0, statement_timeout_ms=3000) as conn:
            return await requests.answer(conn, request)

    async def withdraw(self, target: Target, request: str) -> None:
        async with _session(target, timeout=3.0, statement_timeout_ms=3000) as conn:
            await requests.withdraw(conn, request)


@asynccontextmanager
async def _session(target: Target, *, timeout: float, statement_timeout_ms: int) -> AsyncIterator[Connection]:  # noqa: ASYNC109 -- asyncpg's own
    conn = await connect(target, timeout=timeout, statement_timeout_ms=statement_timeout_ms)
    try:
        try:
            yield conn
        finally:
            await conn.close(timeout=2)
    except (asyncpg.InterfaceError, OSError, TimeoutError) as error:
        message = f"the database broke off: {str(error) or type(error).__name__}"
        raise SqlError(Reason.DATABASE_UNREACHABLE, message) from error

# SPDX-License-Identifier: Apache-2.0
"""`cairn.sql.server.engine.ServerEngine` for PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.facts import server_facts
from cairn.sql.logins import (
    comments,
    current_settings,
    grant_connect,
    hold,
    loaded_at,
    may_connect,
    passwords_open,
    refuse_others,
)
from cairn.sql.postgresql import Connection, Target, connect
from cairn.sql.roles import ensure_database, ensure_role
from cairn.sql.server.engine import Account, Asked

CONNECT_SECONDS = 4.0


class PostgreSQLServer:
    """Roles carry a mark, and a database a comment that says for whom it is kept."""

    async def look(self, target: Target, asked: Asked) -> dict[str, Any]:
        async with _session(target, 4000, Reason.DATABASE_UNREACHABLE) as conn:
            found = await server_facts(conn)
            wanted = {
                account.name: (account.password, account.database)
                for account in asked.accounts
                if account.name in found.roles
            }
            open_ = await passwords_open(conn, target, wanted)
            pairs = [(account.name, account.database) for account in asked.accounts if account.reader]
            connects = await may_connect(conn, pairs)
            return {
                "me": asked.holder,
                "version": found.version,
                "systemIdentifier": found.system_identifier,
                "inRecovery": found.in_recovery,
                "databases": dict(found.databases),
                "roles": {
                    name: {"ours": found.roles[name].ours, "password": open_.get(name, False)} for name in wanted
                },
                "connect": sorted(f"{role}@{database}" for role, database in connects),
                "comments": await comments(conn),
                "weak": list(found.weak),
                "loadedAt": await loaded_at(conn),
                "parameters": await current_settings(conn, asked.parameters),
            }

    async def settle(self, target: Target, holder: str, owner: Account, reader: Account) -> None:
        async with _session(target, 15_000, Reason.ACTION_FAILED) as conn:
            await refuse_others(conn, owner.database, holder)
            for account in (owner, reader):
                await ensure_role(conn, account.name, password=account.password)
            await ensure_database(conn, owner.database, owner.name)
            await grant_connect(conn, owner.database, reader.name)
            await hold(conn, owner.database, holder)


@asynccontextmanager
async def _session(target: Target, statement_timeout_ms: int, refused: Reason) -> AsyncIterator[Connection]:
    """refused: why something else than the connection went wrong"""
    conn = await connect(target, timeout=CONNECT_SECONDS, statement_timeout_ms=statement_timeout_ms)
    try:
        try:
            yield conn
        finally:
            await conn.close(timeout=1)
    except (asyncpg.InterfaceError, asyncpg.PostgresConnectionError, OSError, TimeoutError) as error:
        message = f"the server broke off: {str(error) or type(error).__name__}"
        raise SqlError(Reason.DATABASE_UNREACHABLE, message) from error
    except asyncpg.PostgresError as error:
        raise SqlError(refused, f"the server: {error}") from error

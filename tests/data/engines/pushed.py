# SPDX-License-Identifier: Apache-2.0
"""A push's databases and login, anew on a server that the whole run shares."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cairn.sql.push.engine import Asked
from cairn.sql.push.mysql.engine import MySQLPush
from cairn.sql.share.mysql.connection import Session, connect
from data.engines.servers import MySQL


@asynccontextmanager
async def pushed(server: MySQL, asked: Asked) -> AsyncIterator[Session]:
    """The admin's session, where `asked` stands and nothing of the tests before."""
    session = await connect(server.admin)
    try:
        for database in (asked.database, "platform"):
            await session.execute(f"DROP DATABASE IF EXISTS {database}")
        await session.execute(f"DROP USER IF EXISTS {asked.login}@'%'")
        await MySQLPush().settle(server.admin, asked)
        yield session
    finally:
        await session.close()

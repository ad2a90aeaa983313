# SPDX-License-Identifier: Apache-2.0
"""The operator's sessions with MySQL and MariaDB: what goes wrong is told in its user's words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pymysql

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Target
from cairn.sql.push.fault import Fault
from cairn.sql.push.mysql.faults import kind_of
from cairn.sql.share.mysql.connection import Session, connect


@asynccontextmanager
async def told(target: Target, *, timeout: float, statement_timeout: float) -> AsyncIterator[Session]:  # noqa: ASYNC109 -- the driver's own
    """A session for the block. Seconds. Errors of the driver come as SqlError."""
    session = await connect(target, timeout=timeout, statement_timeout=statement_timeout)
    try:
        yield session
    except pymysql.err.MySQLError as error:
        number = int(error.args[0]) if error.args and isinstance(error.args[0], int) else 0
        text = str(error.args[1]) if len(error.args) > 1 else type(error).__name__
        passing = kind_of(number) is Fault.TRANSIENT
        reason = Reason.DATABASE_UNREACHABLE if passing else Reason.ACTION_FAILED
        raise SqlError(reason, f"{target.host}:{target.port}: {text}") from error
    finally:
        await session.close()

# SPDX-License-Identifier: Apache-2.0
"""Which engine shares a server's data. The one place of this package that knows the engines, by name alone.

What talks to a database is imported when it is first asked: plans are made without.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cairn.api.conditions import Reason
from cairn.api.database import Database
from cairn.api.platform import Platform
from cairn.api.resources import POD, SECRET
from cairn.engine.kind import ActionError, Observed
from cairn.sql.share.engine import Share
from cairn.sql.share.model import Design
from cairn.sql.share.state import State


def desired(design: Design) -> State:
    """What should stand, in the engine's own words. Pure."""
    from cairn.sql.share.postgresql.desired import desired as postgresql

    return postgresql(design)


@asynccontextmanager
async def opened(
    database: Database, observed: Observed, platform: Platform, *, statement_seconds: float = 15
) -> AsyncIterator[Share | None]:
    """The operator's session; None while there is no way in. SqlError says why a server lets nobody in."""
    from cairn.sql.postgresql import connect
    from cairn.sql.reach import way_in
    from cairn.sql.share.postgresql.share import PostgreSQLShare

    rds, namespace = database.rds, database.rds.metadata.namespace
    pod = observed.ref(POD, f"{rds.metadata.name}-0", namespace)
    denied = platform.external_databases.denied_networks
    target = await way_in(rds, lambda name: observed.ref(SECRET, name, namespace), pod, denied, database.name)
    if target is None:
        yield None
        return
    conn = await connect(target, timeout=4, statement_timeout_ms=int(statement_seconds * 1000))
    try:
        yield PostgreSQLShare(conn, target)
    finally:
        await conn.close(timeout=1)


@asynccontextmanager
async def required(database: Database, observed: Observed, platform: Platform, seconds: float) -> AsyncIterator[Share]:
    """As `opened`, for deeds: ActionError where nobody can get in."""
    import asyncpg

    from cairn.sql.errors import SqlError

    try:
        async with opened(database, observed, platform, statement_seconds=seconds) as share:
            if share is None:
                raise ActionError(Reason.DATABASE_NOT_READY, database.trouble or "the database is not ready")
            yield share
    except SqlError as error:
        raise ActionError(error.reason, error.message) from error
    except asyncpg.LockNotAvailableError as error:
        message = "somebody's transaction holds what is to be changed; it is tried again"
        raise ActionError(Reason.LOCK_TIMEOUT, message) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise ActionError(Reason.ACTION_FAILED, f"the database: {error}") from error

# SPDX-License-Identifier: Apache-2.0
"""`cairn.sql.push.engine.PushEngine` for SQL Server: experimental, see the package."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytds

from cairn.api.conditions import Reason
from cairn.api.dataset import Dataset
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Target
from cairn.sql.push.engine import Asked, LoginFact, Standing
from cairn.sql.push.fault import Fault
from cairn.sql.push.request import Answer, Request
from cairn.sql.push.sqlserver import request as requests
from cairn.sql.push.sqlserver.drift import Database
from cairn.sql.push.sqlserver.faults import kind_of, told
from cairn.sql.push.sqlserver.ledger import Ledger
from cairn.sql.push.sqlserver.logins import drop, ensure_login, exists, granted
from cairn.sql.push.sqlserver.observe import OWN, observe
from cairn.sql.push.sqlserver.proof import proof_facts
from cairn.sql.push.sqlserver.schema import drifted, ensure, missing
from cairn.sql.push.sqlserver.writer import Writer
from cairn.sql.share.sqlserver.connection import Session, connect

SNAPSHOTS = "ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON WITH NO_WAIT"
_NOT_ALONE = frozenset((1468, 5061, 5069, 5070))


class SQLServerPush:
    """Schemas dbo and platform of a target's database, which must stand and be contained."""

    def writer(self, target: Callable[[], Target], dataset: Dataset, application: str) -> Writer:
        return Writer(target, dataset)

    def ledger(self, target: Callable[[], Target], application: str) -> Ledger:
        return Ledger(target)

    def desk(self, target: Callable[[], Target], application: str) -> requests.Desk:
        return requests.Desk(target)

    async def look(self, target: Target, asked: Asked) -> Standing:
        async with _session(target, 3.0) as session:
            schema = await observe(session)
            there = await exists(session, asked.login)
            may = there and await granted(session, asked, schema)
            tables = [dataset.table for dataset in asked.datasets]
            proof = await proof_facts(session, tables, list(asked.shops)) if set(OWN) <= set(schema.tables) else {}
        login = LoginFact(asked.login in schema.made, await _opens(target, asked)) if there else None
        names = [f"dbo.{dataset.table}" for dataset in asked.datasets if dataset.table in schema.tables]
        names += [f"platform.{dataset.name}" for dataset in asked.datasets if dataset.name in schema.views]
        return Standing(
            missing(schema, asked.datasets, asked.shops),
            drifted(schema, asked.datasets),
            schema.quarantined,
            tuple(f"{target.database}.{name}" for name in names),
            login,
            may,
            weak(schema.database),
            proof,
        )

    async def settle(self, target: Target, asked: Asked) -> None:
        # Building indexes on a table that has rows already may take a while.
        async with _session(target, 55.0) as session:
            if not (await observe(session)).database.snapshots:
                await _ask_for_snapshots(session)
            await ensure(session, asked.datasets, asked.shops)
            await ensure_login(session, asked, await observe(session))

    async def drop_login(self, target: Target, login: str) -> None:
        async with _session(target, 55.0) as session:
            if login in (await observe(session)).made:
                await drop(session, login)

    async def submit(self, target: Target, subscription: str, request: Request) -> None:
        async with _session(target, 3.0) as session:
            await requests.submit(session, subscription, request)

    async def answer(self, target: Target, request: str) -> Answer | None:
        async with _session(target, 3.0) as session:
            return await requests.answer(session, request)

    async def withdraw(self, target: Target, request: str) -> None:
        async with _session(target, 3.0) as session:
            await requests.withdraw(session, request)


def weak(database: Database) -> tuple[str, ...]:
    """Settings under which a commit can be lost. ALLOWED is none: a transaction has to ask, and Cairn's do not."""
    return ("delayed_durability = FORCED (must be DISABLED)",) if database.delayed_durability == "FORCED" else ()


async def _ask_for_snapshots(session: Session) -> None:
    """So that readers and the worker do not wait for each other. Where others are at work it has to be done by hand."""
    try:
        await session.execute(SNAPSHOTS)
    except pytds.DatabaseError as error:
        if error.msg_no not in _NOT_ALONE:
            raise


async def _opens(target: Target, asked: Asked) -> bool:
    try:
        session = await connect(replace(target, user=asked.login, password=asked.password), timeout=3)
    except SqlError as error:
        return error.reason is not Reason.AUTHENTICATION_FAILED
    await session.close()
    return True


@asynccontextmanager
async def _session(target: Target, statement_timeout: float) -> AsyncIterator[Session]:
    session = await connect(target, timeout=5.0, statement_timeout=statement_timeout)
    try:
        yield session
    except pytds.DatabaseError as error:
        passing = kind_of(error.msg_no) is Fault.TRANSIENT
        reason = Reason.DATABASE_UNREACHABLE if passing else Reason.ACTION_FAILED
        raise SqlError(reason, f"{target.host}:{target.port}: {told(error)}") from error
    finally:
        await session.close()

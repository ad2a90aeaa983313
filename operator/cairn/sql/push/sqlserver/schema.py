# SPDX-License-Identifier: Apache-2.0
"""Schema `dbo` and `platform` of a seller's database: made and kept up to date, never destroyed.

Everything here adds, but for the stage, which is nobody's to keep. It runs under a named lock and may be repeated and
interrupted at will.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.resources import files

from cairn.api.conditions import Reason
from cairn.api.dataset import Dataset
from cairn.sql.errors import SqlError
from cairn.sql.push.lacking import changed, lacking
from cairn.sql.push.sqlserver.ddl import column_sql, index_sql, stage_name, stage_sql, staged, table_sql
from cairn.sql.push.sqlserver.drift import database_drift, drift
from cairn.sql.push.sqlserver.observe import OWN, Schema, observe
from cairn.sql.push.sqlserver.upsert import BEGIN, COMMIT
from cairn.sql.push.sqlserver.view import view_digest, view_sql
from cairn.sql.share.blocking import Blocking
from cairn.sql.share.sqlserver.text import qualified

STEPS = ((1, "foundation"), (2, "retention"))

LOCK = (
    "DECLARE @held int; EXEC @held = sys.sp_getapplock @Resource = N'cairn.push', @LockMode = 'Exclusive',"
    " @LockOwner = 'Session', @LockTimeout = 5000; SELECT @held"
)
UNLOCK = "EXEC sys.sp_releaseapplock @Resource = N'cairn.push', @LockOwner = 'Session'"
PLATFORM = "SELECT s.schema_id FROM sys.schemas AS s WHERE s.name = 'platform'"
NEW_PLATFORM = "CREATE SCHEMA [platform] AUTHORIZATION [dbo]"
BOOK = (
    "IF OBJECT_ID(N'dbo.jdp_schema_version', N'U') IS NULL CREATE TABLE [dbo].[jdp_schema_version]"
    " (version int NOT NULL PRIMARY KEY, name nvarchar(64) NOT NULL,"
    " applied_at datetime2(6) NOT NULL DEFAULT SYSUTCDATETIME())"
)
TAKEN_STEPS = "SELECT version FROM [dbo].[jdp_schema_version]"
STEP_TAKEN = "INSERT INTO [dbo].[jdp_schema_version] (version, name) VALUES (%s, %s)"
NEW_MADE = (
    "BEGIN TRANSACTION; DELETE FROM [dbo].[jdp_made] WHERE kind = %s AND name = %s;"
    " INSERT INTO [dbo].[jdp_made] (kind, name, digest) VALUES (%s, %s, %s); COMMIT TRANSACTION"
)
NEW_SHOP = (
    "BEGIN TRANSACTION; DELETE FROM [dbo].[jdp_shop] WHERE shop_id = %s OR seller_nick = %s;"
    " INSERT INTO [dbo].[jdp_shop] (shop_id, seller_nick) VALUES (%s, %s); COMMIT TRANSACTION"
)
"""Gives way to nobody: what held the nick or the id is gone."""


def new_cursor(dataset: Dataset) -> str:
    return (
        "INSERT INTO [dbo].[jdp_cursor] (table_name, seq, ts) SELECT %s, COALESCE(MAX(t.jdp_seq), 0),"
        f" COALESCE(MAX(t.jdp_modified), '2000-01-01') FROM {qualified('dbo', dataset.table)} AS t"
        " HAVING NOT EXISTS (SELECT 1 FROM [dbo].[jdp_cursor] AS c WHERE c.table_name = %s)"
    )


def missing(schema: Schema, datasets: Iterable[Dataset], shops: Mapping[str, str]) -> tuple[str, ...]:
    """What `ensure` would still have to do, in words; empty when all stands. Pure."""
    datasets = tuple(datasets)
    own = [f"table {name}" for name in OWN if name not in schema.tables]
    own += [f"table {stage_name(dataset)}" for dataset in datasets if not stage_stands(schema, dataset)]
    return (*own, *lacking(schema, datasets, shops, view_digest))


def drifted(schema: Schema, datasets: Iterable[Dataset]) -> tuple[str, ...]:
    """What the worker can't write to, each with the statement that mends it. Pure."""
    return (*database_drift(schema.database), *changed(schema, datasets, drift))


def stage_stands(schema: Schema, dataset: Dataset) -> bool:
    found = {name: column.type for name, column in schema.tables.get(stage_name(dataset), {}).items()}
    return found == {**dict(staged(dataset)), "jdp_staged": "datetime2(6)"}


def batches(text: str) -> list[str]:
    """Of a script."""
    return [part.strip() for part in re.split(r"(?m)^GO$", re.sub(r"(?m)^--.*\n", "", text)) if part.strip()]


def step_batches(number: int, name: str) -> list[str]:
    return batches((files(__package__) / "migrations" / f"{number:04d}-{name}.sql").read_text("utf-8"))


async def ensure(session: Blocking, datasets: Iterable[Dataset], shops: Mapping[str, str]) -> None:
    """All of it stands, with the shops' nicks by id. SqlError(SchemaDrift) where a table can't be mended by adding."""
    datasets = tuple(datasets)
    ((held,),) = await session.fetch(LOCK)
    if held < 0:
        raise SqlError(Reason.DATABASE_UNREACHABLE, "another session holds the lock 'cairn.push'; trying again")
    try:
        await _migrate(session)
        before = await observe(session)
        for dataset in datasets:
            await _ensure_table(session, dataset, before)
        if problems := drifted(await observe(session), datasets):
            raise SqlError(Reason.SCHEMA_DRIFT, "; ".join(problems))
        for dataset in datasets:
            await _ensure_stage(session, dataset, before)
            await _ensure_view(session, dataset, before)
        await _ensure_shops(session, shops, before)
    finally:
        if session.open:
            await session.execute(UNLOCK)


async def _migrate(session: Blocking) -> None:
    if not await session.fetch(PLATFORM):
        await session.execute(NEW_PLATFORM)
    await session.execute(BOOK)
    taken = {version for (version,) in await session.fetch(TAKEN_STEPS)}
    for number, name in STEPS:
        if number not in taken:
            await session.execute(BEGIN)
            for batch in step_batches(number, name):
                await session.execute(batch)
            await session.execute(STEP_TAKEN, (number, name))
            await session.execute(COMMIT)


async def _ensure_table(session: Blocking, dataset: Dataset, before: Schema) -> None:
    table, found = qualified("dbo", dataset.table), before.tables.get(dataset.table)
    if found is None:
        await session.execute(table_sql(dataset))
    else:
        for name in ("jdp_version", "jdp_seq"):
            if name not in found:
                await session.execute(f"ALTER TABLE {table} ADD {column_sql(dataset, name)}")
    there = {*(found or dataset.column_names), "jdp_version", "jdp_seq"}
    for index in dataset.indexes:
        if set(index.columns) <= there and index.name not in before.indexes.get(dataset.table, frozenset()):
            await session.execute(index_sql(dataset, index.name))
    await session.execute(new_cursor(dataset), (dataset.table, dataset.table))


async def _ensure_stage(session: Blocking, dataset: Dataset, before: Schema) -> None:
    if stage_stands(before, dataset):
        return
    if stage_name(dataset) in before.tables:
        await session.execute(f"DROP TABLE {qualified('dbo', stage_name(dataset))}")
    for statement in stage_sql(dataset):
        await session.execute(statement)


async def _ensure_view(session: Blocking, dataset: Dataset, before: Schema) -> None:
    digest = view_digest(dataset)
    if before.views.get(dataset.name) != digest:
        await session.execute(view_sql(dataset))
        await session.execute(NEW_MADE, ("view", dataset.name, "view", dataset.name, digest))


async def _ensure_shops(session: Blocking, shops: Mapping[str, str], before: Schema) -> None:
    nicks = list(shops.values())
    if len(set(nicks)) != len(nicks):
        raise SqlError(Reason.CONFLICT, "two shops have the same nick: their records could not be told apart")
    for shop, nick in shops.items():
        if before.shops.get(shop) != nick:
            await session.execute(NEW_SHOP, (shop, nick, shop, nick))

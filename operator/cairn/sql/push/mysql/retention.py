# SPDX-License-Identifier: Apache-2.0
"""Takes rows from before the horizon out of a pushed table, in short transactions of their own."""

from __future__ import annotations

from datetime import datetime

from cairn.api.dataset import Dataset
from cairn.sql.share.mysql.connection import Session
from cairn.sql.share.mysql.names import identifier, qualified


async def horizon(session: Session, dataset: Dataset, shop: str) -> datetime | None:
    query = "SELECT horizon FROM sys_info.jdp_retention WHERE table_name = %s AND shop_id = %s"
    found = await session.fetch(query, (dataset.table, shop))
    return found[0][0] if found else None


async def keep_from(session: Session, dataset: Dataset, shop: str, moment: datetime) -> None:
    await session.execute(
        "INSERT INTO sys_info.jdp_retention (table_name, shop_id, horizon) VALUES (%s, %s, %s)"
        " ON DUPLICATE KEY UPDATE horizon = GREATEST(horizon, VALUES(horizon))",
        (dataset.table, shop, moment),
    )


async def expire(session: Session, dataset: Dataset, shop: str, nick: str, limit: int) -> tuple[int, int]:
    before = await horizon(session, dataset, shop)
    if before is None:
        return 0, 0
    table, key = qualified("sys_info", dataset.table), identifier(dataset.key)
    owner, modified = identifier(dataset.owner), identifier(dataset.modified)
    # by the nick's bytes: a table from before Cairn may hold one nick for another that only looks like it
    exact = f"CAST(CONVERT({owner} USING utf8mb4) AS BINARY) = CAST(CONVERT(%s USING utf8mb4) AS BINARY)"
    old, ours = f"{modified} < %s AND {owner} = %s AND {exact}", (before, nick, nick)
    found = await session.fetch(f"SELECT {key} FROM {table} WHERE {old} ORDER BY {modified} LIMIT %s", (*ours, limit))
    if not found:
        return 0, 0
    await session.execute("START TRANSACTION")
    try:
        # Whoever was written meanwhile is not old any more: these servers delete by the row as it is now.
        keys = sorted(row[0] for row in found)
        await session.execute(f"DELETE FROM {table} WHERE {old} AND {key} IN %s", (*ours, keys))
        deleted = int((await session.fetch("SELECT ROW_COUNT()"))[0][0])
        counted = (
            "UPDATE sys_info.jdp_retention SET rows_taken = rows_taken + %s WHERE table_name = %s AND shop_id = %s"
        )
        await session.execute(counted, (deleted, dataset.table, shop))
        await session.execute("COMMIT")
    except BaseException:
        session.abort()  # rolls back
        raise
    return len(found), deleted

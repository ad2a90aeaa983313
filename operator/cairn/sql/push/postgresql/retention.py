# SPDX-License-Identifier: Apache-2.0
"""Takes rows from before the horizon out of a pushed table, in short transactions of their own."""

from __future__ import annotations

from datetime import datetime

from cairn.api.dataset import Dataset
from cairn.sql.postgresql import Connection
from cairn.sql.quoting import identifier, qualified


async def horizon(conn: Connection, dataset: Dataset, shop: str) -> datetime | None:
    query = "SELECT horizon FROM sys_info.jdp_retention WHERE table_name = $1 AND shop_id = $2"
    found: datetime | None = await conn.fetchval(query, dataset.table, shop)
    return found


async def keep_from(conn: Connection, dataset: Dataset, shop: str, moment: datetime) -> None:
    await conn.execute(
        "INSERT INTO sys_info.jdp_retention AS r (table_name, shop_id, horizon) VALUES ($1, $2, $3)"
        " ON CONFLICT (table_name, shop_id) DO UPDATE SET horizon = EXCLUDED.horizon"
        " WHERE r.horizon < EXCLUDED.horizon",
        dataset.table,
        shop,
        moment,
    )


async def expire(conn: Connection, dataset: Dataset, shop: str, nick: str, limit: int) -> tuple[int, int]:
    table, key = qualified("sys_info", dataset.table), f"t.{identifier(dataset.key)}"
    old = (
        "h.table_name = $1 AND h.shop_id = $2"
        f" AND t.{identifier(dataset.owner)} = $3 AND t.{identifier(dataset.modified)} < h.horizon"
    )
    ours = (dataset.table, shop, nick)
    found = await conn.fetch(
        f"SELECT {key} FROM {table} t, sys_info.jdp_retention h WHERE {old}"
        f" ORDER BY t.{identifier(dataset.modified)} LIMIT $4",
        *ours,
        limit,
    )
    if not found:
        return 0, 0
    # Whoever was written meanwhile is not old any more: the condition is asked again of the row as it is then.
    deleted = await conn.fetchval(
        f"WITH gone AS (DELETE FROM {table} t USING sys_info.jdp_retention h WHERE {old} AND {key} = ANY($4)"
        " RETURNING 1) UPDATE sys_info.jdp_retention SET rows_taken = rows_taken + (SELECT count(*) FROM gone)"
        " WHERE table_name = $1 AND shop_id = $2 RETURNING (SELECT count(*) FROM gone)",
        *ours,
        sorted(row[0] for row in found),
    )
    return len(found), int(deleted)

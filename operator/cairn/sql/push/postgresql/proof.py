# SPDX-License-Identifier: Apache-2.0
"""What the book in the seller's database says of a subscription, for its status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cairn.sql.postgresql import Connection

BOOKS = ("jdp_audit", "jdp_backfill", "jdp_retention")
HOURS, DAYS = 24, 92
_COUNTS = ("sent", "stood", "missing", "stale", "wrong", "quarantined", "repaired")
_SUMS = ", ".join(f"sum({name})::int8 AS {name}" for name in _COUNTS)
_OURS = (
    "FROM sys_info.jdp_audit a WHERE a.table_name = ANY($1) AND a.shop_id = ANY($2)"
    " AND NOT EXISTS (SELECT 1 FROM sys_info.jdp_retention r WHERE r.table_name = a.table_name"
    " AND r.shop_id = a.shop_id AND a.window_start < r.horizon)"
)
"""What retention took is nothing that could stand."""


async def proof_facts(conn: Connection, tables: Sequence[str], shops: Sequence[str]) -> dict[str, Any]:
    """proof: through, total, hours (the last 24), days; history: since, records, complete;
    retention: horizon, rows. None before there is any."""
    ours = (list(tables), list(shops))
    total = await conn.fetchrow(f"SELECT max(window_end) AS through, {_SUMS} {_OURS}", *ours)
    hours = await conn.fetch(
        f"SELECT window_start AS start, {_SUMS} {_OURS} GROUP BY 1 ORDER BY 1 DESC LIMIT {HOURS}", *ours
    )
    days = await conn.fetch(
        f"SELECT window_start::pg_catalog.date AS date, {_SUMS} {_OURS} GROUP BY 1 ORDER BY 1 DESC LIMIT {DAYS}", *ours
    )
    history = await conn.fetchrow(
        "SELECT min(since) AS since, sum(records)::int8 AS records, bool_and(done_at IS NOT NULL) AS complete"
        " FROM sys_info.jdp_backfill WHERE table_name = ANY($1) AND shop_id = ANY($2) AND since < until",
        *ours,
    )
    kept = await conn.fetchrow(
        "SELECT min(horizon) AS horizon, sum(rows_taken)::int8 AS rows FROM sys_info.jdp_retention"
        " WHERE table_name = ANY($1) AND shop_id = ANY($2)",
        *ours,
    )
    proof = None
    if total is not None and total["through"] is not None:
        proof = {
            "through": total["through"].isoformat(),
            "total": _counts(total),
            "hours": [{"start": row["start"].isoformat(), **_counts(row)} for row in hours],
            "days": [{"date": row["date"].isoformat(), **_counts(row)} for row in days],
        }
    brought = None
    if history is not None and history["since"] is not None:
        brought = {
            "since": history["since"].isoformat(),
            "records": history["records"],
            "complete": history["complete"],
        }
    retention = None
    if kept is not None and kept["horizon"] is not None:
        retention = {"horizon": kept["horizon"].isoformat(), "rows": kept["rows"]}
    return {"proof": proof, "history": brought, "retention": retention}


def _counts(row: Any) -> dict[str, int]:
    return {name: int(row[name] or 0) for name in _COUNTS}

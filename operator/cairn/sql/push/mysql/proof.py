# SPDX-License-Identifier: Apache-2.0
"""What the book in the seller's database says of a subscription, for its status; as PostgreSQL's says it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cairn.sql.share.blocking import Blocking, Row

BOOKS = ("jdp_audit", "jdp_backfill", "jdp_retention")
HOURS, DAYS = 24, 92
_COUNTS = ("sent", "stood", "missing", "stale", "wrong", "quarantined", "repaired")
_SUMS = ", ".join(f"SUM({name})" for name in _COUNTS)
_OURS = "table_name IN %s AND shop_id IN %s"
_KEPT = (
    "NOT EXISTS (SELECT 1 FROM sys_info.jdp_retention r WHERE r.table_name = a.table_name AND r.shop_id = a.shop_id"
    " AND a.window_start < r.horizon)"
)
"""What retention took is nothing that could stand."""
_AUDIT = f"FROM sys_info.jdp_audit a WHERE {_OURS} AND {_KEPT}"


async def proof_facts(session: Blocking, tables: Sequence[str], shops: Sequence[str]) -> dict[str, Any]:
    """proof: through, total, hours (the last 24), days; history: since, records, complete;
    retention: horizon, rows. None before there is any."""
    if not tables or not shops:  # these servers know no empty list
        return {"proof": None, "history": None, "retention": None}
    ours = (list(tables), list(shops))
    ((through, *total),) = await session.fetch(f"SELECT MAX(window_end), {_SUMS} {_AUDIT}", ours)
    proof = None
    if through is not None:
        hours = f"SELECT window_start, {_SUMS} {_AUDIT} GROUP BY 1 ORDER BY 1 DESC LIMIT {HOURS}"
        days = f"SELECT DATE(window_start), {_SUMS} {_AUDIT} GROUP BY 1 ORDER BY 1 DESC LIMIT {DAYS}"
        proof = {
            "through": through.isoformat(),
            "total": _counts(total),
            "hours": [_named("start", row) for row in await session.fetch(hours, ours)],
            "days": [_named("date", row) for row in await session.fetch(days, ours)],
        }
    ((since, records, complete),) = await session.fetch(
        "SELECT MIN(since), SUM(records), MIN(done_at IS NOT NULL)"
        f" FROM sys_info.jdp_backfill WHERE {_OURS} AND since < until",
        ours,
    )
    history = None
    if since is not None:
        history = {"since": since.isoformat(), "records": int(records), "complete": bool(complete)}
    ((horizon, taken),) = await session.fetch(
        f"SELECT MIN(horizon), SUM(rows_taken) FROM sys_info.jdp_retention WHERE {_OURS}", ours
    )
    retention = None if horizon is None else {"horizon": horizon.isoformat(), "rows": int(taken)}
    return {"proof": proof, "history": history, "retention": retention}


def _named(name: str, row: Row) -> dict[str, Any]:
    return {name: row[0].isoformat(), **_counts(row[1:])}


def _counts(sums: Sequence[Any]) -> dict[str, int]:
    """A sum is a Decimal here, which no JSON has."""
    return {name: int(value or 0) for name, value in zip(_COUNTS, sums, strict=True)}

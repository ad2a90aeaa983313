# SPDX-License-Identifier: Apache-2.0
"""What the book in the seller's database says of a subscription, for its status; as PostgreSQL's says it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cairn.sql.push.sqlserver.ddl import EXACT, HASHED
from cairn.sql.share.blocking import Blocking, Row

HOURS, DAYS = 24, 92
_COUNTS = ("sent", "stood", "missing", "stale", "wrong", "quarantined", "repaired")
_SUMS = ", ".join(f"SUM({name}) AS {name}" for name in _COUNTS)
_OURS = (
    f"table_name IN (SELECT j.v COLLATE {HASHED} FROM OPENJSON(%s) WITH (v varchar(64) '$') AS j)"
    f" AND shop_id IN (SELECT j.v COLLATE {EXACT} FROM OPENJSON(%s) WITH (v nvarchar(64) '$') AS j)"
)
_KEPT = (
    "NOT EXISTS (SELECT 1 FROM [dbo].[jdp_retention] AS r WHERE r.table_name = a.table_name"
    " AND r.shop_id = a.shop_id AND a.window_start < r.horizon)"
)
"""What retention took is nothing that could stand."""
_AUDIT = f"FROM [dbo].[jdp_audit] AS a WHERE {_OURS} AND {_KEPT}"

TOTAL = f"SELECT MAX(window_end) AS through, {_SUMS} {_AUDIT}"
BY_HOUR = f"SELECT TOP ({HOURS}) window_start, {_SUMS} {_AUDIT} GROUP BY window_start ORDER BY window_start DESC"
BY_DAY = (
    f"SELECT TOP ({DAYS}) CAST(window_start AS date) AS day, {_SUMS} {_AUDIT} GROUP BY CAST(window_start AS date)"
    " ORDER BY CAST(window_start AS date) DESC"
)
HISTORY = (
    "SELECT MIN(since) AS since, SUM(records) AS records, MIN(CASE WHEN done_at IS NULL THEN 0 ELSE 1 END) AS complete"
    f" FROM [dbo].[jdp_backfill] WHERE {_OURS} AND since < until"
)

RETENTION = f"SELECT MIN(horizon) AS horizon, SUM(rows_taken) AS rows_taken FROM [dbo].[jdp_retention] WHERE {_OURS}"


async def proof_facts(session: Blocking, tables: Sequence[str], shops: Sequence[str]) -> dict[str, Any]:
    """proof: through, total, hours (the last 24), days; history: since, records, complete;
    retention: horizon, rows. None before there is any."""
    ours = (json.dumps(list(tables)), json.dumps(list(shops)))
    ((through, *total),) = await session.fetch(TOTAL, ours)
    proof = None
    if through is not None:
        proof = {
            "through": through.isoformat(),
            "total": _counts(total),
            "hours": [_named("start", row) for row in await session.fetch(BY_HOUR, ours)],
            "days": [_named("date", row) for row in await session.fetch(BY_DAY, ours)],
        }
    ((since, records, complete),) = await session.fetch(HISTORY, ours)
    history = None
    if since is not None:
        history = {"since": since.isoformat(), "records": int(records), "complete": bool(complete)}
    ((horizon, taken),) = await session.fetch(RETENTION, ours)
    retention = None if horizon is None else {"horizon": horizon.isoformat(), "rows": int(taken)}
    return {"proof": proof, "history": history, "retention": retention}


def _named(name: str, row: Row) -> dict[str, Any]:
    return {name: row[0].isoformat(), **_counts(row[1:])}


def _counts(sums: Sequence[Any]) -> dict[str, int]:
    return {name: int(value or 0) for name, value in zip(_COUNTS, sums, strict=True)}

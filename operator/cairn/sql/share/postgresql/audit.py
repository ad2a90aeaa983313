# SPDX-License-Identifier: Apache-2.0
"""The log in `audit`: rows appended in the transaction of the change, each with the hash of the one before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from cairn.sql.postgresql import Connection
from cairn.sql.quoting import literal
from cairn.sql.share.engine import Record

LONGEST, MOST = 400, 200
"""Of a line, and how many lines a record has at most."""
COLUMNS = ("seq", "at", "action", "actor", "tenant", "subject", "reason", "contract", "before", "after", "prev", "hash")


def insert_sql(tenant: str, records: Iterable[Record]) -> str:
    """One statement for all of them, in order; the trigger gives number, time and hash."""
    rows = []
    for one in records:
        texts = (one.action, one.actor, tenant, one.subject, one.reason, one.contract)
        values = [literal(text.replace("\0", "")) for text in (*texts, _lines(one.before), _lines(one.after))]
        rows.append(f"({', '.join(values)})")
    return (
        "INSERT INTO audit.log (action, actor, tenant, subject, reason, contract, before, after) VALUES "
        + ", ".join(rows)
    )


def _lines(lines: tuple[str, ...]) -> str:
    """Names in them may be an app's, who may make them long and many."""
    short = [line.replace("\n", " ")[:LONGEST] for line in lines[:MOST]]
    return "\n".join([*short, f"and {len(lines) - MOST} more"] if len(lines) > MOST else short)


async def read(conn: Connection, since: datetime | None, limit: int) -> list[Mapping[str, object]]:
    """Oldest first; of many the newest `limit`. The session must already act as the owner role."""
    rows = await conn.fetch(
        f"SELECT * FROM (SELECT {', '.join(COLUMNS)} FROM audit.log WHERE $1::timestamptz IS NULL OR at >= $1"
        " ORDER BY seq DESC LIMIT $2) newest ORDER BY seq",
        since,
        limit,
    )
    return [
        {**dict(row), "before": tuple(row["before"].splitlines()), "after": tuple(row["after"].splitlines())}
        for row in rows
    ]


def hash_of(row: Mapping[str, Any]) -> str:
    """What the row's hash must be, as the trigger counted it."""
    at = row["at"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    texts = [row[name] for name in ("action", "actor", "tenant", "subject", "reason", "contract")]
    lines = ["\n".join(row["before"]), "\n".join(row["after"])]
    text = json.dumps([row["prev"], row["seq"], at, *texts, *lines], ensure_ascii=False, separators=(", ", ": "))
    return hashlib.sha256(text.encode()).hexdigest()


def broken(rows: Iterable[Mapping[str, Any]]) -> int | None:
    """The number of the first row that is not what it was when it was written; None for an unbroken chain."""
    last: Mapping[str, Any] | None = None
    for row in rows:
        follows = last is None or (row["prev"] == last["hash"] and row["seq"] == last["seq"] + 1)
        if not follows or row["hash"] != hash_of(row):
            return int(row["seq"])
        last = row
    return None

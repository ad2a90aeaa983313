# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks of the push plane share: servers, a seller's database, orders of about 1.2 KB."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TREE / part) for part in ("operator", "tests", "tests/devcluster")]

from cairn.bus.pack import digest  # noqa: E402
from cairn.datasets import shipped  # noqa: E402
from cairn.sql.postgresql import Connection, Target, connect  # noqa: E402
from cairn.sql.push.postgresql.schema import ensure_schema  # noqa: E402
from cairn.sql.push.rows import Row  # noqa: E402
from cairn.sql.roles import ensure_database, ensure_role  # noqa: E402
from data.servers import PostgreSQL  # noqa: E402

TRADES = shipped()["trades"]
START = datetime(2026, 11, 11)  # noqa: DTZ001
PADDING = "x" * 1000
SHOPS = {"55501": "taobao001"}


def batches(count: int, size: int, version: int) -> list[list[Row]]:
    """Orders by key."""
    made = []
    for key in range(count):
        payload = json.dumps({"trade_fullinfo_get_response": {"trade": {"tid": key, "v": version, "x": PADDING}}})
        modified = START + timedelta(seconds=version)
        hashed = digest(payload.encode()).hex()
        values = (key, f"S{version}", "fixed", "taobao001", f"buyer{key}", START, modified, hashed, payload)
        made.append(Row(key, (modified, version, hashed), values, ("s", version, 0)))
    return [made[at : at + size] for at in range(0, count, size)]


@contextmanager
def postgresql() -> Iterator[Target]:
    """A server of its own, with fsync on; the superuser's way in."""
    server = PostgreSQL()
    with (server.data / "postgresql.conf").open("a") as conf:
        conf.write("max_connections = 200\n")
    try:
        server.start()
        yield Target("localhost", server.port, "postgres", "postgres", "secret", server.ca, address="127.0.0.1")
    finally:
        server.remove()


async def seller(admin: Target, name: str) -> tuple[Target, Connection]:
    """A seller's database with the table of orders."""
    conn = await connect(admin)
    await ensure_role(conn, "owner", password="x")
    await ensure_database(conn, name, "owner")
    await conn.close()
    target = replace(admin, database=name)
    conn = await connect(target, statement_timeout_ms=120_000, cached_statements=50)
    await ensure_schema(conn, (TRADES,), SHOPS)
    return target, conn

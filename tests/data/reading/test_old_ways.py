# SPDX-License-Identifier: Apache-2.0
"""How programs read pushed tables until now, beside jdp_seq: what they miss, what Cairn's numbers mend, what stays.

Every way looks at the same table at the same three moments: while the first of two writers has not committed, after it
has, and later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from cairn.datasets import shipped
from cairn.sql.postgresql import Connection, Target, connect
from cairn.sql.push.postgresql.writer import Writer
from cairn.sql.push.rows import Row, Written
from data.test_sql_writer import Version, row

TRADES = shipped()["trades"]
NOW = "SELECT clock_timestamp() AT TIME ZONE 'Asia/Shanghai'"


@dataclass
class Ways:
    """Programs that follow one table, each with its own cursor; `seen` is what each of them saw."""

    conn: Connection
    table: str
    cautious_end: datetime
    last: dict[str, Any] = field(default_factory=dict)
    seen: dict[str, set[int]] = field(default_factory=dict)

    async def look(self, *, later: bool = False) -> None:
        """Each way once. The cautious window ends before any transaction that may still be open began."""
        now = await self.conn.fetchval(NOW)
        await self._after("jdp_seq", 0)
        await self._after("jdp_modified", datetime.min)  # noqa: DTZ901 -- wall clock, as in the table
        await self._window("window", now)
        await self._window("cautious window", now if later else self.cautious_end)

    async def _after(self, column: str, start: Any) -> None:
        query = f"SELECT tid, {column} FROM {self.table} WHERE {column} > $1 ORDER BY {column}"
        rows = await self.conn.fetch(query, self.last.get(column, start))
        self._saw(column, rows)
        if rows:
            self.last[column] = rows[-1][column]

    async def _window(self, name: str, end: datetime) -> None:
        query = f"SELECT tid FROM {self.table} WHERE jdp_modified >= $1 AND jdp_modified < $2"
        start = self.last.get(name, datetime.min)  # noqa: DTZ901
        self._saw(name, await self.conn.fetch(query, start, end))
        self.last[name] = end

    def _saw(self, name: str, rows: Sequence[Any]) -> None:
        self.seen.setdefault(name, set()).update(found["tid"] for found in rows)


class HeldWriter(Writer):
    """Has written, and waits before COMMIT."""

    def __init__(self, target: Target) -> None:
        super().__init__(lambda: target, TRADES, "held")
        self.written, self.commit = asyncio.Event(), asyncio.Event()

    async def _rows(self, conn: Connection, rows: Sequence[Row]) -> Written:
        written = await super()._rows(conn, rows)
        self.written.set()
        await self.commit.wait()
        return written


async def by_cairn(database: Target, ways: Ways) -> None:
    """Two workers at once: the second waits for the cursor's row until the first has committed."""
    held, other = HeldWriter(database), Writer(lambda: database, TRADES, "other")
    first = asyncio.create_task(held.write([row(1, Version(1, 1, "aa"))], ()))
    await held.written.wait()
    second = asyncio.create_task(other.write([row(2, Version(1, 1, "aa"))], ()))
    waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'other' AND wait_event_type = 'Lock')"
    async with asyncio.timeout(20):
        while not await ways.conn.fetchval(waits):  # noqa: ASYNC110 -- happens in the server
            await asyncio.sleep(0.01)
    await ways.look()
    held.commit.set()
    await asyncio.gather(first, second)
    await ways.look()
    await ways.look(later=True)
    await held.close()
    await other.close()


async def by_clock_and_sequence(database: Target, ways: Ways) -> None:
    """Two services that take time and number when they write, and commit in the other order."""
    slow, fast = await connect(database), await connect(database)
    await ways.conn.execute("CREATE SEQUENCE sys_info.plain")
    insert = (
        "INSERT INTO sys_info.jdp_tb_trade (tid, jdp_modified, jdp_seq)"
        f" VALUES ($1, ({NOW}), nextval('sys_info.plain'))"
    )
    await slow.execute("BEGIN")
    await slow.execute(insert, 1)
    await fast.execute(insert, 2)
    await ways.look()
    await slow.execute("COMMIT")
    await ways.look()
    await ways.look(later=True)
    await slow.close()
    await fast.close()


@pytest.mark.parametrize(
    ("write", "missing"),
    [
        pytest.param(
            by_clock_and_sequence,
            {"jdp_seq": {1}, "jdp_modified": {1}, "window": {1}, "cautious window": set()},
            id="clock-and-sequence",
        ),
        pytest.param(
            by_cairn,
            {"jdp_seq": set(), "jdp_modified": set(), "window": {1}, "cautious window": set()},
            id="cairn",
        ),
    ],
)
async def test_reader_of_two_writers_that_overlap(
    erp: Target, database: Target, conn: Connection, write: Any, missing: dict[str, set[int]]
) -> None:
    """Cairn's numbers and times come in the order of COMMIT; a window that ends now still closes too early."""
    ways = Ways(conn, "sys_info.jdp_tb_trade", await conn.fetchval(NOW))
    await write(database, ways)
    assert {name: {1, 2} - seen for name, seen in ways.seen.items()} == missing


async def pages(conn: Connection, column: str) -> set[int]:
    """`> last seen`, three rows a page."""
    seen, last = set[int](), datetime.min  # noqa: DTZ901
    query = f"SELECT tid, {column} AS at FROM sys_info.jdp_tb_trade WHERE {column} > $1 ORDER BY {column}, tid LIMIT 3"
    while rows := await conn.fetch(query, last):
        seen.update(found["tid"] for found in rows)
        last = rows[-1]["at"]
    return seen


async def test_reader_that_pages_by_time_loses_equal_times_and_cairns_are_never_equal(
    erp: Target, database: Target, conn: Connection
) -> None:
    writer = Writer(lambda: database, TRADES, "test")
    await writer.write([row(key, Version(1, 1, "aa")) for key in range(8)], ())
    await writer.close()
    assert await pages(conn, "modified") == {0, 1, 2}
    assert await pages(conn, "jdp_modified") == set(range(8))


async def test_reader_by_the_platforms_time_misses_what_comes_late(
    erp: Target, database: Target, conn: Connection
) -> None:
    """What Cairn can't mend: `modified` is when the platform changed the order, not when it arrived."""
    writer, seen = Writer(lambda: database, TRADES, "test"), set[int]()
    last = datetime.min  # noqa: DTZ901
    ways = Ways(conn, "sys_info.jdp_tb_trade", await conn.fetchval(NOW))
    for key, second in ((1, 1), (2, 9), (3, 5)):
        await writer.write([row(key, Version(second, 1, "aa"))], ())
        await ways.look()
        for found in await conn.fetch(
            "SELECT tid, modified FROM sys_info.jdp_tb_trade WHERE modified > $1 ORDER BY 2", last
        ):
            seen.add(found["tid"])
            last = found["modified"]
    await writer.close()
    assert seen == {1, 2}
    assert ways.seen["jdp_seq"] == {1, 2, 3}

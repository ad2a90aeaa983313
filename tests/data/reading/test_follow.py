# SPDX-License-Identifier: Apache-2.0
"""The reference consumer sees every row's newest version, and handles none twice, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from cairn.datasets import shipped
from cairn.reader.follow import Connection, Reader
from cairn.sql.postgresql import Target, connect
from cairn.sql.push.postgresql.writer import Writer
from chaos.test_push_kills import BATCH, records, send
from data.plane import TREE, Plane
from data.reading.copier import TRADES, keep, session
from data.servers import PostgreSQL
from data.test_sql_writer import Version, row

DATASET = shipped()["trades"]


class Copier:
    """The program as a process."""

    def __init__(self, erp: Target, home: Path) -> None:
        self._file = home / "erp.json"
        self._file.write_text(json.dumps(asdict(erp) | {"ca": (erp.ca or b"").decode()}))
        self.log = home / "erp.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        path = os.pathsep.join([str(TREE / "operator"), str(TREE / "tests"), str(TREE / "tests/devcluster")])
        command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "data.reading.copier", str(self._file)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"PYTHONPATH": path})

    def kill(self) -> None:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def copier(erp: Target, tmp_path: Path) -> Any:
    copier = Copier(erp, tmp_path)
    yield copier
    if copier.process is not None:
        copier.process.kill()
        copier.process.wait(10)


async def count(conn: Connection) -> int:
    return int(await conn.fetchval("SELECT count(*) FROM erp.seen"))


async def caught_up(conn: Connection) -> None:
    """The reader stands at the newest row."""
    query = (
        "SELECT (SELECT max(seq) FROM erp.jdp_reader WHERE old_key IS NULL)"
        " >= (SELECT max(jdp_seq) FROM sys_info.jdp_tb_trade)"
    )
    async with asyncio.timeout(30):
        while not await conn.fetchval(query):  # noqa: ASYNC110 -- what is waited for happens in another process
            await asyncio.sleep(0.02)


async def missed(conn: Connection) -> list[Any]:
    """Rows whose version that stands now was never handled."""
    return await conn.fetch(
        "SELECT tid FROM sys_info.jdp_tb_trade t WHERE NOT EXISTS (SELECT FROM erp.seen s WHERE s.tid = t.tid"
        " AND s.jdp_seq = coalesce(t.jdp_seq, 0) AND s.jdp_hashcode = t.jdp_hashcode)"
    )


async def test_reader_follows_through_deaths_of_workers_database_and_itself(
    plane: Plane, database: Target, postgresql: PostgreSQL, copier: Copier
) -> None:
    """A worker that dies before it acknowledges, two that overlap then, and a reader killed again and again."""
    lines, newest = records(seed=21)
    copier.start()
    dying = plane.worker(("-m", "chaos.dying_worker", "after-commit", "1"))
    dying.start()
    await plane.deliver(lines[:BATCH])
    assert dying.process is not None
    assert await asyncio.to_thread(dying.process.wait, 30) == -signal.SIGKILL
    dying.process = None
    for _ in range(2):
        plane.worker().start()
    conn = await connect(database)
    for part in range(4):
        first, last = (len(lines) * number // 4 // BATCH * BATCH for number in (part, part + 1))
        before = await count(conn)
        await send(plane, lines[first:last] if part < 3 else lines[first:])
        async with asyncio.timeout(30):
            while await count(conn) == before:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        copier.kill()
        if part == 1:
            await conn.close()
            await asyncio.to_thread(postgresql.stop, signal.SIGQUIT)
            copier.start()
            postgresql.start()  # not in a thread: it dies with the thread that started it
            conn = await connect(database)
        else:
            copier.start()
    await plane.drained(60)
    await caught_up(conn)
    assert copier.process is not None
    assert copier.process.poll() is None, copier.log.read_text()[-3000:]
    assert await missed(conn) == []
    stand = await conn.fetch("SELECT tid, jdp_response FROM sys_info.jdp_tb_trade")
    assert {row["tid"]: row["jdp_response"].encode() for row in stand} == newest
    await conn.close()


@pytest_asyncio.fixture
async def follower(erp: Target) -> AsyncIterator[Any]:
    """Readers as tasks of this process, ended with the test."""
    tasks: list[asyncio.Task[None]] = []

    async def follow(handle: Any = keep, poll_seconds: float = 60.0) -> asyncio.Task[None]:
        reader = Reader(lambda: session(erp), TRADES, "copier", handle, poll_seconds=poll_seconds)
        conn = await session(erp)
        await reader.prepare(conn)
        conn.terminate()
        tasks.append(asyncio.create_task(reader.run()))
        return tasks[-1]

    yield follow
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_reader_that_waits_wakes_at_the_commit(database: Target, conn: Connection, follower: Any) -> None:
    """It would look by itself once a minute only; the test waits half of that."""
    await follower()
    writer = Writer(lambda: database, DATASET, "test")
    for number in range(1, 6):
        await writer.write([row(number, Version(1, 1, "aa"), "x")], ())
        await caught_up(conn)
    await writer.close()
    assert await missed(conn) == []


async def test_reader_beside_three_writers_of_the_same_orders_misses_none(
    database: Target, conn: Connection, follower: Any
) -> None:
    for _ in range(2):
        await follower(poll_seconds=0.01)  # two of one name take turns

    async def write(number: int) -> None:
        writer = Writer(lambda: database, DATASET, f"writer {number}")
        for turn in range(30):
            keys = range(turn * 20 + number * 7, turn * 20 + 40)
            await writer.write([row(key, Version(turn % 4, number, "aa"), f"{turn}.{number}") for key in keys], ())
        await writer.close()

    await asyncio.gather(*map(write, range(3)))
    await caught_up(conn)
    assert await missed(conn) == []


async def test_reader_goes_on_when_the_table_gets_a_column(database: Target, conn: Connection, follower: Any) -> None:
    """PostgreSQL refuses a statement that was prepared for the columns before."""
    task = await follower(poll_seconds=0.01)
    writer = Writer(lambda: database, DATASET, "test")
    await writer.write([row(1, Version(1, 1, "aa"), "x")], ())
    await caught_up(conn)
    await conn.execute("ALTER TABLE sys_info.jdp_tb_trade ADD COLUMN mine text")
    await writer.write([row(2, Version(1, 1, "aa"), "x")], ())
    await caught_up(conn)
    await writer.close()
    assert not task.done()
    assert await missed(conn) == []


async def test_reader_begins_with_the_rows_from_before_cairn(database: Target, conn: Connection, follower: Any) -> None:
    await conn.execute(
        "INSERT INTO sys_info.jdp_tb_trade (tid, jdp_hashcode) SELECT n, 'old' FROM generate_series(-20, 180) n"
    )
    writer = Writer(lambda: database, DATASET, "test")
    await writer.write([row(7, Version(1, 1, "aa"), "x")], ())
    await follower()
    await caught_up(conn)
    assert await missed(conn) == []
    await writer.write([row(8, Version(1, 1, "bb"), "x")], ())
    await caught_up(conn)
    assert await missed(conn) == []
    assert await count(conn) == 202
    await writer.close()


async def test_step_whose_handler_fails_leaves_cursor_and_effect_as_they_were(
    database: Target, conn: Connection, follower: Any
) -> None:
    writer = Writer(lambda: database, DATASET, "test")
    await writer.write([row(number, Version(1, 1, "aa"), "x") for number in range(10)], ())
    await writer.close()

    async def fail(session: Connection, rows: Sequence[Any]) -> None:
        await keep(session, rows)
        raise ZeroDivisionError

    task = await follower(fail)
    with pytest.raises(ZeroDivisionError):
        await task
    assert await count(conn) == 0
    await follower()
    await caught_up(conn)
    assert await missed(conn) == []

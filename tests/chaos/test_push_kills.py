# SPDX-License-Identifier: Apache-2.0
"""Whatever dies, and whenever: every accepted record's newest version stands, nothing twice, no number changed."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Sequence

import pytest

from cairn.sql.postgresql import Connection
from data.plane import DataPlane, Plane, Program, trade

KEYS, VERSIONS, BATCH = 600, 3, 60


def records(seed: int) -> tuple[list[bytes], dict[int, bytes]]:
    """Several versions of each order, shuffled and partly repeated, and the newest of each."""
    everything = [
        (tid, trade(tid, f"2026-11-11 00:00:{version:02d}", f"V{version}"))
        for tid in range(1, KEYS + 1)
        for version in range(VERSIONS)
    ]
    newest = dict(everything)
    lines = [line for _, line in everything]
    randomly = random.Random(seed)
    lines += randomly.sample(lines, len(lines) // 4)
    randomly.shuffle(lines)
    return lines, newest


async def send(plane: DataPlane, lines: Sequence[bytes]) -> None:
    for start in range(0, len(lines), BATCH):
        await plane.deliver(lines[start : start + BATCH])


async def feed(plane: DataPlane, lines: list[bytes], dying: Program, randomly: random.Random) -> None:
    """Any of the records in any number, until the worker is dead."""
    assert dying.process is not None
    async with asyncio.timeout(40):
        while dying.process.poll() is None:
            await plane.deliver(randomly.sample(lines, 20))
    assert dying.process.wait() == -signal.SIGKILL
    dying.process = None


async def check(conn: Connection, newest: dict[int, bytes]) -> None:
    """Key by key, and by the numbers."""
    rows = await conn.fetch(
        "SELECT tid, jdp_response, jdp_seq, jdp_modified FROM sys_info.jdp_tb_trade ORDER BY jdp_seq"
    )
    assert {row["tid"]: row["jdp_response"].encode() for row in rows} == newest
    assert len({row["jdp_seq"] for row in rows}) == len(rows)
    moments = [row["jdp_modified"] for row in rows]
    assert moments == sorted(moments)
    assert await conn.fetchval("SELECT count(*) FROM sys_info.jdp_quarantine") == 0


async def numbers(conn: Connection) -> dict[tuple[int, str], int]:
    """jdp_seq by key and content."""
    rows = await conn.fetch("SELECT tid, jdp_hashcode, jdp_seq FROM sys_info.jdp_tb_trade")
    return {(row["tid"], row["jdp_hashcode"]): row["jdp_seq"] for row in rows}


@pytest.mark.parametrize(
    ("moment", "nth"),
    [
        ("after-fetch", 1),
        ("after-fetch", 3),
        ("after-stage", 1),
        ("after-stage", 4),
        ("before-commit", 1),
        ("before-commit", 3),
        ("after-commit", 1),
        ("after-commit", 3),
        ("mid-ack", 5),
    ],
)
async def test_worker_killed_loses_nothing_and_repeats_nothing(
    plane: Plane, conn: Connection, moment: str, nth: int
) -> None:
    lines, newest = records(seed=nth)
    dying = plane.worker(("-m", "chaos.dying_worker", moment, str(nth)))
    dying.start()
    await feed(plane, lines, dying, random.Random(nth))
    before = await numbers(conn)
    plane.worker().start()
    await send(plane, lines)
    await plane.drained()  # in less time than the bus would wait for the dead worker
    await check(conn, newest)
    after = await numbers(conn)
    assert all(after[same] == before[same] for same in after.keys() & before.keys())


async def test_worker_killed_with_poison_in_hand_quarantines_each_once(plane: Plane, conn: Connection) -> None:
    dying = plane.worker(("-m", "chaos.dying_worker", "after-commit", "1"))
    for start in range(0, 40, 10):
        lines = [trade(start + n + 1, "2026-11-11 00:00:00", seller_nick="not-ours") for n in range(10)]
        await plane.deliver([*lines, trade(start + 1000, "2026-11-11 00:00:00")])
    dying.start()
    assert dying.process is not None
    assert await asyncio.to_thread(dying.process.wait, 30) == -signal.SIGKILL
    dying.process = None
    assert await conn.fetchval("SELECT count(*) FROM sys_info.jdp_quarantine") > 0
    plane.worker().start()
    await plane.drained()
    assert await conn.fetchval("SELECT count(*) FROM sys_info.jdp_quarantine") == 40
    assert await conn.fetchval("SELECT count(DISTINCT object_key) FROM sys_info.jdp_quarantine") == 40
    assert await conn.fetchval("SELECT count(*) FROM sys_info.jdp_tb_trade") == 4


async def test_two_workers_at_once_leave_the_newest(plane: Plane, conn: Connection) -> None:
    """A hand-over that overlaps: the old one is still writing when the new one starts."""
    lines, newest = records(seed=5)
    for _ in range(2):
        plane.worker().start()
    await send(plane, lines)
    await plane.drained()
    await check(conn, newest)

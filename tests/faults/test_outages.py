# SPDX-License-Identifier: Apache-2.0
"""Servers that die, fill up, are locked or are made anew, under load."""

from __future__ import annotations

import asyncio
import signal

import pytest

from cairn.bus.admin import ensure_stream
from cairn.sql.postgresql import Connection
from data.servers import PostgreSQL
from faults.run import Run


async def test_database_crashes_twice(run: Run, postgresql: PostgreSQL) -> None:
    worker = run.worker()
    worker.start()
    run.start_load(seed=11)
    for _ in range(2):
        await run.accepted(200)
        await asyncio.to_thread(postgresql.stop, signal.SIGQUIT)
        await run.accepted(200)
        postgresql.start()  # not in a thread: it dies with the thread that started it
    await run.judge()
    assert worker.metric("cairn_push_quarantined_total", reason="ROW_REFUSED") == 0


async def test_bus_is_killed_three_times(run: Run) -> None:
    run.worker().start()
    run.start_load(seed=12)
    for _ in range(3):
        await run.accepted(200)
        run.plane.bus.server.kill()
        await run.refused()
        run.plane.bus.server.start()
    await run.accepted(200)
    await run.judge()


async def test_gateway_is_killed_three_times(run: Run) -> None:
    """Nobody knows what became of a request that was under way: it is repeated, and stands once."""
    run.worker().start()
    run.start_load(seed=13)
    for _ in range(3):
        await run.accepted(200)
        run.plane.gateway.stop(signal.SIGKILL)
        await run.unanswered()
        run.plane.gateway.start()
    await run.accepted(200)
    await run.judge()


async def test_everything_dies_at_once(run: Run, postgresql: PostgreSQL) -> None:
    worker = run.worker()
    worker.start()
    run.start_load(seed=14)
    await run.accepted(300)
    run.plane.bus.server.kill()
    worker.stop(signal.SIGKILL)
    run.plane.gateway.stop(signal.SIGKILL)
    await asyncio.to_thread(postgresql.stop, signal.SIGQUIT)
    postgresql.start()
    run.plane.bus.server.start()
    run.plane.gateway.start()
    worker.start()
    await run.accepted(300)
    await run.judge()


async def test_stream_is_full(run: Run) -> None:
    """No 202 for what it does not take; nothing that it took goes to make room."""
    worker = run.worker()
    worker.start()
    run.start_load(seed=15)
    await run.accepted(200)
    admin = await run.plane.bus.connect("admin")
    await ensure_stream(admin, "PUSH", max_bytes=100_000)
    await run.refused(10)
    await ensure_stream(admin, "PUSH", max_bytes=2**30)
    await admin.close()
    await run.accepted(300)
    await run.judge()


async def test_lock_is_held_on_the_table(run: Run, conn: Connection) -> None:
    worker = run.worker()
    worker.start()
    run.start_load(seed=16)
    await run.accepted(200)
    async with conn.transaction():
        await conn.execute("LOCK TABLE sys_info.jdp_tb_trade IN SHARE MODE")
        await run.until("an attempt fails", lambda: worker.metric("cairn_push_errors_total") > 0)
    await run.judge()
    assert worker.metric("cairn_push_errors_total", **{"class": "row"}) == 0


async def test_sessions_are_ended_again_and_again(run: Run, conn: Connection) -> None:
    """An administrator's pg_terminate_backend hits any statement, COMMIT as well."""
    run.worker().start()
    run.start_load(seed=17)
    for _ in range(20):
        await run.accepted(40)
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", run.plane.push.user
        )
    await run.judge()


async def test_password_is_rotated_under_load(run: Run, conn: Connection) -> None:
    """The old password goes before the new one is told: waits for it, and neither loses nor quarantines."""
    worker = run.worker()
    worker.start()
    run.start_load(seed=18)
    await run.accepted(200)
    await conn.execute(f"ALTER ROLE {run.plane.push.user} PASSWORD 'another'")
    await conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", run.plane.push.user)
    await run.until("an attempt fails", lambda: worker.metric("cairn_push_errors_total") > 0)
    (run.plane.home / "password").write_text("another\n")
    await run.judge()


@pytest.mark.parametrize(
    ("break_", "mend"),
    [
        ("ALTER TABLE {t} RENAME COLUMN status TO state", "ALTER TABLE {t} RENAME COLUMN state TO status"),
        ("ALTER TABLE {t} ADD COLUMN mine int NOT NULL DEFAULT 1; ALTER TABLE {t} ALTER mine DROP DEFAULT",
         "ALTER TABLE {t} DROP COLUMN mine"),
        ("DROP INDEX sys_info.ind_jdp_tb_trade_modified", ""),
        ("ALTER TABLE {t} ADD CONSTRAINT no CHECK (status NOT LIKE 'S%') NOT VALID",
         "ALTER TABLE {t} DROP CONSTRAINT no"),
    ],
    ids=["column-renamed", "column-that-must-be-filled", "index-dropped", "constraint-that-refuses-all"],
)  # fmt: skip
async def test_table_is_changed_under_load(run: Run, conn: Connection, break_: str, mend: str) -> None:
    worker = run.worker()
    worker.start()
    run.start_load(seed=19)
    await run.accepted(200)
    await conn.execute(break_.format(t="sys_info.jdp_tb_trade"))
    if mend:
        await run.until("an attempt fails", lambda: worker.metric("cairn_push_errors_total") > 0)
        await conn.execute(mend.format(t="sys_info.jdp_tb_trade"))
    await run.accepted(200)
    await run.judge(refused="CONSTRAINT" in break_)


async def test_two_workers_overlap(run: Run) -> None:
    """A hand-over in which the old one goes on for a while."""
    old = run.worker()
    old.start()
    run.start_load(seed=20)
    await run.accepted(200)
    run.worker().start()
    await run.accepted(300)
    old.stop()
    await run.accepted(200)
    await run.judge()


async def test_worker_is_stopped_and_started_under_load(run: Run) -> None:
    """Paused and resumed: what is accepted meanwhile waits on the bus."""
    worker = run.worker()
    run.start_load(seed=21)
    for _ in range(3):
        worker.start()
        await run.accepted(150)
        assert worker.stop() == 0
        await run.accepted(150)
    worker.start()
    await run.judge()

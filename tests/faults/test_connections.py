# SPDX-License-Identifier: Apache-2.0
"""Connections that break, stall, crawl, or break just when it matters."""

from __future__ import annotations

import pytest

from cairn.sql.postgresql import Connection
from faults.run import Run

WAITS = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = 'COMMIT;'"
    " AND application_name LIKE 'cairn-worker%'"
)


async def seen(conn: Connection, query: str) -> int:
    return int(await conn.fetchval(query))


async def test_commit_whose_answer_is_lost_is_done_again_and_changes_nothing(run: Run, conn: Connection) -> None:
    """COMMIT is written and waits for a standby that never comes; there the connection is cut."""
    worker = run.worker()
    worker.start()
    run.start_load(seed=2)
    await run.accepted(200)
    await conn.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    await conn.execute("SELECT pg_reload_conf()")
    try:
        while not await seen(conn, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"):
            pass
        assert run.database.cut() > 0
        await run.until("the worker notices", lambda: worker.metric("cairn_push_errors_total") > 0)
    finally:
        await conn.execute("ALTER SYSTEM RESET synchronous_standby_names")
        await conn.execute("SELECT pg_reload_conf()")
    await run.accepted(200)
    await run.judge()
    assert worker.metric("cairn_push_stale_rows_total") > 0


@pytest.mark.parametrize("which", ["database", "bus"])
async def test_connection_cut_again_and_again(run: Run, which: str) -> None:
    run.worker().start()
    run.start_load(seed=3)
    for _ in range(5):
        await run.accepted(100)
        getattr(run, which).cut()
    await run.judge()


@pytest.mark.parametrize("which", ["database", "bus"])
async def test_slow_link(run: Run, which: str) -> None:
    """100 ms each way for every piece: what is accepted meanwhile arrives later, and whole."""
    run.worker().start()
    run.start_load(seed=4)
    await run.accepted(100)
    getattr(run, which).delay = 0.1
    await run.accepted(600)
    getattr(run, which).delay = 0.0
    await run.judge()


@pytest.mark.parametrize("which", ["database", "bus"])
async def test_partition_that_nobody_tells_of(run: Run, which: str) -> None:
    """Nothing passes and nothing is closed; then the old connection dies with what was on its way."""
    worker = run.worker()
    worker.start()
    run.start_load(seed=5)
    await run.accepted(200)
    proxy = getattr(run, which)
    proxy.hold()
    await run.accepted(600)
    assert worker.get("/healthz") == 200
    proxy.cut()
    proxy.flow()
    await run.judge()

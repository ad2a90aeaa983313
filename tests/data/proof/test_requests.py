# SPDX-License-Identifier: Apache-2.0
"""What Operations ask of a worker, in the seller's database: done once it says so, whatever cuts the worker off."""

from __future__ import annotations

import json
import signal
from datetime import datetime
from typing import Any

from cairn.sql.postgresql import Connection, Target
from cairn.sql.push.postgresql.engine import PostgreSQLPush
from cairn.sql.push.request import Answer, Request
from data.plane import Plane
from data.proof.platform import Platform, hours_ago, order
from data.proof.test_proof import proven, rows, until

ENGINE = PostgreSQLPush()


async def ask(database: Target, action: str, name: str = "uid", **args: Any) -> None:
    await ENGINE.submit(database, "seller-2088/orders", Request(name, action, args))


async def answered(database: Target, name: str = "uid") -> Answer:
    async def ended() -> Answer | None:
        found = await ENGINE.answer(database, name)
        return found if found and found.state != "open" else None

    found: Answer = await until(f"{name} has ended", ended)
    return found


def moment(local: datetime) -> str:
    return f"{local.isoformat()}+08:00"


async def test_audit_that_is_asked_for_mends_hours_that_are_not_due(
    platform: Platform, plane: Plane, conn: Connection, database: Target
) -> None:
    told = {tid: order(tid, hours_ago(30, seconds=tid)) for tid in range(1, 101)}
    platform.take(told.values(), push=False)
    worker = platform.worker(historyDays=2, maxRowsPerSecond=100_000)
    worker.start()
    await proven(conn, 1, missing=0)
    await conn.execute("DELETE FROM sys_info.jdp_tb_trade WHERE tid <= 20")
    span = {"since": moment(hours_ago(30)), "until": moment(hours_ago(29)), "depth": "light"}
    await ask(database, "audit", "tells", **span, repair=False, datasets=["trades"])
    await ask(database, "audit", "mends", **span, repair=True)
    await ask(database, "audit", "other", **span, repair=True, datasets=["parcels"])
    await ask(database, "audit", "later", **span, repair=True, datasets=["refunds", "trades"])
    begun = json.dumps(["trades", "55501", hours_ago(29).isoformat()])
    await conn.execute(
        "UPDATE sys_info.jdp_request SET counts = '{\"windows\": 7}', reached = $1 WHERE id = 'later'", begun
    )
    left = {"windows": 1, "missing": 20, "stale": 0, "wrong": 0, "repaired": 0}
    assert await answered(database, "tells") == Answer("done", left, "")
    mended = {"windows": 4, "missing": 0, "stale": 0, "wrong": 0, "repaired": 20}
    assert await answered(database, "mends") == Answer("done", mended, "")
    assert await rows(conn) == {tid: payload.decode() for tid, payload in told.items()}
    gone_on = {"windows": 7, "missing": 0, "stale": 0, "wrong": 0, "repaired": 0}
    assert await answered(database, "later") == Answer("done", gone_on, ""), "its hour was done, and refunds before it"
    found = await answered(database, "other")
    assert (found.state, found.message) == (
        "failed", "spec.args.datasets: parcels is not pushed here; items, members, refunds, trades is",
    )  # fmt: skip


async def test_backfill_that_is_asked_for_goes_on_where_a_killed_worker_was_and_beats_nothing_newer(
    platform: Platform, plane: Plane, conn: Connection, database: Target
) -> None:
    told = {tid: order(tid, hours_ago(5, seconds=tid)) for tid in range(1, 2001)}
    platform.take(told.values(), push=False)
    worker = platform.worker(maxRowsPerSecond=1000)
    span = {"since": moment(hours_ago(6)), "until": moment(hours_ago(0))}
    await ask(database, "backfill", **span, datasets=["trades"])
    worker.start()
    reached = "SELECT counts::json->>'rows' FROM sys_info.jdp_request"

    async def begun() -> bool:
        return (await conn.fetchval(reached) or "0") != "0"

    await until("a page stands", begun)
    worker.stop(signal.SIGKILL)
    assert int(await conn.fetchval(reached)) < 2000
    told[1] = order(1, hours_ago(0), status="TRADE_CLOSED")
    platform.take([told[1]])
    worker.start()
    await plane.drained()
    found = await answered(database)
    assert found == Answer("done", {"rows": 2000}, "")
    assert await rows(conn) == {tid: payload.decode() for tid, payload in told.items()}


async def test_request_that_nobody_asks_for_any_more_ends(
    platform: Platform, plane: Plane, conn: Connection, database: Target
) -> None:
    platform.take([order(tid, hours_ago(5, seconds=tid)) for tid in range(1, 101)], push=False)
    worker = platform.worker(maxRowsPerSecond=10)
    await ask(database, "backfill", since=moment(hours_ago(6)), until=moment(hours_ago(0)))
    worker.start()

    async def begun() -> bool:
        return bool(await conn.fetchval("SELECT count(*) FROM sys_info.jdp_tb_trade"))

    await until("a page stands", begun)
    await ENGINE.withdraw(database, "uid")
    await until("the worker says so", lambda: _said(worker.log.read_text()))
    assert (await answered(database)).state == "withdrawn"
    assert await conn.fetchval("SELECT count(*) FROM sys_info.jdp_tb_trade") < 100


async def _said(log: str) -> bool:
    return "withdrawn" in log

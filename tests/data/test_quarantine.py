# SPDX-License-Identifier: Apache-2.0
"""Records of quarantine are tried again or given up as an Operation asks: real processes, bus and database."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from cairn.sql.postgresql import Connection, Target
from cairn.sql.push.postgresql.engine import PostgreSQLPush
from cairn.sql.push.request import Answer, Request
from data.plane import Plane, trade
from data.servers import until

ENGINE = PostgreSQLPush()
WHEN = "2026-11-11 00:00:00"
MANY = 300
LEFT = (
    "SELECT object_key::int, state, reason, resolved_by FROM sys_info.jdp_quarantine WHERE state <> 'retried'"
    " ORDER BY 1"
)


async def ask(database: Target, action: str, name: str, **args: Any) -> None:
    await ENGINE.submit(database, "seller-2088/orders", Request(name, action, args))


async def answered(database: Target, name: str) -> Answer:
    async with asyncio.timeout(45):
        while (found := await ENGINE.answer(database, name)) is None or found.state == "open":  # noqa: ASYNC110 -- another process
            await asyncio.sleep(0.05)
    return found


async def test_records_decoded_wrongly_stand_once_that_is_mended_and_a_worker_killed_meanwhile_changes_nothing(
    plane: Plane, conn: Connection, database: Target
) -> None:
    wrong = plane.worker(shops={"55501": "taobao009"})
    wrong.start()
    await plane.deliver([trade(tid, WHEN, "WAIT") for tid in range(1, MANY + 1)])
    await plane.drained()
    wrong.stop(signal.SIGKILL)
    assert await conn.fetchval("SELECT count(*) FROM sys_info.jdp_quarantine WHERE reason = 'NOT_YOUR_SHOP'") == MANY
    await conn.execute("ALTER TABLE sys_info.jdp_tb_trade ADD CONSTRAINT odd CHECK (tid <> 7)")
    worker = plane.worker()
    await ask(database, "replay", "one", datasets=["trades"])
    worker.start()
    async with asyncio.timeout(45):
        while not await conn.fetchval("SELECT count(*) FROM sys_info.jdp_quarantine WHERE state = 'retried'"):  # noqa: ASYNC110 -- another process
            await asyncio.sleep(0.01)
    worker.stop(signal.SIGKILL)
    found = await ENGINE.answer(database, "one")
    assert found is not None
    assert found.state == "open", "killed in the middle"
    await plane.deliver([trade(5, "2026-11-11 00:00:01", "CLOSED")])
    await ask(database, "replay", "two")
    worker.start()
    counts = {"refused": 1, "written": MANY - 1, "tried": MANY}
    assert await answered(database, "one") == Answer("done", counts, "")
    await plane.drained()
    assert [tuple(row) for row in await conn.fetch(LEFT)] == [(7, "open", "ROW_REFUSED", None)]
    stood = await conn.fetch("SELECT status, count(*) FROM sys_info.jdp_tb_trade GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in stood] == [("CLOSED", 1), ("WAIT", MANY - 2)]
    sequence = await conn.fetchval("SELECT max(jdp_seq) FROM sys_info.jdp_tb_trade")
    assert await answered(database, "two") == Answer("done", {"refused": 1, "written": 0, "tried": 1}, "")
    await ask(database, "discard", "three", reason="ROW_REFUSED", because="a test order")
    assert await answered(database, "three") == Answer("done", {"discarded": 1}, "")
    assert [tuple(row) for row in await conn.fetch(LEFT)] == [(7, "discarded", "ROW_REFUSED", "operation three")]
    assert await conn.fetchval("SELECT max(jdp_seq) FROM sys_info.jdp_tb_trade") == sequence


async def test_replay_takes_those_that_were_chosen_and_fails_where_it_can_not_be_done(
    plane: Plane, conn: Connection, database: Target
) -> None:
    wrong = plane.worker(shops={"55501": "taobao009"})
    wrong.start()
    await plane.deliver([trade(tid, WHEN) for tid in (1, 2, 3)])
    await plane.drained()
    wrong.stop(signal.SIGKILL)
    ids = [row[0] for row in await conn.fetch("SELECT id FROM sys_info.jdp_quarantine ORDER BY object_key")]
    await ask(database, "replay", "none", reason="BAD_JSON")
    await ask(database, "replay", "some", ids=ids[1:])
    await ask(database, "audit", "blind", since="2026-11-11T00:00:00Z", until="2026-11-12T00:00:00Z")
    worker = plane.worker()
    worker.start()
    assert await answered(database, "none") == Answer("done", {"written": 0, "refused": 0, "tried": 0}, "")
    assert await answered(database, "some") == Answer("done", {"refused": 0, "written": 2, "tried": 2}, "")
    assert [tuple(row)[:2] for row in await conn.fetch(LEFT)] == [(1, "open")]
    assert await answered(database, "blind") == Answer("failed", {}, "this worker knows no audit")
    done = {"action": "replay", "state": "done"}
    until("both are counted", lambda: worker.metric("cairn_push_requests_total", **done) == 2)

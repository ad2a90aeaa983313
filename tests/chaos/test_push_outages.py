# SPDX-License-Identifier: Apache-2.0
"""Database and bus that go away, fill up or are changed under the worker's hands."""

from __future__ import annotations

import asyncio
import signal

import pytest

from cairn.bus.admin import ensure_stream
from cairn.bus.connection import api
from cairn.sql.postgresql import Connection, Target, connect
from chaos.test_push_kills import BATCH, check, records, send
from data.plane import CONSUMER, SUBJECTS, Plane, Program, trade
from data.servers import PostgreSQL, until

WHEN = "2026-11-11 00:00:00"


async def refused(program: Program, kind: str) -> None:
    """An attempt has failed with this kind of fault."""
    await asyncio.to_thread(
        until, f"a {kind} fault", lambda: program.metric("cairn_push_errors_total", **{"class": kind}) > 0
    )


async def test_database_restarted_under_load_loses_nothing(
    plane: Plane, database: Target, postgresql: PostgreSQL
) -> None:
    lines, newest = records(seed=11)
    worker = plane.worker()
    worker.start()
    sending = asyncio.create_task(send(plane, lines))
    await asyncio.to_thread(until, "some rows", lambda: worker.metric("cairn_push_applied_rows_total") > 100)
    await asyncio.to_thread(postgresql.stop, signal.SIGQUIT)
    await plane.deliver(lines[-1:])  # the sender may have been done before
    await asyncio.to_thread(until, "the worker notices", lambda: worker.get("/readyz") == 503)
    assert worker.get("/healthz") == 200
    postgresql.start()  # not in a thread: it dies with the thread that started it
    await sending
    await plane.drained(60)
    conn = await connect(database)
    await check(conn, newest)
    await conn.close()
    assert worker.get("/readyz") == 200
    assert worker.metric("cairn_push_quarantined_total") == 0


async def test_bus_killed_and_restarted_has_every_record_that_was_accepted(plane: Plane, conn: Connection) -> None:
    """kill -9 of the bus, three times under load: a 202 is kept, and there is none while it is down."""
    lines, newest = records(seed=12)
    accepted = refusals = 0
    worker = plane.worker()
    worker.start()

    async def sender(part: list[bytes]) -> None:
        nonlocal accepted, refusals
        for start in range(0, len(part), 20):
            batch = part[start : start + 20]
            while (answer := await asyncio.to_thread(plane.send, batch)).status != 202:
                assert answer.status == 503
                assert "Retry-After" in answer.headers
                refusals += 1
                await asyncio.sleep(0.1)
            accepted += len(batch)

    sending = [asyncio.create_task(sender(lines[number::3])) for number in range(3)]
    for count in (200, 500, 900):
        while accepted < count:  # noqa: ASYNC110 -- what is waited for happens on the other side of HTTP
            await asyncio.sleep(0.02)
        plane.bus.server.kill()
        before = refusals
        while refusals < before + 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        plane.bus.server.start()
    await asyncio.gather(*sending)
    await plane.drained(60)
    await check(conn, newest)
    assert refusals >= 6


async def test_gateway_without_a_bus_answers_503_and_recovers(plane: Plane) -> None:
    plane.bus.server.kill()
    answer = await asyncio.to_thread(plane.send, [trade(1, WHEN)])
    assert answer.status == 503
    assert "Retry-After" in answer.headers
    await asyncio.to_thread(until, "not ready", lambda: plane.gateway.get("/readyz") == 503)
    assert plane.gateway.get("/healthz") == 200
    plane.bus.server.start()
    await plane.deliver([trade(1, WHEN)])


async def test_gateway_of_a_full_stream_answers_503_and_never_202(plane: Plane) -> None:
    admin = await plane.bus.connect("admin")
    await ensure_stream(admin, "PUSH", max_bytes=60_000)
    await admin.close()
    statuses = [(await asyncio.to_thread(plane.send, [trade(n, WHEN, pad="x" * 9000)])).status for n in range(1, 12)]
    assert statuses[0] == 202
    assert statuses[-1] == 503
    assert statuses == sorted(statuses)


@pytest.mark.parametrize(
    ("break_", "mend"),
    [
        pytest.param(
            "ALTER TABLE sys_info.jdp_tb_trade RENAME COLUMN status TO state",
            "ALTER TABLE sys_info.jdp_tb_trade RENAME COLUMN state TO status",
            id="column-renamed",
        ),
        pytest.param(
            "DROP VIEW platform.trades; ALTER TABLE sys_info.jdp_tb_trade ALTER COLUMN buyer_nick TYPE varchar(2)",
            "ALTER TABLE sys_info.jdp_tb_trade ALTER COLUMN buyer_nick TYPE varchar(32)",
            id="column-narrowed",
        ),
        pytest.param(
            "ALTER TABLE sys_info.jdp_tb_trade ADD COLUMN mine int NOT NULL",
            "ALTER TABLE sys_info.jdp_tb_trade DROP COLUMN mine",
            id="column-that-must-be-filled",
        ),
        pytest.param(
            "CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$;"
            " CREATE TRIGGER no BEFORE INSERT ON sys_info.jdp_tb_trade FOR EACH ROW EXECUTE FUNCTION public.no()",
            "DROP TRIGGER no ON sys_info.jdp_tb_trade",
            id="trigger-that-raises",
        ),
        pytest.param(
            "REVOKE INSERT ON sys_info.jdp_tb_trade FROM {push}",
            "GRANT INSERT ON sys_info.jdp_tb_trade TO {push}",
            id="right-taken-away",
        ),
    ],
)
async def test_table_that_was_changed_holds_the_lane_and_quarantines_nothing(
    plane: Plane, conn: Connection, break_: str, mend: str
) -> None:
    worker = plane.worker()
    await conn.execute(break_.format(push=plane.push.user))
    worker.start()
    await plane.deliver([trade(n, WHEN) for n in range(1, 200)])
    await refused(worker, "destination")
    assert worker.metric("cairn_push_breaker_state", dataset="trades") == 1
    assert (worker.get("/readyz"), worker.get("/healthz")) == (503, 200)
    assert await conn.fetchval("SELECT count(*) FROM sys_info.jdp_quarantine") == 0
    refund = (
        b'{"refund_get_response":{"refund":{"refund_id":1,"seller_nick":"taobao001","modified":"2026-11-11 00:00:00"}}}'
    )
    assert plane.send([refund], "refunds").status == 202
    await asyncio.to_thread(until, "the other lane runs", lambda: worker.metric("cairn_push_acked_total") == 1)
    await conn.execute(mend.format(push=plane.push.user))
    await plane.drained(60)
    assert await conn.fetchval("SELECT count(*) FROM sys_info.jdp_tb_trade") == 199
    assert await conn.fetchval("SELECT count(*) FROM sys_info.jdp_quarantine") == 0
    assert worker.metric("cairn_push_breaker_state", dataset="trades") == 0


async def test_lock_held_on_the_table_delays_and_loses_nothing(plane: Plane, conn: Connection) -> None:
    worker = plane.worker()
    worker.start()
    async with conn.transaction():
        await conn.execute("LOCK TABLE sys_info.jdp_tb_trade IN SHARE MODE")
        await plane.deliver([trade(n, WHEN) for n in range(1, BATCH)])
        await refused(worker, "transient")
    await plane.drained(60)
    assert await conn.fetchval("SELECT count(*) FROM sys_info.jdp_tb_trade") == BATCH - 1


async def test_password_that_was_changed_holds_the_worker_until_it_is_told(plane: Plane, conn: Connection) -> None:
    worker = plane.worker()
    worker.start()
    await plane.deliver([trade(1, WHEN)])
    await plane.drained()
    await conn.execute(f"ALTER ROLE {plane.push.user} PASSWORD 'another'")
    await conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", plane.push.user)
    await plane.deliver([trade(2, WHEN)])
    await refused(worker, "destination")
    assert await conn.fetchval("SELECT count(*) FROM sys_info.jdp_tb_trade") == 1
    (plane.home / "password").write_text("another\n")
    await plane.drained(60)
    assert await conn.fetchval("SELECT count(*) FROM sys_info.jdp_tb_trade") == 2


async def test_stream_made_anew_goes_on_with_newer_versions(plane: Plane, conn: Connection) -> None:
    """Positions begin at one again: a record of the same second must still win over the one before."""
    worker = plane.worker()
    worker.start()
    for number in range(5):
        await plane.deliver([trade(1, WHEN, f"OLD_{number}")])
    await plane.drained()
    await asyncio.sleep(1.1)  # the epoch has whole seconds
    admin = await plane.bus.connect("admin")
    await api(admin, "STREAM.DELETE.PUSH")
    await admin.close()
    await plane.bus.prepare((CONSUMER, SUBJECTS))
    await plane.deliver([trade(1, WHEN, "NEW")])
    await plane.drained(60)
    assert await conn.fetchval("SELECT status FROM sys_info.jdp_tb_trade") == "NEW"
    assert worker.get("/readyz") == 200

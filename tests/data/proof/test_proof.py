# SPDX-License-Identifier: Apache-2.0
"""A worker against a platform that knows better: what is missing, old or changed is found, named and mended."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from cairn.api.pushsubscription import PushSubscriptionStatus
from cairn.sql.postgresql import Connection
from cairn.sql.push.postgresql.proof import proof_facts
from data.plane import Plane
from data.proof.platform import Platform, hours_ago, order

BOOK = "SELECT * FROM sys_info.jdp_audit WHERE table_name = 'jdp_tb_trade' AND sent > 0 ORDER BY window_start"


async def until(what: str, check: Callable[[], Awaitable[Any]], seconds: float = 45) -> Any:
    async with asyncio.timeout(seconds):
        while not (found := await check()):  # noqa: ASYNC110 -- the database has no event of ours
            await asyncio.sleep(0.05)
    assert found, what
    return found


async def rows(conn: Connection) -> dict[int, str]:
    return {row[0]: row[1] for row in await conn.fetch("SELECT tid, jdp_response FROM sys_info.jdp_tb_trade")}


async def book(conn: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in await conn.fetch(BOOK)]


async def proven(conn: Connection, hours: int, **wanted: int) -> list[dict[str, Any]]:
    """The book, once it says of so many hours with records that what was sent stands, and the rest over all of them."""

    async def check() -> list[dict[str, Any]]:
        found = await book(conn)
        clean = all(one["sent"] == one["stood"] for one in found)
        totals = all(sum(one[name] for one in found) == value for name, value in wanted.items())
        return found if len(found) == hours and clean and totals else []

    return list(await until(f"proven: {wanted}", check))


async def test_history_is_brought_in_and_proven(platform: Platform, plane: Plane, conn: Connection) -> None:
    told = {tid: order(tid, hours_ago(3, seconds=tid)) for tid in range(1, 1201)}
    told |= {tid: order(tid, hours_ago(30, seconds=tid)) for tid in range(2001, 2101)}
    platform.take(told.values(), push=False)
    platform.take([order(9, hours_ago(24 * 40))], push=False)
    platform.worker(historyDays=2, maxRowsPerSecond=100_000).start()
    found = await proven(conn, 2, missing=0, stale=0, wrong=0)
    assert [one["sent"] for one in found] == [100, 1200]
    assert await rows(conn) == {tid: payload.decode() for tid, payload in told.items()}, "older than asked stays away"
    plane.programs[-1].ready()
    said = PushSubscriptionStatus.model_validate(await proof_facts(conn, ["jdp_tb_trade"], ["55501"]))
    assert said.proof is not None
    assert said.history is not None
    assert (said.proof.total.sent, said.proof.total.stood, said.proof.total.missing) == (1300, 1300, 0)
    assert sum(day.sent for day in said.proof.days) == 1300
    assert [hour.sent for hour in said.proof.hours if hour.sent] == [1200]
    assert (said.history.records, said.history.complete) == (1300, True)


async def test_lost_stale_and_changed_rows_are_mended_by_the_same_path(
    platform: Platform, plane: Plane, conn: Connection
) -> None:
    first = {tid: order(tid, hours_ago(4, seconds=tid)) for tid in range(1, 301)}
    platform.take(first.values(), push=False)
    worker = platform.worker(historyDays=1, maxRowsPerSecond=100_000)
    worker.start()
    await proven(conn, 1, missing=0)
    worker.stop(signal.SIGKILL)
    sequence = await conn.fetchval("SELECT max(jdp_seq) FROM sys_info.jdp_tb_trade")
    await conn.execute("DELETE FROM sys_info.jdp_tb_trade WHERE tid <= 20")
    await conn.execute("UPDATE sys_info.jdp_tb_trade SET jdp_response = '{}' WHERE tid = 30")
    later = order(31, hours_ago(2), status="TRADE_CLOSED")
    same_second = order(32, hours_ago(4, seconds=32), status="TRADE_CLOSED")
    platform.take([later, same_second], push=False)
    await conn.execute("DELETE FROM sys_info.jdp_audit")
    worker.start()
    await proven(conn, 2, missing=0, stale=0, wrong=0, repaired=23)
    wanted = first | {31: later, 32: same_second}
    assert await rows(conn) == {tid: payload.decode() for tid, payload in wanted.items()}
    told = {row[0] for row in await conn.fetch("SELECT tid FROM sys_info.jdp_tb_trade WHERE jdp_seq > $1", sequence)}
    assert told == {*range(1, 21), 30, 31, 32}, (
        "whoever follows jdp_seq is told of what was mended, and of nothing else"
    )


async def test_differences_are_told_and_not_mended_where_repair_is_off(
    platform: Platform, plane: Plane, conn: Connection
) -> None:
    platform.take([order(tid, hours_ago(4, seconds=tid)) for tid in range(1, 11)], push=False)
    worker = platform.worker(historyDays=1, repair=False)
    worker.start()
    await proven(conn, 1, missing=0)
    worker.stop(signal.SIGKILL)
    await conn.execute("DELETE FROM sys_info.jdp_tb_trade WHERE tid <= 2")
    await conn.execute("DELETE FROM sys_info.jdp_audit")
    worker.start()

    async def told() -> bool:
        return [(one["sent"], one["stood"], one["missing"]) for one in await book(conn)] == [(10, 8, 2)]

    await until("two are missing", told)
    assert len(await rows(conn)) == 8
    missing = {"what": "missing", "dataset": "trades"}

    async def measured() -> bool:
        return await asyncio.to_thread(worker.metric, "cairn_push_audit_rows", **missing) == 2

    await until("the metric says so", measured)
    assert await asyncio.to_thread(worker.metric, "cairn_level_lost_records", dataset="trades") == 2
    assert await asyncio.to_thread(worker.metric, "cairn_level_wrong_records") == 0
    assert await asyncio.to_thread(worker.metric, "cairn_level_unreachable") == 0
    assert await asyncio.to_thread(worker.metric, "cairn_level_late_seconds", dataset="trades") < 30


async def test_worker_killed_in_the_middle_of_the_history_goes_on_where_it_was(
    platform: Platform, plane: Plane, conn: Connection
) -> None:
    platform.take([order(tid, hours_ago(5, seconds=tid)) for tid in range(1, 2001)], push=False)
    worker = platform.worker(historyDays=1, maxRowsPerSecond=1000)
    worker.start()

    async def begun() -> bool:
        return bool(await conn.fetchval("SELECT records FROM sys_info.jdp_backfill WHERE table_name = 'jdp_tb_trade'"))

    await until("a page stands", begun)
    worker.stop(signal.SIGKILL)
    before = await conn.fetchrow("SELECT * FROM sys_info.jdp_backfill WHERE table_name = 'jdp_tb_trade'")
    assert before is not None
    assert before["done_at"] is None
    live = order(1, hours_ago(0), status="TRADE_CLOSED")
    platform.take([live])
    worker.start()
    await proven(conn, 1, missing=0)
    after = await conn.fetchrow("SELECT * FROM sys_info.jdp_backfill WHERE table_name = 'jdp_tb_trade'")
    assert after is not None
    assert after["until"] == before["until"], "the end of the history does not move when the worker does"
    assert 2000 <= after["records"] <= 2500, "at most one page was read again"
    assert (await rows(conn))[1] == live.decode(), "what was pushed meanwhile stands"


async def test_history_never_beats_what_was_pushed_in_the_same_second(
    platform: Platform, plane: Plane, conn: Connection
) -> None:
    moment = hours_ago(3)
    platform.take([order(1, moment, status="FETCHED")], push=False)
    await plane.deliver([order(1, moment, status="PUSHED")])
    platform.worker(historyDays=1, repair=False).start()
    brought_in = "SELECT records FROM sys_info.jdp_backfill WHERE table_name = 'jdp_tb_trade' AND done_at IS NOT NULL"
    await until("the history is in", lambda: conn.fetchval(brought_in))
    await plane.drained()
    assert await conn.fetchval("SELECT status FROM sys_info.jdp_tb_trade") == "PUSHED"


async def test_expired_authorisation_stops_asking_and_not_what_is_pushed(
    platform: Platform, plane: Plane, conn: Connection
) -> None:
    platform.authorize(granted=False)
    worker = platform.worker(historyDays=1)
    worker.start()

    async def refused() -> bool:
        return await asyncio.to_thread(worker.metric, "cairn_push_authorized") == 0

    await until("it is refused", refused)
    await plane.deliver([order(1, hours_ago(0))])

    async def stands() -> bool:
        return bool(await rows(conn))

    await until("the order stands", stands)
    assert await book(conn) == []
    worker.ready()
    assert await asyncio.to_thread(worker.metric, "cairn_level_unreachable", what="source") == 1


async def test_a_bad_record_of_the_history_is_quarantined_once_and_no_difference(
    platform: Platform, plane: Plane, conn: Connection
) -> None:
    bad = order(7, hours_ago(5), status="a\0b")
    platform.take([order(6, hours_ago(5)), bad, order(8, hours_ago(5))], push=False)
    platform.worker(historyDays=1).start()

    async def told() -> bool:
        return [(one["sent"], one["stood"], one["missing"], one["quarantined"]) for one in await book(conn)] == [
            (3, 2, 0, 1)
        ]

    await until("one is in quarantine", told)
    kept = await conn.fetch("SELECT object_key, reason, payload FROM sys_info.jdp_quarantine")
    assert [tuple(one) for one in kept] == [("7", "NUL_IN_TEXT", bad)]

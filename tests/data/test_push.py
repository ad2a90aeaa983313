# SPDX-License-Identifier: Apache-2.0
"""From HTTP to a row, with real processes, bus and database."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from datetime import datetime

from cairn.bus.admin import MAX_ACK_PENDING, ensure_consumer
from cairn.bus.pack import Pack
from cairn.bus.publish import publish
from cairn.datasets import shipped
from cairn.gateway.check import checker
from cairn.sql.postgresql import Connection
from data.plane import CONSUMER, SHOPS, SUBJECTS, Plane, trade
from data.servers import until


async def test_order_sent_to_the_gateway_becomes_a_row_and_is_shown_by_the_view(plane: Plane, conn: Connection) -> None:
    worker = plane.worker()
    worker.start()
    line = trade(1, "2026-11-11 00:00:01", title="热水袋 😀", pay_time="2026-11-11 00:00:01")
    refund = {
        "refund_id": "7",
        "tid": 1,
        "oid": 2,
        "seller_nick": "taobao001",
        "modified": "2026-11-12 00:00:00",
        "created": "2026-11-12 00:00:00",
        "refund_fee": "1.00",
        "status": "SUCCESS",
    }
    await plane.deliver([line])
    answer = plane.send([json.dumps({"refund_get_response": {"refund": refund}}).encode()], "refunds")
    assert answer.status == 202
    await plane.drained()
    row = await conn.fetchrow("SELECT * FROM sys_info.jdp_tb_trade")
    assert row is not None
    assert row["jdp_response"].encode() == line
    assert (row["tid"], row["status"], row["seller_nick"]) == (1, "TRADE_FINISHED", "taobao001")
    assert row["modified"] == datetime(2026, 11, 11, 0, 0, 1)  # noqa: DTZ001
    assert row["jdp_seq"] == 1
    shown = await conn.fetchrow("SELECT shop_id, title, payment::text FROM platform.trades")
    assert shown is not None
    assert tuple(shown) == ("55501", "热水袋 😀", "12.30")
    assert await conn.fetchval("SELECT refund_fee::text FROM platform.refunds WHERE refund_id = 7") == "1.00"
    assert worker.metric("cairn_push_applied_rows_total", op="insert") == 2
    assert worker.metric("cairn_push_end_to_end_seconds_count") == 2
    assert worker.metric("cairn_push_acked_total") == 2


async def test_versions_in_any_order_and_number_leave_the_newest(plane: Plane, conn: Connection) -> None:
    plane.worker().start()
    lines = [trade(tid, f"2026-11-11 00:00:{second:02d}") for tid in range(1, 41) for second in range(8)]
    sent = lines * 3
    random.Random(7).shuffle(sent)
    for start in range(0, len(sent), 50):
        await plane.deliver(sent[start : start + 50])
    await plane.drained()
    rows = await conn.fetch("SELECT tid, modified, jdp_response FROM sys_info.jdp_tb_trade ORDER BY tid")
    assert [row["tid"] for row in rows] == list(range(1, 41))
    assert all(row["jdp_response"].encode() == lines[(row["tid"] - 1) * 8 + 7] for row in rows)


async def test_of_one_second_the_record_that_arrived_last_stands(plane: Plane, conn: Connection) -> None:
    plane.worker().start()
    same = [trade(5, "2026-11-11 00:00:00", f"STATUS_{number}") for number in range(9)]
    await plane.deliver(same[:4])
    for line in same[4:]:
        await plane.deliver([line])
    await plane.drained()
    assert await conn.fetchval("SELECT status FROM sys_info.jdp_tb_trade") == "STATUS_8"


async def test_of_one_second_the_record_that_arrived_last_stands_also_when_it_was_there_before(
    plane: Plane, conn: Connection
) -> None:
    """To and fro within a second: the bus must not take the third for a repetition of the first."""
    plane.worker().start()
    for status in ("OPEN", "HELD", "OPEN"):
        await plane.deliver([trade(5, "2026-11-11 00:00:00", status)])
    await plane.drained()
    assert await conn.fetchval("SELECT status FROM sys_info.jdp_tb_trade") == "OPEN"


async def test_poison_ends_in_quarantine_with_its_reason_and_holds_up_nothing(plane: Plane, conn: Connection) -> None:
    worker = plane.worker()
    worker.start()
    when = "2026-11-11 00:00:00"
    poison = {
        "NOT_YOUR_SHOP": trade(1, when, seller_nick="somebody-else"),
        "NUL_IN_TEXT": trade(2, when, buyer_nick="a\0b"),
        "BAD_VALUE": trade(3, when, created="0000-00-00 00:00:00"),
        "BAD_ENVELOPE": trade(4, when, status=7),
    }
    await plane.deliver([trade(10, when), *poison.values(), trade(11, when)])
    await plane.drained()
    rows = await conn.fetch("SELECT * FROM sys_info.jdp_quarantine ORDER BY id")
    assert {row["reason"]: bytes(row["payload"]) for row in rows} == poison
    assert [row["object_key"] for row in rows] == ["1", "2", "3", "4"]
    assert await conn.fetchval("SELECT array_agg(tid ORDER BY tid) FROM sys_info.jdp_tb_trade") == [10, 11]
    assert worker.metric("cairn_push_quarantined_total") == 4


async def test_too_long_a_value_is_cut_in_its_column_and_whole_in_the_response(plane: Plane, conn: Connection) -> None:
    worker = plane.worker()
    worker.start()
    line = trade(1, "2026-11-11 00:00:00", buyer_nick="长" * 40)
    await plane.deliver([line])
    await plane.drained()
    row = await conn.fetchrow("SELECT buyer_nick, jdp_response FROM sys_info.jdp_tb_trade")
    assert row is not None
    assert row["buyer_nick"] == "长" * 32
    assert row["jdp_response"].encode() == line
    assert worker.metric("cairn_push_truncated_columns_total") == 1


async def test_worker_that_is_stopped_has_acknowledged_all_it_wrote(plane: Plane, conn: Connection) -> None:
    worker = plane.worker()
    worker.start()
    for start in range(0, 4000, 500):
        await plane.deliver([trade(start + n + 1, "2026-11-11 00:00:00") for n in range(500)])
    assert await asyncio.to_thread(worker.stop) == 0
    written = await conn.fetchval("SELECT count(*) FROM sys_info.jdp_tb_trade")
    seqs = await conn.fetch("SELECT tid, jdp_seq FROM sys_info.jdp_tb_trade")
    again = plane.worker()
    again.start()
    await plane.drained()
    assert await conn.fetchval("SELECT count(*) FROM sys_info.jdp_tb_trade") == 4000
    assert again.metric("cairn_push_applied_rows_total") == 4000 - written
    assert again.metric("cairn_push_stale_rows_total") == 0
    assert set(seqs) <= set(await conn.fetch("SELECT tid, jdp_seq FROM sys_info.jdp_tb_trade"))


async def publish_to(plane: Plane, subject: str, lines: Sequence[bytes]) -> None:
    """One message a line, as a gateway publishes them."""
    client = await plane.bus.connect("gateway")
    check = checker(shipped()["trades"])
    for line in lines:
        await publish(client, "PUSH", Pack(subject, time.time_ns() // 1000, check(line)[0]))
    await client.close()


async def narrow_or_widen(plane: Plane, *subjects: str) -> None:
    admin = await plane.bus.connect("admin")
    await ensure_consumer(admin, "PUSH", CONSUMER, subjects)
    await admin.close()


async def test_records_of_a_shop_that_is_added_wait_for_the_worker_that_knows_it(
    plane: Plane, conn: Connection
) -> None:
    """The consumer is widened while the old worker still runs: the shop is the seller's, its records are no poison."""
    second = "push.2088.55502.trades"
    old = plane.worker()
    old.start()
    await plane.deliver([trade(1, "2026-11-11 00:00:00")])
    await publish_to(plane, second, [trade(7, "2026-11-11 00:00:00", seller_nick="taobao002")])
    await narrow_or_widen(plane, *SUBJECTS, second)
    await asyncio.to_thread(until, "it is seen", lambda: second in old.log.read_text())
    await asyncio.to_thread(old.stop)
    assert await conn.fetchval("SELECT count(*) FROM sys_info.jdp_quarantine") == 0
    new = plane.worker(shops=SHOPS | {"55502": "taobao002"})
    new.start()
    await plane.drained()
    assert await conn.fetchval("SELECT array_agg(tid ORDER BY tid) FROM sys_info.jdp_tb_trade") == [1, 7]
    assert await conn.fetchval("SELECT count(*) FROM sys_info.jdp_quarantine") == 0


async def test_records_of_a_shop_that_was_taken_away_hold_up_no_other(plane: Plane, conn: Connection) -> None:
    """More of them than the bus delivers unacknowledged, seen by the new worker before the consumer was narrowed."""
    other = "push.2088.55502.trades"
    await narrow_or_widen(plane, *SUBJECTS, other)
    when = "2026-11-11 00:00:00"
    await publish_to(plane, other, [trade(n, when, seller_nick="taobao002") for n in range(1, MAX_ACK_PENDING + 50)])
    worker = plane.worker()
    worker.start()
    await asyncio.to_thread(until, "they are seen", lambda: other in worker.log.read_text())
    await narrow_or_widen(plane, *SUBJECTS)
    await plane.deliver([trade(1, when)])
    await plane.drained(30)
    assert await conn.fetchval("SELECT array_agg(tid) FROM sys_info.jdp_tb_trade") == [1]
    assert await conn.fetchval("SELECT count(*) FROM sys_info.jdp_quarantine") == 0

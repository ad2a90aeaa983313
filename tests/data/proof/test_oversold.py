# SPDX-License-Identifier: Apache-2.0
"""What is sold above stock: the platform's figure, the one from the seller's database, and the worker's level."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime

from cairn.datasets import shipped
from cairn.platform_sim.play import Play
from cairn.sql.postgresql import Connection
from cairn.sql.push.postgresql.oversold import oversold
from data.plane import CONSUMER, SUBJECTS, Plane
from data.proof.platform import Platform
from data.proof.test_proof import rows, until

ORDERS, ITEMS, STOCK = 300, 6, 40


def independent(orders: int) -> int:
    """By hand, from what is played."""
    play = Play(orders, "taobao001", datetime(2026, 11, 11), items=ITEMS, stock=STOCK)  # noqa: DTZ001 -- a wall clock
    sold = [0] * (ITEMS + 1)
    for order in range(1, orders + 1):
        (line,) = json.loads(play.payload(order, 3))["trade_fullinfo_get_response"]["trade"]["orders"]["order"]
        sold[line["num_iid"]] += 1
    return sum(max(0, units - STOCK) for units in sold)


async def test_oversold_is_told_by_the_worker_as_the_platform_has_it(
    platform: Platform, plane: Plane, conn: Connection
) -> None:
    await plane.bus.prepare((CONSUMER, (*SUBJECTS, "push.2088.55501.items")))
    platform.play(ORDERS, withhold=0, items=ITEMS, stock=STOCK)
    worker = platform.worker()
    worker.start()

    async def all_stand() -> bool:
        items = await conn.fetchval("SELECT count(*) FROM sys_info.jdp_tb_item")
        return len(await rows(conn)) == ORDERS and items == ITEMS

    await until("orders and items stand", all_stand)
    await plane.drained(seconds=30)
    worker.stop()
    worker.start()
    wanted = independent(ORDERS)
    assert wanted > ORDERS // 10

    async def told() -> bool:
        return await asyncio.to_thread(worker.metric, "cairn_level_oversold_units", shop="55501") == wanted

    await until("the worker says so", told)
    report = await asyncio.to_thread(platform.report)
    assert report == {
        "orders": ORDERS, "items": ITEMS, "sold": ORDERS, "oversold": wanted, "oversoldInDatabase": wanted,
    }  # fmt: skip


async def test_only_open_orders_since_the_stock_was_told_count(plane: Plane, conn: Connection) -> None:
    async def store(tid: int, status: str, created: str, line: object) -> None:
        trade = {"tid": tid, "status": status, "created": created, "orders": {"order": line}}
        await conn.execute(
            "INSERT INTO sys_info.jdp_tb_trade (tid, status, seller_nick, created, jdp_response)"
            " VALUES ($1, $2, 'taobao001', $3, $4)",
            tid, status, datetime.fromisoformat(created), json.dumps({"trade_fullinfo_get_response": {"trade": trade}}),
        )  # fmt: skip

    async def stock(item: int, told: str, num: object, deleted: int = 0) -> None:
        record = {"item_get_response": {"item": {"num_iid": item, "num": num}}}
        await conn.execute(
            "INSERT INTO sys_info.jdp_tb_item (num_iid, nick, modified, jdp_delete, jdp_response)"
            " VALUES ($1, 'taobao001', $2, $3, $4)",
            item, datetime.fromisoformat(told), deleted, json.dumps(record),
        )  # fmt: skip

    async def count() -> int:
        return await oversold(conn, shipped()["trades"], shipped()["items"], "taobao001")

    assert await count() == 0, "nothing stands"
    await stock(1, "2026-11-11 00:00:00", 2)
    await stock(2, "2026-11-11 00:00:00", "many")
    await stock(3, "2026-11-11 00:00:00", 0, deleted=1)
    await store(1, "WAIT_BUYER_PAY", "2026-11-10 23:59:59", [{"num_iid": 1, "num": 9}])
    await store(2, "TRADE_CLOSED", "2026-11-11 00:00:00", [{"num_iid": 1, "num": 9}])
    await store(3, "TRADE_FINISHED", "2026-11-11 00:00:00", [{"num_iid": 1, "num": 2}, {"num_iid": 2, "num": 5}])
    await store(4, "TRADE_FINISHED", "2026-11-11 00:00:00", [{"num_iid": 3, "num": 5}, {"num_iid": "x", "num": None}])
    await store(5, "TRADE_FINISHED", "2026-11-11 00:00:00", "nothing")
    assert await count() == 0
    await store(6, "WAIT_SELLER_SEND_GOODS", "2026-11-11 08:00:00", [{"num_iid": 1, "num": 3}])
    assert await count() == 3
    told = datetime.fromisoformat("2026-11-11 09:00:00")
    await conn.execute("UPDATE sys_info.jdp_tb_item SET modified = $1 WHERE num_iid = 1", told)
    assert await count() == 0, "what the newer record has left is after these orders"


async def test_orders_are_read_once_however_many_items_there_are(plane: Plane, conn: Connection) -> None:
    """The planner knows nothing of new tables; it once read every order anew for each item."""
    await conn.execute("SET statement_timeout = '3s'")
    await conn.execute(
        "INSERT INTO sys_info.jdp_tb_item (num_iid, nick, modified, jdp_delete, jdp_response)"
        " SELECT g, 'taobao001', '2026-11-11', 0, '{\"item_get_response\": {\"item\": {\"num\": 5}}}'"
        " FROM generate_series(1, 500) g"
    )
    line = '{"num_iid": %s, "num": 1}'
    record = f'{{"trade_fullinfo_get_response": {{"trade": {{"orders": {{"order": [{line}]}}}}}}}}'
    await conn.execute(
        "INSERT INTO sys_info.jdp_tb_trade (tid, status, seller_nick, created, jdp_response)"
        f" SELECT g, 'TRADE_FINISHED', 'taobao001', '2026-11-11', format('{record}', 1 + g % 500)"
        " FROM generate_series(1, 5000) g"
    )
    assert await oversold(conn, shipped()["trades"], shipped()["items"], "taobao001") == 5000 - 500 * 5

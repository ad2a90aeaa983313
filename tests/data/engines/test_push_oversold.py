# SPDX-License-Identifier: Apache-2.0
"""Units sold above stock, as each MySQL and MariaDB counts them from pushed tables."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

import pytest_asyncio

from cairn.datasets import shipped
from cairn.sql.push.engine import Asked
from cairn.sql.push.mysql.engine import MySQLPush
from cairn.sql.push.mysql.ledger import Ledger
from cairn.sql.share.mysql.connection import Session
from data.engines.pushed import pushed
from data.engines.servers import MySQL

TRADES, ITEMS = shipped()["trades"], shipped()["items"]
NICK, DAY = "taobao001", "2026-11-11 00:00:00"


@pytest_asyncio.fixture
async def session(mysql: MySQL) -> AsyncIterator[Session]:
    async with pushed(mysql, Asked("sys_info", (TRADES, ITEMS), {"1": NICK}, "push1", "secret")) as session:
        yield session


@pytest_asyncio.fixture
async def ledger(mysql: MySQL, session: Session) -> AsyncIterator[Ledger]:
    login = replace(mysql.admin, user="push1", password="secret")
    ledger = MySQLPush().ledger(lambda: login, "test")
    yield ledger
    await ledger.close()


async def store(session: Session, tid: int, status: str | None, created: str, record: object) -> None:
    await session.execute(
        "INSERT INTO sys_info.jdp_tb_trade (tid, status, seller_nick, created, jdp_response)"
        " VALUES (%s, %s, %s, %s, %s)",
        (tid, status, NICK, created, record if isinstance(record, str) else json.dumps(record)),
    )


def order(line: object) -> object:
    return {"trade_fullinfo_get_response": {"trade": {"orders": {"order": line}}}}


async def stock(session: Session, item: int, num: object, deleted: int = 0) -> None:
    await session.execute(
        "INSERT INTO sys_info.jdp_tb_item (num_iid, nick, modified, jdp_delete, jdp_response)"
        " VALUES (%s, %s, %s, %s, %s)",
        (item, NICK, DAY, deleted, json.dumps({"item_get_response": {"item": {"num": num}}})),
    )


async def test_only_open_orders_since_the_stock_was_told_count(session: Session, ledger: Ledger) -> None:
    async def count() -> int | None:
        return await ledger.oversold(TRADES, ITEMS, NICK)

    assert await count() == 0, "nothing stands"
    await stock(session, 1, 2)
    await stock(session, 2, "many")
    await stock(session, 3, 0, deleted=1)
    await stock(session, 4, 9)
    assert await count() == 0, "nothing is sold"
    await store(session, 1, "WAIT_BUYER_PAY", "2026-11-10 23:59:59", order([{"num_iid": 1, "num": 9}]))
    await store(session, 2, "TRADE_CLOSED", DAY, order([{"num_iid": 1, "num": 9}]))
    await store(session, 3, "TRADE_FINISHED", DAY, order([{"num_iid": 1, "num": 2}, {"num_iid": 2, "num": 5}]))
    await store(session, 4, "TRADE_FINISHED", DAY, order([{"num_iid": 3, "num": 5}, {"num_iid": "x", "num": None}]))
    for tid, line in enumerate(("nothing", {"num_iid": 1, "num": 9}, None, 7, [[1], "1", None, {"num_iid": [1]}]), 5):
        await store(session, tid, "TRADE_FINISHED", DAY, order(line))
    await store(session, 20, "TRADE_FINISHED", DAY, '{"trade_fullinfo_get_response": {"tr')
    await store(session, 21, "TRADE_FINISHED", DAY, order([{"num_iid": 1, "num": "-4"}, {"num_iid": 1, "num": 1.5}]))
    assert await count() == 0
    await store(session, 30, None, "2026-11-11 08:00:00", order([{"num_iid": "1", "num": "3"}]))
    assert await count() == 3
    told = datetime.fromisoformat("2026-11-11 09:00:00")
    await session.execute("UPDATE sys_info.jdp_tb_item SET modified = %s WHERE num_iid = 1", (told,))
    assert await count() == 0, "what the newer record has left is after these orders"


async def test_units_of_many_items_and_orders_are_summed_up(session: Session, ledger: Ledger) -> None:
    for item in range(1, 501):
        await stock(session, item, 5)
    rows = ", ".join(
        f"({tid}, 'TRADE_FINISHED', '{NICK}', '{DAY}', '{json.dumps(order([{'num_iid': 1 + tid % 500, 'num': 1}]))}')"
        for tid in range(1, 5001)
    )
    await session.execute(
        f"INSERT INTO sys_info.jdp_tb_trade (tid, status, seller_nick, created, jdp_response) VALUES {rows}"
    )
    assert await ledger.oversold(TRADES, ITEMS, NICK) == 5000 - 500 * 5

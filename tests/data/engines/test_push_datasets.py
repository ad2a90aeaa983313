# SPDX-License-Identifier: Apache-2.0
"""Datasets that a platform declared, and the delete flag of items, on each MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest_asyncio

from cairn.sql.push.engine import Asked
from cairn.sql.push.mysql.engine import MySQLPush
from cairn.sql.share.mysql.connection import Session
from data.declared import KNOWN, SHOPS, row
from data.engines.pushed import pushed
from data.engines.servers import MySQL

ASKED = Asked("sys_info", tuple(KNOWN.values()), SHOPS, "push3", "worker-password")


@pytest_asyncio.fixture
async def session(mysql: MySQL) -> AsyncIterator[Session]:
    async with pushed(mysql, ASKED) as session:
        yield session


async def test_declared_datasets_stand_and_are_read_by_their_views(mysql: MySQL, session: Session) -> None:
    found = await MySQLPush().look(mysql.admin, ASKED)
    assert (found.missing, found.drift) == ((), ())
    login = replace(mysql.admin, user=ASKED.login, password=ASKED.password)
    items, payments = KNOWN["items"], KNOWN["payments"]
    writer = MySQLPush().writer(lambda: login, payments, "test")
    await writer.write([row(payments, 7, 1, 1, tid=99, amount="12.30", payer={"account": "b@example.com"})], [])
    await writer.close()
    shown = await session.fetch("SELECT payment_id, tid, shop_id, amount, payer FROM platform.payments")
    assert [tuple(one) for one in shown] == [(7, 99, "55501", Decimal("12.30"), "b@example.com")]
    writer = MySQLPush().writer(lambda: login, items, "test")
    versions: list[tuple[int, dict[str, Any]]] = [(1, {}), (3, {"jdp_delete": 1}), (2, {"title": "late"})]
    for position, (second, members) in enumerate(versions, 1):
        await writer.write([row(items, 5, second, position, **members)], [])
    await writer.close()
    shown = await session.fetch("SELECT num_iid, jdp_delete, title FROM platform.items")
    assert [tuple(one) for one in shown] == [(5, 1, None)]

# SPDX-License-Identifier: Apache-2.0
"""From HTTP to a row of MariaDB, and each hour held against the platform: real processes, bus and server."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from cairn.datasets import shipped
from cairn.sql.push.engine import Asked
from cairn.sql.share.mysql.connection import Session
from cairn_devcluster import databases
from data.bus import Bus
from data.engines.pushed import pushed
from data.engines.servers import MySQL
from data.fixtures import bus
from data.plane import CONSUMER, SHOPS, SUBJECTS, Plane
from data.proof.platform import Platform, hours_ago, order
from data.servers import scratch

__all__ = ["bus"]
ASKED = Asked("sys_info", tuple(shipped().values()), SHOPS, "push2", "worker-password")


@pytest_asyncio.fixture
async def session(mysql: MySQL) -> AsyncIterator[Session]:
    async with pushed(mysql, ASKED) as session:
        yield session


@pytest_asyncio.fixture
async def plane(bus: Bus, mysql: MySQL, session: Session) -> AsyncIterator[Plane]:
    await bus.prepare((CONSUMER, SUBJECTS))
    home = scratch("plane")
    login = replace(mysql.admin, user=ASKED.login, password=ASKED.password, database="sys_info")
    plane = Plane(mysql.admin, login, home, "mysql", bus=bus)
    try:
        plane.gateway.start()
        plane.gateway.ready()
        yield plane
    finally:
        plane.close()
        shutil.rmtree(home, ignore_errors=True)


@pytest.mark.parametrize("mysql", [pytest.param(databases.MARIADB_TRIXIE, id="mariadb")], indirect=True)
async def test_pushed_and_lost_records_stand_and_are_proven(plane: Plane, session: Session) -> None:
    platform = Platform(plane)
    platform.start()
    told = {tid: order(tid, hours_ago(3, seconds=tid), title="热水袋 😀") for tid in range(1, 301)}
    platform.take([told[tid] for tid in range(1, 201)])
    platform.take([told[tid] for tid in range(201, 301)], push=False)
    worker = platform.worker(historyDays=1)
    worker.start()
    async with asyncio.timeout(60):
        while True:
            book = await session.fetch(
                "SELECT sent, stood, missing + stale + wrong, repaired, deep FROM sys_info.jdp_audit WHERE sent > 0"
            )
            if book and book[0][2] == 0 and book[0][0] == book[0][1]:
                break
            await asyncio.sleep(0.1)
    rows: dict[int, str] = dict(await session.fetch("SELECT tid, jdp_response FROM sys_info.jdp_tb_trade"))
    assert {tid: text.encode() for tid, text in rows.items()} == told
    assert len(book) == 1
    assert book[0][:3] == (300, 300, 0)
    shown = await session.fetch("SELECT shop_id, title, payment FROM platform.trades WHERE tid = 7")
    assert [(shop, title, float(paid)) for shop, title, paid in shown] == [("55501", "热水袋 😀", 12.3)]
    assert worker.stop() == 0

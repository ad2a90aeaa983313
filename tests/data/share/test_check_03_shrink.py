# SPDX-License-Identifier: Apache-2.0
"""A column less in one grant takes away that column, and nobody else notices."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from cairn.sql.postgresql import Connection
from cairn.sql.share.names import shares
from data.share.designs import design, trade_view
from data.share.seller import Seller

MORE = (("tid", "plain"), ("receiver_mobile", "partial"), ("title", "plain"))
LESS = (("tid", "plain"), ("title", "plain"))


async def probe(app: Connection, sql: str, stop: asyncio.Event) -> int:
    """How often another app was answered meanwhile; it raises where once it was not."""
    answered = 0
    while not stop.is_set():
        assert await app.fetchval(sql) == 3
        answered += 1
        await asyncio.sleep(0.01)
    return answered


async def test_check_03_shrink_takes_one_column_and_disturbs_no_other_session(seller: Seller) -> None:
    whole = design(seller.database)
    before = replace(whole, views=(trade_view(seller.crm, MORE), *whole.views[1:]))
    after = replace(whole, views=(trade_view(seller.crm, LESS), *whole.views[1:]))
    await seller.settled(before)
    for tid in range(3):
        await seller.trade(tid, receiver_mobile="13812345678")
    view, stop = f"{shares(seller.crm)}.trade", asyncio.Event()
    async with seller.as_app(seller.erp) as other, seller.as_app(seller.crm) as app:
        assert await app.fetchval(f"SELECT receiver_mobile FROM {view} LIMIT 1") == "138****5678"
        probing = asyncio.create_task(probe(other, f"SELECT count(*) FROM {shares(seller.erp)}.trade", stop))
        await asyncio.sleep(0.1)
        outcome = await seller.settled(after)
        stop.set()
        assert await probing > 5
    assert [(one.action, one.subject) for one in outcome.records] == [("revoke", view), ("grant", view)]
    assert set(outcome.records[0].before) - set(outcome.records[0].after) == {"column receiver_mobile partial"}
    async with seller.as_app(seller.crm) as app:
        names = [attribute.name for attribute in (await app.prepare(f"SELECT * FROM {view}")).get_attributes()]
        assert names == ["tid", "title"]
        with pytest.raises(asyncpg.UndefinedColumnError):
            await app.fetch(f"SELECT receiver_mobile FROM {view}")


async def test_check_03_shrink_is_not_kept_up_by_an_app_that_reads_all_the_time(seller: Seller) -> None:
    whole = design(seller.database)
    await seller.settled(replace(whole, views=(trade_view(seller.crm, MORE), *whole.views[1:])))
    view, stop = f"{shares(seller.crm)}.trade", asyncio.Event()

    async def hold() -> None:
        while not stop.is_set():
            try:
                async with seller.as_app(seller.crm) as app:
                    await app.execute(f"BEGIN; LOCK TABLE {view} IN ACCESS SHARE MODE; SELECT pg_sleep(5)")
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await asyncio.sleep(0.01)

    holding = asyncio.create_task(hold())
    await asyncio.sleep(0.3)
    outcome = await seller.settle(replace(whole, views=(trade_view(seller.crm, LESS), *whole.views[1:])))
    stop.set()
    assert outcome.verified, outcome.problem
    holding.cancel()


async def test_check_03_widening_leaves_sessions_open(seller: Seller) -> None:
    whole = design(seller.database)
    await seller.settled(replace(whole, views=(trade_view(seller.crm, LESS), *whole.views[1:])))
    async with seller.as_app(seller.crm) as app:
        outcome = await seller.settled(replace(whole, views=(trade_view(seller.crm, MORE), *whole.views[1:])))
        assert (outcome.ended, [one.action for one in outcome.records]) == (0, ["widen"])
        assert await app.fetchval(f"SELECT count(receiver_mobile) FROM {shares(seller.crm)}.trade") == 0


async def test_check_03_widening_that_a_reader_holds_up_is_said_and_done_later(seller: Seller) -> None:
    whole = design(seller.database)
    await seller.settled(replace(whole, views=(trade_view(seller.crm, LESS), *whole.views[1:])))
    wider = replace(whole, views=(trade_view(seller.crm, MORE), *whole.views[1:]))
    async with seller.as_app(seller.crm) as app:
        await app.execute(f"BEGIN; DECLARE c CURSOR FOR SELECT * FROM {shares(seller.crm)}.trade")
        await seller.conn.execute("SET lock_timeout = '200ms'")
        outcome = await seller.settle(wider)
        assert not outcome.verified
        assert outcome.problem.startswith(f"LockTimeout: share {shares(seller.crm)}.trade")
        await app.fetch("FETCH 1 FROM c")
        await app.execute("COMMIT")
        await seller.settled(wider)

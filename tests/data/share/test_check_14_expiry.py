# SPDX-License-Identifier: Apache-2.0
"""A grant ends at its time, whether anybody is there or not, and a clock that goes back does not bring it back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from cairn.sql.share.model import Design
from cairn.sql.share.names import shares
from data.share.designs import design, trade_view
from data.share.seller import Seller

GONE = (asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.InterfaceError)


async def now(seller: Seller) -> datetime:
    found = await seller.conn.fetchval("SELECT clock_timestamp()")
    assert isinstance(found, datetime)
    return found


def until(seller: Seller, end: datetime) -> Design:
    whole = design(seller.database)
    return replace(whole, views=(trade_view(seller.crm, until=end), *whole.views[1:]))


async def push_wrote_at(seller: Seller, when: datetime) -> None:
    await seller.conn.execute(
        "UPDATE sys_info.jdp_cursor SET ts = $1::timestamptz AT TIME ZONE 'Asia/Shanghai'"
        " WHERE table_name = 'jdp_tb_trade'",
        when,
    )


async def test_check_14_expiry_while_the_operator_is_down_ends_rows_and_then_all_else(seller: Seller) -> None:
    await seller.trade(1)
    whole = until(seller, await now(seller) + timedelta(seconds=7))
    await seller.settled(whole)
    async with seller.as_app(seller.crm) as app:
        # In one transaction, whose now() stands still.
        await app.execute("BEGIN")
        assert await app.fetchval(f"SELECT count(*) FROM {shares(seller.crm)}.trade") == 1
        async with asyncio.timeout(30):
            while await app.fetchval(f"SELECT count(*) FROM {shares(seller.crm)}.trade, pg_sleep(0.05)") == 1:
                pass
        assert await now(seller) >= whole.views[0].expires_at  # type: ignore[operator]  # it has an end
        outcome = await seller.settle(whole)
        assert (outcome.problem, outcome.verified, outcome.ended) == ("", True, 1)
        with pytest.raises(GONE):
            await app.fetch("SELECT 1")
    assert ("expire", f"{shares(seller.crm)}.trade") in [(one.action, one.subject) for one in outcome.records]
    async with seller.as_app(seller.crm) as app:
        with pytest.raises(asyncpg.UndefinedTableError):
            await app.fetch(f"SELECT * FROM {shares(seller.crm)}.trade")
    observed = await seller.share.observe(whole, {})
    assert observed.ended == {f"grant-{seller.crm}"}
    again = await seller.settle(whole)
    assert (again.statements, again.verified) == (0, True)


async def test_check_14_expiry_holds_when_the_clock_jumps_back(seller: Seller) -> None:
    """The push has written later than the clock now says."""
    await seller.trade(1)
    end = await now(seller) + timedelta(days=10)
    whole = until(seller, end)
    await seller.settled(whole)
    async with seller.as_app(seller.crm) as app:
        assert await app.fetchval(f"SELECT count(*) FROM {shares(seller.crm)}.trade") == 1
        await push_wrote_at(seller, end + timedelta(seconds=1))
        assert await app.fetchval(f"SELECT count(*) FROM {shares(seller.crm)}.trade") == 0
    observed = await seller.share.observe(whole, {})
    assert observed.at == end + timedelta(seconds=1)
    await seller.settle(whole)
    # Even the witness is gone.
    await push_wrote_at(seller, datetime(2000, 1, 1, tzinfo=UTC))
    outcome = await seller.settle(whole)
    assert (outcome.statements, outcome.verified) == (0, True)
    async with seller.as_app(seller.crm) as app:
        with pytest.raises(asyncpg.UndefinedTableError):
            await app.fetch(f"SELECT * FROM {shares(seller.crm)}.trade")
    renewed = replace(whole, views=(replace(whole.views[0], grant="renewed"), *whole.views[1:]))
    await seller.settled(replace(renewed, ended=frozenset({f"grant-{seller.crm}"})))
    async with seller.as_app(seller.crm) as app:
        assert await app.fetchval(f"SELECT count(*) FROM {shares(seller.crm)}.trade") == 1


async def test_check_14_ended_in_the_table_shows_nothing_at_once(seller: Seller) -> None:
    await seller.trade(1)
    whole = until(seller, await now(seller) + timedelta(days=10))
    await seller.settled(whole)
    await seller.conn.execute("INSERT INTO map.ended VALUES ($1, now())", f"grant-{seller.crm}")
    async with seller.as_app(seller.crm) as app:
        assert await app.fetchval(f"SELECT count(*) FROM {shares(seller.crm)}.trade") == 0


async def test_check_14_renewing_in_time_disturbs_nobody(seller: Seller) -> None:
    await seller.trade(1)
    end = await now(seller) + timedelta(days=10)
    whole = until(seller, end)
    await seller.settled(whole)
    longer = replace(whole.views[0], grant="renewed", expires_at=end + timedelta(days=100))
    async with seller.as_app(seller.crm) as app:
        outcome = await seller.settled(replace(whole, views=(longer, *whole.views[1:])))
        assert (outcome.ended, [one.action for one in outcome.records]) == (0, ["widen"])
        assert await app.fetchval(f"SELECT count(*) FROM {shares(seller.crm)}.trade") == 1


async def test_check_14_without_a_push_the_clock_is_the_servers(seller: Seller) -> None:
    """And when the push comes, its clock counts too."""
    await seller.settled(design(seller.database))
    await seller.conn.execute("ALTER TABLE sys_info.jdp_cursor RENAME TO jdp_elsewhere")
    outcome = await seller.settle(design(seller.database))
    assert outcome.verified, outcome.problem
    assert "jdp_elsewhere" not in await seller.conn.fetchval("SELECT pg_get_viewdef('map.clock'::regclass)")
    await seller.conn.execute("ALTER TABLE sys_info.jdp_elsewhere RENAME TO jdp_cursor")
    await seller.settled(design(seller.database))
    assert "jdp_cursor" in await seller.conn.fetchval("SELECT pg_get_viewdef('map.clock'::regclass)")

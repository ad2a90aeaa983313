# SPDX-License-Identifier: Apache-2.0
"""Attacks of an app on what takes its rights away, and on what is said of it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import replace

import asyncpg
import pytest

from cairn.sql.errors import SqlError
from cairn.sql.share.model import Design, TableColumn
from cairn.sql.share.names import published, shares
from data.share.designs import design, published_view, review
from data.share.seller import Seller

ENDED = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, SqlError, OSError)


def without_crm(whole: Design) -> Design:
    return replace(whole, parties=whole.parties[1:], tables=(), views=(whole.views[1], whole.views[3]))


def without_erp(whole: Design) -> Design:
    return replace(whole, parties=(whole.parties[0], whole.parties[2]), views=(whole.views[0], whole.views[3]))


async def test_app_that_locks_its_published_table_keeps_nobodys_right_alive(seller: Seller) -> None:
    """Who may update a table may lock it against every reader, and the text of views is read under locks."""
    whole = design(seller.database)
    await seller.settled(whole)
    lock = f"BEGIN; LOCK TABLE {published(seller.crm)}.review IN ACCESS EXCLUSIVE MODE"
    for narrower in (without_erp(whole), without_crm(whole)):
        async with seller.as_app(seller.crm) as app:
            await app.execute(lock)
            outcome = await seller.settle(narrower)
            assert outcome.verified, outcome.problem


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # asyncpg's, ended while it connects
async def test_app_that_locks_its_published_table_again_and_again_keeps_nobodys_right_alive(seller: Seller) -> None:
    """Another app's view of that table is made anew, narrower."""
    whole = design(seller.database)
    await seller.settled(whole)
    stop = asyncio.Event()

    async def lock() -> None:
        while not stop.is_set():
            with suppress(*ENDED):
                async with seller.as_app(seller.crm) as app:
                    await app.execute(f"BEGIN; LOCK TABLE {published(seller.crm)}.review IN ACCESS EXCLUSIVE MODE")
                    while not stop.is_set():
                        await app.fetch("SELECT pg_sleep(0.1)")

    lockers = [asyncio.create_task(lock()) for _ in range(3)]
    try:
        await asyncio.sleep(0.2)
        narrow = published_view(seller.erp, review(seller.crm), ("tid",))
        outcome = await seller.settle(replace(whole, views=(*whole.views[:2], narrow, whole.views[3])))
        if not outcome.verified:
            assert "LockTimeout" in outcome.problem
        names = await seller.conn.fetch(
            "SELECT attname FROM pg_attribute WHERE attnum > 0 AND attrelid = to_regclass($1)"
            " AND has_table_privilege($2, attrelid, 'SELECT')",
            f"{shares(seller.erp)}.review",
            f"g{seller.erp}",
        )
        assert "status" not in [row["attname"] for row in names]
    finally:
        stop.set()
        await asyncio.gather(*lockers)


async def test_app_with_all_its_connections_open_is_taken_out(seller: Seller) -> None:
    whole = design(seller.database)
    await seller.settled(whole)
    async with AsyncExitStack() as stack:
        opened = whole.parties[0].connections
        for _ in range(opened):
            await stack.enter_async_context(seller.as_app(seller.crm))
        with pytest.raises(SqlError, match="too many connections"):
            await stack.enter_async_context(seller.as_app(seller.crm))
        outcome = await seller.settle(without_crm(whole))
        assert (outcome.verified, outcome.ended) == (True, opened), outcome.problem


async def test_names_as_long_as_a_name_may_be_stay_apart(seller: Seller) -> None:
    whole = design(seller.database)
    long = replace(
        review(seller.crm), name="r" * 63, columns=(*review(seller.crm).columns, TableColumn("c" * 63, "text"))
    )
    other = replace(long, name="r" * 62 + "x")
    await seller.settled(replace(without_erp(whole), tables=(long, other)))

# SPDX-License-Identifier: Apache-2.0
"""What nobody granted does not exist for an app: also what comes later."""

from __future__ import annotations

from dataclasses import replace

import asyncpg
import pytest

from cairn.api.dataset import ViewColumn
from cairn.sql.push.postgresql.schema import ensure_schema
from cairn.sql.share.model import Buyer, Master, PlatformSource
from cairn.sql.share.names import logins, published, shares, work
from data.share.designs import design, trade_view
from data.share.seller import SHOPS, Seller, datasets

READABLE = """
SELECT n.nspname || '.' || c.relname || '.' || a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
AND has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT')
"""
"""All that a session can read by name, besides catalogs."""


REFUSED = (
    asyncpg.InsufficientPrivilegeError,
    asyncpg.UndefinedObjectError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # a view that is not updatable is not written to, whoever asks
)


async def readable(seller: Seller, party: str) -> set[str]:
    async with seller.as_app(party) as app:
        return {row[0] for row in await app.fetch(READABLE)}


async def test_check_05_default_deny_for_columns_that_come_later(seller: Seller) -> None:
    await seller.settled(design(seller.database))
    s, p = shares(seller.crm), published(seller.crm)
    granted = {f"{s}.trade.{name}" for name in ("tid", "receiver_mobile", "buyer_nick")}
    granted |= {f"{p}.review.{name}" for name in ("tid", "agent", "status")}
    assert await readable(seller, seller.crm) == granted
    trades = next(dataset for dataset in datasets() if dataset.name == "trades")
    secret = ViewColumn(name="secret", type="text", path=("secret",))
    wider = trades.model_copy(update={"view": (*trades.view, secret)})
    await ensure_schema(seller.conn, [wider], SHOPS)
    assert await readable(seller, seller.crm) == granted
    await seller.settled(design(seller.database))
    assert await readable(seller, seller.crm) == granted


async def test_check_05_default_deny_for_an_app_without_any_grant(seller: Seller) -> None:
    whole = design(seller.database)
    await seller.settled(replace(whole, views=(), tables=()))
    assert await readable(seller, seller.crm) == set()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM platform.trades",
        "SELECT * FROM sys_info.jdp_tb_trade",
        "SELECT * FROM sys_info.jdp_cursor",
        "SELECT * FROM map.key",
        "SELECT * FROM map.clock",
        "SELECT * FROM audit.log",
        "INSERT INTO audit.log DEFAULT VALUES",
        "SELECT * FROM {others}.trade",
        "DELETE FROM {s}.trade",
        "CREATE TABLE {w}.typed (t {s}.trade)",
        "CREATE TABLE {s}.mine ()",
        "CREATE TABLE {p}.mine ()",
        "CREATE TABLE public.mine ()",
        "CREATE TEMP TABLE mine ()",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "SET ROLE {own}",
        "COPY {s}.trade TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
        "SELECT rolpassword FROM pg_authid",
        "SELECT * FROM pg_statistic",
        "DO LANGUAGE plpython3u $$ $$",
        "CREATE VIEW {w}.v AS SELECT * FROM platform.trades",
    ],
)
async def test_check_05_default_deny_refuses(seller: Seller, sql: str) -> None:
    whole = design(seller.database)
    await seller.settled(whole)
    names = {
        "s": shares(seller.crm),
        "p": published(seller.crm),
        "w": work(seller.crm),
        "others": shares(seller.erp),
        "own": f"own{whole.id}",
    }
    async with seller.as_app(seller.crm) as app:
        with pytest.raises(REFUSED):
            await app.execute(sql.format(**names))


async def test_check_05_both_logins_work_as_one(seller: Seller) -> None:
    """What one makes in the work schema the other may change."""
    whole = design(seller.database)
    both = replace(whole.parties[0], logins=tuple(replace(login, enabled=True) for login in whole.parties[0].logins))
    await seller.settled(replace(whole, parties=(both, *whole.parties[1:])))
    async with seller.as_app(seller.crm, 0) as one, seller.as_app(seller.crm, 1) as two:
        assert await two.fetchval("SELECT session_user") == logins(seller.crm)[1]
        await one.execute(f"CREATE TABLE {work(seller.crm)}.cache (a int)")
        await two.execute(f"ALTER TABLE {work(seller.crm)}.cache ADD COLUMN b int")
        await two.execute(f"INSERT INTO {published(seller.crm)}.review VALUES (1, 'amy', 'good')")
        assert await one.fetchval(f"SELECT status FROM {published(seller.crm)}.review") == "good"


async def test_check_05_what_is_not_pushed_yet_holds_up_nothing_else(seller: Seller) -> None:
    """Neither the rights of others nor a column that its view has not yet."""
    whole = design(seller.database)
    elsewhere = replace(trade_view(seller.crm), name="ghost", source=PlatformSource("ghosts", "created", Buyer()))
    early = trade_view(seller.erp, (("tid", "plain"), ("not_yet", "plain")))
    ghosts = Master("ghosts", "created", None, Buyer("ouid"))
    outcome = await seller.settle(
        replace(whole, views=(*whole.views[2:], whole.views[0], elsewhere, early), masters=(*whole.masters, ghosts))
    )
    assert not outcome.verified
    assert "nothing is pushed yet as platform.ghosts" in outcome.problem
    assert "not_yet" in outcome.problem
    async with seller.as_app(seller.crm) as app:
        assert await app.fetchval(f"SELECT count(*) FROM {shares(seller.crm)}.trade") == 0
    async with seller.as_app(seller.erp) as app:
        assert await app.fetchval(f"SELECT count(*) FROM {shares(seller.erp)}.review") == 0
    observed = await seller.share.observe(whole, {})
    assert observed.datasets == {"trades", "refunds", *(dataset.name for dataset in datasets())}
    await seller.settled(whole)

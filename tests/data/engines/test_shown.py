# SPDX-License-Identifier: Apache-2.0
"""What an app sees: these columns, masked so, of these shops and days, until the consent ends."""

from __future__ import annotations

import asyncio
import hmac
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pymysql
import pytest

from cairn.sql.share.model import Buyer, Design, Master, PlatformSource
from cairn.sql.share.names import published, shares, work
from data.engines.seller import DATABASE, Seller
from data.share.designs import WHY, design, member, published_view, review, trade_view

PHONE = "13812345678"


def only_trades(party: str, **changes: object) -> Design:
    return design(DATABASE, tables=(), views=(trade_view(party, **changes),))  # type: ignore[arg-type]  # of trade_view


async def test_shown_columns_are_masked_as_the_grant_says(seller: Seller) -> None:
    columns = [("tid", "plain"), ("receiver_mobile", "partial"), ("buyer_nick", "hmac"), ("payment", "bucket")]
    columns += [("created", "bucket"), ("title", "null"), ("ouid", "hmac-shared")]
    await seller.settled(only_trades(seller.crm, columns=columns))
    await seller.trade(
        7, receiver_mobile=PHONE, buyer_nick=" 小李Bob ", payment="199.90", title="a secret", ouid="AA1", days=0
    )
    async with seller.as_app(seller.crm) as app:
        ((tid, mobile, nick, payment, created, title, ouid),) = await app.fetch(
            f"SELECT * FROM {shares(seller.crm)}.trade"
        )
    assert (tid, mobile, payment, title) == (7, "138****5678", Decimal(100), None)
    assert (created.day, created.hour, created.minute) == (1, 0, 0)
    ipad: dict[str, bytes] = dict(await seller.session.fetch("SELECT name, ipad FROM map.mac"))
    for value, shown, name in (("小李bob", nick, f"{seller.crm}.buyer_nick"), ("aa1", ouid, "both.ouid")):
        key = bytes(byte ^ 0x36 for byte in ipad[name])
        assert shown == hmac.digest(key, value.encode(), "sha256").hex()


async def test_shown_masks_of_short_and_missing_values(seller: Seller) -> None:
    await seller.settled(only_trades(seller.crm))
    for tid, mobile in enumerate((None, "", "1", "12", "1234567890", PHONE), 1):
        await seller.trade(tid, receiver_mobile=mobile)
    async with seller.as_app(seller.crm) as app:
        rows = await app.fetch(f"SELECT receiver_mobile FROM {shares(seller.crm)}.trade ORDER BY tid")
    assert [mobile for (mobile,) in rows] == [None, "*", "*", "1**", "1**", "138****5678"]


async def test_shown_rows_are_those_of_the_shops_and_days(seller: Seller) -> None:
    await seller.settled(only_trades(seller.crm, shops=("55501", "55503"), days=30))
    for tid, shop, days in ((1, "55501", 0), (2, "55502", 0), (3, "55503", 29), (4, "55501", 31), (5, None, 0)):
        await seller.trade(tid, shop, days=days)
    async with seller.as_app(seller.crm) as app:
        rows = await app.fetch(f"SELECT tid FROM {shares(seller.crm)}.trade ORDER BY tid")
    assert rows == [(1,), (3,)]


async def test_shown_errors_tell_nothing_of_other_rows(seller: Seller) -> None:
    """No condition of the reader's is looked at for rows that the view leaves out: an error would tell of them."""
    columns = (("tid", "plain"), ("title", "plain"))
    await seller.settled(only_trades(seller.crm, columns=columns, shops=("55501", "55503")))
    for tid in range(1, 40):
        await seller.trade(tid, "55502", title=f"SECRET{tid}")
    await seller.trade(99, "55501", title="mine")
    probes = (
        "EXP(IF(title LIKE 'SECRET%', 1000, 1)) > 0",
        "tid + IF(title = 'SECRET7', 9223372036854775807, 0) > 0",
        "JSON_EXTRACT(IF(tid < 40, title, '{}'), '$.a') IS NULL",
        "(SELECT COUNT(*) FROM (SELECT 1 UNION ALL SELECT 2) x WHERE EXP(IF(tid < 40, 1000, 1)) > 0) > 0",
    )
    async with seller.as_app(seller.crm) as app:
        await app.execute(f"CREATE TABLE {work(seller.crm)}.guess AS SELECT 7 AS n UNION ALL SELECT 99")
        for probe, semijoin in itertools.product(probes, ("on", "off")):
            # off: subqueries, such as the view's filter, are looked at last
            await app.execute(f"SET optimizer_switch = 'semijoin={semijoin},materialization={semijoin}'")
            view = f"{shares(seller.crm)}.trade"
            assert await app.fetch(f"SELECT tid FROM {view} WHERE {probe}") == [(99,)]
            assert await app.fetch(f"SELECT tid FROM {view} WHERE {probe} ORDER BY title") == [(99,)]
            joined = f"{work(seller.crm)}.guess STRAIGHT_JOIN {view} ON tid = n AND {probe}"
            assert await app.fetch(f"SELECT tid FROM {joined}") == [(99,)]


async def test_shown_no_clock_of_a_session_revives_what_has_ended(seller: Seller) -> None:
    until = datetime.now(UTC) + timedelta(seconds=5)
    shown = only_trades(seller.crm, until=until, days=1)
    await seller.settled(shown)
    await seller.trade(1)
    await seller.trade(2, days=3)
    view = f"{shares(seller.crm)}.trade"
    async with seller.as_app(seller.crm) as app:
        assert await app.fetch(f"SELECT tid FROM {view}") == [(1,)]
        await app.execute("SET SESSION timestamp = 1000000000")
        await app.execute("SET SESSION time_zone = '-11:00'")
        assert await app.fetch(f"SELECT tid FROM {view}") == [(1,)]  # no earlier window either
        left = until - datetime.now(UTC) + timedelta(seconds=0.1)
        await asyncio.sleep(left.total_seconds())
        assert await app.fetch(f"SELECT tid FROM {view}") == []
        outcome = await seller.settle(shown)
        assert (outcome.verified, outcome.ended) == (True, 1), outcome.problem
        assert [r.action for r in outcome.records if r.subject == f"table {view}"] == ["expire"]
    await seller.settled(replace(shown, views=(trade_view(seller.crm, grant="renewed"),)))
    observed = await seller.share.observe(shown, {})
    assert observed.ended == {f"grant-{seller.crm}"}
    again = await seller.settle(only_trades(seller.crm))  # the same consent, with a later end
    assert f"table {view}" not in {entry.object for entry in (await seller.share.observe(shown, {})).state.entries}
    assert again.verified


async def test_shown_published_rows_join_by_the_order_and_conflicts_are_counted(seller: Seller) -> None:
    example = design(DATABASE)
    await seller.settled(example)
    await seller.trade(1)
    await seller.trade(2, "55502")
    async with seller.as_app(seller.crm) as app:
        for tid in (1, 2, 3):
            await app.execute(f"INSERT INTO {published(seller.crm)}.review VALUES (%s, 'Ann', 'good')", (tid,))
    async with seller.as_app(seller.erp) as app:
        assert await app.fetch(f"SELECT * FROM {shares(seller.erp)}.review") == [(1, "good")]
    observed = await seller.share.observe(example, {})
    counts = observed.publications[f"{seller.crm}.review"]
    assert (counts.rows, counts.mapped, counts.unmapped, counts.conflicts) == (3, 2, 1, 0)


async def test_shown_a_buyer_that_two_shops_know_is_a_conflict(seller: Seller) -> None:
    members = member(seller.crm)
    view = published_view(seller.erp, members, ("level",), shops=("55501", "55502"))
    example = design(DATABASE, tables=(members,), views=(view,))
    await seller.settled(example)
    for tid, shop, ouid in (
        (1, "55501", "A"),
        (2, "55502", "B"),
        (3, "55501", "both"),
        (4, "55502", "both"),
        (5, "55501", "A"),
    ):
        await seller.trade(tid, shop, ouid=ouid)
    async with seller.as_app(seller.crm) as app:
        for ouid in ("A", "B", "both", "nobody"):
            await app.execute(f"INSERT INTO {published(seller.crm)}.member VALUES (%s, %s)", (ouid, f"level {ouid}"))
    async with seller.as_app(seller.erp) as app:
        rows = await app.fetch(f"SELECT level FROM {shares(seller.erp)}.member ORDER BY 1")
    assert rows == [("level A",), ("level B",)]
    counts = (await seller.share.observe(example, {})).publications[f"{seller.crm}.member"]
    assert (counts.rows, counts.mapped, counts.unmapped, counts.conflicts) == (4, 2, 1, 1)


async def test_shown_an_erased_buyer_is_left_out_of_every_view(seller: Seller) -> None:
    buyer = Buyer(ouid="ouid", omid="omid")
    trades = PlatformSource("trades", "created", buyer)
    by_member = PlatformSource("trades", "created", Buyer(omid="omid"))
    views = (
        replace(trade_view(seller.crm, shops=("55501", "55502")), source=trades),
        replace(trade_view(seller.erp, (("tid", "plain"),), shops=("55501",)), source=by_member),
        published_view(seller.erp, review(seller.crm), ("tid",)),
    )
    example = design(DATABASE, views=views, masters=(Master("trades", "created", "tid", buyer),))
    await seller.settled(example)
    await seller.trade(1, ouid="gone", omid="m1")
    await seller.trade(2, ouid="stays", omid="m2")
    await seller.trade(3, "55502", ouid="gone", omid="m3")
    async with seller.as_app(seller.crm) as app:
        await app.execute(f"INSERT INTO {published(seller.crm)}.review (tid) VALUES (1), (2)")
    await seller.share.erase(example, "55501", "gone", WHY)
    async with seller.as_app(seller.crm) as app:
        assert await app.fetch(f"SELECT tid FROM {shares(seller.crm)}.trade ORDER BY 1") == [(2,), (3,)]
    async with seller.as_app(seller.erp) as app:
        assert await app.fetch(f"SELECT tid FROM {shares(seller.erp)}.trade ORDER BY 1") == [(2,)]
        assert await app.fetch(f"SELECT tid FROM {shares(seller.erp)}.review") == [(2,)]
    written = await seller.share.audit(example)
    assert written[-1]["action"] == "erase"
    assert "gone" not in str(written[-1])
    assert (await seller.settle(example)).statements == 0


@pytest.mark.parametrize("statement", [
    "SELECT * FROM platform.trades", "SELECT * FROM map.mac", "SELECT * FROM map.scope", "SELECT * FROM audit.log",
    "SELECT * FROM {other}.trade", "SHOW CREATE VIEW {mine}.trade", "DROP VIEW {mine}.trade",
    "CREATE VIEW {mine}.x AS SELECT 1", "CREATE VIEW {work}.x AS SELECT * FROM {mine}.trade",
    "CREATE FUNCTION {work}.f() RETURNS int DETERMINISTIC RETURN 1", "CREATE PROCEDURE {work}.p() SELECT 1",
    "CREATE EVENT {work}.e ON SCHEDULE EVERY 1 DAY DO SELECT 1",
    "ALTER TABLE {published}.review ADD COLUMN x int", "DROP TABLE {published}.review",
    "CREATE TRIGGER {published}.t BEFORE INSERT ON {published}.review FOR EACH ROW SET NEW.agent = 'x'",
    "CREATE TABLE {published}.more (a int)", "TRUNCATE TABLE {published}.review",
    "RENAME TABLE {published}.review TO {work}.r",
    "SELECT * FROM mysql.user", "GRANT SELECT ON {mine}.trade TO CURRENT_USER()",
])  # fmt: skip
async def test_shown_nothing_else_can_be_read_or_made(seller: Seller, statement: str) -> None:
    await seller.settled(design(DATABASE))
    names = {"mine": shares(seller.crm), "other": shares(seller.erp), "work": work(seller.crm)}
    async with seller.as_app(seller.crm) as app:
        await app.execute(f"CREATE TABLE {work(seller.crm)}.own (a int)")
        with pytest.raises(pymysql.err.MySQLError, match=r"(?i)denied|not allowed|unknown table"):
            await app.execute(statement.format(published=published(seller.crm), **names))


async def test_shown_names_of_others_are_not_listed(seller: Seller) -> None:
    await seller.settled(design(DATABASE))
    async with seller.as_app(seller.crm) as app:
        found = {name for (name,) in await app.fetch("SHOW DATABASES")}
        assert {name for name in found if not name.endswith("_schema")} == {kind + seller.crm for kind in "psw"}

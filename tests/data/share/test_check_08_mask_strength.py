# SPDX-License-Identifier: Apache-2.0
"""A mask shows what it should and tells nothing else, whatever is asked."""

from __future__ import annotations

import hashlib
import hmac
import random
from dataclasses import replace

import asyncpg
import pytest

from cairn.sql.share.model import Mask, ShownColumn
from cairn.sql.share.names import shares
from data.share.designs import design, trade_view
from data.share.seller import Seller

SEEN = range(1, 11)
OTHER_SHOP = range(100_011, 100_021)
TOO_OLD = range(100_021, 100_031)
"""Numbers that are no smallint: a condition that casts to it is a cheap one, and an error for hidden rows alone."""
PLANS = ("enable_nestloop", "enable_hashjoin", "enable_mergejoin", "enable_indexscan", "enable_bitmapscan")
"""An app chooses in which order rows are looked at."""
MOBILE = "1391234{:04}"


async def trades(seller: Seller) -> None:
    for tid in (*SEEN, *TOO_OLD):
        created = "-40 days" if tid in TOO_OLD else "-1 days"
        await seller.trade(tid, created=created, receiver_mobile=MOBILE.format(tid), payment=f"{tid * 37}.50")
    for tid in OTHER_SHOP:
        await seller.trade(tid, "55502", created="-1 days", receiver_mobile=MOBILE.format(tid), payment="1.00")


def predicate(dice: random.Random, depth: int = 0) -> str:
    """A condition, often one that raises for some row."""
    tid, digit = dice.choice([*SEEN, *OTHER_SHOP, *TOO_OLD]), dice.randrange(10)
    if depth < 2 and dice.random() < 0.4:
        word = dice.choice(("AND", "OR", "AND NOT"))
        return f"({predicate(dice, depth + 1)} {word} {predicate(dice, depth + 1)})"
    return dice.choice(
        (
            f"1 / (tid - {tid}) > -2",
            f"tid IN ({tid}, {tid + 1}, {tid + 2})",
            f"tid BETWEEN {tid} AND {tid + digit}",
            f"receiver_mobile LIKE '%{tid}'",
            f"receiver_mobile::bigint > {tid}",
            f"substr(receiver_mobile, {digit}, 1) = '{digit}'",
            f"length(receiver_mobile) > {digit}",
            f"buyer_nick > '{digit}'",
            f"buyer_nick = encode(sha256('buyer{tid}'), 'hex')",
            f"decode(buyer_nick, 'hex') > '\\x0{digit}'",
            f"payment / (payment - {digit * 100}) > 0",
            f"CASE WHEN tid = {tid} THEN 1 / 0 > 0 ELSE true END",
            f"(SELECT count(*) FROM {{view}} o WHERE o.tid <> t.tid AND o.payment = t.payment) > {digit}",
            f"tid::text::int2 = {tid % 100}",
            "tid::int2 IS NOT NULL",
            "int2(tid) > 0",
            f"random() * tid < {tid}",
            f"to_char(tid, '{digit}') ~ '{digit}'",
        )
    )


async def test_check_08_mask_strength_under_1000_random_conditions(seller: Seller) -> None:
    columns = (("tid", "plain"), ("receiver_mobile", "partial"), ("buyer_nick", "hmac"), ("payment", "bucket"))
    await trades(seller)
    await seller.settled(design(seller.database, tables=(), views=(trade_view(seller.crm, columns, days=30),)))
    view, dice = f"{shares(seller.crm)}.trade", random.Random(20261111)
    hidden = [MOBILE.format(tid) for tid in (*SEEN, *OTHER_SHOP, *TOO_OLD)]
    rows, told = 0, list[str]()
    async with seller.as_app(seller.crm) as app:
        truth = {tuple(row) for row in await app.fetch(f"SELECT * FROM {view}")}
        assert {row[0] for row in truth} == set(SEEN)
        for number in range(1000):
            if number % 50 == 0:
                for plan in PLANS:
                    await app.execute(f"SET {plan} = {dice.choice(('on', 'off'))}")
            sql = f"SELECT t.* FROM {view} t WHERE {predicate(dice).format(view=view)}"
            try:
                found = {tuple(row) for row in await app.fetch(sql)}
            except asyncpg.PostgresError as error:
                told.append(str(error))
                continue
            rows += len(found)
            assert found <= truth, sql
    assert rows > 500
    assert len(told) > 100
    assert not [text for text in told if "smallint" in text]
    assert not [text for text in told if any(mobile in text for mobile in hidden)]


@pytest.mark.parametrize("tid", [OTHER_SHOP[0], TOO_OLD[0]])
async def test_check_08_mask_strength_an_error_tells_nothing_of_rows_filtered_out(seller: Seller, tid: int) -> None:
    await trades(seller)
    columns = (("tid", "plain"), ("receiver_mobile", "partial"))
    await seller.settled(design(seller.database, tables=(), views=(trade_view(seller.crm, columns, days=30),)))
    view = f"{shares(seller.crm)}.trade"
    async with seller.as_app(seller.crm) as app:
        for off in ((), PLANS[:1], PLANS[3:], PLANS[:1] + PLANS[3:]):
            await app.execute("RESET ALL")
            for plan in off:
                await app.execute(f"SET {plan} = off")
            for condition in (f"1 / (tid - {tid}) < 2", "tid::int2 IS NOT NULL"):
                assert await app.fetchval(f"SELECT count(*) FROM {view} WHERE {condition}") == len(SEEN)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await app.fetchval(f"SELECT count(*) FROM {view} WHERE 1 / (tid - {SEEN[0]}) < 2")


async def test_check_08_mask_strength_values_are_what_the_mask_says(seller: Seller) -> None:
    names = ("buyer_nick", "receiver_mobile", "receiver_zip", "title", "payment", "created", "status")
    kinds = ("hmac", "partial", "partial", "hmac-shared", "bucket", "bucket", "null")
    whole = design(seller.database, tables=())
    one = trade_view(seller.crm, zip(names, kinds, strict=True))
    two = trade_view(seller.erp, (("buyer_nick", "hmac"), ("title", "hmac-shared")))
    await seller.settled(replace(whole, views=(one, two)))
    await seller.trade(
        1,
        buyer_nick="  TaoBao 甲 ",
        receiver_mobile="13812345678",
        receiver_zip="310000",
        title="鞋",
        payment="1234.56",
        status="PAID",
    )
    await seller.trade(2, buyer_nick="", receiver_mobile="1", receiver_zip="12", title="", payment="-1")
    async with seller.as_app(seller.crm) as app:
        row, empty = await app.fetch(f"SELECT * FROM {shares(seller.crm)}.trade ORDER BY payment DESC")
    async with seller.as_app(seller.erp) as app:
        other = await app.fetchrow(f"SELECT * FROM {shares(seller.erp)}.trade WHERE buyer_nick IS NOT NULL")
    assert other is not None
    keys = {row["name"]: row for row in await seller.conn.fetch("SELECT * FROM map.key")}

    def expected(key: str, value: str) -> str:
        secret = bytes(byte ^ 0x36 for byte in keys[key]["ipad"])
        assert bytes(byte ^ 0x5C for byte in keys[key]["opad"]) == secret
        return hmac.new(secret, value.encode(), hashlib.sha256).hexdigest()

    assert row["buyer_nick"] == expected(f"{seller.crm}.buyer_nick", "taobao 甲")
    assert other["buyer_nick"] == expected(f"{seller.erp}.buyer_nick", "taobao 甲")
    assert row["buyer_nick"] != other["buyer_nick"]
    assert row["title"] == other["title"] == expected("both.title", "鞋")
    assert (row["receiver_mobile"], row["receiver_zip"]) == ("138****5678", "3**")
    assert (row["payment"], row["status"]) == (1200, None)
    assert (row["created"].day, row["created"].hour) == (1, 0)
    assert (empty["buyer_nick"], empty["title"], empty["receiver_mobile"], empty["payment"]) == (None, None, "*", -100)
    assert len({row["ipad"] for row in keys.values()}) == len(keys)


async def test_check_08_mask_strength_no_function_masks_for_an_app(seller: Seller) -> None:
    """What could be called with a guess would tell whom a pseudonym stands for."""
    await seller.settled(design(seller.database))
    callable_ = (
        "SELECT n.nspname || '.' || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')"
        " AND has_schema_privilege(n.oid, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE')"
    )
    async with seller.as_app(seller.crm) as app:
        assert await app.fetch(callable_) == []
        for sql in ("SELECT * FROM map.key", "SELECT ipad FROM map.key", "SELECT map.key FROM map.key"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.fetch(sql)


async def test_check_08_mask_strength_keys_survive_a_grant_that_pauses(seller: Seller) -> None:
    """Pseudonyms stay the same when the same consent comes back; nothing shows the key meanwhile."""
    whole = design(seller.database)
    await seller.settled(whole)
    await seller.trade(1)
    async with seller.as_app(seller.crm) as app:
        before = await app.fetchval(f"SELECT buyer_nick FROM {shares(seller.crm)}.trade")
    await seller.settled(replace(whole, views=whole.views[1:]))
    await seller.settled(whole)
    async with seller.as_app(seller.crm) as app:
        assert await app.fetchval(f"SELECT buyer_nick FROM {shares(seller.crm)}.trade") == before


@pytest.mark.parametrize(
    "bad",
    [
        ShownColumn("a", "title", "text", Mask("bucket", bucket="month")),
        ShownColumn("a", "payment", "numeric", Mask("bucket", bucket="0")),
        ShownColumn("a", "created", "timestamp", Mask("bucket", bucket="month'; --")),
        ShownColumn("a", "title", "text", Mask("upside-down")),  # type: ignore[arg-type]
    ],
)
async def test_check_08_mask_strength_a_mask_that_makes_no_sense_is_refused(seller: Seller, bad: ShownColumn) -> None:
    whole = design(seller.database)
    view = replace(whole.views[0], columns=(bad,))
    with pytest.raises(ValueError, match=r"bucket|mask"):
        await seller.settle(replace(whole, views=(view,)))

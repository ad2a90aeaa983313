# SPDX-License-Identifier: Apache-2.0
"""Rows of different apps join by a key; what a key doesn't name for certain is left out, and so is who was erased."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.share.model import Buyer, Design, Mapping, Master, PlatformSource, Table, TableColumn
from cairn.sql.share.names import own_role, published, shares
from cairn.sql.share.state import Publication
from data.share.designs import WHY, design, member, published_view, review, trade_view
from data.share.seller import Seller

BOTH = ("55501", "55502")
MASTER = Master("trades", "created", "tid", Buyer("ouid", "omid", "buyer_nick"))


async def buyers(seller: Seller) -> None:
    """ann buys in one shop, bob in both under one ouid, cid in both under two ouids and one omid."""
    await seller.trade(1, ouid="ann", omid="m1", buyer_nick="ann77")
    await seller.trade(2, ouid="ann", omid="m1", buyer_nick="ann77")
    await seller.trade(3, ouid="bob", buyer_nick="bob")
    await seller.trade(4, "55502", ouid="bob", buyer_nick="bob")
    await seller.trade(5, ouid="cid1", omid="m2", buyer_nick="cid")
    await seller.trade(6, "55502", ouid="cid2", omid="m2", buyer_nick="cid")
    await seller.trade(7, buyer_nick="ann77", created="-200 days")


async def published_rows(seller: Seller, table: Table, rows: list[tuple[object, ...]]) -> None:
    marks = ", ".join(f"${number}" for number in range(1, len(table.columns) + 1))
    async with seller.as_app(table.party) as app:
        await app.executemany(f"INSERT INTO {published(table.party)}.{table.name} VALUES ({marks})", rows)


def sharing(seller: Seller, table: Table, *columns: str) -> Design:
    view = published_view(seller.erp, table, columns, shops=BOTH)
    return design(seller.database, tables=(table,), views=(view,), masters=(MASTER,))


async def seen(seller: Seller, view: str, column: str, party: str = "") -> list[object]:
    party = party or seller.erp
    async with seller.as_app(party) as app:
        rows = await app.fetch(f"SELECT {column} FROM {shares(party)}.{view} ORDER BY 1")
    return [row[0] for row in rows]


async def test_check_09_mapping_by_order_shows_rows_of_the_shops_granted(seller: Seller) -> None:
    table = review(seller.crm)
    whole = sharing(seller, table, "status")
    await seller.settled(whole)
    await buyers(seller)
    await seller.trade(8, "55502")
    await published_rows(seller, table, [(1, "amy", "one"), (8, "amy", "eight"), (99, "amy", "no such order")])
    assert await seen(seller, "review", "status") == ["eight", "one"]
    observed = await seller.share.observe(whole, {})
    assert observed.publications == {f"{seller.crm}.review": Publication(rows=3, mapped=2, unmapped=1, conflicts=0)}
    narrower = replace(whole, views=(replace(whole.views[0], shops=("55501",)),))
    await seller.settled(narrower)
    assert await seen(seller, "review", "status") == ["one"]
    recent = replace(whole, views=(replace(whole.views[0], window_days=30),))
    await published_rows(seller, table, [(7, "amy", "old")])
    assert await seen(seller, "review", "status") == ["old", "one"]
    await seller.settled(recent)
    assert await seen(seller, "review", "status") == ["eight", "one"]


async def test_check_09_mapping_conflicts_are_left_out_and_counted(seller: Seller) -> None:
    table = member(seller.crm)
    whole = sharing(seller, table, "ouid")
    await seller.settled(whole)
    await buyers(seller)
    await published_rows(seller, table, [("ann", "gold"), ("bob", "gold"), ("dan", "gold")])
    assert await seen(seller, "member", "ouid") == ["ann"]
    observed = await seller.share.observe(whole, {})
    assert observed.publications[f"{seller.crm}.member"] == Publication(rows=3, mapped=1, unmapped=1, conflicts=1)


async def test_check_09_mapping_with_the_shop_beside_the_buyer_has_no_conflict(seller: Seller) -> None:
    columns = (TableColumn("ouid", "text"), TableColumn("shop", "text"), TableColumn("level", "text"))
    table = Table(seller.crm, "member", columns, (), Mapping("ouid", "ouid", "shop"))
    whole = sharing(seller, table, "level")
    await seller.settled(whole)
    await buyers(seller)
    rows = [("bob", "55501", "a"), ("bob", "55502", "b"), ("ann", "55502", "not there"), ("ann", "55501", "c")]
    await published_rows(seller, table, [*rows])
    assert await seen(seller, "member", "level") == ["a", "b", "c"]
    observed = await seller.share.observe(whole, {})
    assert observed.publications[f"{seller.crm}.member"] == Publication(rows=4, mapped=3, unmapped=1, conflicts=0)


async def test_check_09_mapping_by_member_across_shops(seller: Seller) -> None:
    columns = (TableColumn("omid", "text", required=True), TableColumn("level", "text"))
    table = Table(seller.crm, "member", columns, ("omid",), Mapping("omid", "omid"))
    whole = sharing(seller, table, "level")
    await seller.settled(whole)
    await buyers(seller)
    await published_rows(seller, table, [("m1", "one buyer"), ("m2", "two buyers"), ("m9", "nobody")])
    assert await seen(seller, "member", "level") == ["one buyer"]
    observed = await seller.share.observe(whole, {})
    assert observed.publications[f"{seller.crm}.member"] == Publication(rows=3, mapped=1, unmapped=1, conflicts=1)


async def test_check_09_erasure_of_a_buyer_empties_all_views(seller: Seller) -> None:
    """Of this buyer in this shop, under every name the platform has for it; nobody else's row goes."""
    reviews, members = review(seller.crm), member(seller.crm)
    source = PlatformSource("trades", "created", MASTER.buyer)
    whole = design(seller.database)
    views = (
        replace(trade_view(seller.crm, shops=BOTH), source=source),
        replace(trade_view(seller.erp, shops=BOTH), source=source),
        published_view(seller.erp, reviews, ("status",), shops=BOTH),
        published_view(seller.erp, members, ("ouid",), shops=BOTH),
    )
    whole = replace(whole, tables=(reviews, members), views=views, masters=(MASTER,))
    await seller.settled(whole)
    await buyers(seller)
    await published_rows(seller, reviews, [(tid, "amy", f"of {tid}") for tid in range(1, 8)])
    await published_rows(seller, members, [("ann", "gold"), ("cid1", "gold")])
    async with seller.as_app(seller.erp) as app:
        await app.execute(f"BEGIN; DECLARE c CURSOR FOR SELECT * FROM {shares(seller.erp)}.trade")
        for _ in range(2):
            await seller.share.erase(whole, "55501", " Ann", WHY)
        with pytest.raises(Exception, match="terminat|closed"):  # noqa: RUF043 -- however the server says it
            await app.fetch("FETCH ALL FROM c")
    for _ in range(2):
        assert await seen(seller, "trade", "tid", seller.crm) == [3, 4, 5, 6]
        assert await seen(seller, "trade", "tid") == [3, 4, 5, 6]
        assert await seen(seller, "review", "status") == ["of 3", "of 4", "of 5", "of 6"]
        assert await seen(seller, "member", "ouid") == ["cid1"]
        await seller.settled(whole)
    await seller.trade(11, ouid="ann")
    await seller.trade(12, "55502", ouid="ann")
    assert await seen(seller, "trade", "tid") == [3, 4, 5, 6, 12]
    rows = [row for row in await seller.share.audit(whole) if row["action"] == "erase"]
    assert len(rows) == 1
    assert "ann" not in str(rows).lower().replace("tenant", "")
    await seller.conn.execute(f"SET ROLE {own_role(whole.id)}")
    assert "ann" not in str(await seller.conn.fetch("SELECT * FROM map.erased"))


async def test_check_09_erasure_before_sharing_is_set_up_says_so(seller: Seller) -> None:
    with pytest.raises(SqlError) as caught:
        await seller.share.erase(design(seller.database), "55501", "ann", WHY)
    assert caught.value.reason is Reason.DATABASE_NOT_READY


async def test_check_09_a_published_table_grows_and_never_shrinks(seller: Seller) -> None:
    table = review(seller.crm)
    whole = sharing(seller, table, "status")
    await seller.settled(whole)
    await seller.trade(1)
    await published_rows(seller, table, [(1, "amy", "good")])
    grown = replace(table, columns=(*table.columns, TableColumn("stars", "bigint")))
    await seller.settled(sharing(seller, grown, "status", "stars"))
    assert await seen(seller, "review", "stars") == [None]
    await seller.settled(whole)
    await seller.settled(replace(whole, tables=(), views=()))
    name = f"{published(seller.crm)}.review"
    assert await seller.conn.fetchval(f"SELECT stars IS NULL AND status = 'good' FROM {name}")
    retyped = replace(table, columns=(table.columns[0], TableColumn("agent", "bigint"), table.columns[2]))
    outcome = await seller.settle(sharing(seller, retyped, "status"))
    assert not outcome.verified
    assert f"table {name} is made otherwise" in outcome.problem

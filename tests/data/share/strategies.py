# SPDX-License-Identifier: Apache-2.0
"""Random designs for one database."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from cairn.sql.share.model import Design, Mapping, Party, Table, TableColumn, View
from data.share.designs import LATER, app, design, member, party_id, published_view, review, staff, trade_view

COLUMNS = ("tid", "receiver_mobile", "buyer_nick", "payment", "created", "ouid", "title")
MASKS = {
    "payment": ("plain", "hmac", "partial", "bucket", "null"),
    "created": ("plain", "hmac", "bucket", "null"),
    "tid": ("plain", "hmac", "null"),
}
TEXT = ("plain", "hmac", "hmac-shared", "partial", "null")


@st.composite
def shown(draw: st.DrawFn) -> tuple[tuple[str, str], ...]:
    names = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=5, unique=True))
    return tuple((name, draw(st.sampled_from(MASKS.get(name, TEXT)))) for name in names)


@st.composite
def _trades(draw: st.DrawFn, party: str) -> View:
    view = trade_view(
        party,
        draw(shown()),
        shops=tuple(draw(st.sets(st.sampled_from(("55501", "55502"))))),
        days=draw(st.sampled_from((None, 7, 90))),
        until=draw(st.sampled_from((None, LATER))),
    )
    return replace(view, name=draw(st.sampled_from(("trade", "order"))))


def _tables(party: str) -> tuple[Table, ...]:
    stock = Table(party, "user", (TableColumn("sku", "text"), TableColumn("left", "numeric")), ("sku",))
    by_shop = Mapping("ouid", "ouid", "shop")
    points = (TableColumn("ouid", "text", required=True), TableColumn("shop", "text"), TableColumn("points", "bigint"))
    return (
        review(party),
        member(party),
        stock,
        Table(party, "points", points, (), by_shop),
    )


@st.composite
def designs(draw: st.DrawFn, database: str) -> Design:
    parties: list[Party] = []
    for name in draw(st.sets(st.sampled_from([party_id(f"{database}/app{n}") for n in range(3)]))):
        flags = draw(st.tuples(st.booleans(), st.booleans()))
        limit = draw(st.sampled_from((5, 20)))
        parties.append(replace(app(name, *flags), connections=limit))
    parties += [
        staff(name) for name in draw(st.sets(st.sampled_from([party_id(f"{database}/clerks{n}") for n in range(2)])))
    ]
    tables = [table for party in parties if not party.staff for table in _tables(party.id) if draw(st.booleans())]
    views = [draw(_trades(party.id)) for party in parties if draw(st.booleans())]
    for party in parties:
        for number, table in enumerate(tables):
            if draw(st.integers(0, 3)) == 0:
                names = [column.name for column in table.columns]
                some = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
                views.append(replace(published_view(party.id, table, some), name=f"shared{number}"))
    ended = frozenset(draw(st.sets(st.sampled_from(("ended1", "ended2")))))
    return design(database, parties=tuple(parties), tables=tuple(tables), views=tuple(views), ended=ended)

# SPDX-License-Identifier: Apache-2.0
"""Whatever sellers and vendors write: nobody sees more than both have agreed on."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.tenant.masks import ORDER, Rule, at_least, strictest
from unit.tenant.worlds import TRADES, World, contract, grant, pin, request

NAMES = tuple(column[0] for column in TRADES)
SUITED = {
    "tid": ("plain", "bucket 100", "hmac", "null"),
    "nick": ("plain", "partial", "hmac", "null"),
    "payment": ("plain", "bucket 7", "bucket 100", "null"),
    "pay_time": ("plain", "bucket day", "bucket month", "null"),
    "mobile": ("plain", "partial", "hmac", "null", "bucket 5"),
    "zip": ("plain", "null"),
}
columns = st.sets(st.sampled_from(NAMES), min_size=1)
masks = columns.flatmap(
    lambda names: st.fixed_dictionaries({name: st.sampled_from(SUITED[name]) for name in sorted(names)})
)
purposes = st.sampled_from(["fulfilment", "marketing"])


@st.composite
def contracts(draw: st.DrawFn, table: str) -> str:
    chosen = []
    for name, type_, _, _, *rest in ((*column, *("",) * (6 - len(column))) for column in TRADES):
        if draw(st.booleans()) or name == "tid":
            mask = draw(st.sampled_from([*(one for one in SUITED[name] if not one.startswith("bucket 5")), ""]))
            kind, _, bucket = mask.partition(" ")
            chosen.append((name, type_, kind, bucket, *rest))
    return contract("platform.trades", chosen, table)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    texts = {name: tuple(draw(st.lists(contracts(name), min_size=1, max_size=2))) for name in ("one", "two")}
    every = [(name, text) for name, known in texts.items() for text in known]
    grants: list[Any] = []
    for number, app in enumerate(draw(st.lists(st.sampled_from(["crm", "erp"]), max_size=3))):
        name, text = draw(st.sampled_from(every))
        more = {
            "purpose": draw(purposes),
            "rows": {"shops": draw(st.sampled_from([["55501"], ["55501", "55502"], ["7"]]))},
        }
        more["expiresAt"] = draw(
            st.sampled_from(["2026-11-10T00:00:00Z", "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"])
        )
        grants.append(grant(f"g{number}", app, pin(name, text), "platform.trades", draw(masks), **more))
    asks: dict[str, list[Any]] = {"crm": [], "erp": []}
    for number, app in enumerate(draw(st.lists(st.sampled_from(["crm", "erp"]), max_size=4))):
        name, text = draw(st.sampled_from(every))
        required, optional = sorted(draw(columns)), sorted(draw(columns))
        asks[app].append(request(f"r{number}", pin(name, text), required, optional, draw(purposes)))
    return World(
        grants=tuple(grants),
        requests={app: tuple(found) for app, found in asks.items()},
        texts=texts,
        shops=draw(st.sampled_from([("55501",), ("55501", "55502", "7")])),
    )


Cell = tuple[str, str, str, str]


def cells(world: World) -> set[Cell]:
    """Everything that apps can see: app, grant, column, shop."""
    return {
        (name, one.grant, column.name, shop)
        for name, consent in world.effective().apps.items()
        for one in consent.shown
        for column in one.columns
        for shop in one.shops
    }


@given(worlds())
@settings(max_examples=60, deadline=None)
def test_effective_never_exceeds_request_grant_or_contract(world: World) -> None:
    by_name = {one["name"]: one for one in world.grants}
    for name, consent in world.effective().apps.items():
        for one in consent.shown:
            given_ = by_name[one.grant]
            told = world.contracts[given_["contract"]["sha256"]]
            asked = {
                column
                for ask in world.requests[name]
                if (ask["contract"]["name"], ask["purpose"]) == (given_["contract"]["name"], given_["purpose"])
                for column in (*ask["required"], *ask["optional"])
            }
            listed = {column["name"]: column for column in given_["tables"][0]["columns"]}
            assert given_["app"] == name
            assert set(one.shops) <= set(given_["rows"]["shops"]) & set(world.shops) & set(world.own)
            assert one.expires_at > world.now
            for column in one.columns:
                assert column.name in asked
                assert not isinstance(told, Exception)
                rule = told.column(column.name)
                assert rule is not None
                assert rule.mask is not None
                mine = listed[column.name]
                assert at_least(column.rule, Rule(rule.mask, rule.bucket))
                assert at_least(column.rule, Rule(mine["mask"], mine.get("bucket", "")))
                if given_["purpose"] == "marketing" and column.name in ("nick", "mobile", "zip"):
                    assert column.rule.kind != "plain"


@given(worlds(), st.data())
@settings(max_examples=50, deadline=None)
def test_check_06_widening_of_any_request_never_shows_more(world: World, data: st.DataObject) -> None:
    """Another hash, in any of the requests, is the same to what is effective."""
    before = {name: consent.hash for name, consent in world.effective().apps.items()}
    bent = {
        app: tuple(
            {
                **one,
                "contract": {
                    **one["contract"],
                    "sha256": data.draw(st.sampled_from(["0" * 64, one["contract"]["sha256"]])),
                },
            }
            for one in asks
        )
        for app, asks in world.requests.items()
    }
    after = world.but(requests=bent)
    assert {name: consent.hash for name, consent in after.effective().apps.items()} == before
    assert repr(after.design()) == repr(world.design())


@given(worlds(), st.data())
@settings(max_examples=50, deadline=None)
def test_taking_anything_away_never_shows_more(world: World, data: st.DataObject) -> None:
    before = cells(world)
    if world.grants:
        at = data.draw(st.integers(0, len(world.grants) - 1))
        table = world.grants[at]["tables"][0]
        fewer = [column for column in table["columns"] if data.draw(st.booleans())]
        cut = {**world.grants[at], "tables": [{**table, "columns": fewer or table["columns"][:1]}]}
        less = world.but(grants=(*world.grants[:at], cut, *world.grants[at + 1 :]))
        alone = {one.grant for consent in less.effective().apps.values() for one in consent.shown}
        kept = {one.grant for consent in world.effective().apps.values() for one in consent.shown}
        assert {cell for cell in cells(less) if cell[1] in kept or alone == kept} <= before
    fewer_asks = {app: tuple(one for one in asks if data.draw(st.booleans())) for app, asks in world.requests.items()}
    assert cells(world.but(requests=fewer_asks)) <= before
    assert cells(world.but(shops=world.shops[:1])) <= before


@given(worlds(), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_order_of_lists_does_not_matter(world: World, random: Any) -> None:
    grants, shops = list(world.grants), list(world.shops)
    random.shuffle(grants)
    random.shuffle(shops)
    for one in grants:
        random.shuffle(one["tables"][0]["columns"])
    requests = {app: tuple(random.sample(asks, len(asks))) for app, asks in reversed(list(world.requests.items()))}
    other = world.but(grants=tuple(grants), shops=tuple(shops), requests=requests)
    assert repr(other.design()) == repr(world.design())
    assert other.effective().pending == world.effective().pending


rules = st.one_of(
    st.sampled_from([Rule(kind) for kind in ORDER if kind != "bucket"]),
    st.sampled_from([Rule("bucket", width) for width in ("2", "3", "100", "150", "999999999999")]),
)


@given(st.lists(rules, min_size=1, max_size=4))
def test_strictest_keeps_every_rule_in_any_order(found: list[Rule]) -> None:
    rule = strictest(found)
    assert rule == strictest(found[::-1])
    assert all(at_least(rule, one) for one in found)

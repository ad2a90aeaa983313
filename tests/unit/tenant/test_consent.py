# SPDX-License-Identifier: Apache-2.0
"""What is effective, what waits, what is wrong, and in which words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cairn.api.conditions import Reason
from cairn.sql.share.model import PublishedSource
from cairn.tenant.terms import few
from unit.tenant.worlds import (
    ERP,
    LATER,
    MASKS,
    NOW,
    REVIEW,
    REVIEWS,
    TRADE,
    TRADES,
    World,
    contract,
    grant,
    pin,
    request,
    sha,
)

WIDER = contract(
    "platform.trades", [*TRADES[:4], ("mobile", "text", "plain", "", "restricted", "receiver_mobile"), TRADES[5]]
)
TRADES_GRANT, REVIEWS_GRANT = ERP.grants


def widened(world: World = ERP) -> World:
    """The vendor asks for another contract with less mask and for one column more."""
    asks = (
        request("trades", pin("trade", WIDER), ["tid", "pay_time", "zip"], ["nick", "mobile"]),
        *ERP.requests["erp"][1:],
    )
    return world.but(requests={"erp": asks}, texts={**world.texts, "trade": (TRADE, WIDER)})


def test_effective_is_what_is_asked_for_and_granted() -> None:
    assert ERP.shown() == {
        "trades": {"tid": "plain", "nick": "hmac", "payment": "bucket 100", "pay_time": "plain"},
        "reviews": {"tid": "plain", "review_status": "plain"},
    }
    found = ERP.effective().apps["erp"]
    assert (found.granted, found.denied, found.pending, found.missing) == (("review", "trade"), ("mobile",), (), "")


def test_check_06_widening_changes_no_byte_until_consent() -> None:
    before, after = ERP.design(), widened().design()
    dropped = {column.name for view in before.views for column in view.columns} - {
        column.name for view in after.views for column in view.columns
    }
    assert dropped == {"payment"} & dropped  # what is no longer asked for may go, nothing may come
    whole = widened().but(
        requests={
            "erp": (
                request("trades", pin("trade", WIDER), ["tid", "pay_time", "zip"], ["nick", "mobile", "payment"]),
                *ERP.requests["erp"][1:],
            )
        }
    )
    assert repr(whole.design()) == repr(before)
    assert whole.effective().apps["erp"].hash == ERP.effective().apps["erp"].hash


def test_check_06_widening_says_which_columns_wait_and_which_masks_fall() -> None:
    (text,) = widened().effective().apps["erp"].pending
    assert text == (
        f"request trades now pins contract trade ({sha(WIDER)[:12]}); {sha(TRADE)[:12]} stays granted:"
        " new columns mobile, zip; less masked mobile (plain instead of partial)"
    )
    assert widened().effective().pending == (f"app erp: {text}",)
    assert widened().effective().apps["erp"].missing == "request trades: zip not granted"


def test_check_06_wrong_hash_is_named_and_changes_nothing() -> None:
    asks = (
        request("trades", {"name": "trade", "sha256": "0" * 64}, ["tid", "pay_time"], ["nick", "mobile", "payment"]),
        *ERP.requests["erp"][1:],
    )
    bent = ERP.but(requests={"erp": asks})
    assert repr(bent.design()) == repr(ERP.design())
    assert "ContractMismatch" in bent.effective().apps["erp"].pending[0]
    assert bent.effective().apps["erp"].reason is Reason.CONTRACT_MISMATCH


def test_grant_whose_contract_was_changed_gives_nothing_new() -> None:
    changed = ERP.but(texts={**ERP.texts, "trade": (WIDER,)})
    assert "trades" not in changed.shown()
    (problem,) = changed.effective().grants
    assert problem.reason is Reason.CONTRACT_MISMATCH
    assert problem.text.startswith("grant erp-trades: contract trade has the sha256")
    kept = ERP.but(texts={**ERP.texts, "trade": (WIDER, TRADE)})  # Cairn's own copy of what was consented to
    assert repr(kept.design()) == repr(ERP.design())


def test_request_without_a_grant_waits_for_consent() -> None:
    found = ERP.but(grants=()).effective()
    assert found.apps["erp"].pending[1] == (
        f"request trades asks for contract trade ({sha(TRADE)[:12]}) for fulfilment: columns pay_time, tid;"
        " optional mobile, nick, payment"
    )
    assert found.apps["erp"].denied == ()
    assert found.apps["erp"].reason is Reason.NO_CONSENT


def test_purpose_must_be_the_same() -> None:
    other = ERP.but(grants=(TRADES_GRANT | {"purpose": "finance"}, REVIEWS_GRANT))
    assert set(other.shown()) == {"reviews"}
    assert "(it is granted for finance alone)" in other.effective().apps["erp"].pending[0]


def test_required_column_that_is_not_granted_is_named() -> None:
    less = grant("erp-trades", "erp", pin("trade", TRADE), "platform.trades", {"tid": "plain"})
    found = ERP.but(grants=(less, REVIEWS_GRANT)).effective().apps["erp"]
    assert found.missing == "request trades: pay_time not granted"
    assert found.pending == ("request trades needs pay_time, which grant erp-trades does not show",)
    assert found.denied == ("mobile", "nick", "payment")


MARKETING = (TRADES_GRANT | {"purpose": "marketing"},)
BUYERS = contract(
    "platform.trades", [("nick", "text", "plain", "", "internal", "buyer_nick"), ("tid", "bigint", "plain")]
)


def _columns(**masks: str) -> tuple[Any, ...]:
    return (grant("g", "erp", pin("trade", TRADE), "platform.trades", masks),)


@pytest.mark.parametrize(
    ("grants", "reason", "words"),
    [
        pytest.param(_columns(nope="plain"), Reason.COLUMN_UNKNOWN, "has no column nope", id="no-such-column"),
        pytest.param(_columns(zip="plain"), Reason.MASK_REFUSED, "no mask in the contract", id="no-mask-rule"),
        pytest.param(_columns(payment="partial"), Reason.MASK_REFUSED, "payment is numeric", id="partial-number"),
        pytest.param(_columns(pay_time="bucket 100"), Reason.MASK_REFUSED, "is no mask for it", id="width-of-a-time"),
        pytest.param(
            (TRADES_GRANT | {"expiresAt": "2026-11-11T00:00:00Z"},), Reason.GRANT_EXPIRED, "it ended", id="over"
        ),
        pytest.param(
            (TRADES_GRANT | {"expiresAt": "2027-11-13T00:00:00Z"},), Reason.GRANT_TOO_LONG, "366 days", id="too-long"
        ),
        pytest.param((TRADES_GRANT | {"app": "ghost"},), Reason.APP_NOT_FOUND, "admit it", id="no-such-app"),
        pytest.param((TRADES_GRANT | {"rows": {"shops": ["9"]}},), Reason.NOT_YOUR_SHOP, "rows.shops 9", id="shop"),
        pytest.param(
            (grant("g", "erp", pin("trade", TRADE), "platform.refunds", MASKS),),
            Reason.TABLE_UNKNOWN,
            "is about platform.trades",
            id="another-table",
        ),
        pytest.param(
            (grant("g", "erp", pin("review", REVIEW), "erp.reviews", {"tid": "plain"}),),
            Reason.TABLE_UNKNOWN,
            "app's own",
            id="own-table",
        ),
        pytest.param(
            (grant("g", "erp", pin("review", REVIEW), "crm.reviews", {"tid": "plain"}, joinOn="ouid"),),
            Reason.MAPPING_CONFLICT,
            "joinOn: tid",
            id="other-key",
        ),
    ],
)
def test_what_is_wrong_with_a_grant_is_said_and_not_shown(grants: Any, reason: Reason, words: str) -> None:
    world = ERP.but(grants=grants)
    (problem,) = world.effective().grants
    assert (problem.reason, words in problem.text) == (reason, True), problem.text
    assert world.shown() == {}


def test_marketing_gets_no_plain_personal_column() -> None:
    grants = (
        grant(
            "g", "erp", pin("trade", BUYERS), "platform.trades", {"nick": "plain", "tid": "plain"}, purpose="marketing"
        ),
    )
    asks = (request("r", pin("trade", BUYERS), ["nick", "tid"], purpose="marketing"),)
    world = World(grants=grants, requests={"erp": asks}, texts={"trade": (BUYERS,)})
    assert world.shown() == {"trades": {"tid": "plain"}}, "whatever the vendor's contract calls it"
    assert world.effective().grants[0].reason is Reason.MASK_REFUSED


def test_stricter_of_contract_and_grant_counts() -> None:
    masks = {"nick": "plain", "mobile": "hmac", "tid": "hmac"}
    world = ERP.but(
        grants=(grant("g", "erp", pin("trade", TRADE), "platform.trades", masks),),
        requests={"erp": (request("r", pin("trade", TRADE), list(masks)),)},
    )
    assert world.shown() == {"trades": {"tid": "hmac", "nick": "hmac", "mobile": "hmac"}}


def test_publisher_decides_what_others_may_see_of_its_table() -> None:
    lax = contract(
        "reviews", [("tid", "bigint", "plain", "", "internal"), ("agent", "text", "plain"), ("note", "text", "plain")]
    )
    strict = contract("reviews", [*REVIEWS[:2], ("note", "text", "")])
    world = World(
        grants=(
            grant("g", "erp", pin("lax", lax), "crm.reviews", {"tid": "plain", "agent": "plain", "note": "plain"}),
        ),
        requests={"erp": (request("r", pin("lax", lax), ["tid", "agent", "note"]),)},
        publishes={
            "crm": (
                {"name": "reviews", "contract": pin("own", strict), "mapping": {"column": "tid", "keyType": "tid"}},
            )
        },
        texts={"lax": (lax,), "own": (strict,)},
    )
    assert world.shown() == {"reviews": {"tid": "plain", "agent": "partial"}}


def test_two_grants_of_one_table_name_leave_the_first() -> None:
    second = grant("zz", "erp", pin("trade", TRADE), "platform.trades", {"tid": "plain", "mobile": "partial"})
    world = ERP.but(grants=(second, *ERP.grants))
    assert world.shown() == ERP.shown()
    assert world.effective().grants[0].reason is Reason.CONFLICT


def test_expiry_is_a_function_of_now_and_of_what_has_ended() -> None:
    end = ERP.effective().next
    assert end is not None
    assert ERP.but(now=end - timedelta(seconds=1)).shown() == ERP.shown()
    over = ERP.but(now=end).effective()
    assert over.apps["erp"].shown == ()
    assert len(over.ended) == 2
    back = ERP.but(now=NOW, ended=over.ended)  # the clock jumps back
    assert back.shown() == {}
    renewed = tuple(one | {"expiresAt": "2027-06-30T00:00:00Z"} for one in ERP.grants)
    assert back.but(grants=renewed).shown() == ERP.shown()


def test_one_moment_has_one_key_however_it_is_written() -> None:
    other = tuple(one | {"expiresAt": "2027-05-31T08:00:00+08:00"} for one in ERP.grants)
    assert LATER != "2027-05-31T08:00:00+08:00"
    assert repr(ERP.but(grants=other).design()) == repr(ERP.design())


@pytest.mark.parametrize("text", ["2027-05-31T23:59:60Z", "0001-01-01T00:00:00+14:00", "2027-05-31"])
def test_end_that_no_clock_shows_grants_nothing_and_breaks_nothing(text: str) -> None:
    odd = (TRADES_GRANT | {"expiresAt": text}, REVIEWS_GRANT)
    assert ("trades" in ERP.but(grants=odd).shown()) == (text == "2027-05-31")
    assert "reviews" in ERP.but(grants=odd).shown()


def test_publication_that_can_not_be_made_is_named() -> None:
    gone = ERP.but(texts={"trade": (TRADE,)})
    assert gone.effective().publications[0].reason is Reason.CONTRACT_NOT_FOUND
    assert gone.design().tables == ()
    bad = {"name": "reviews", "contract": pin("review", REVIEW), "mapping": {"column": "agent", "keyType": "tid"}}
    assert ERP.but(publishes={"crm": (bad,)}).effective().publications == ()  # text may hold a tid
    other = {**bad, "mapping": {"column": "tid", "keyType": "ouid"}}
    assert ERP.but(publishes={"crm": (other,)}).effective().publications[0].reason is Reason.MAPPING_CONFLICT


def test_design_has_pseudonyms_that_join_within_an_app_and_staff_by_role() -> None:
    design = ERP.design()
    keys = {c.mask.key for view in design.views for c in view.columns if c.name == "nick" and c.mask.kind == "hmac"}
    (key,) = keys
    assert key.endswith(".nick")
    staff = {party.id for party in design.parties if party.staff}
    assert len(staff) == 2
    masks = {
        view.party: {c.mask.kind for c in view.columns if c.name == "receiver_mobile"}
        for view in design.views
        if view.party in staff and view.name == "trades"
    }
    assert sorted(map(sorted, masks.values())) == [["partial"], ["plain"]]
    assert [master.tid for master in design.masters if master.tid] == ["tid"]
    (published,) = design.tables
    assert (published.name, published.mapping and published.mapping.key_type) == ("reviews", "tid")
    (joined,) = [view for view in design.views if isinstance(view.source, PublishedSource)]
    assert joined.shops == ("55501",)


def test_pseudonyms_of_published_columns_help_nobody_guess() -> None:
    hashed = grant("erp-reviews", "erp", pin("review", REVIEW), "crm.reviews", {"tid": "hmac", "agent": "hmac"})
    world = ERP.but(
        grants=(TRADES_GRANT, hashed), requests={"erp": (request("r", pin("review", REVIEW), ["tid", "agent"]),)}
    )
    (view,) = [view for view in world.design().views if view.name == "reviews"]
    keys = {column.name: column.mask.key for column in view.columns}
    crm = next(table.party for table in world.design().tables)
    assert keys == {"tid": f"{view.party}.tid", "agent": f"{view.party}.{crm}.reviews.agent"}


def test_shops_of_others_are_left_out_of_everything() -> None:
    foreign = ERP.but(
        shops=("55501", "666"), grants=tuple(g | {"rows": {"shops": ["55501", "666"]}} for g in ERP.grants)
    )
    assert {shop for view in foreign.design().views for shop in view.shops} == {"55501"}


def test_vendor_who_asks_for_a_million_things_can_not_fill_the_sellers_status() -> None:
    """A condition's message holds 32,768 characters, a list of an app's status 256 entries: more, and the API server
    refuses the whole status of the tenant, of all its apps."""
    names_ = [f"c{number:03}_{'x' * 58}" for number in range(99)]
    wide = contract("platform.trades", [(name, "text", "plain") for name in names_] + [("tid", "bigint", "plain")])
    asks = tuple(
        request(
            f"r{number}", pin("wide", wide) if number % 2 else pin(f"other-{number}", wide), names_[:30], names_[30:]
        )
        for number in range(16)
    )
    grants = (
        *ERP.grants,
        grant("wide", "erp", pin("wide", wide), "platform.trades", {"tid": "plain", **dict.fromkeys(names_, "plain")}),
    )
    found = ERP.but(requests={"erp": asks}, grants=grants, texts={**ERP.texts, "wide": (wide,)}).effective()
    mine = found.apps["erp"]
    assert len(found.grants) >= 99
    assert max(len("; ".join(texts)) for texts in (found.pending, few([one.text for one in found.grants]))) < 10_000
    assert len(mine.denied) <= 256
    assert len(mine.pending) <= 256
    assert mine.denied[-1] == "and 9 more"
    assert len(mine.missing) < 10_000

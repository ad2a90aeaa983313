# SPDX-License-Identifier: Apache-2.0
"""What stands in the server's catalogs is what the design says, no more and no less."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from data.engines.seller import DATABASE, Seller, seller_at
from data.engines.servers import MySQL
from data.share.designs import app, design, member, party_id, published_view, review
from data.share.strategies import designs


async def test_check_01_exact_acl_of_the_example(seller: Seller) -> None:
    await seller.settled(design(DATABASE))


async def test_check_01_exact_acl_after_everybody_has_gone(seller: Seller) -> None:
    full = design(DATABASE)
    await seller.settled(full)
    await seller.settled(design(DATABASE, parties=(), tables=(), views=()))
    left = await seller.session.fetch("SELECT user FROM mysql.user WHERE user REGEXP '^(own|g|u)[a-z2-7]{16}'")
    assert {name.removeprefix("own").removeprefix("g") for (name,) in left} == {full.id}
    await seller.settled(full)


def test_check_01_exact_acl_from_any_design_to_any_other(mysql: MySQL) -> None:
    """Each example goes on where the last one stopped."""
    with asyncio.Runner() as runner:
        seller = runner.run(seller_at(mysql.admin))

        @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.data())
        def run(data: st.DataObject) -> None:
            runner.run(seller.settled(data.draw(designs(DATABASE))))

        run()
        runner.run(seller.session.close())


async def test_view_that_turns_to_a_table_that_is_made_in_the_same_pass_stands_after_it(seller: Seller) -> None:
    old, new, reader = (app(party_id(f"platform/app{n}")) for n in range(3))
    first, second = review(old.id), member(new.id)
    one = replace(published_view(reader.id, first, [first.columns[0].name]), name="shared")
    other = replace(published_view(reader.id, second, [second.columns[0].name]), name="shared")
    await seller.settled(design(DATABASE, parties=(old, reader), tables=(first,), views=(one,)))
    await seller.settled(design(DATABASE, parties=(old, reader, new), tables=(first, second), views=(other,)))


async def test_check_05_what_nothing_is_pushed_as_yet_is_left_out_and_told(seller: Seller) -> None:
    await seller.session.execute("RENAME TABLE platform.trades TO platform.later")
    full = design(DATABASE)
    outcome = await seller.settle(full)
    assert not outcome.verified
    assert outcome.problem == "nothing is pushed yet as platform.trades"
    assert (await seller.share.observe(full, {})).datasets == {"later"}
    await seller.session.execute("RENAME TABLE platform.later TO platform.trades")
    await seller.settled(full)


async def test_a_database_of_the_sellers_by_a_name_of_ours_is_left_alone(seller: Seller) -> None:
    await seller.session.execute("CREATE DATABASE map")
    await seller.session.execute("CREATE TABLE map.cities (name varchar(10))")
    with pytest.raises(SqlError, match="database map exists with table cities") as refused:
        await seller.settle(design(DATABASE))
    assert refused.value.reason is Reason.CONFLICT
    assert await seller.session.fetch("SHOW TABLES FROM map") == [("cities",)]
    await seller.session.execute("DROP DATABASE map")
    await seller.settled(design(DATABASE))


async def test_a_server_that_another_tenant_shares_is_left_alone(seller: Seller) -> None:
    full = design(DATABASE)
    await seller.settled(full)
    with pytest.raises(SqlError, match="already shared") as refused:
        await seller.settle(replace(full, id="b" * 16, views=()))
    assert refused.value.reason is Reason.CONFLICT
    await seller.exact(full)


async def test_what_is_cairns_own_is_made_again_where_somebody_dropped_it(seller: Seller) -> None:
    full = design(DATABASE)
    await seller.settled(full)
    for gone in (f"DROP USER own{full.id}@localhost", "DROP DATABASE map", "DROP TRIGGER audit.keep"):
        await seller.session.execute(gone.replace("audit.keep", "audit.nodelete"))
        outcome = await seller.settle(full)
        assert outcome.verified, outcome.problem
        await seller.settled(full)

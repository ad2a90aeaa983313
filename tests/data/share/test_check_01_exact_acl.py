# SPDX-License-Identifier: Apache-2.0
"""What stands in the catalogs is what the design says, no more and no less."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cairn.sql.postgresql import Connection, Target, connect
from data.share.designs import design
from data.share.seller import Seller, seller_at
from data.share.strategies import designs


async def test_check_01_exact_acl_of_the_example(seller: Seller) -> None:
    await seller.settled(design(seller.database))


async def test_check_01_exact_acl_after_everybody_has_gone(seller: Seller) -> None:
    full = design(seller.database)
    await seller.settled(full)
    await seller.settled(design(seller.database, parties=(), tables=(), views=()))
    mark = f"managed by cairn: share {full.id}"
    roles = await seller.conn.fetch(
        "SELECT rolname, rolcanlogin FROM pg_roles WHERE shobj_description(oid, 'pg_authid') = $1", mark
    )
    assert {row["rolname"][0] for row in roles} == {"o", "g"}
    assert not any(row["rolcanlogin"] for row in roles)
    await seller.settled(full)


def test_check_01_exact_acl_from_any_design_to_any_other(database: Target) -> None:
    """Each example goes on where the last one stopped."""
    with asyncio.Runner() as runner:
        conn: Connection = runner.run(connect(database))
        seller = runner.run(seller_at(database, conn))

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.data())
        def run(data: st.DataObject) -> None:
            runner.run(seller.settled(data.draw(designs(seller.database))))

        run()
        runner.run(conn.close())

# SPDX-License-Identifier: Apache-2.0
"""The same rights on every version. All checks run on one with CAIRN_TEST_POSTGRESQL=17."""

from __future__ import annotations

import os

import pytest

from cairn.sql.postgresql import Target, connect
from cairn.sql.roles import ensure_database, ensure_role
from cairn.sql.share.names import group, own_role
from cairn_devcluster.databases import ALL
from data.servers import PostgreSQL
from data.share.designs import design
from data.share.seller import seller_at
from data.share.test_killed_between_statements import changed

BUILT = {server.name.removeprefix("postgresql-"): server.built() for server in ALL}


@pytest.mark.parametrize("version", ["15", "17", "18"])
@pytest.mark.parametrize("superuser", [True, False])
async def test_check_01_exact_acl_on_every_version(version: str, superuser: bool) -> None:
    if not BUILT[version] or os.geteuid() != 0:
        pytest.skip(f"no PostgreSQL {version} is unpacked: see tests/data/engines")
    server = PostgreSQL(version)
    try:
        server.start()
        admin = Target("localhost", server.port, "postgres", "postgres", "secret", server.ca, address="127.0.0.1")
        first = await connect(admin)
        who = "SUPERUSER" if superuser else "CREATEROLE CREATEDB"
        await first.execute(f"CREATE ROLE operator LOGIN {who} PASSWORD 'x'; CREATE ROLE mallory LOGIN")
        await first.close()
        operator = Target("localhost", server.port, "postgres", "operator", "x", server.ca, address="127.0.0.1")
        conn = await connect(operator)
        await ensure_role(conn, "shop_owner", password="x")
        await ensure_database(conn, "shop", "shop_owner")
        await conn.close()
        target = Target("localhost", server.port, "shop", "operator", "x", server.ca, address="127.0.0.1")
        conn = await connect(target)
        seller = await seller_at(target, conn)
        whole = design("shop")
        for wanted in (whole, changed(whole), whole):
            await seller.settled(wanted)
        await conn.execute(f"GRANT {group(seller.crm)} TO mallory WITH ADMIN OPTION")
        await conn.execute(f"SET ROLE {own_role(whole.id)}; GRANT ALL ON map.key TO PUBLIC; RESET ROLE")
        outcome = await seller.settled(whole)
        assert [record.action for record in outcome.records] == ["repair", "repair"]
        await conn.close()
    finally:
        server.remove()

# SPDX-License-Identifier: Apache-2.0
"""Two sellers on one database server: neither's app gets into the other's database, or learns from names whose it is.

What people and pods of one seller may not on the API server stands in test_isolation.py.
"""

from __future__ import annotations

from dataclasses import replace

import asyncpg
import pytest

from cairn.sql.errors import SqlError
from cairn.sql.postgresql import connect
from cluster.tenant.estate import Estate, grant

VIEWS = "SELECT definition FROM pg_views WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'platform')"


async def test_check_10_seller_isolation_of_databases(estate: Estate, neighbour_estate: Estate) -> None:
    for one in (estate, neighbour_estate):
        assert one.data
        await one.data.trade(1, title=f"of {one.number}")
        await one.served("erp-bolt", grants=[grant("erp-bolt")])
    await estate.settle()
    mine, theirs = await estate.secret("erp-bolt"), await neighbour_estate.secret("erp-bolt")
    assert mine
    assert theirs
    with pytest.raises(SqlError, match="permission denied for database"):
        await connect(replace(estate.login(mine), database=neighbour_estate.database))
    with pytest.raises(SqlError, match="authentication"):
        await connect(replace(estate.login(theirs), password=mine["password"]))
    async with estate.as_app("erp-bolt") as (conn, _):
        for sql in (
            f"SET ROLE {theirs['username']}",
            f"GRANT g{theirs['share-schema'][1:]} TO {mine['username']}",
            f"ALTER ROLE {theirs['username']} NOLOGIN",
            "SELECT * FROM pg_authid",
            "SELECT pg_read_file('/etc/passwd')",
        ):
            with pytest.raises(asyncpg.PostgresError):
                await conn.execute(sql)
        roles = [row["rolname"] for row in await conn.fetch("SELECT rolname FROM pg_roles")]
        texts = [row["definition"] or "" for row in await conn.fetch(VIEWS)]
        sessions = [str(dict(row)) for row in await conn.fetch("SELECT * FROM pg_stat_activity WHERE usename <> user")]
    named = [name for name in roles if name[0] in "guo" and neighbour_estate.number in name and "shop" not in name]
    assert not named, "no role that Cairn made for sharing names its seller"
    assert texts, "every role can read the text of every view"
    assert not [text for text in texts if "55501" in text or "erp" in text or estate.number in text]
    assert not [text for text in sessions if theirs["password"] in text]
    assert [row["title"] for row in await estate.rows("erp-bolt")] == [f"of {estate.number}"]
    assert [row["title"] for row in await neighbour_estate.rows("erp-bolt")] == [f"of {neighbour_estate.number}"]

# SPDX-License-Identifier: Apache-2.0
"""A grant that ends while the operator is down ends all the same, and no clock brings it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from cairn.api.resources import INTEGRATIONTENANT, Ref
from cluster.engine.conftest import until
from cluster.tenant.estate import Estate, grant


async def test_check_14_expiry_while_the_operator_is_down(estate: Estate) -> None:
    assert estate.data
    await estate.data.trade(1)
    await estate.served("erp-bolt", grants=[grant("erp-bolt")])
    assert len(await estate.rows("erp-bolt")) == 1
    ends = datetime.now(UTC) + timedelta(seconds=15)
    await estate.tenant(grants=[grant("erp-bolt", expiresAt=ends.strftime("%Y-%m-%dT%H:%M:%SZ"))])
    await estate.settle()
    tenant = Ref(INTEGRATIONTENANT, estate.namespace, "main")
    await estate.holds(tenant, "GrantsValid")
    async with estate.as_app("erp-bolt") as (conn, schema):
        assert await conn.fetchval(f"SELECT count(*) FROM {schema}.trade") == 1, "it has not ended yet"

        async def over() -> bool:
            return not await conn.fetch(f"SELECT * FROM {schema}.trade")

        await until("the view ends by itself: nobody runs here", over, seconds=30)
        assert datetime.now(UTC) >= ends - timedelta(seconds=1)
        await estate.settle(fresh=True)
        with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError)):
            await conn.fetch("SELECT 1")
    said = await estate.condition(tenant, "GrantsValid")
    assert (said["status"], said["reason"]) == ("False", "GrantExpired")
    assert (await estate.app_status("erp-bolt")).get("tables", 0) == 0

    estate.clock.ahead = timedelta(hours=-1)
    await estate.settle(fresh=True)
    async with estate.as_app("erp-bolt") as (conn, schema):
        with pytest.raises(asyncpg.UndefinedTableError):
            await conn.fetch(f"SELECT * FROM {schema}.trade")

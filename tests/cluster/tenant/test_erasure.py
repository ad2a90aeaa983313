# SPDX-License-Identifier: Apache-2.0
"""A buyer who wants to be forgotten is, by an Operation."""

from __future__ import annotations

from cairn.api.resources import OPERATION, Ref
from cluster.tenant.estate import SHOP, Estate, grant


async def test_erased_buyer_is_left_out_of_every_view_and_the_operation_says_so(estate: Estate) -> None:
    assert estate.data
    await estate.data.trade(1, ouid="AAQ1")
    await estate.data.trade(2, ouid="AAQ2")
    await estate.served("erp-bolt", grants=[grant("erp-bolt")])
    assert [row["tid"] for row in await estate.rows("erp-bolt")] == [1, 2]
    target = {"kind": "IntegrationTenant", "name": "main"}
    spec = {"target": target, "action": "erase", "args": {"shop": SHOP, "ouid": "AAQ1"}, "confirm": "main"}
    await estate.apply(estate.named("Operation", "forget-1", spec))
    await estate.settle()
    assert [row["tid"] for row in await estate.rows("erp-bolt")] == [2]
    done = await estate.live(Ref(OPERATION, estate.namespace, "forget-1"))
    assert done["status"]["phase"] == "Succeeded", done["status"]
    assert (await estate.status())["erased"] == [done["metadata"]["uid"]]
    assert "AAQ1" not in str(await estate.data.conn.fetch("SELECT * FROM audit.log"))
    await estate.cluster.delete(Ref(OPERATION, estate.namespace, "forget-1"), uid=done["metadata"]["uid"])
    await estate.settle()
    assert "erased" not in await estate.status()

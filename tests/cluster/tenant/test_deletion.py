# SPDX-License-Identifier: Apache-2.0
"""A tenant that goes: access first, data never, and not for ever."""

from __future__ import annotations

import pytest

from cairn.api.resources import CONFIGMAP, INTEGRATIONTENANT, NAMESPACE, NETWORKPOLICY, ROLEBINDING, Ref
from cairn.api.secrets import secret
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import connect
from cluster.tenant.estate import CONFIRM, Estate, grant, names


async def delete(estate: Estate, ref: Ref) -> None:
    live = await estate.live(ref)
    await estate.cluster.delete(ref, uid=live["metadata"]["uid"])


async def test_deleted_tenant_ends_access_and_keeps_data_and_namespaces(estate: Estate) -> None:
    assert estate.data
    await estate.data.trade(1)
    await estate.served("erp-bolt", grants=[grant("erp-bolt")], accounts=[{"name": "boss", "role": "owner"}])
    tenant = Ref(INTEGRATIONTENANT, estate.namespace, "main")
    held, home = await estate.secret("erp-bolt"), estate.home("erp-bolt")
    assert held
    async with estate.as_app("erp-bolt") as (conn, _):
        await conn.execute(f"CREATE TABLE {held['work-schema']}.mine AS SELECT 1 AS one")
    await delete(estate, tenant)
    await estate.settle()
    assert await estate.cluster.get(tenant) is None
    assert await estate.secret("erp-bolt") is None
    assert await names(estate.cluster, ROLEBINDING, estate.namespace) == ["cairn-operator"]
    assert await names(estate.cluster, ROLEBINDING, home) == ["cairn-operator"]
    assert await names(estate.cluster, NETWORKPOLICY, home) == ["cairn-default-deny", "cairn-dns", "cairn-within"]
    assert not [one for one in await names(estate.cluster, CONFIGMAP, estate.namespace) if "contract" in one]
    assert (await estate.live(Ref(NAMESPACE, "", home)))["status"]["phase"] == "Active"
    with pytest.raises(SqlError):
        await connect(estate.login(held))
    assert await estate.data.conn.fetchval(f"SELECT one FROM {held['work-schema']}.mine") == 1
    assert await estate.data.conn.fetchval("SELECT count(*) FROM platform.trades") == 1

    await estate.tenant()
    await estate.settle()
    await estate.holds(Ref(INTEGRATIONTENANT, estate.namespace, "main"))
    assert len(await estate.rows("erp-bolt")) == 1, "a tenant made anew takes up its namespaces and serves again"


async def test_tenant_whose_database_is_gone_says_how_to_let_go_and_does(estate: Estate) -> None:
    await estate.served("erp-bolt", grants=[grant("erp-bolt")])
    tenant = Ref(INTEGRATIONTENANT, estate.namespace, "main")
    await estate.apply(secret(estate.namespace, "pg-admin", {}, {"username": b"postgres", "password": b"changed"}))
    await delete(estate, tenant)
    await estate.settle()
    said = await estate.condition(tenant)
    assert (said["status"], said["reason"]) == ("False", "DatabaseUnreachable")
    assert f"{CONFIRM}=main" in said["message"]
    assert await estate.secret("erp-bolt") is None, "what can be taken away is"
    await estate.cluster.patch(tenant, {"metadata": {"annotations": {CONFIRM: "main"}}})
    await estate.settle()
    assert await estate.cluster.get(tenant) is None


async def test_second_tenant_on_the_same_database_conflicts_and_harms_nobody_when_it_goes(estate: Estate) -> None:
    assert estate.data
    await estate.data.trade(1)
    await estate.served("erp-bolt", grants=[grant("erp-bolt")])
    spec = {"databaseRef": {"name": "shop-db"}, "shops": ["55501"]}
    await estate.apply(estate.named("IntegrationTenant", "second", spec))
    await estate.settle()
    second = Ref(INTEGRATIONTENANT, estate.namespace, "second")
    said = await estate.condition(second)
    assert (said["status"], said["reason"]) == ("False", "Conflict")
    await delete(estate, second)
    await estate.settle()
    assert await estate.cluster.get(second) is None
    assert len(await estate.rows("erp-bolt")) == 1


async def test_suspended_tenant_keeps_its_hands_off(estate: Estate) -> None:
    await estate.served("erp-bolt", grants=[grant("erp-bolt")])
    await estate.tenant(suspend=True, grants=[])
    await estate.settle()
    tenant = Ref(INTEGRATIONTENANT, estate.namespace, "main")
    await estate.holds(tenant, "Suspended")
    assert (await estate.app_status("erp-bolt"))["tables"] == 1
    await estate.tenant(suspend=False)
    await estate.settle()
    assert (await estate.app_status("erp-bolt")).get("tables", 0) == 0


async def test_seller_stays_while_it_has_a_tenant(estate: Estate) -> None:
    await estate.served("erp-bolt")
    from cairn.api.resources import SELLER

    seller = Ref(SELLER, "", f"s{estate.number}")
    await delete(estate, seller)
    await estate.settle()
    assert "IntegrationTenant main" in (await estate.condition(seller))["message"]

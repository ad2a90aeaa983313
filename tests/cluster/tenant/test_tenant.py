# SPDX-License-Identifier: Apache-2.0
"""A tenant from its spec to an app that reads, and back."""

from __future__ import annotations

import pytest

from cairn.api.resources import NAMESPACE, NETWORKPOLICY, ROLEBINDING, Ref
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import connect
from cluster.tenant.estate import Estate, grant, names


async def test_admitted_app_gets_a_guarded_namespace_and_a_way_into_the_database(estate: Estate) -> None:
    tenant = await estate.tenant(
        apps=[estate.entry("erp-bolt")],
        accounts=[{"name": "boss", "role": "owner"}, {"name": "books", "role": "finance"}],
    )
    await estate.settle()
    home = estate.home("erp-bolt")
    namespace = await estate.live(Ref(NAMESPACE, "", home))
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert await names(estate.cluster, ROLEBINDING, home) == ["cairn-developers", "cairn-operator"]
    assert await names(estate.cluster, ROLEBINDING, estate.namespace) == [
        "cairn-main-finance", "cairn-main-owner", "cairn-operator",
    ]  # fmt: skip
    assert await names(estate.cluster, NETWORKPOLICY, home) == ["cairn-default-deny", "cairn-dns", "cairn-within"]
    await estate.holds(tenant)
    assert (await estate.app_status("erp-bolt"))["state"] == "NoRequest"
    assert await estate.secret("erp-bolt") is None

    app = await estate.app("erp-bolt")
    await estate.settle()
    await estate.holds(app)
    await estate.holds(tenant, "AclVerified")
    assert "cairn-database" in await names(estate.cluster, NETWORKPOLICY, home)
    held = await estate.secret("erp-bolt")
    assert held is not None
    assert held["oidc-issuer"] == "https://id.example.com"
    assert held["oidc-client-id"] == home
    async with estate.as_app("erp-bolt") as (conn, _):
        assert await conn.fetchval("SELECT 1") == 1
        with pytest.raises(Exception, match="permission denied"):
            await conn.fetch("SELECT * FROM platform.trades")


async def test_app_of_another_vendor_gets_nothing(estate: Estate) -> None:
    await estate.tenant(apps=[estate.entry("erp-bolt")])
    await estate.settle()
    app = await estate.app("erp-bolt", key="99999")
    await estate.settle()
    said = await estate.condition(app)
    assert (said["status"], said["reason"]) == ("False", "NotAdmitted")
    assert "vendorAppKey is 23456789" in said["message"]
    assert await estate.secret("erp-bolt") is None


async def test_removed_app_loses_access_at_once_and_keeps_its_namespace(estate: Estate) -> None:
    await estate.served("erp-bolt", grants=[grant("erp-bolt")])
    held = await estate.secret("erp-bolt")
    assert held is not None
    await estate.tenant(apps=[], grants=[])
    await estate.settle()
    assert await estate.secret("erp-bolt") is None
    home = estate.home("erp-bolt")
    assert (await estate.live(Ref(NAMESPACE, "", home)))["status"]["phase"] == "Active"
    assert await names(estate.cluster, ROLEBINDING, home) == ["cairn-operator"]
    assert await names(estate.cluster, NETWORKPOLICY, home) == ["cairn-default-deny", "cairn-dns", "cairn-within"]
    assert await estate.app_status("erp-bolt") == {}
    with pytest.raises(SqlError):
        await connect(estate.login(held))

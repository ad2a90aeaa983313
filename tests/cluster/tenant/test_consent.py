# SPDX-License-Identifier: Apache-2.0
"""From a request and a grant to rows that an app reads, and back to none."""

from __future__ import annotations

import asyncpg
import pytest

from cairn.api.resources import CONFIGMAP, INTEGRATIONAPP, INTEGRATIONTENANT, SECRET, Ref
from cairn.sql.share import names as sql_names
from cairn.tenant.act import DRIFT
from cluster.tenant.estate import CONTRACT, Estate, grant, request, sha256

PAY_TIME = "  - {name: pay_time, physicalType: timestamp, customProperties: [{property: mask, value: plain}]}\n"
WIDER = CONTRACT.replace("3.0.0", "4.0.0").replace("  - {name: nick,", PAY_TIME + "  - {name: nick,")
GONE = (asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.InterfaceError)


def refs(estate: Estate) -> tuple[Ref, Ref]:
    home = estate.home("erp-bolt")
    return Ref(INTEGRATIONTENANT, estate.namespace, "main"), Ref(INTEGRATIONAPP, home, "erp-bolt")


async def test_granted_app_reads_masked_rows_of_the_shops_it_was_granted(estate: Estate) -> None:
    assert estate.data
    await estate.data.trade(1, buyer_nick="taobaobuyer", title="A cup")
    await estate.data.trade(2, shop="55502")
    await estate.served("erp-bolt", grants=[grant("erp-bolt")])
    tenant, app = refs(estate)
    for condition in ("Ready", "AclVerified", "GrantsValid"):
        await estate.holds(tenant, condition)
    for condition in ("Ready", "RequestsGranted"):
        await estate.holds(app, condition)
    rows = await estate.rows("erp-bolt")
    assert [row["tid"] for row in rows] == [1], "of the other shop nothing"
    assert rows[0]["title"] == "A cup"
    assert "taobaobuyer" not in str(rows)
    assert rows[0].keys() == {"tid", "title", "nick"}
    said = await estate.app_status("erp-bolt")
    assert (said["tables"], said["granted"]) == (1, ["trade-v3"])
    copy = await estate.live(Ref(CONFIGMAP, estate.namespace, f"cairn-contract-main-{sha256(CONTRACT)[:16]}"))
    assert copy["data"]["contract.yaml"] == CONTRACT


async def test_request_without_a_grant_waits_and_both_sides_are_told(estate: Estate) -> None:
    await estate.served("erp-bolt")
    tenant, app = refs(estate)
    said = await estate.condition(tenant, "PendingConsent")
    assert (said["status"], said["reason"]) == ("True", "NoConsent")
    assert "erp-bolt" in said["message"]
    assert "tid" in said["message"]
    refused = await estate.condition(app, "RequestsGranted")
    assert (refused["status"], refused["reason"]) == ("False", "NoConsent")
    async with estate.as_app("erp-bolt") as (conn, schema):
        with pytest.raises(asyncpg.UndefinedTableError):
            await conn.fetch(f"SELECT * FROM {schema}.trade")


async def test_widened_request_changes_nothing_until_consent(estate: Estate) -> None:
    await estate.served("erp-bolt", grants=[grant("erp-bolt")])
    tenant, _ = refs(estate)
    before = (await estate.app_status("erp-bolt"))["effectiveHash"]
    await estate.contract(WIDER)
    await estate.app("erp-bolt", requests=[request(WIDER, required=["tid", "title", "pay_time"])])
    await estate.settle()
    pending = await estate.condition(tenant, "PendingConsent")
    assert "pay_time" in pending["message"]
    assert (await estate.app_status("erp-bolt"))["effectiveHash"] == before
    assert await estate.rows("erp-bolt") == []
    given = grant("erp-bolt", WIDER)
    given["tables"][0]["columns"].append({"name": "pay_time", "mask": "plain"})
    assert estate.data
    await estate.data.trade(1)
    await estate.tenant(grants=[given])
    await estate.settle()
    assert await estate.condition(tenant, "PendingConsent") == {}
    assert (await estate.rows("erp-bolt"))[0].keys() == {"tid", "title", "pay_time", "nick"}


async def test_withdrawn_consent_ends_open_sessions_before_it_is_called_verified(estate: Estate) -> None:
    assert estate.data
    for tid in range(1, 301):
        await estate.data.trade(tid)
    await estate.served("erp-bolt", grants=[grant("erp-bolt")])
    tenant, _ = refs(estate)
    async with estate.as_app("erp-bolt") as (conn, schema):
        await conn.execute(f"BEGIN; DECLARE c CURSOR FOR SELECT * FROM {schema}.trade")
        assert len(await conn.fetch("FETCH 10 FROM c")) == 10
        await estate.tenant(grants=[])
        await estate.settle()
        with pytest.raises(GONE):
            await conn.fetch("FETCH 10 FROM c")
    await estate.holds(tenant, "AclVerified")
    said = await estate.app_status("erp-bolt")
    assert said.get("tables", 0) == 0
    assert (await estate.status())["verifiedAt"]


async def test_drift_made_by_hand_is_undone_and_told(estate: Estate) -> None:
    await estate.served("erp-bolt", grants=[grant("erp-bolt")])
    tenant, _ = refs(estate)
    before = DRIFT.labels(estate.namespace, "main")._value.get()
    group = sql_names.group((await estate.app_status("erp-bolt"))["id"])
    assert estate.data
    await estate.data.conn.execute(f"GRANT USAGE ON SCHEMA platform TO {group}")
    await estate.data.conn.execute(f"GRANT SELECT ON platform.trades TO {group}")
    async with estate.as_app("erp-bolt") as (conn, _):
        assert await conn.fetch("SELECT * FROM platform.trades") == []
    await estate.settle()
    async with estate.as_app("erp-bolt") as (conn, _):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.fetch("SELECT * FROM platform.trades")
    said = await estate.condition(tenant, "DriftRepaired")
    assert said["status"] == "True"
    assert DRIFT.labels(estate.namespace, "main")._value.get() > before


async def test_contract_with_other_bytes_is_not_applied(estate: Estate) -> None:
    await estate.contract(CONTRACT + "# one byte more\n")
    await estate.tenant(apps=[estate.entry("erp-bolt")], grants=[grant("erp-bolt")])
    await estate.settle()
    await estate.app("erp-bolt", requests=[request()])
    await estate.settle()
    tenant, _ = refs(estate)
    said = await estate.condition(tenant, "GrantsValid")
    assert (said["status"], said["reason"]) == ("False", "ContractMismatch")
    assert (await estate.app_status("erp-bolt")).get("tables", 0) == 0


async def test_contract_that_changes_after_consent_ends_nothing(estate: Estate) -> None:
    assert estate.data
    await estate.data.trade(1)
    await estate.served("erp-bolt", grants=[grant("erp-bolt")])
    await estate.contract(WIDER)
    await estate.settle(fresh=True)
    assert len(await estate.rows("erp-bolt")) == 1


async def test_deleted_app_waits_until_its_access_is_gone(estate: Estate) -> None:
    await estate.served("erp-bolt", "crm-acme", grants=[grant("erp-bolt")])
    tenant, app = refs(estate)
    held = await estate.secret("erp-bolt")
    assert held
    live = await estate.live(app)
    async with estate.as_app("erp-bolt") as (conn, _), estate.as_app("crm-acme") as (other, _):
        await estate.cluster.delete(app, uid=live["metadata"]["uid"])
        await estate.settle()
        with pytest.raises(GONE):
            await conn.fetch("SELECT 1")
        assert await other.fetchval("SELECT 1") == 1, "nobody else's session ends"
    assert await estate.cluster.get(app) is None
    assert await estate.cluster.get(Ref(SECRET, estate.home("erp-bolt"), "cairn-db")) is None
    await estate.holds(tenant)
    first = sql_names.logins
    await estate.app("erp-bolt", requests=[request()])
    await estate.settle()
    again = await estate.secret("erp-bolt")
    assert again
    assert again["username"] not in first(held["share-schema"][1:]), "an app made anew gets no old rights"


async def test_second_look_writes_nothing(estate: Estate) -> None:
    await estate.served("erp-bolt", grants=[grant("erp-bolt")])
    tenant, app = refs(estate)
    before = [(await estate.live(ref))["metadata"]["resourceVersion"] for ref in (tenant, app)]
    await estate.settle()
    await estate.settle(fresh=True)
    assert [(await estate.live(ref))["metadata"]["resourceVersion"] for ref in (tenant, app)] == before


async def test_grant_of_an_unknown_purpose_gives_nothing(estate: Estate) -> None:
    await estate.served("erp-bolt", grants=[grant("erp-bolt", purpose="analytics")])
    tenant, _ = refs(estate)
    assert "granted for analytics alone" in (await estate.condition(tenant, "PendingConsent"))["message"]
    assert (await estate.app_status("erp-bolt")).get("tables", 0) == 0

# SPDX-License-Identifier: Apache-2.0
"""examples/tenant on a real server: members, orders, a CRM's reviews, an ERP's parcels, through each party's eyes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from cairn.cli.consented import Consented, consented
from cairn.datasets import shipped
from cairn.sql.share.model import Design, Login
from cairn.sql.share.names import group, logins, published, shares
from cairn.tenant import names
from cairn.tenant.consent import effective
from cairn.tenant.design import design_of
from data.share.seller import Seller

TENANT = Path(__file__).parents[3] / "examples" / "tenant"
Rows = list[dict[str, Any]]


@dataclass
class Example:
    """The manifests against one database: every role in it is of this test alone."""

    seller: Seller
    read: Consented

    @property
    def parties(self) -> dict[str, str]:
        return {name: names.party_id(self.seller.database, f"uid-{name}") for name in self.read.apps}

    def staff(self, role: str) -> str:
        return names.staff_id(self.seller.database, "rds", self.seller.database, role)

    def design(self, change: Callable[[Any], Any] = lambda spec: spec, now: datetime | None = None) -> Design:
        """change: of the tenant's spec"""
        tenant = self.read.tenant.model_copy(update={"spec": change(self.read.tenant.spec)})
        apps = {
            name: app.model_copy(update={"metadata": app.metadata.model_copy(update={"uid": f"uid-{name}"})})
            for name, app in self.read.apps.items()
        }
        now = now or datetime.now(UTC)
        found = effective(tenant, apps, self.read.contracts, shipped(), ("55501",), now, ())
        both = {name: tuple(Login(one, enabled=True) for one in logins(party)) for name, party in self.parties.items()}
        where = (self.seller.database, "rds", self.seller.database)
        readers = (f"{self.seller.database}_reader",)
        return design_of(*where, tenant, apps, found, both, ("55501",), shipped(), readers, ())

    async def sees(self, app: str, view: str, columns: str = "*") -> Rows:
        party = self.parties[app]
        async with self.seller.as_app(party) as conn:
            return [dict(row) for row in await conn.fetch(f"SELECT {columns} FROM {shares(party)}.{view} ORDER BY 1")]

    async def as_staff(self, role: str, columns: str) -> Rows:
        party = self.staff(role)
        async with self.seller.conn.transaction():
            await self.seller.conn.execute(f"SET LOCAL ROLE {group(party)}")
            rows = await self.seller.conn.fetch(f"SELECT {columns} FROM {shares(party)}.members ORDER BY 1")
        return [dict(row) for row in rows]


@pytest.fixture
async def example(seller: Seller) -> Example:
    """Two members with orders; each app has written what it publishes."""
    end = f"{datetime.now(UTC) + timedelta(days=180):%Y-%m-%d}"
    text = "---\n".join(file.read_text("utf-8") for file in sorted(TENANT.glob("*.yaml")))
    objects = [obj for obj in yaml.safe_load_all(text.replace("2027-05-31", end)) if obj and "metadata" in obj]
    (read,) = consented(objects, datetime.now(UTC))
    assert read.effective.grants == ()
    example = Example(seller, read)
    for tid, nick, title, payment in ((1, "ann", "lamp", "129.50"), (2, "bob", "tea set", "268.00")):
        await seller.trade(
            tid, buyer_nick=nick, title=title, payment=payment, receiver_mobile="13800138000", ouid=f"ouid-{nick}"
        )
    for number, (nick, memo, grade) in enumerate((("ann", "asks for invoices", 3), ("bob", "", 1))):
        member = {"buyer_id": number, "buyer_nick": nick, "memo": memo, "grade": grade, "ouid": f"ouid-{nick}"}
        await seller.conn.execute(
            "INSERT INTO sys_info.jdp_tb_member (buyer_id, seller_nick, buyer_nick, grade, created, jdp_response)"
            " VALUES ($1, 'taobao001', $2, $3, now() AT TIME ZONE 'Asia/Shanghai', $4)",
            number,
            nick,
            grade,
            json.dumps({"crm_member_get_response": {"member": member}}),
        )
    await seller.settled(example.design())
    crm, erp = (example.parties[name] for name in ("crm-acme", "erp-bolt"))
    async with seller.as_app(crm) as conn:
        await conn.execute(
            f"INSERT INTO {published(crm)}.reviews (tid, agent, review_status) VALUES"
            " (1, 'Wang Fang', 'answered'), (2, 'Li Na', 'open'), (99, 'nobody', 'of no order')"
        )
    async with seller.as_app(erp) as conn:
        await conn.execute(
            f"INSERT INTO {published(erp)}.parcels (tid, warehouse, shipped, cost) VALUES (1, 'Hangzhou', true, 6.50)"
        )
    return example


async def test_example_shows_each_party_what_was_granted_and_nothing_else(example: Example) -> None:
    crm = await example.sees("crm-acme", "trades", "tid, item_title, payment, nick")
    erp = await example.sees("erp-bolt", "trades")
    members = await example.sees("crm-acme", "members", "vip_level, memo, nick")
    assert [(row["tid"], row["item_title"], int(row["payment"])) for row in crm] == [
        (1, "lamp", 100),
        (2, "tea set", 200),
    ]
    assert [(row["vip_level"], row["memo"]) for row in members] == [(1, ""), (3, "asks for invoices")]
    assert {row["nick"] for row in members} == {row["nick"] for row in crm}, "pseudonyms of one app join"
    assert not {row["nick"] for row in crm} & {row["nick"] for row in erp}, "those of two apps don't"
    assert set(erp[0]) == {"tid", "nick", "item_title", "payment", "pay_time", "status", "city"}
    assert await example.sees("erp-bolt", "reviews") == [
        {"tid": 1, "review_status": "answered"},
        {"tid": 2, "review_status": "open"},
    ]
    assert await example.sees("crm-acme", "parcels") == [{"tid": 1, "shipped": True}]
    for app, others in (("crm-acme", "erp-bolt"), ("erp-bolt", "crm-acme")):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with example.seller.as_app(example.parties[app]) as conn:
                await conn.fetch(f"SELECT * FROM {shares(example.parties[others])}.trades")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with example.seller.as_app(example.parties[app]) as conn:
                await conn.fetch("SELECT * FROM platform.members")


async def test_example_shows_staff_by_role(example: Example) -> None:
    columns = "grade, nick, memo"
    assert (await example.as_staff("owner", columns))[1] == {"grade": 3, "nick": "ann", "memo": "asks for invoices"}
    assert (await example.as_staff("support", columns))[1] == {"grade": 3, "nick": "a**", "memo": "ask****ices"}
    assert await example.as_staff("finance", "grade") == [{"grade": 1}, {"grade": 3}]
    with pytest.raises(asyncpg.UndefinedColumnError):
        await example.as_staff("finance", "nick")


async def test_example_without_a_grant_shows_its_app_nothing_and_the_other_all(example: Example) -> None:
    before = await example.sees("crm-acme", "trades")

    def revoked(spec: Any) -> Any:
        kept = tuple(grant for grant in spec.grants if grant.name != "bolt-fulfilment")
        return spec.model_copy(update={"grants": kept})

    outcome = await example.seller.settled(example.design(revoked))
    assert outcome.verified
    with pytest.raises(asyncpg.UndefinedTableError):
        await example.sees("erp-bolt", "trades")
    assert len(await example.sees("erp-bolt", "reviews")) == 2
    assert await example.sees("crm-acme", "trades") == before
    log = await example.seller.share.audit(example.design())
    assert any(row["action"] in ("revoke", "remove") for row in log), {row["action"] for row in log}


async def test_example_is_the_same_design_at_every_moment_before_its_end(example: Example) -> None:
    later = example.design(now=datetime.now(UTC) + timedelta(days=30))
    assert replace(later) == example.design()

# SPDX-License-Identifier: Apache-2.0
"""One seller on the API server with a database of the test's own, and the apps that share it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from cairn.api.platform import Platform
from cairn.api.resources import (
    INTEGRATIONAPP,
    INTEGRATIONTENANT,
    OPERATION,
    SECRET,
    SELLER,
    SELLERRDS,
    SERVICEPLAN,
    Obj,
    Ref,
    ref_of,
)
from cairn.api.secrets import secret, text
from cairn.cli.kinds import kinds
from cairn.engine.clock import SOONEST_SECONDS
from cairn.engine.cluster import Cluster
from cairn.engine.loop import Engine
from cairn.sql.postgresql import Connection, Target, connect
from cairn.sql.push.postgresql.schema import ensure_schema
from data.share.seller import SHOPS, Seller, datasets
from handclock import SetClock

API = "cairn.dev/v1alpha1"
SHOP = "55501"
VENDOR = "23456789"
CONFIRM = "cairn.dev/confirm-delete"
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: urn:bolt:trade
version: 3.0.0
status: active
name: Trades for fulfilment
schema:
- name: trade
  physicalName: platform.trades
  properties:
  - {name: tid, physicalType: bigint, required: true, primaryKey: true,
     customProperties: [{property: mask, value: plain}]}
  - {name: title, physicalType: text, customProperties: [{property: mask, value: plain}]}
  - {name: nick, physicalName: buyer_nick, physicalType: text, classification: personal,
     customProperties: [{property: mask, value: partial}]}
"""


def plan(name: str, target: str, **size: str | int) -> Obj:
    prices = [{"name": "first", "from": "2026-01-01", "monthly": "300.00"}]
    spec = {"for": target, "size": size, "prices": prices}
    return {"apiVersion": API, "kind": "ServicePlan", "metadata": {"name": name}, "spec": spec}


PLANS = (
    plan("seller.standard", "Seller", cpu="8", memory="16Gi", storage="100Gi"),
    plan("app.small", "IntegrationApp", cpu="1", memory="2Gi", storage="5Gi", pods=20),
)


def sha256(contract: str) -> str:
    return hashlib.sha256(contract.encode()).hexdigest()


def pin(name: str, contract: str) -> Obj:
    return {"name": name, "sha256": sha256(contract)}


def grant(app: str, contract: str = CONTRACT, **changes: Any) -> Obj:
    """Of order numbers, states and masked nicks, for a year or so."""
    columns = [
        {"name": "tid", "mask": "plain"},
        {"name": "title", "mask": "plain"},
        {"name": "nick", "mask": "partial"},
    ]
    return {
        "name": f"{app}-trades",
        "app": app,
        "contract": pin("trade-v3", contract),
        "tables": [{"from": "platform.trades", "columns": columns}],
        "rows": {"shops": [SHOP]},
        "purpose": "fulfilment",
        "expiresAt": "2027-05-31T00:00:00Z",
        **changes,
    }


def request(contract: str = CONTRACT, **changes: Any) -> Obj:
    return {
        "name": "trades",
        "contract": pin("trade-v3", contract),
        "purpose": "fulfilment",
        "required": ["tid", "title"],
        "optional": ["nick"],
        **changes,
    }


class Estate:
    """A Seller, its external SellerRDS and its IntegrationTenant `main`, driven pass by pass."""

    def __init__(
        self, cluster: Cluster, platform: Platform, number: str, admin: Target, *, shop_platform: str = "taobao"
    ) -> None:
        self.shop_platform = shop_platform
        self.cluster, self.platform, self.number, self.admin = cluster, platform, number, admin
        self.namespace, self.database = f"seller-{number}", f"shop{number}"
        self.clock = SetClock()
        self.engine = Engine(kinds(platform), cluster, clock=self.clock)
        self.data: Seller | None = None
        self._spec: Obj = {
            "databaseRef": {"name": "shop-db"},
            "shops": [SHOP],
            "apps": [],
            "grants": [],
        }

    async def make(self) -> None:
        await self.apply(*PLANS, self.seller())
        await self.settle()
        login = {"username": b"postgres", "password": b"secret"}
        for name, data in (("pg-admin", login), ("pg-ca", {"ca.crt": self.admin.ca or b""})):
            await self.apply(secret(self.namespace, name, {}, data))
        await self.apply(self.rds())
        await self.settle()
        conn = await connect(replace(self.admin, database=self.database))
        await ensure_schema(conn, datasets(), SHOPS)
        self.data = Seller(replace(self.admin, database=self.database), conn)

    async def close(self) -> None:
        if self.data is not None:
            await self.data.conn.close()

    def seller(self) -> Obj:
        shops = [{"name": "main", "id": SHOP, "nick": "taobao001", "platform": self.shop_platform}]
        spec = {"id": self.number, "namespace": self.namespace, "shops": shops, "planRef": {"name": "seller.standard"}}
        return {"apiVersion": API, "kind": "Seller", "metadata": {"name": f"s{self.number}"}, "spec": spec}

    def rds(self) -> Obj:
        external = {
            "host": "127.0.0.1",
            "port": self.admin.port,
            "adminSecretRef": {"name": "pg-admin"},
            "caSecretRef": {"name": "pg-ca"},
        }
        spec = {"engine": "postgresql", "version": "17", "databases": [{"name": self.database}], "external": external}
        return self.named("SellerRDS", "shop-db", spec)

    def named(self, kind: str, name: str, spec: Obj, namespace: str = "") -> Obj:
        meta = {"name": name, "namespace": namespace or self.namespace}
        return {"apiVersion": API, "kind": kind, "metadata": meta, "spec": spec}

    async def apply(self, *objects: Obj, manager: str = "user") -> None:
        for obj in objects:
            await self.cluster.apply(obj, manager=manager)

    async def tenant(self, name: str = "main", **changes: Any) -> Ref:
        """The tenant with these fields of its spec set anew."""
        self._spec |= changes
        await self.apply(self.named("IntegrationTenant", name, dict(self._spec)), manager="seller")
        return Ref(INTEGRATIONTENANT, self.namespace, name)

    @staticmethod
    def entry(name: str, **changes: Any) -> Obj:
        found = {"name": name, "vendorAppKey": VENDOR, "developers": ["li"], "planRef": {"name": "app.small"}}
        return found | changes

    def home(self, app: str) -> str:
        return f"cairn-{self.number}-{app}"

    async def app(self, name: str, *, key: str = VENDOR, **spec: Any) -> Ref:
        """The vendor's request, in the namespace that stands for it."""
        fields = {"vendor": {"name": "Bolt", "appKey": key}, **spec}
        await self.apply(self.named("IntegrationApp", name, fields, self.home(name)), manager="vendor")
        return Ref(INTEGRATIONAPP, self.home(name), name)

    async def contract(self, contract: str = CONTRACT, name: str = "trade-v3", namespace: str = "") -> None:
        meta = {"name": name, "namespace": namespace or self.namespace}
        data = {"contract.yaml": contract}
        await self.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})

    async def settle(self, *, fresh: bool = False) -> None:
        """Work until nothing is left to do now. fresh: as an operator that was just started."""
        if fresh:
            self.engine = Engine(kinds(self.platform), self.cluster, clock=self.clock)
        quiet = 0
        for _ in range(60):
            quiet = 0 if await one_round(self.engine) else quiet + 1
            if quiet == 2:  # there is no watch here: who looks at another's status looks once more
                return
        raise AssertionError("it does not settle in 40 rounds")

    async def turn(self) -> None:
        """Passes over the tenant alone until it rests: quick, and blind for what others did."""
        key = Ref(INTEGRATIONTENANT, self.namespace, "main")
        for _ in range(20):
            result = await self.engine.reconciler.reconcile(key)
            assert not result.failed, result.failed
            if not result.again and (result.after_seconds is None or result.after_seconds > SOONEST_SECONDS):
                return
        raise AssertionError("the tenant does not rest")

    async def served(self, *apps: str, **spec: Any) -> None:
        """These apps stand, with their Secrets, and ask for trades."""
        await self.contract()
        await self.tenant(apps=[self.entry(app) for app in apps], **spec)
        await self.settle()
        for app in apps:
            await self.app(app, requests=[request()])
        await self.settle()

    async def live(self, ref: Ref) -> Obj:
        found = await self.cluster.get(ref)
        assert found is not None, f"{ref} does not exist"
        return found

    async def status(self, name: str = "main") -> Obj:
        live = await self.live(Ref(INTEGRATIONTENANT, self.namespace, name))
        found: Obj = live.get("status") or {}
        return found

    async def app_status(self, app: str) -> Obj:
        return next((one for one in (await self.status()).get("apps", []) if one["name"] == app), {})

    async def condition(self, ref: Ref, kind: str = "Ready") -> Obj:
        live = await self.live(ref)
        found: Obj = next((c for c in live["status"]["conditions"] if c["type"] == kind), {})
        return found

    async def holds(self, ref: Ref, kind: str = "Ready") -> None:
        """The condition is True."""
        said = await self.condition(ref, kind)
        assert said.get("status") == "True", (await self.live(ref))["status"]

    async def secret(self, app: str) -> dict[str, str] | None:
        live = await self.cluster.get(Ref(SECRET, self.home(app), "cairn-db"))
        return None if live is None else {key: text(live, key) for key in live["data"]}

    @asynccontextmanager
    async def as_app(self, app: str) -> AsyncIterator[tuple[Connection, str]]:
        """A session by the app's Secret, and the schema of its views."""
        held = await self.secret(app)
        assert held is not None, f"{app} has no Secret"
        conn = await connect(self.login(held), application="app")
        try:
            yield conn, held["share-schema"]
        finally:
            conn.terminate()

    def login(self, held: dict[str, str]) -> Target:
        target = replace(self.admin, database=held["database"], user=held["username"], password=held["password"])
        return replace(target, port=int(held["port"]), ca=held["ca.crt"].encode())

    async def rows(self, app: str) -> list[dict[str, Any]]:
        async with self.as_app(app) as (conn, schema):
            return [dict(row) for row in await conn.fetch(f"SELECT * FROM {schema}.trade ORDER BY tid")]


async def one_round(engine: Engine) -> bool:
    """One pass over everything that is due now; whether there is more."""
    await engine.resync()
    more = False
    while not engine.queue.idle():
        key = await engine.queue.get()
        try:
            result = await engine.reconciler.reconcile(key)
        finally:
            engine.queue.done(key)
        due = result.after_seconds is not None and result.after_seconds <= SOONEST_SECONDS
        more |= result.again or due
    return more


async def clear(cluster: Cluster, platform: Platform) -> None:
    """Whatever state a test left: everything goes, access to a database that is gone included."""
    engine = Engine(kinds(platform), cluster)
    kinds_ = (OPERATION, INTEGRATIONAPP, INTEGRATIONTENANT, SELLERRDS, SELLER, SERVICEPLAN)
    for resource in kinds_:
        for obj in await cluster.list(resource):
            body = {"metadata": {"annotations": {CONFIRM: obj["metadata"]["name"]}}}
            await cluster.patch(ref_of(obj), body)
            await cluster.delete(ref_of(obj), uid=obj["metadata"]["uid"])
    for _ in range(40):
        await one_round(engine)
        if not [obj for resource in kinds_ for obj in await cluster.list(resource)]:
            return
    raise AssertionError("something of Cairn's does not go")


async def names(cluster: Cluster, resource: Any, namespace: str) -> list[str]:
    return sorted(obj["metadata"]["name"] for obj in await cluster.list(resource, namespace=namespace))

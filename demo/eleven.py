# SPDX-License-Identifier: Apache-2.0
"""What `make demo-promotion` applies: one seller with a machine, a database and a feed, and their promotion."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from demo.target import Obj

ZONE = "Asia/Shanghai"
NAMESPACE = "seller-2088"
START = datetime(2026, 11, 10, 20, tzinfo=ZoneInfo(ZONE))
WARM_UP, LASTS, COOL_DOWN = timedelta(hours=8), timedelta(hours=28), timedelta(hours=12)
EVE = START - WARM_UP - timedelta(hours=3)
"""When the demo's clock begins."""
OVER = START + LASTS + COOL_DOWN
CLONES = 2
OPT_IN = "double-11"


def objects() -> list[Obj]:
    return [*_plans(), _promotion(), _seller(), _database(), _feed(), _machine()]


def _object(kind: str, name: str, spec: Obj, namespace: str = "") -> Obj:
    meta = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "cairn.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}


def _plans() -> list[Obj]:
    def plan(name: str, kind: str, rank: int, monthly: str, hourly: str, size: Obj, **more: Obj) -> Obj:
        prices = [{"name": "2026", "from": "2026-01-01", "monthly": monthly, "hourly": hourly}]
        return _object("ServicePlan", name, {"for": kind, "size": size, "rank": rank, "prices": prices, **more})

    database = {"storage": "2Gi", "connections": 60}
    return [
        plan("seller.demo", "Seller", 0, "0", "0", {"cpu": "6", "memory": "6Gi", "storage": "10Gi"},
             peak={"cpu": "12", "memory": "8Gi", "storage": "20Gi"}),
        plan("vm.small", "SellerVM", 10, "120", "0.25", {"cpu": "1", "memory": "256Mi", "storage": "1Gi"}),
        plan("db.small", "SellerRDS", 10, "300", "0.50", {"cpu": "250m", "memory": "256Mi", **database}),
        plan("db.peak", "SellerRDS", 20, "900", "1.50", {"cpu": "400m", "memory": "512Mi", **database}),
        plan("push.small", "PushSubscription", 10, "60", "0.10", {"cpu": "200m", "memory": "192Mi"}),
        plan("push.peak", "PushSubscription", 20, "180", "0.30", {"cpu": "400m", "memory": "256Mi"}),
    ]  # fmt: skip


def _promotion() -> Obj:
    window = {"name": "main", "start": f"{START:%Y-%m-%dT%H:%M:%S}", "duration": f"{_hours(LASTS)}h"}
    spec = {
        "title": "11.11", "timeZone": ZONE, "windows": [window], "warmUp": f"{_hours(WARM_UP)}h",
        "ramp": {"steps": CLONES}, "coolDown": f"{_hours(COOL_DOWN)}h", "freeze": True, "preflight": "12h",
    }  # fmt: skip
    return _object("Promotion", OPT_IN, spec)


def _hours(span: timedelta) -> int:
    return int(span / timedelta(hours=1))


def _seller() -> Obj:
    shops = [{"name": "main", "id": "55501", "nick": "taobao001"}]
    spec = {"id": "2088", "namespace": NAMESPACE, "shops": shops, "planRef": {"name": "seller.demo"}}
    return _object("Seller", "taobao001", spec)


def _database() -> Obj:
    spec = {
        "version": "17", "planRef": {"name": "db.small"}, "databases": [{"name": "shop"}],
        "promotions": [{"name": OPT_IN, "planRef": {"name": "db.peak"}}],
    }  # fmt: skip
    return _object("SellerRDS", "shop-db", spec, NAMESPACE)


def _feed() -> Obj:
    spec = {
        "databaseRef": {"name": "shop-db"}, "databaseName": "shop", "shops": ["55501"], "datasets": ["trades"],
        "planRef": {"name": "push.small"}, "promotions": [{"name": OPT_IN, "planRef": {"name": "push.peak"}}],
    }  # fmt: skip
    return _object("PushSubscription", "orders", spec, NAMESPACE)


def _machine() -> Obj:
    spec = {
        "planRef": {"name": "vm.small"}, "image": {"name": "guest"}, "ports": [{"name": "web", "port": 8080}],
        "promotions": [{"name": OPT_IN, "replicas": {"min": CLONES, "max": CLONES}}],
    }  # fmt: skip
    return _object("SellerVM", "web", spec, NAMESPACE)

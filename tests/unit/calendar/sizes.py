# SPDX-License-Identifier: Apache-2.0
"""Plans, promotions and resources for tests of what they take together."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cairn.api.promotion import Promotion
from cairn.api.pushsubscription import PushSubscription
from cairn.api.resources import Obj
from cairn.api.sellerrds import SellerRDS
from cairn.api.sellervm import SellerVM
from cairn.api.serviceplan import ServicePlan

NAMESPACE = "seller-2088"
WARM_UP = datetime(2026, 11, 10, 6, tzinfo=UTC)
START = datetime(2026, 11, 10, 12, tzinfo=UTC)
END = datetime(2026, 11, 11, 16, tzinfo=UTC)
COOLED = datetime(2026, 11, 12, 4, tzinfo=UTC)
"""Of `double_11`."""
PREFLIGHT = datetime(2026, 11, 7, 6, tzinfo=UTC)


def meta(name: str, namespace: str = "") -> Obj:
    found = {"name": name, "uid": f"uid-{namespace}-{name}", "generation": 1}
    return found | ({"namespace": namespace} if namespace else {})


def custom(kind: str, name: str, spec: Obj, namespace: str = "", status: Obj | None = None) -> Obj:
    found = {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": kind,
        "metadata": meta(name, namespace),
        "spec": spec,
    }
    return found | ({"status": status} if status else {})


def plan(name: str, kind: str, cpu: str, memory: str, storage: str | None = None, **spec: Any) -> Obj:
    size: Obj = {"cpu": cpu, "memory": memory} | ({"storage": storage} if storage else {})
    if kind == "SellerRDS":
        size["connections"] = 100
    return custom("ServicePlan", name, {"for": kind, "size": size, "prices": [], **spec})


PLANS = (
    plan("vm.small", "SellerVM", "2", "4Gi", "20Gi", rank=10),
    plan("vm.large", "SellerVM", "8", "16Gi", "80Gi", rank=20),
    plan("db.small", "SellerRDS", "1", "2Gi", "50Gi", rank=10),
    plan("db.large", "SellerRDS", "4", "16Gi", "200Gi", rank=20),
    plan("push.small", "PushSubscription", "500m", "256Mi", rank=10),
    plan("push.large", "PushSubscription", "2", "1Gi", rank=20),
)


def plans(*more: Obj) -> dict[str, ServicePlan]:
    return {obj["metadata"]["name"]: ServicePlan.model_validate(obj) for obj in (*PLANS, *more)}


def condition(kind: str, status: str, reason: str, message: str = "") -> Obj:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-11-07T06:00:00Z",
    }


CHECKED = condition("PeakFits", "True", "Fits")


def double_11(name: str = "double-11", *conditions: Obj, **spec: Any) -> Obj:
    """20:00 in Shanghai for 28 h, 6 h to warm up and 12 h to cool down."""
    fields: Obj = {
        "timeZone": "Asia/Shanghai",
        "windows": [{"name": "main", "start": "2026-11-10T20:00:00", "duration": "28h"}],
        "warmUp": "6h",
        "ramp": {"steps": 6},
        "coolDown": "12h",
        "preflight": "72h",
    }
    return custom("Promotion", name, fields | spec, status={"conditions": list(conditions)})


def promotions(*objects: Obj) -> dict[str, Promotion]:
    return {obj["metadata"]["name"]: Promotion.model_validate(obj) for obj in objects}


def entry(name: str = "double-11", plan: str | None = None, replicas: tuple[int, int] | None = None) -> Obj:
    found: Obj = {"name": name}
    if plan:
        found["planRef"] = {"name": plan}
    if replicas:
        found["replicas"] = {"min": replicas[0], "max": replicas[1]}
    return found


def vm(name: str = "shop", *entries: Obj, status: Obj | None = None, **spec: Any) -> Obj:
    fields: Obj = {"planRef": {"name": "vm.small"}, "image": {"name": "debian-12"}, "promotions": list(entries)}
    fields |= spec
    if "resources" in spec:
        del fields["planRef"]
    return custom("SellerVM", name, fields, NAMESPACE, status)


def rds(name: str = "shop-db", *entries: Obj, status: Obj | None = None, **spec: Any) -> Obj:
    fields: Obj = {"version": "17", "planRef": {"name": "db.small"}, "promotions": list(entries)}
    return custom("SellerRDS", name, fields | spec, NAMESPACE, status)


def push(name: str = "orders", *entries: Obj, status: Obj | None = None, **spec: Any) -> Obj:
    fields: Obj = {
        "databaseRef": {"name": "shop-db"},
        "databaseName": "shop",
        "shops": ["55501"],
        "planRef": {"name": "push.small"},
        "promotions": list(entries),
    }
    return custom("PushSubscription", name, fields | spec, NAMESPACE, status)


def model(obj: Obj) -> SellerVM | SellerRDS | PushSubscription:
    kinds: dict[str, type[SellerVM] | type[SellerRDS] | type[PushSubscription]] = {
        "SellerVM": SellerVM,
        "SellerRDS": SellerRDS,
        "PushSubscription": PushSubscription,
    }
    return kinds[obj["kind"]].model_validate(obj)

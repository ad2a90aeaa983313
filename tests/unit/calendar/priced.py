# SPDX-License-Identifier: Apache-2.0
"""Plans with prices, promotions and resources, for tests about money."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cairn.api.promotion import Promotion
from cairn.api.pushsubscription import PushSubscription
from cairn.api.seller import Billing, Seller
from cairn.api.sellerrds import SellerRDS
from cairn.api.sellervm import SellerVM
from cairn.api.serviceplan import ServicePlan

API = "cairn.dev/v1alpha1"
HOME = "seller-2088"
YEAR = Billing(term_months=12)
MONTHLY = Billing()


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]  # year, month, day and what follows


def price(since: str, monthly: str, hourly: str | None = None) -> dict[str, str]:
    found = {"name": since, "from": since, "monthly": monthly}
    return found if hourly is None else found | {"hourly": hourly}


def plan(name: str, *prices: dict[str, str], for_: str = "SellerVM", rank: int = 0, **spec: Any) -> ServicePlan:
    size = {"cpu": "4", "memory": "16Gi", "storage": "40Gi"}
    fields = {"for": for_, "size": size, "rank": rank, "prices": list(prices)} | spec
    return ServicePlan.model_validate(
        {"apiVersion": API, "kind": "ServicePlan", "metadata": {"name": name}, "spec": fields}
    )


def plans(*found: ServicePlan) -> dict[str, ServicePlan]:
    return {one.metadata.name: one for one in found}


def promotion(name: str = "double-11", **spec: Any) -> dict[str, Promotion]:
    """A day in UTC, an hour of warm-up in one step, an hour of cool-down."""
    windows = [{"name": "main", "start": "2026-11-11T00:00:00", "duration": "24h"}]
    fields = {"timeZone": "UTC"} | ({} if "recurrence" in spec else {"windows": windows}) | spec
    return {
        name: Promotion.model_validate(
            {"apiVersion": API, "kind": "Promotion", "metadata": {"name": name}, "spec": fields}
        )
    }


def vm(*entries: dict[str, Any], created: str | None = None, **spec: Any) -> SellerVM:
    fields = {"planRef": {"name": "vm.medium"}, "image": {"name": "debian-12"}, "promotions": list(entries)} | spec
    meta = {"name": "shop", "namespace": HOME} | ({"creationTimestamp": created} if created else {})
    return SellerVM.model_validate({"apiVersion": API, "kind": "SellerVM", "metadata": meta, "spec": fields})


def rds(*entries: dict[str, Any], **spec: Any) -> SellerRDS:
    fields = {"engine": "postgresql", "version": "17", "promotions": list(entries)}
    meta = {"name": "shop-db", "namespace": HOME}
    return SellerRDS.model_validate({"apiVersion": API, "kind": "SellerRDS", "metadata": meta, "spec": fields | spec})


def push(*entries: dict[str, Any], **spec: Any) -> PushSubscription:
    fields = {"databaseRef": {"name": "shop-db"}, "databaseName": "shop", "shops": ["55501"], "datasets": ["trades"]}
    meta = {"name": "orders", "namespace": HOME}
    return PushSubscription.model_validate(
        {
            "apiVersion": API,
            "kind": "PushSubscription",
            "metadata": meta,
            "spec": fields | {"promotions": entries} | spec,
        }
    )


def seller(plan: str = "seller.standard", created: str | None = None) -> Seller:
    meta = {"name": "bolt"} | ({"creationTimestamp": created} if created else {})
    fields = {"id": "2088", "namespace": HOME, "planRef": {"name": plan}}
    return Seller.model_validate({"apiVersion": API, "kind": "Seller", "metadata": meta, "spec": fields})


def entry(name: str = "double-11", plan: str | None = None, least: int = 0, most: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name}
    if plan:
        found["planRef"] = {"name": plan}
    if most:
        found["replicas"] = {"min": least, "max": most}
    return found

# SPDX-License-Identifier: Apache-2.0
"""Tenants with their apps and contracts, as manifests or a live cluster have them, and what they come to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pydantic import ValidationError

from cairn.api.contract import KEY, Contract, ContractError, read, sha256_of
from cairn.api.dataset import Dataset
from cairn.api.integrationapp import IntegrationApp
from cairn.api.integrationtenant import IntegrationTenant
from cairn.api.resources import Obj
from cairn.api.tenant_rules import app_namespace
from cairn.datasets import shipped
from cairn.tenant.consent import Effective, effective

M = TypeVar("M", IntegrationTenant, IntegrationApp)


@dataclass(frozen=True, slots=True)
class Consented:
    """One tenant. apps: those that are admitted and there, by entry; unread: what could not be looked at, for people"""

    tenant: IntegrationTenant
    apps: Mapping[str, IntegrationApp]
    contracts: Mapping[str, Contract | ContractError]
    effective: Effective
    unread: tuple[str, ...] = ()


def contract_text(obj: Obj) -> str | None:
    """The contract in a ConfigMap."""
    data = obj.get("data")
    text = data.get(KEY) if obj.get("kind") == "ConfigMap" and isinstance(data, dict) else None
    return text if isinstance(text, str) else None


def consented(
    objects: Sequence[Obj], now: datetime, unread: Iterable[str] = (), datasets: Mapping[str, Dataset] | None = None
) -> list[Consented]:
    """Every tenant among these objects that can be read. Only those shops count that a Seller has who is among them."""
    tenants = [one for obj in objects if (one := _model(IntegrationTenant, obj))]
    return [_one(tenant, objects, now, tuple(unread), datasets or shipped()) for tenant in tenants]


def _model(model: type[M], obj: Obj) -> M | None:
    if obj.get("kind") != model.__name__:
        return None
    try:
        return model.model_validate(obj)
    except ValidationError:
        return None


def _one(
    tenant: IntegrationTenant,
    objects: Sequence[Obj],
    now: datetime,
    unread: tuple[str, ...],
    datasets: Mapping[str, Dataset],
) -> Consented:
    here = tenant.metadata.namespace
    seller = next(
        (obj["spec"] for obj in objects if obj.get("kind") == "Seller" and obj["spec"].get("namespace") == here), None
    )
    found = {
        (app.metadata.namespace, app.metadata.name): app for obj in objects if (app := _model(IntegrationApp, obj))
    }
    apps = {}
    for entry in tenant.spec.apps:
        for (namespace, name), app in found.items():
            admitted = app.spec.vendor.app_key == entry.vendor_app_key
            if name == entry.name and admitted and _is_home(namespace, entry.name, seller):
                apps[entry.name] = app
    homes = {here, *(app.metadata.namespace for app in apps.values())}
    texts: dict[str, list[str]] = {}
    for obj in objects:
        text = contract_text(obj)
        if text is not None and obj["metadata"].get("namespace", "") in homes:
            texts.setdefault(obj["metadata"]["name"], []).append(text)
    contracts = {sha256_of(text.encode()): _read(text) for known in texts.values() for text in known}
    named = {name: [sha256_of(text.encode()) for text in known] for name, known in texts.items()}
    shops = [shop["id"] for shop in seller.get("shops") or ()] if seller else tenant.spec.shops
    return Consented(
        tenant, apps, contracts, effective(tenant, apps, contracts, datasets, shops, now, (), named), unread
    )


def _is_home(namespace: str, app: str, seller: Obj | None) -> bool:
    if seller:
        return namespace == app_namespace(str(seller.get("id")), app)
    return re.fullmatch(rf"cairn-[0-9]{{1,20}}-{re.escape(app)}", namespace) is not None


def _read(text: str) -> Contract | ContractError:
    try:
        return read(text.encode())
    except ContractError as error:
        return error

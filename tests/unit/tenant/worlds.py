# SPDX-License-Identifier: Apache-2.0
"""Tenants, apps and contracts for tests of consent, as they stand in manifests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import yaml

from cairn.api.contract import Contract, ContractError, read
from cairn.api.integrationapp import IntegrationApp
from cairn.api.integrationtenant import IntegrationTenant
from cairn.datasets import shipped
from cairn.sql.share.model import Design, Login
from cairn.sql.share.names import logins
from cairn.tenant import names
from cairn.tenant.consent import Effective, effective
from cairn.tenant.design import design_of

NOW = datetime(2026, 11, 11, tzinfo=UTC)
LATER = "2027-05-31T00:00:00Z"
Column = tuple[str, ...]
"""Name, type, mask and, where they are needed, bucket, classification and physicalName."""
TRADES: tuple[Column, ...] = (
    ("tid", "bigint", "plain"),
    ("nick", "text", "hmac", "", "restricted", "buyer_nick"),
    ("payment", "numeric", "plain"),
    ("pay_time", "timestamp", "plain"),
    ("mobile", "text", "partial", "", "restricted", "receiver_mobile"),
    ("zip", "text", "", "", "restricted", "receiver_zip"),
)
REVIEWS: tuple[Column, ...] = (
    ("tid", "bigint", "plain", "", "internal"),
    ("agent", "text", "partial", "", "restricted"),
    ("review_status", "text", "plain", "", "internal"),
)


def contract(source: str, columns: Iterable[Column], table: str = "") -> str:
    properties = []
    for column in columns:
        name, type_, mask, bucket, classification, physical = (*column, *("",) * (6 - len(column)))
        entry: dict[str, Any] = {"name": name, "physicalType": type_}
        custom = [{"property": "mask", "value": mask}] if mask else []
        custom += [{"property": "bucket", "value": bucket}] if bucket else []
        more = {"classification": classification, "physicalName": physical, "customProperties": custom}
        properties.append(entry | {key: value for key, value in more.items() if value})
    head = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "x", "name": "x", "version": "1", "status": "active"}
    schema = {"name": table or source.rpartition(".")[2], "physicalName": source, "properties": properties}
    return yaml.safe_dump(head | {"schema": [schema]}, sort_keys=False)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def pin(name: str, text: str) -> dict[str, str]:
    return {"name": name, "sha256": sha(text)}


def grant(name: str, app: str, pinned: Mapping[str, str], table: str, columns: Mapping[str, str], **more: Any) -> Any:
    shown = [
        {"name": column, "mask": mask.partition(" ")[0]}
        | ({"bucket": mask.partition(" ")[2]} if mask.startswith("bucket") else {})
        for column, mask in columns.items()
    ]
    join = {} if table.startswith("platform.") else {"joinOn": more.pop("joinOn", "tid")}
    return {
        "name": name,
        "app": app,
        "contract": dict(pinned),
        "tables": [{"from": table, "columns": shown, **join}],
        "rows": {"shops": ["55501"]},
        "purpose": "fulfilment",
        "expiresAt": LATER,
        **more,
    }


@dataclass(frozen=True)
class World:
    """What the tests change one thing of."""

    grants: tuple[Any, ...] = ()
    requests: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    publishes: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shops: tuple[str, ...] = ("55501",)
    own: tuple[str, ...] = ("55501", "55502")
    accounts: tuple[Any, ...] = ({"name": "boss", "role": "owner"}, {"name": "hotline", "role": "support"})
    now: datetime = NOW
    ended: frozenset[str] = frozenset()

    def but(self, **changes: Any) -> World:
        return replace(self, **changes)

    @property
    def tenant(self) -> IntegrationTenant:
        admitted = [{"name": name, "vendorAppKey": "1", "planRef": {"name": "s"}} for name in ("crm", "erp")]
        spec = {
            "databaseRef": {"name": "shop-db"},
            "shops": list(self.shops),
            "accounts": list(self.accounts),
            "apps": admitted,
            "grants": list(self.grants),
        }
        return IntegrationTenant.model_validate({"metadata": {"name": "main", "uid": "tenant"}, "spec": spec})

    @property
    def apps(self) -> dict[str, IntegrationApp]:
        return {
            name: IntegrationApp.model_validate(
                {
                    "metadata": {"name": name, "uid": f"uid-{name}"},
                    "spec": {
                        "vendor": {"name": name, "appKey": "1"},
                        "requests": list(self.requests.get(name, ())),
                        "publishes": list(self.publishes.get(name, ())),
                    },
                }
            )
            for name in {*self.requests, *self.publishes}
        }

    @property
    def contracts(self) -> dict[str, Contract | ContractError]:
        return {sha(text): _read(text) for texts in self.texts.values() for text in texts}

    def effective(self) -> Effective:
        named = {name: [sha(text) for text in texts] for name, texts in self.texts.items()}
        return effective(self.tenant, self.apps, self.contracts, shipped(), self.own, self.now, self.ended, named)

    def design(self) -> Design:
        mine = {
            name: tuple(Login(one, True) for one in logins(names.party_id("s", f"uid-{name}"))) for name in self.apps
        }
        return design_of(
            "s",
            "rds",
            "shop",
            self.tenant,
            self.apps,
            self.effective(),
            mine,
            self.own,
            shipped(),
            ("shop_reader",),
            self.ended,
        )

    def shown(self, app: str = "erp") -> dict[str, dict[str, str]]:
        """By view: columns and how they are shown."""
        return {
            one.name: {column.name: f"{column.rule.kind} {column.rule.bucket}".strip() for column in one.columns}
            for one in self.effective().apps[app].shown
        }


@cache
def _read(text: str) -> Contract:
    return read(text.encode())


def _logins(app: str) -> tuple[Login, ...]:
    return tuple(Login(one, enabled=True) for one in logins(names.party_id("s", f"uid-{app}")))


def request(
    name: str,
    pinned: Mapping[str, str],
    required: Iterable[str],
    optional: Iterable[str] = (),
    purpose: str = "fulfilment",
) -> Any:
    return {
        "name": name,
        "contract": dict(pinned),
        "purpose": purpose,
        "required": list(required),
        "optional": list(optional),
    }


TRADE = contract("platform.trades", TRADES)
REVIEW = contract("reviews", REVIEWS)
MASKS = {"tid": "plain", "nick": "hmac", "pay_time": "plain", "payment": "bucket 100"}
ERP = World(
    grants=(
        grant("erp-trades", "erp", pin("trade", TRADE), "platform.trades", MASKS),
        grant("erp-reviews", "erp", pin("review", REVIEW), "crm.reviews", {"tid": "plain", "review_status": "plain"}),
    ),
    requests={
        "erp": (
            request("trades", pin("trade", TRADE), ["tid", "pay_time"], ["nick", "mobile", "payment"]),
            request("reviews", pin("review", REVIEW), ["tid", "review_status"]),
        )
    },
    publishes={
        "crm": ({"name": "reviews", "contract": pin("review", REVIEW), "mapping": {"column": "tid", "keyType": "tid"}},)
    },
    texts={"trade": (TRADE,), "review": (REVIEW,)},
)
"""An ERP that reads orders and what a CRM publishes of them."""

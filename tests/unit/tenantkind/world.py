# SPDX-License-Identifier: Apache-2.0
"""A seller, its database, a tenant with one app: as a pass sees them."""

from __future__ import annotations

import copy
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from cairn.api.platform import Identity, Platform
from cairn.api.resources import Obj, ref_of
from cairn.engine.kind import Observed, Plan
from cairn.sql.share import names as sql_names
from cairn.sql.share.state import Observation, Session, State
from cairn.tenant import names
from cairn.tenant.facts import Facts
from cairn.tenant.kind import IntegrationTenantKind

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NAMESPACE, HOME = "seller-2088", "cairn-2088-erp-bolt"
PLATFORM = Platform(identity=Identity(issuer="https://id.example.com"))
KIND = IntegrationTenantKind(PLATFORM)
SELLER_UID, RDS_UID, TENANT_UID, APP_UID = "seller-uid", "rds-uid", "tenant-uid", "app-uid"
DESIGN = names.design_id(SELLER_UID, RDS_UID, "shop")
PARTY = names.party_id(SELLER_UID, APP_UID)
API = "cairn.dev/v1alpha1"
OWNER = {
    "app.kubernetes.io/managed-by": "cairn",
    "cairn.dev/owner-kind": "IntegrationTenant",
    "cairn.dev/owner-name": "main",
    "cairn.dev/owner-namespace": NAMESPACE,
    "cairn.dev/owner-uid": TENANT_UID,
}


def obj(kind: str, name: str, namespace: str = "", uid: str = "", **rest: Any) -> Obj:
    meta: Obj = {"name": name, "uid": uid or f"{name}-uid", "generation": 1}
    if namespace:
        meta["namespace"] = namespace
    return {"apiVersion": API, "kind": kind, "metadata": meta, **rest}


def labelled(one: Obj, **labels: str) -> Obj:
    one["metadata"]["labels"] = {**one["metadata"].get("labels", {}), **labels}
    return one


def app_entry(name: str = "erp-bolt", **changes: Any) -> Obj:
    return {"name": name, "vendorAppKey": "23456789", "planRef": {"name": "app.small"}, **changes}


def tenant(status: Obj | None = None, *, name: str = "main", uid: str = TENANT_UID, **spec: Any) -> Obj:
    fields = {"databaseRef": {"name": "shop-db"}, "shops": ["55501"], "apps": [app_entry()]}
    made = obj("IntegrationTenant", name, NAMESPACE, uid, spec=fields | spec, status=status or {})
    made["metadata"]["creationTimestamp"] = "2026-11-01T00:00:00Z"
    return made


def going(one: Obj, **annotations: str) -> Obj:
    found = copy.deepcopy(one)
    found["metadata"] |= {"deletionTimestamp": "2026-11-23T11:59:00Z", "annotations": annotations}
    return found


def stands(**entry: Any) -> Obj:
    """The status of a tenant whose app is announced, or further."""
    app = {"name": "erp-bolt", "namespace": HOME, "uid": APP_UID, "state": "Served", **entry}
    return {"database": "shop", "designId": DESIGN, "apps": [app]}


def condition(kind: str, status: str = "True") -> Obj:
    when = "2026-11-22T00:00:00Z"
    return {"type": kind, "status": status, "reason": "Because", "message": "", "lastTransitionTime": when}


def seller(**spec: Any) -> Obj:
    shops = [{"name": "main", "id": "55501", "nick": "taobao001"}]
    fields = {"id": "2088", "namespace": NAMESPACE, "shops": shops, "planRef": {"name": "seller.standard"}}
    return obj("Seller", "acme", uid=SELLER_UID, spec=fields | spec, status={"observedGeneration": 1})


def rds(ready: str = "True", **spec: Any) -> Obj:
    status = {
        "endpoint": {"host": f"shop-db.{NAMESPACE}.svc", "port": 5432},
        "secrets": {"admin": "shop-db-admin", "owner": "shop-db-owner"},
        "databases": ["shop"],
        "conditions": [condition("Ready", ready)],
    }
    fields = {"version": "17", "planRef": {"name": "db.small"}, "databases": [{"name": "shop"}]}
    return obj("SellerRDS", "shop-db", NAMESPACE, RDS_UID, spec=fields | spec, status=status)


def service_plan() -> Obj:
    size = {"cpu": "1", "memory": "2Gi", "storage": "5Gi", "pods": 20}
    prices = [{"name": "a", "from": "2026-01-01", "monthly": "1.00"}]
    return obj("ServicePlan", "app.small", spec={"for": "IntegrationApp", "size": size, "prices": prices})


def core(kind: str, name: str, namespace: str = "", **rest: Any) -> Obj:
    return {**obj(kind, name, namespace, **rest), "apiVersion": "v1"}


def seller_namespace() -> Obj:
    return labelled(core("Namespace", NAMESPACE), **{"cairn.dev/seller": "acme", "cairn.dev/seller-id": "2088"})


def home(phase: str = "Active", **labels: str) -> Obj:
    marks = {
        "cairn.dev/seller": "acme", "cairn.dev/seller-id": "2088", "cairn.dev/app": "erp-bolt",
        "cairn.dev/tenant": "main", "cairn.dev/retain": "true",
    }  # fmt: skip
    return labelled(core("Namespace", HOME, status={"phase": phase}), **{**OWNER, **marks, **labels})


def binding() -> Obj:
    return core("RoleBinding", "cairn-operator", HOME)


def app(key: str = "23456789", **spec: Any) -> Obj:
    fields = {"vendor": {"name": "Bolt", "appKey": key}, **spec}
    return obj("IntegrationApp", "erp-bolt", HOME, APP_UID, spec=fields)


def secret(name: str, namespace: str = NAMESPACE, **data: str) -> Obj:
    encoded = {key: b64encode(value.encode()).decode() for key, value in data.items()}
    return core("Secret", name, namespace, data=encoded)


def held(generation: int = 1, rotated: str = "2026-11-23T00:00:00Z", **changes: str) -> Obj:
    """The app's Secret, as it is delivered."""
    login = sql_names.logins(PARTY)[1 - generation % 2]
    data = {
        "type": "postgresql",
        "provider": "cairn",
        "host": f"shop-db.{NAMESPACE}.svc",
        "port": "5432",
        "username": login,
        "password": "s3cr3t-word",
        "database": "shop",
        "uri": f"postgresql://{login}:s3cr3t-word@shop-db.{NAMESPACE}.svc:5432/shop?sslmode=require",
        "ca.crt": "PEM",
        "share-schema": f"s{PARTY}",
        "publish-schema": f"p{PARTY}",
        "work-schema": f"w{PARTY}",
        "oidc-issuer": "https://id.example.com",
        "oidc-client-id": HOME,
        "oidc-role-claim": "cairn_role",
        "oidc-group-prefix": "cairn:2088:",
        "generation": str(generation),
        "rotated-at": rotated,
    }
    return labelled(secret("cairn-db", HOME, **(data | changes)), **OWNER)


BASE = (seller_namespace(), seller(), rds(), service_plan(), secret("shop-db-owner", **{"ca.crt": "PEM"}))
LIVE = (*BASE, home(), binding(), app())


def seen(*refs: Obj, facts: Facts | None = None, children: Iterable[Obj] = (), me: Obj | None = None) -> Observed:
    found = refs or LIVE
    own = [one for one in found if one["kind"] == "Namespace" and "cairn.dev/owner-kind" in str(one["metadata"])]
    return Observed(
        children={ref_of(one): one for one in (*own, *children)},
        refs={ref_of(one): one for one in (*found, *((me,) if me else ()))},
        facts=facts.as_facts() if facts else {},
    )


def looked(state: State, *sessions: Session, **rest: Any) -> Facts:
    return Facts(Observation(state, tuple(sessions), **rest))


def plan(one: Obj, observed: Observed, now: datetime = NOW) -> Plan:
    return KIND.plan(one, observed, now)


def shown(of: Plan) -> list[tuple[str, bool | None, str]]:
    return [(one.type, one.status, one.reason.value) for one in of.conditions]


def actions(of: Plan) -> list[str]:
    return [one.name for one in of.actions]


def kinds(of: Plan) -> list[str]:
    return [f"{one.obj['kind']}/{one.obj['metadata']['name']}" for one in of.children]

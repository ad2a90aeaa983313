# SPDX-License-Identifier: Apache-2.0
"""A small world for plans: objects as users write them, and live ones as the API server would show them."""

from __future__ import annotations

import copy
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from cairn.api.database import Address
from cairn.api.platform import Platform
from cairn.api.resources import Obj, ref_of
from cairn.engine.kind import Observed, Plan
from cairn.rds import config, credentials, objects
from cairn.rds.certificates import new_ca, new_certificate
from cairn.rds.kind import SellerRDSKind

NOW = (datetime.now(UTC) + timedelta(minutes=1)).replace(microsecond=0)
"""A moment after the certificates below were made."""
NAMESPACE = "seller-2088"
KIND = SellerRDSKind(Platform())
CA = new_ca("test")
TLS = new_certificate(CA, list(objects.host_names("shop-db", NAMESPACE)))
IDENTITY = "7412345678901234567"


def rds(status: Obj | None = None, **spec: Any) -> Obj:
    fields = {
        "version": "17",
        "planRef": {"name": "db.small"},
        "databases": [{"name": "shop"}],
    }
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "SellerRDS",
        "metadata": {"name": "shop-db", "namespace": NAMESPACE, "uid": "uid-1", "generation": 1},
        "spec": {key: value for key, value in (fields | spec).items() if value is not None},
        "status": status or {},
    }


def service_plan(name: str = "db.small", **spec: Any) -> Obj:
    size = {"cpu": "500m", "memory": "512Mi", "storage": "1Gi", "connections": 50}
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "ServicePlan",
        "metadata": {"name": name},
        "spec": {"for": "SellerRDS", "size": size, "prices": [{"name": "a", "from": "2026-01-01", "monthly": "100"}]}
        | spec,
    }


def namespace(**labels: str) -> Obj:
    found = {"cairn.dev/seller": "acme", "cairn.dev/seller-id": "2088"} | labels
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": found}}


def seller() -> Obj:
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "Seller",
        "metadata": {"name": "acme"},
        "spec": {"id": "2088", "namespace": NAMESPACE, "planRef": {"name": "seller.standard"}},
    }


def quota(**used: str) -> Obj:
    hard = {"requests.cpu": "4", "limits.cpu": "4", "requests.memory": "8Gi", "limits.memory": "8Gi"}
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "cairn", "namespace": NAMESPACE},
        "status": {
            "hard": hard | {"requests.storage": "100Gi"},
            "used": {key.replace("_", "."): value for key, value in used.items()},
        },
    }


def secret(name: str, uid: str = "uid-1", **data: str | bytes) -> Obj:
    encoded = {
        key.replace("_", "."): b64encode(value.encode() if isinstance(value, str) else value).decode()
        for key, value in data.items()
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "labels": {"cairn.dev/owner-uid": uid, "app.kubernetes.io/managed-by": "cairn"},
        },
        "data": encoded,
    }


def secrets(uid: str = "uid-1", databases: Iterable[str] = ("shop",)) -> tuple[Obj, ...]:
    """Every Secret as the actions would have made it."""
    address = Address(objects.host("shop-db", NAMESPACE), 5432, CA["ca.crt"].decode())
    logins = credentials.logins("shop-db", NAMESPACE, databases, Observed())
    found = [
        secret("shop-db-ca", uid, ca_crt=CA["ca.crt"], ca_key=CA["ca.key"]),
        secret("shop-db-tls", uid, ca_crt=TLS["ca.crt"], tls_crt=TLS["tls.crt"], tls_key=TLS["tls.key"]),
    ]
    for login in (credentials.admin_login("shop-db"), *logins):
        made = credentials.connection(login, address, f"secret-of-{login.secret}")
        found.append(secret(login.secret, uid, **{key.replace(".", "_"): value for key, value in made.items()}))
    return tuple(found)


def owned(obj: Obj, uid: str = "uid-1") -> Obj:
    live = copy.deepcopy(obj)
    live["metadata"].setdefault("labels", {}).update({"cairn.dev/owner-uid": uid})
    return live


def claim(uid: str = "uid-1", size: str = "1Gi", version: str = "17", **annotations: str) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "shop-db-data",
            "namespace": NAMESPACE,
            "uid": "claim-uid",
            "labels": {"cairn.dev/owner-uid": uid},
            "annotations": {objects.VERSION_ANNOTATION: version} | annotations,
        },
        "spec": {
            "resources": {"requests": {"storage": size}},
            "storageClassName": "fast",
            "volumeName": "pv-1",
        },
        "status": {"phase": "Bound", "capacity": {"storage": size}},
    }


def volume(policy: str = "Retain", claim_uid: str = "claim-uid") -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "pv-1"},
        "spec": {
            "persistentVolumeReclaimPolicy": policy,
            "claimRef": {"namespace": NAMESPACE, "name": "shop-db-data", "uid": claim_uid},
        },
    }


def storage_class(*, expands: bool) -> Obj:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "fast"},
        "allowVolumeExpansion": expands,
    }


def pod(cpu: str = "500m", memory: str = "512Mi", *, template: Obj | None = None, **status: Any) -> Obj:
    """A pod that runs and is ready, made from this template."""
    size = {"cpu": cpu, "memory": memory}
    base = copy.deepcopy(template or {"metadata": {}, "spec": {"containers": [{"name": "postgresql"}]}})
    base["spec"]["containers"][0]["resources"] = {"requests": size, "limits": size}
    base["spec"]["nodeName"] = "node-1"
    ready = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}]
    running = {"restartCount": 2, "resources": {"requests": size, "limits": size}, "state": {"running": {}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "shop-db-0", "namespace": NAMESPACE, **base["metadata"]},
        "spec": base["spec"],
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.7",
            "startTime": NOW.isoformat().replace("+00:00", "Z"),
            "conditions": ready,
            "containerStatuses": [running],
        }
        | status,
    }


def facts(**changes: Any) -> Obj:
    names = ("shop",)
    found = {
        "version": "17",
        "systemIdentifier": IDENTITY,
        "inRecovery": False,
        "databases": {"postgres": "cairn_admin"} | {name: f"{name}_owner" for name in names},
        "roles": {f"{n}_{role}": {"ours": True, "password": True} for n in names for role in ("owner", "reader")},
        "connect": [f"{name}_reader@{name}" for name in names],
        "me": f"{NAMESPACE}/shop-db",
        "comments": {"shop": f"cairn: {NAMESPACE}/shop-db"},
        "weak": [],
        "loadedAt": NOW.isoformat(),
        "parameters": config.sized(512 << 20, 1 << 30, 50),
    }
    return {"server": found | changes}


REFS = (namespace(), seller(), service_plan(), quota())


def seen(*children: Obj, refs: Iterable[Obj] = REFS, found: Obj | None = None) -> Observed:
    return Observed(
        children={ref_of(obj): obj for obj in children},
        refs={ref_of(obj): obj for obj in refs},
        facts=found or {},
    )


def plan(obj: Obj, observed: Observed) -> Plan:
    return KIND.plan(obj, observed, NOW)


def child(of: Plan, kind: str, name: str | None = None) -> Obj:
    return next(
        entry.obj
        for entry in of.children
        if entry.obj["kind"] == kind and name in (None, entry.obj["metadata"]["name"])
    )


def first_children(obj: Obj) -> Plan:
    """The plan once credentials are there and nothing else is."""
    return plan(obj, seen(*secrets()))


def standing(
    obj: Obj | None = None, *, refs: Iterable[Obj] = (*REFS, volume()), found: Obj | None = None, **changes: Obj
) -> Observed:
    """Everything stands as planned; `changes` replaces live objects by kind (claim, pod)."""
    first = first_children(obj or rds())
    stateful_set = child(first, "StatefulSet")
    live = {
        "claim": claim(**{objects.IDENTITY_ANNOTATION: IDENTITY}),
        "pod": pod(template=stateful_set["spec"]["template"]),
    } | changes
    others = [owned(entry.obj) for entry in first.children if entry.obj["kind"] != "PersistentVolumeClaim"]
    return seen(*secrets(), *others, *live.values(), refs=refs, found=facts() if found is None else found)

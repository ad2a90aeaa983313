# SPDX-License-Identifier: Apache-2.0
"""A small world around the clones of one machine: cases, and live objects as KubeVirt would show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cairn.api.platform import Platform
from cairn.api.resources import HPA, PODMETRICS, Obj, Resource, ref_of
from cairn.api.seller import Seller
from cairn.api.sellervm import SellerVM
from cairn.api.vm_size import Size
from cairn.calendar.capacity import Capacity
from cairn.engine.kind import Action, Observed
from cairn.vm import machine
from cairn.vm.case import BASE, CLONE, NAME, ROLE, TRAFFIC, Base, Case, Part
from cairn.vm.pool import Clone, pool, snapshot
from cairn.vm.resize import Change

NOW = datetime(2026, 11, 11, 12, tzinfo=UTC)
NAMESPACE = "seller-2088"
SIZE = Size(2, "4Gi")
OWNED = {"app.kubernetes.io/managed-by": "cairn", "cairn.dev/owner-uid": "uid-1"}


def ago(**amount: float) -> str:
    return (NOW - timedelta(**amount)).strftime("%Y-%m-%dT%H:%M:%SZ")


def svm(**spec: Any) -> SellerVM:
    fields = {
        "resources": {"cpu": "2", "memory": "4Gi"},
        "image": {"name": "debian-12"},
        "disk": {"size": "10Gi"},
        "ports": [{"name": "web", "port": 80}],
        "promotions": [{"name": "double-11", "replicas": {"min": 20, "max": 40}}],
    }
    return SellerVM.model_validate(
        {
            "apiVersion": "cairn.dev/v1alpha1",
            "kind": "SellerVM",
            "metadata": {"name": "shop", "namespace": NAMESPACE, "uid": "uid-1", "generation": 1},
            "spec": {key: value for key, value in (fields | spec).items() if value is not None},
        }
    )


AUTOSCALE = {"clones": {"min": 0, "max": 10}, "cpu": 50, "drain": "30s"}


def launcher(of: str, *, role: str = CLONE, ready: bool = True, traffic: bool = True, since: str = "") -> Obj:
    labels = OWNED | {NAME: "shop", ROLE: role} | ({TRAFFIC: "true"} if traffic else {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"virt-launcher-{of}",
            "namespace": NAMESPACE,
            "labels": labels,
            "annotations": {"vm.cairn.dev/draining-since": since} if since else {},
            "ownerReferences": [{"kind": "VirtualMachineInstance", "name": of}],
        },
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
    }


def member(ordinal: int, **pod: Any) -> tuple[Obj, Obj]:
    """A clone and its launcher pod."""
    name = f"shop-peak-{ordinal}"
    owner = {"kind": "VirtualMachinePool", "name": "shop-peak", "uid": "pool-uid"}
    meta = {"name": name, "namespace": NAMESPACE, "labels": dict(OWNED), "ownerReferences": [owner]}
    return {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": meta}, launcher(name, **pod)


def members(count: int, **pod: Any) -> list[Obj]:
    return [obj for ordinal in range(count) for obj in member(ordinal, **pod)]


def live_snapshot(name: str = "shop-peak-20261111115800", *, by: str = "peak", **status: Any) -> Obj:
    made = snapshot(name, NAMESPACE, of="shop", claim="shop-disk", by=by, snapshot_class=None)
    made["metadata"]["labels"] |= OWNED
    made["metadata"] |= {"creationTimestamp": ago(minutes=2), "uid": f"uid-of-{name}"}
    return made | {"status": {"readyToUse": True, "creationTime": ago(minutes=2)} | status}


def live_pool(replicas: int, source: str = "shop-peak-20261111115800", **annotations: str) -> Obj:
    made = pool(clone(source), replicas)
    made["metadata"] |= {"uid": "pool-uid", "labels": dict(OWNED), "annotations": annotations}
    return made


def live_scaler(**annotations: str) -> Obj:
    """The autoscaler as it was left when metrics were read last."""
    meta = {"name": "shop-peak", "namespace": NAMESPACE, "labels": dict(OWNED), "annotations": annotations}
    return {"apiVersion": HPA.api_version, "kind": HPA.kind, "metadata": meta}


def clone(source: str = "shop-peak-20261111115800", *, init: str | None = None, **spec: Any) -> Clone:
    made = machine.blueprint(svm(**spec), SIZE, SIZE, "shop-peak")
    return Clone("shop", NAMESPACE, machine.template("shop", made, role=CLONE), source, claim(), init)


def claim() -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "shop-disk", "namespace": NAMESPACE, "creationTimestamp": ago(days=30)},
        "spec": {"storageClassName": "fast", "accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem"},
        "status": {"phase": "Bound"},
    }


def instance(*, ready: bool = True, minutes: float = 60) -> Obj:
    return {
        "metadata": {"name": "shop", "creationTimestamp": ago(minutes=minutes)},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
    }


def snapshot_class(name: str = "csi", *, default: bool = True) -> Obj:
    word = "true" if default else "false"
    annotations = {"snapshot.storage.kubernetes.io/is-default-class": word}
    kind = {"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass"}
    return kind | {"metadata": {"name": name, "annotations": annotations}}


def case(
    *live: Obj,
    vm: SellerVM | None = None,
    floor: int = 0,
    ceiling: int = 0,
    frozen: datetime | None = None,
    base: Base | None = None,
    missing: Iterable[Resource] = (),
    cores: Mapping[str, str] | None = None,
    unread: bool = False,
    classes: Iterable[Obj] = (snapshot_class(),),
    platform: Platform | None = None,
    now: datetime = NOW,
    **of_capacity: Any,
) -> Case:
    """live: children, by their labels"""
    children = {ref_of(one): one for one in live if one["metadata"].get("labels", {}).get("cairn.dev/owner-uid")}
    seen = [*live, *classes]
    refs: dict[Any, Obj | None] = {ref_of(one): one for one in seen if ref_of(one) not in children}
    facts: dict[str, Any] = ({} if cores is None else {"cores": cores}) | ({"unread": True} if unread else {})
    pod = launcher("shop", role=BASE)
    return Case(
        vm=vm or svm(),
        seller=Seller.model_validate(SELLER),
        observed=Observed(children, refs, facts, frozenset(missing)),
        now=now,
        platform=platform or Platform(),
        capacity=Capacity(None, floor, ceiling, **of_capacity),
        plans={},
        wanted=SIZE,
        ceiling=SIZE,
        change=Change(machine.blueprint(vm or svm(), SIZE, SIZE, "shop-disk")),
        disk="shop-disk",
        disk_size="10Gi",
        base=base or Base(instance=instance(), pod=pod, claim=claim()),
        frozen=frozen,
    )


SELLER = {
    "apiVersion": "cairn.dev/v1alpha1",
    "kind": "Seller",
    "metadata": {"name": "acme"},
    "spec": {"id": "2088", "namespace": NAMESPACE, "planRef": {"name": "seller.standard"}},
}
NO_METRICS = (PODMETRICS,)


def deeds(part: Part) -> dict[str, Action]:
    return {action.name: action for action in part.actions}


def conditions(part: Part) -> dict[str, tuple[bool | None, str]]:
    return {one.type: (one.status, str(one.reason)) for one in part.conditions}


def with_observed(case: Case, observed: Observed) -> Case:
    return replace(case, observed=observed)

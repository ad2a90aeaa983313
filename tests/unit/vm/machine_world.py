# SPDX-License-Identifier: Apache-2.0
"""A small world for machines: objects as users write them, and live ones as API server, KubeVirt and CDI show them."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from cairn.api.platform import Platform
from cairn.api.resources import DATAVOLUME, PVC, VIRTUALMACHINE, Obj, Ref, Resource, ref_of
from cairn.engine.kind import Observed, Plan
from cairn.vm.kind import SellerVMKind

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
"""A Sunday."""
NAMESPACE = "seller-2088"
PLATFORM = Platform()


def vm(status: Obj | None = None, *, meta: Obj | None = None, **spec: Any) -> Obj:
    fields = {"planRef": {"name": "vm.medium"}, "image": {"name": "debian-12"}}
    if "resources" in spec:
        fields.pop("planRef")
        fields["disk"] = {"size": "10Gi"}
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "SellerVM",
        "metadata": {"name": "shop", "namespace": NAMESPACE, "uid": "uid-1", "generation": 1} | (meta or {}),
        "spec": {key: value for key, value in (fields | spec).items() if value is not None},
        "status": status or {},
    }


def plan_object(name: str, cpu: str, memory: str, storage: str = "10Gi", **spec: Any) -> Obj:
    size = {"cpu": cpu, "memory": memory, "storage": storage}
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "ServicePlan",
        "metadata": {"name": name},
        "spec": {"for": "SellerVM", "size": size, "prices": [{"name": "a", "from": "2026-01-01", "monthly": "100"}]}
        | spec,
    }


def promotion(name: str = "double-11", start: str = "2026-11-22T10:00:00", **spec: Any) -> Obj:
    windows = [{"name": "main", "start": start, "duration": "4h"}]
    fields = {"timeZone": "UTC", "windows": windows, "warmUp": "1h", "coolDown": "1h"}
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "Promotion",
        "metadata": {"name": name},
        "spec": fields | spec,
    }


def namespace(**labels: str) -> Obj:
    found = {"cairn.dev/seller": "acme", "cairn.dev/seller-id": "2088"} | labels
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": found}}


def seller(*hosts: str) -> Obj:
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "Seller",
        "metadata": {"name": "acme"},
        "spec": {
            "id": "2088",
            "namespace": NAMESPACE,
            "hosts": list(hosts),
            "planRef": {"name": "seller.standard"},
        },
    }


def quota(hard: Obj | None = None, **used: str) -> Obj:
    limits = {"requests.cpu": "40", "limits.cpu": "40", "requests.memory": "80Gi", "limits.memory": "80Gi"}
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "cairn", "namespace": NAMESPACE},
        "status": {
            "hard": limits | {"requests.storage": "500Gi"} | (hard or {}),
            "used": {key.replace("_", "."): value for key, value in used.items()},
        },
    }


def data_source(*, ready: bool = True) -> Obj:
    condition = {"type": "Ready", "status": "True" if ready else "False", "message": "no source PVC provided"}
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataSource",
        "metadata": {"name": "debian-12", "namespace": "cairn-images"},
        "status": {"conditions": [condition]},
    }


def secret(name: str, **data: str) -> Obj:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE}, "data": data}


def storage_class(*, expands: bool = True) -> Obj:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "fast"},
        "allowVolumeExpansion": expands,
    }


PLANS = (
    plan_object("vm.small", "1", "512Mi"),
    plan_object("vm.medium", "2", "4Gi"),
    plan_object("vm.large", "4", "8Gi", storage="20Gi"),
    plan_object("vm.huge", "16", "64Gi"),
)
REFS = (namespace(), seller(), quota(), data_source(), *PLANS)


def seen(*children: Obj, refs: Iterable[Obj] = (), missing: Iterable[Resource] = ()) -> Observed:
    """Later refs replace earlier ones of the same name."""
    return Observed(
        children={ref_of(obj): obj for obj in children},
        refs={ref_of(obj): obj for obj in (*REFS, *refs)},
        missing=frozenset(missing),
    )


def plan(obj: Obj, observed: Observed, now: datetime = NOW, platform: Platform = PLATFORM) -> Plan:
    return SellerVMKind(platform).plan(obj, observed, now)


def child(of: Plan, kind: str, name: str | None = None) -> Obj:
    return next(
        entry.obj
        for entry in of.children
        if entry.obj["kind"] == kind and name in (None, entry.obj["metadata"]["name"])
    )


def kinds(of: Plan) -> list[str]:
    return [f"{entry.obj['kind']}/{entry.obj['metadata']['name']}" for entry in of.children]


def condition(of: Plan, kind: str) -> tuple[bool | None, str, str] | None:
    found = next((one for one in of.conditions if one.type == kind), None)
    return (found.status, found.reason.value, found.message) if found else None


def said(of: Plan, kind: str) -> tuple[bool | None, str, str]:
    """As `condition`, of one that must be there."""
    found = condition(of, kind)
    assert found, f"no condition {kind} among {[one.type for one in of.conditions]}"
    return found


def owned(obj: Obj, uid: str = "uid-1", *, retain: bool = False) -> Obj:
    """As the engine applies it."""
    live = copy.deepcopy(obj)
    marks = {"cairn.dev/owner-kind": "SellerVM", "cairn.dev/owner-name": "shop", "cairn.dev/owner-uid": uid}
    labels = live["metadata"].setdefault("labels", {})
    labels.update(marks | ({"cairn.dev/retain": "true"} if retain else {}))
    live["metadata"].setdefault("uid", f"uid-of-{live['kind']}-{live['metadata']['name']}")
    return live


def data_volume(uid: str = "uid-1", name: str = "shop-disk", phase: str = "Succeeded", **status: Any) -> Obj:
    meta: Obj = {"name": name, "namespace": NAMESPACE}
    if phase == "Succeeded":
        meta["annotations"] = {"cdi.kubevirt.io/storage.prePopulated": name}
    spec = {
        "sourceRef": {"kind": "DataSource", "name": "debian-12", "namespace": "cairn-images"},
        "storage": {"resources": {"requests": {"storage": "10Gi"}}},
    }
    live = {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": meta,
        "spec": spec,
        "status": {"phase": phase} | status,
    }
    return owned(live, uid, retain=True)


def claim(uid: str = "uid-1", name: str = "shop-disk", size: str = "10894Mi", **annotations: str) -> Obj:
    live = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": f"claim-{name}", "annotations": annotations},
        "spec": {
            "resources": {"requests": {"storage": size}},
            "storageClassName": "fast",
            "volumeMode": "Filesystem",
            "volumeName": f"pv-{name}",
        },
        "status": {"phase": "Bound", "capacity": {"storage": size}},
    }
    return owned(live, uid, retain=True)


def volume(policy: str = "Retain", name: str = "shop-disk") -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"pv-{name}"},
        "spec": {
            "persistentVolumeReclaimPolicy": policy,
            "claimRef": {"namespace": NAMESPACE, "name": name, "uid": f"claim-{name}"},
        },
    }


def machine(made: Obj, phase: str = "Running", **conditions: str) -> Obj:
    """The VirtualMachine as it stands once applied; conditions by type, with a message."""
    live = owned(made)
    found = [{"type": kind, "status": "True", "message": message} for kind, message in conditions.items()]
    live["status"] = {"printableStatus": phase, "conditions": found}
    return live


def instance(made: Obj, phase: str = "Running", *, ready: bool = True, boot: Obj | None = None, **status: Any) -> Obj:
    """The VirtualMachineInstance that KubeVirt makes of a VirtualMachine. boot: another domain than that has now"""
    spec = copy.deepcopy(made["spec"]["template"]["spec"])
    spec["domain"] |= boot or {}
    cpu, memory = spec["domain"]["cpu"], spec["domain"]["memory"]
    sizes = dict.fromkeys(("guestAtBoot", "guestCurrent", "guestRequested"), memory["guest"])
    live: Obj = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": {"name": "shop", "namespace": NAMESPACE, "uid": "vmi-1"},
        "spec": spec,
        "status": {
            "phase": phase,
            "nodeName": "node-1",
            "interfaces": [{"ipAddress": "10.0.0.7"}],
            "currentCPUTopology": {"cores": 1, "threads": 1, "sockets": cpu["sockets"]},
            "memory": sizes,
            "conditions": [{"type": "Ready", "status": str(ready)}, {"type": "LiveMigratable", "status": "True"}],
        }
        | status,
    }
    return owned(live)


def launcher(name: str = "virt-launcher-shop-abcde", *, ready: bool = True, node: str = "node-1", **status: Any) -> Obj:
    labels = {
        "vm.cairn.dev/name": "shop",
        "vm.cairn.dev/role": "base",
        "vm.cairn.dev/traffic": "true",
        "kubevirt.io/created-by": "vmi-1",
    }
    conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": str(ready)}]
    live = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {"nodeName": node, "containers": [{"name": "compute", "image": "launcher"}]},
        "status": {"phase": "Running", "conditions": conditions} | status,
    }
    return owned(live)


def first(obj: Obj, *, refs: Iterable[Obj] = (), now: datetime = NOW, platform: Platform = PLATFORM) -> Plan:
    """The plan once the disk is there and nothing else is."""
    return plan(obj, seen(data_volume(), claim(), refs=(*refs, volume(), storage_class())), now, platform)


def standing(
    obj: Obj | None = None,
    *,
    refs: Iterable[Obj] = (),
    now: datetime = NOW,
    platform: Platform = PLATFORM,
    boot: Obj | None = None,
    gone: Iterable[str] = (),
    **changes: Obj,
) -> Observed:
    """Everything stands as planned and the guest answers. boot: what the guest was started with; gone: kinds that are
    not there; changes: other live objects by kind, in lower case"""
    wanted = first(obj or vm(), refs=refs, now=now, platform=platform)
    made = child(wanted, "VirtualMachine")
    made["spec"]["template"]["spec"]["domain"] |= boot or {}
    live = {
        "datavolume": data_volume(),
        "persistentvolumeclaim": claim(),
        "virtualmachine": machine(made),
        "virtualmachineinstance": instance(made),
        "pod": launcher(),
    } | changes
    others = [
        owned(entry.obj)
        for entry in wanted.children
        if entry.obj["kind"] not in ("DataVolume", "VirtualMachine", "PersistentVolumeClaim")
    ]
    kept = [one for kind, one in live.items() if kind not in gone]
    return seen(*kept, *others, refs=(*refs, volume(), storage_class()))


def domain(cpu: int, memory: str, max_cpu: int, max_memory: str) -> Obj:
    return {
        "cpu": {"cores": 1, "threads": 1, "sockets": cpu, "maxSockets": max_cpu},
        "memory": {"guest": memory, "maxGuest": max_memory},
    }


DISK_REFS = tuple(Ref(resource, NAMESPACE, "shop-disk") for resource in (DATAVOLUME, PVC))
MACHINE_REF = Ref(VIRTUALMACHINE, NAMESPACE, "shop")

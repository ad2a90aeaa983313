# SPDX-License-Identifier: Apache-2.0
"""What a disk is made from: each kind of image as CDI's source, and what stands in its way. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from cairn.api import pods
from cairn.api.conditions import Reason, not_ready, progressing, stalled
from cairn.api.lookup import Wrong
from cairn.api.platform import Platform
from cairn.api.quantity import compare
from cairn.api.resources import DATASOURCE, PVC, SELLERVM, VOLUMESNAPSHOT, VOLUMESNAPSHOTCLASS, Obj, Ref
from cairn.api.sellervm import SellerVM
from cairn.engine.kind import Child
from cairn.vm.case import BY, CONSISTENCY, DISK_OF, Case
from cairn.vm.machine import labels


def wants(vm: SellerVM, platform: Platform) -> Iterable[Ref]:
    """What an image that is no download refers to."""
    image, namespace = vm.spec.image, vm.metadata.namespace
    if image.name:
        yield Ref(DATASOURCE, platform.virtual_machines.image_namespace, image.name)
    if image.snapshot:
        yield Ref(VOLUMESNAPSHOT, namespace, image.snapshot)
    if image.pvc:
        yield Ref(PVC, namespace, image.pvc)
    if image.from_vm:
        yield Ref(SELLERVM, namespace, image.from_vm)
        if snapshot_class := platform.virtual_machines.snapshot_class:
            yield Ref(VOLUMESNAPSHOTCLASS, "", snapshot_class)


def source(case: Case) -> Obj:
    """The part of a DataVolume's spec that says where its content comes from."""
    image, namespace = case.vm.spec.image, case.namespace
    if image.name:
        images = case.platform.virtual_machines.image_namespace
        return {"sourceRef": {"kind": "DataSource", "name": image.name, "namespace": images}}
    if image.pvc:
        return {"source": {"pvc": {"name": image.pvc, "namespace": namespace}}}
    if image.registry:
        registry = {"url": image.registry.url, "pullMethod": image.registry.pull_method.lower()}
        return {"source": {"registry": registry}}
    if image.http:
        return {"source": {"http": {"url": image.http.url, "checksum": image.http.checksum}}}
    return {"source": {"snapshot": {"name": image.snapshot or snapshot_name(case.name), "namespace": namespace}}}


def wrong(case: Case) -> Wrong | None:
    """Why no disk can be made of the image now. Asked only while there is no disk."""
    image = case.vm.spec.image
    if image.name:
        return _data_source(case, image.name)
    if image.snapshot:
        return _snapshot(case, image.snapshot, f"spec.image.snapshot: VolumeSnapshot {image.snapshot}")
    if image.pvc:
        claim = case.observed.ref(PVC, image.pvc, case.namespace)
        text = f"spec.image.pvc: PersistentVolumeClaim {image.pvc} does not exist: create it, or name another"
        return None if claim else not_ready(Reason.IMAGE_NOT_FOUND, text)
    if image.from_vm:
        return _other_machine(case, image.from_vm)
    url = image.http.url if image.http else image.registry.url if image.registry else ""
    return _address(url, case.platform, "http" if image.http else "registry")


def _data_source(case: Case, name: str) -> Wrong | None:
    images = case.platform.virtual_machines.image_namespace
    found = case.observed.ref(DATASOURCE, name, images)
    if found is None:
        message = f"spec.image.name: there is no image {name} (DataSource in {images}): name one that the platform has"
        return not_ready(Reason.IMAGE_NOT_FOUND, message)
    ready = pods.condition(found, "Ready")
    if ready and ready.get("status") != "True":
        message = f"spec.image.name: image {name} is not ready: {ready.get('message') or ready.get('reason')}"
        return not_ready(Reason.SOURCE_NOT_READY, message)
    return None


def _snapshot(case: Case, name: str, what: str) -> Wrong | None:
    found = case.observed.ref(VOLUMESNAPSHOT, name, case.namespace) or case.child(VOLUMESNAPSHOT, name)
    if found is None:
        return not_ready(Reason.IMAGE_NOT_FOUND, f"{what} does not exist: create it, or name another")
    status = found.get("status") or {}
    if not status.get("readyToUse"):
        why = (status.get("error") or {}).get("message")
        if why:
            return not_ready(Reason.SOURCE_NOT_READY, f"{what} failed: {why}")
        return progressing(Reason.SOURCE_NOT_READY, f"{what} is being taken")
    size = status.get("restoreSize")
    if size and compare(size, case.disk_size) > 0:
        message = f"spec.disk.size: {case.disk_size} is less than the {size} of {what.split(': ')[-1]}: set {size}"
        return not_ready(Reason.INVALID_SPEC, message)
    return None


def _other_machine(case: Case, name: str) -> Wrong | None:
    what = f"spec.image.fromVM: SellerVM {name}"
    snapshot_class = case.platform.virtual_machines.snapshot_class
    if snapshot_class and case.observed.ref(VOLUMESNAPSHOTCLASS, snapshot_class) is None:
        message = f"VolumeSnapshotClass {snapshot_class} of the platform's settings does not exist: ask the platform"
        return not_ready(Reason.SNAPSHOTS_MISSING, message)
    if case.observed.ref(SELLERVM, name, case.namespace) is None:
        return not_ready(Reason.IMAGE_NOT_FOUND, f"{what} does not exist: name one that stands")
    if _disk_of(case, name) is None:
        return not_ready(Reason.SOURCE_NOT_READY, f"{what} has no finished disk yet")
    return None


def snapshot_name(name: str) -> str:
    """Of the snapshot of the other machine's disk, which is dropped when the new disk stands."""
    return f"{name}-from"


def snapshot_state(case: Case) -> Wrong | None:
    """Why the snapshot of the other machine's disk can't be used yet."""
    name = snapshot_name(case.name)
    if not case.vm.spec.image.from_vm:
        return None
    if case.child(VOLUMESNAPSHOT, name) is None:
        return progressing(Reason.SOURCE_NOT_READY, f"a snapshot of SellerVM {case.vm.spec.image.from_vm} is taken")
    return _snapshot(case, name, f"VolumeSnapshot {name}")


def snapshot(case: Case) -> Child | None:
    """Of the other machine's disk, until one's own is made from it: then it is no longer planned, and goes."""
    other, name = case.vm.spec.image.from_vm, snapshot_name(case.name)
    if other is None:
        return None
    standing = case.child(VOLUMESNAPSHOT, name)
    disk = _disk_of(case, other)
    if standing:  # its source can't be changed, and the other machine's disk may have been replaced meanwhile
        spec: Obj = standing["spec"]
    elif disk:
        spec = {"source": {"persistentVolumeClaimName": disk}}
        if snapshot_class := case.platform.virtual_machines.snapshot_class:
            spec["volumeSnapshotClassName"] = snapshot_class
    else:
        return None
    meta = {
        "name": name,
        "namespace": case.namespace,
        "labels": labels(case.name) | {DISK_OF: other},
        "annotations": {BY: "clone", CONSISTENCY: "Crash"},
    }
    return Child({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot", "metadata": meta, "spec": spec})


def _disk_of(case: Case, name: str) -> str | None:
    """The finished disk that another machine uses, by that machine's own status."""
    other = case.observed.ref(SELLERVM, name, case.namespace) or {}
    disks = (other.get("status") or {}).get("disks") or ()
    return next((disk["name"] for disk in disks if disk.get("inUse") and disk.get("phase") == "Succeeded"), None)


def _address(url: str, platform: Platform, field: str) -> Wrong | None:
    """An address that is written as a number is refused at once; what names stand for, the network policy decides."""
    try:
        address = ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return None
    denied = platform.virtual_machines.denied_networks
    if not any(address in network for network in denied):
        return None
    message = f"spec.image.{field}.url: nothing is downloaded from {address}, the platform denies its network"
    return stalled(Reason.INVALID_SPEC, message)

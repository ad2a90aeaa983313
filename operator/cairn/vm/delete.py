# SPDX-License-Identifier: Apache-2.0
"""What becomes of a machine's disk when the object goes. Pure.

Retain lets go of it. Delete deletes it, once confirmed by name. Snapshot stops the machine, takes a snapshot, waits
until that can be used, and deletes the disk then.
"""

from __future__ import annotations

from datetime import datetime

from cairn.api import pods
from cairn.api.conditions import Condition, Reason, not_ready, progressing
from cairn.api.platform import Platform
from cairn.api.resources import DATAVOLUME, PVC, VIRTUALMACHINE, VMI, VOLUMESNAPSHOT, Obj, Ref
from cairn.api.sellervm import SellerVM
from cairn.engine.kind import Action, Child, Observed, Plan
from cairn.vm import decide, disk
from cairn.vm.case import BY, CONSISTENCY, DISK_OF
from cairn.vm.machine import labels

CONFIRM = "cairn.dev/confirm-delete"


def gone(vm: SellerVM, observed: Observed, home: Obj | None, platform: Platform) -> Plan:
    name, namespace = vm.metadata.name, vm.metadata.namespace
    retained = _retained(vm, observed)
    # A namespace that goes takes its claims along whatever is said here, and their volumes are kept: don't hold it up.
    if vm.spec.deletion_policy == "Retain" or not retained or pods.terminating(home):
        return released(disk.keep(vm, observed))
    if vm.spec.deletion_policy == "Snapshot":
        return _snapshot(vm, retained, observed, platform)
    if vm.metadata.annotations.get(CONFIRM) != name:
        names = ", ".join(sorted({ref.name for ref in retained}))
        message = (
            f"spec.deletionPolicy is Delete, which destroys {names}: confirm"
            f" with kubectl annotate sellervm {name} -n {namespace} {CONFIRM}={name}, or set spec.deletionPolicy to"
            " Retain or Snapshot"
        )
        return Plan(conditions=_deleting(message), hold=True)
    return _destroyed(vm, retained, observed)


def released(actions: tuple[Action, ...] = ()) -> Plan:
    return Plan(conditions=_deleting("the disk, if any, is kept"), actions=actions, hold=True, released=True)


def _destroyed(vm: SellerVM, retained: tuple[Ref, ...], observed: Observed) -> Plan:
    if actions := disk.give_up(vm, observed):
        return Plan(conditions=_deleting("the disk's volume is being given up"), actions=actions, hold=True)
    return Plan(conditions=_deleting("machine and disk are being deleted"), delete=retained)


def _snapshot(vm: SellerVM, retained: tuple[Ref, ...], observed: Observed, platform: Platform) -> Plan:
    name, namespace = vm.metadata.name, vm.metadata.namespace
    if VOLUMESNAPSHOT in observed.missing:
        message = "spec.deletionPolicy is Snapshot and this cluster has no volume snapshots: set it to Retain or Delete"
        return Plan(conditions=not_ready(Reason.SNAPSHOTS_MISSING, message), hold=True)
    whole = [one for one in decide.disks(name, observed) if _is_whole(one, namespace, retained, observed)]
    if not whole:
        return _destroyed(vm, retained, observed)  # there is nothing to take a snapshot of
    taken = tuple(_taken(vm, one, platform, observed) for one in whole)
    live = [observed.child(VOLUMESNAPSHOT, one.obj["metadata"]["name"], namespace) for one in taken]
    if all(((one or {}).get("status") or {}).get("readyToUse") and not pods.terminating(one) for one in live):
        plan = _destroyed(vm, retained, observed)
        return Plan(taken, conditions=plan.conditions, actions=plan.actions, hold=plan.hold, delete=plan.delete)
    if observed.child(VIRTUALMACHINE, name, namespace) or observed.child(VMI, name, namespace):
        return Plan(conditions=_deleting("the guest shuts down, then a snapshot of its disk is taken"))
    if why := next((text for one in live if (text := _error(one))), ""):
        message = f"the snapshot of the disk failed, and the disk is kept: {why}; or set spec.deletionPolicy to Retain"
        return Plan(taken, conditions=not_ready(Reason.DELETING, message))
    return Plan(taken, conditions=_deleting("a snapshot of the disk is being taken"))


def _error(snapshot: Obj | None) -> str:
    status = (snapshot or {}).get("status") or {}
    return "" if status.get("readyToUse") else str((status.get("error") or {}).get("message") or "")


def _is_whole(name: str, namespace: str, retained: tuple[Ref, ...], observed: Observed) -> bool:
    """Whether a disk of this object holds something: one in use, or one that a restore, done or begun, replaces."""
    claim, volume = disk.standing_claim(name, namespace, observed), observed.child(DATAVOLUME, name, namespace)
    if claim is None or not any(ref.name == name for ref in retained):
        return False
    return disk.phase(volume) == disk.DONE if volume else not pods.terminating(claim)


def _taken(vm: SellerVM, claim: str, platform: Platform, observed: Observed) -> Child:
    """Named after the moment of the deletion, so that every pass names the same one. To the second: a schedule names
    its own to the minute, and one that was taken while the guest still ran must not be taken for this one."""
    name, namespace = vm.metadata.name, vm.metadata.namespace
    at = datetime.fromisoformat(vm.metadata.deletion_timestamp or "1970-01-01T00:00:00Z")
    spec: Obj = {"source": {"persistentVolumeClaimName": claim}}
    if snapshot_class := platform.virtual_machines.snapshot_class:
        spec["volumeSnapshotClassName"] = snapshot_class
    taken = f"{name}-{at:%Y%m%d%H%M%S}{claim.removeprefix(decide.disk_name(name))}"
    meta = {
        "name": taken,
        "namespace": namespace,
        "labels": labels(name) | {DISK_OF: name},
        "annotations": {BY: "delete", CONSISTENCY: "Filesystem"},
    }
    standing = observed.child(VOLUMESNAPSHOT, taken, namespace)
    obj = {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": meta,
        "spec": standing["spec"] if standing else spec,
    }
    return Child(obj, retain=True)


def _retained(vm: SellerVM, observed: Observed) -> tuple[Ref, ...]:
    """Disks that stand and are this object's: an earlier one's only if they were taken over."""
    found = []
    for name in decide.disks(vm.metadata.name, observed):
        for resource in (DATAVOLUME, PVC):
            ref = Ref(resource, vm.metadata.namespace, name)
            live = observed.children.get(ref)
            if live and (vm.spec.adopt or _uid_of_owner(live) == vm.metadata.uid):
                found.append(ref)
    return tuple(found)


def _uid_of_owner(live: Obj) -> str | None:
    return (live["metadata"].get("labels") or {}).get("cairn.dev/owner-uid")


def _deleting(message: str) -> tuple[Condition, ...]:
    return progressing(Reason.DELETING, message)

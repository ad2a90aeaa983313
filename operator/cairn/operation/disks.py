# SPDX-License-Identifier: Apache-2.0
"""snapshot, restore, clone: what is made of a machine's disk. Pure.

Everything has a name that follows from the Operation or from the disk, and carries the Operation's mark: a pass that
was cut off finds what it made. A restore replaces no data: the new disk stands beside the old one, which is kept.
"""

from __future__ import annotations

import re

from cairn.api.conditions import Reason
from cairn.api.resources import DATAVOLUME, SELLERVM, VMI, VOLUMESNAPSHOT, Obj
from cairn.api.sellervm import SellerVM
from cairn.engine.kind import Action
from cairn.operation.case import (
    MARK,
    Begins,
    Case,
    Done,
    Fails,
    Runs,
    Step,
    Waits,
    condition,
    notes_of,
    says,
    settled,
)

DISK_OF, BY, CONSISTENCY = "vm.cairn.dev/disk-of", "vm.cairn.dev/by", "vm.cairn.dev/consistency"
"""What a machine knows its snapshots and disks by: outside of cairn.dev/, where only Cairn may write."""
RETAIN = "cairn.dev/retain"
MADE = ("Succeeded", "WaitForFirstConsumer", "PendingPopulation")
"""Phases of a disk that needs nothing but the machine's start."""
COPIED = ("planRef", "resources", "disk", "ssh", "ports", "access", "maintenance")
"""What a clone takes over. Not its host, its promotions, its clones by load and its snapshots: these would be had,
and paid for, twice without anybody having asked."""


def snapshot_name(case: Case) -> str:
    return (case.op.spec.args.name if case.op.spec.args else None) or case.op.metadata.name


def disk_in_use(model: SellerVM) -> str | None:
    return next((disk.name for disk in model.status.disks if disk.in_use), None)


def next_disk(name: str, disk: str) -> str:
    """Name of the disk that a restore makes while `disk` is in use: the highest number is the one in use."""
    found = re.fullmatch(rf"{re.escape(name)}-disk(?:-r([1-9][0-9]*))?", disk)
    return f"{name}-disk-r{int((found and found[1]) or 0) + 1}"


def begin_snapshot(case: Case) -> Step:
    if wrong := _no_snapshots(case):
        return wrong
    disk = disk_in_use(_machine(case))
    if disk is None:
        return Waits(Reason.WAITING, f"{case.title} has no disk yet, it says {says(case.target)}")
    return _taken(
        case, VOLUMESNAPSHOT.kind, snapshot_name(case), case.ref(VOLUMESNAPSHOT, snapshot_name(case))
    ) or Begins(disk, f"snapshot of disk {disk} of {case.title}")


def pursue_snapshot(case: Case) -> Step:
    name = snapshot_name(case)
    live = case.ref(VOLUMESNAPSHOT, name)
    if live is None:
        return Runs(f"takes VolumeSnapshot {name}", (Action("snapshot", {"disk": case.op.status.before}, 60.0),))
    if taken := _taken(case, VOLUMESNAPSHOT.kind, name, live):
        return taken
    status = live.get("status") or {}
    if status.get("readyToUse"):
        kind = notes_of(live).get(CONSISTENCY, "Crash")
        how = "the guest's file systems were frozen" if kind == "Filesystem" else "as after a power loss"
        return Done(f"VolumeSnapshot {name} is ready, {how}", {"snapshot": name})
    error = (status.get("error") or {}).get("message")
    return Runs(f"VolumeSnapshot {name} is being taken" + (f": {error}" if error else ""))


def begin_restore(case: Case) -> Step:
    if wrong := _no_snapshots(case):
        return wrong
    if case.model.spec.power_state != "Stopped":
        message = f"{case.title} runs, and a disk can't be replaced under it: stop it first (spec.powerState: Stopped)"
        return Fails(Reason.FAILED, message)
    source = _source(case)
    if not isinstance(source, dict):
        return source
    if case.observed.ref(VMI, case.name, case.namespace):
        return Waits(Reason.WAITING, f"{case.title} is still going down")
    disk = disk_in_use(_machine(case))
    if disk is None:
        return Fails(Reason.FAILED, f"{case.title} has no disk to replace: use image.snapshot in a new SellerVM")
    new = next_disk(case.name, disk)
    return _taken(case, DATAVOLUME.kind, new, case.ref(DATAVOLUME, new)) or Begins(
        disk, f"restore of {case.title} from {source['metadata']['name']}"
    )


def pursue_restore(case: Case) -> Step:
    old = case.op.status.before or ""
    new = next_disk(case.name, old)
    live = case.ref(DATAVOLUME, new)
    if live is None:
        if case.model.spec.power_state != "Stopped":
            return Fails(Reason.FAILED, f"{case.title} was started before disk {new} was begun, and keeps {old}")
        source = _source(case)
        if not isinstance(source, dict):
            return source if isinstance(source, Fails) else Runs(source.message)
        return Runs(f"makes disk {new}", (Action("restore", {"disk": new, "replaced": old}),))
    if taken := _taken(case, DATAVOLUME.kind, new, live):
        return taken
    status = live.get("status") or {}
    phase = status.get("phase") or "Pending"
    if phase == "Failed":
        why = condition(live, "Running").get("message") or "CDI gives no reason"
        return Fails(Reason.FAILED, f"disk {new} can't be made: {why}. The machine keeps {old}")
    if not is_made(live):
        return Runs(f"disk {new} is being made: {phase} {status.get('progress') or ''}".rstrip())
    if disk_in_use(_machine(case)) != new:
        return Runs(f"disk {new} is made, {case.title} takes it: {says(case.target)}")
    return Done(f"{case.title} has disk {new} now; {old} is kept", {"disk": new, "replaced": old})


def begin_clone(case: Case) -> Step:
    name = _clone_name(case)
    return (
        _no_snapshots(case)
        or _taken(case, SELLERVM.kind, name, case.ref(SELLERVM, name))
        or Begins(case.target["metadata"]["uid"], f"clone of {case.title} as {name}")
    )


def pursue_clone(case: Case) -> Step:
    name = _clone_name(case)
    live = case.ref(SELLERVM, name)
    if live is None:
        return Runs(f"makes SellerVM {name}", (Action("clone", {"name": name}),))
    if taken := _taken(case, SELLERVM.kind, name, live):
        return taken
    if condition(live, "Stalled").get("status") == "True":
        return Fails(Reason.FAILED, f"SellerVM {name} stands and can't come up: {says(live)}. Correct it or delete it")
    if settled(live, stopped=False):
        return Done(f"SellerVM {name} runs", {"machine": name})
    return Runs(f"SellerVM {name} is being made: {says(live)}")


def undo(disk: str) -> Action:
    """Takes a disk away that a restore began to make."""
    return Action("undo-restore", {"disk": disk})


def half_made(case: Case) -> str | None:
    """The disk that this restore has begun and that is not whole."""
    if case.op.spec.action != "restore" or case.op.status.phase == "Succeeded" or not case.op.status.before:
        return None
    new = next_disk(case.name, case.op.status.before)
    live = case.ref(DATAVOLUME, new)
    return None if live is None or not case.mine(live) or is_made(live) else new


def is_made(disk: Obj) -> bool:
    """Whether a disk needs nothing any more but the machine's start."""
    return (disk.get("status") or {}).get("phase") in MADE


def snapshot(case: Case, disk: str) -> Obj:
    cls = case.platform.virtual_machines.snapshot_class
    return {
        "apiVersion": VOLUMESNAPSHOT.api_version,
        "kind": VOLUMESNAPSHOT.kind,
        "metadata": _meta(case, snapshot_name(case), {CONSISTENCY: "Crash"}),
        "spec": {"source": {"persistentVolumeClaimName": disk}} | ({"volumeSnapshotClassName": cls} if cls else {}),
    }


def restored_disk(case: Case, disk: str, replaced: Obj | None) -> Obj:
    """Without a size CDI takes the snapshot's own; the machine grows it to what its spec says."""
    spec = (replaced or {}).get("spec") or {}
    source = {"snapshot": {"namespace": case.namespace, "name": case.op.spec.args and case.op.spec.args.snapshot}}
    storage = {key: spec[key] for key in ("accessModes", "storageClassName", "volumeMode") if spec.get(key)}
    return {
        "apiVersion": DATAVOLUME.api_version,
        "kind": DATAVOLUME.kind,
        "metadata": _meta(case, disk),
        "spec": {"source": source, "storage": storage},
    }


def cloned(case: Case) -> Obj:
    """The SellerVM as a user would write it."""
    spec = {key: case.target["spec"][key] for key in COPIED if key in case.target["spec"]}
    return {
        "apiVersion": SELLERVM.api_version,
        "kind": SELLERVM.kind,
        "metadata": {"name": _clone_name(case), "namespace": case.namespace, "annotations": {MARK: case.uid}},
        "spec": {**spec, "image": {"fromVM": case.name}},
    }


def _meta(case: Case, name: str, more: dict[str, str] | None = None) -> Obj:
    return {
        "name": name,
        "namespace": case.namespace,
        "labels": {DISK_OF: case.name, RETAIN: "true"},
        "annotations": {BY: "operation", MARK: case.uid, **(more or {})},
    }


def _machine(case: Case) -> SellerVM:
    if not isinstance(case.model, SellerVM):
        raise TypeError("a rule of the API keeps these actions to SellerVMs")
    return case.model


def _clone_name(case: Case) -> str:
    return (case.op.spec.args and case.op.spec.args.name) or ""


def _taken(case: Case, kind: str, name: str, live: Obj | None) -> Fails | None:
    if live is None or case.mine(live):
        return None
    return Fails(Reason.CONFLICT, f"{kind} {name} exists already, and is left alone: choose another name")


def _no_snapshots(case: Case) -> Fails | None:
    if VOLUMESNAPSHOT not in case.observed.missing:
        return None
    message = (
        "this cluster has no volume snapshots: the platform's admin has to install the snapshot controller and its CRDs"
    )
    return Fails(Reason.SNAPSHOTS_MISSING, message)


def _source(case: Case) -> Obj | Fails | Waits:
    """The snapshot that is restored, if it is one of this machine's."""
    name = (case.op.spec.args and case.op.spec.args.snapshot) or ""
    live = case.ref(VOLUMESNAPSHOT, name)
    if live is None:
        return Fails(Reason.FAILED, f"spec.args.snapshot: VolumeSnapshot {name} does not exist: name one that does")
    claim = ((live.get("spec") or {}).get("source") or {}).get("persistentVolumeClaimName") or ""
    of = (live["metadata"].get("labels") or {}).get(DISK_OF)
    if of != case.name and not re.fullmatch(rf"{re.escape(case.name)}-disk(-r[1-9][0-9]*)?", claim):
        message = (
            f"spec.args.snapshot: VolumeSnapshot {name} is of {of or claim or 'something else'}, not of {case.title}:"
            " name one of its own, or make a new SellerVM with image.snapshot"
        )
        return Fails(Reason.FAILED, message)
    if not (live.get("status") or {}).get("readyToUse"):
        return Waits(Reason.SOURCE_NOT_READY, f"VolumeSnapshot {name} is not ready to use yet")
    return live

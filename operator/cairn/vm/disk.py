# SPDX-License-Identifier: Apache-2.0
"""The disk of the base machine: a DataVolume that outlives everything, its claim and the volume behind it. Pure.

CDI makes a lost claim anew from the image, which would start the machine on an empty disk: a DataVolume that is done
is marked as populated, and CDI makes nothing for it any more.
"""

from __future__ import annotations

from collections.abc import Iterable

from cairn.api import pods, vm_size
from cairn.api.conditions import Condition, Reason, not_ready
from cairn.api.lookup import Wrong
from cairn.api.platform import Platform
from cairn.api.quantity import canonical, compare, parse, show
from cairn.api.resources import DATAVOLUME, PV, PVC, SECRET, STORAGECLASS, Obj, Ref
from cairn.api.secrets import is_cairns
from cairn.api.sellervm import SellerVM
from cairn.engine.kind import Action, Child, Observed
from cairn.vm import decide, image, network
from cairn.vm.case import DISK_OF, Case, Part
from cairn.vm.machine import labels

POPULATED = "cdi.kubevirt.io/storage.prePopulated"
FALLBACK = "cdi.kubevirt.io/cloneFallbackReason"
DONE = "Succeeded"
WAITS_FOR_USE = ("WaitForFirstConsumer", "PendingPopulation")
"""Phases that end when the machine's pod has a node: nothing waits for them."""
_ROUNDING = parse("1.01")


def wants(vm: SellerVM, seen: Observed, platform: Platform) -> Iterable[Ref]:
    name, namespace = vm.metadata.name, vm.metadata.namespace
    in_use = decide.disk_in_use(name, seen)
    if in_use is None:
        yield from image.wants(vm, platform)
        return
    volume = seen.child(DATAVOLUME, in_use, namespace)
    if volume is None or volume.get("status"):
        yield Ref(PVC, namespace, in_use)  # CDI has begun, or the claim is all that is left of the disk
    for disk in decide.disks(name, seen):
        spec = (standing_claim(disk, namespace, seen) or {}).get("spec") or {}
        if spec.get("volumeName"):
            yield Ref(PV, "", spec["volumeName"])
        if disk == in_use and spec.get("storageClassName"):
            yield Ref(STORAGECLASS, "", spec["storageClassName"])


def standing_claim(disk: str, namespace: str, seen: Observed) -> Obj | None:
    return seen.child(PVC, disk, namespace) or seen.ref(PVC, disk, namespace)


def wrong(case: Case) -> Wrong | None:
    """Why nothing may be made: data that is somebody's, data that is gone, an image that can't be had."""
    if theirs := _cairns_secret(case):
        return theirs
    volume, claim = case.base.volume, case.base.claim
    standing = volume or claim
    if standing is None:
        if done := [disk.name for disk in case.vm.status.disks if disk.in_use and disk.phase == DONE]:
            return _lost(case, done[0])
        return _secrets(case) or image.wrong(case) or _no_quota(case)
    owner = (standing["metadata"].get("labels") or {}).get("cairn.dev/owner-uid")
    if owner != case.vm.metadata.uid and not case.vm.spec.adopt:
        message = (
            f"disk {case.disk} holds the data of an earlier SellerVM {case.name}: set spec.adopt: true to take it over,"
            f" or delete DataVolume and PersistentVolumeClaim {case.disk} to start from the image"
        )
        return not_ready(Reason.DATA_EXISTS, message)
    if claim is None and POPULATED in (standing["metadata"].get("annotations") or {}):
        return _lost(case, case.disk)
    return _secrets(case) if case.base.machine is None else None


def _lost(case: Case, disk: str) -> Wrong:
    message = (
        f"PersistentVolumeClaim {disk} with the machine's data is gone. Its volume is kept: find it with kubectl"
        f" get pv (claim {case.namespace}/{disk}) and make the claim anew on it, or delete this object and DataVolume"
        f" {disk} to start from the image"
    )
    return not_ready(Reason.VOLUME_LOST, message)


def _named_secrets(case: Case) -> Iterable[tuple[str, str, str | None]]:
    """Field, name and the key that must be there."""
    spec = case.vm.spec
    if spec.ssh:
        yield "spec.ssh.keysSecretRef", spec.ssh.keys_secret_ref.name, None
    if spec.cloud_init:
        yield "spec.cloudInit.secretRef", spec.cloud_init.secret_ref.name, "userdata"


def _secrets(case: Case) -> Wrong | None:
    """Secrets that a guest needs when it starts."""
    for field, name, key in _named_secrets(case):
        found = case.observed.ref(SECRET, name, case.namespace)
        if found is None:
            return not_ready(Reason.SECRET_NOT_FOUND, f"{field}: Secret {name} does not exist: create it")
        if key and key not in (found.get("data") or {}):
            return not_ready(Reason.SECRET_NOT_FOUND, f"{field}: Secret {name} has no key {key}: add it")
    return None


def _cairns_secret(case: Case) -> Wrong | None:
    """A guest shows all that is in a Secret of keys: a database's password to whoever may change a machine."""
    for field, name, _ in _named_secrets(case):
        found = case.observed.ref(SECRET, name, case.namespace)
        if found is not None and is_cairns(found):
            message = f"{field}: Secret {name} is one of Cairn's own: name one of yours"
            return not_ready(Reason.SECRET_NOT_FOUND, message)
    return None


def _no_quota(case: Case) -> Wrong | None:
    missing = pods.over_quota(case.quota, {"requests.storage": case.disk_size})
    return not_ready(Reason.QUOTA_EXCEEDED, missing) if missing else None


def part(case: Case) -> Part:
    taken = image.snapshot(case)
    source = () if taken is None or done(case) else (taken,)
    if (case.base.volume or case.base.claim) is None:
        # A snapshot that is ready first: CDI asks for its size at once.
        made = () if image.snapshot_state(case) else (Child(network.import_policy(case)), _first(case))
        return Part((*source, *made))
    policy = () if done(case) else (Child(network.import_policy(case)),)
    growth, grown = _growth(case)
    return Part(
        (*source, *policy, *_standing(case)),
        status={"disks": _status(case)},
        conditions=(*growth, *_copied(case)),
        actions=(*keep(case.vm, case.observed), *grown),
    )


def done(case: Case) -> bool:
    """Whether the disk in use is filled."""
    volume = case.base.volume
    return phase(volume) == DONE if volume else case.base.claim is not None


def phase(volume: Obj | None) -> str:
    return str(((volume or {}).get("status") or {}).get("phase") or "Pending")


def _first(case: Case) -> Child:
    storage: Obj = {"resources": {"requests": {"storage": canonical(case.disk_size)}}}
    if case.vm.spec.disk.storage_class:
        storage["storageClassName"] = case.vm.spec.disk.storage_class
    return _data_volume(case, {**image.source(case), "storage": storage}, {})


def _standing(case: Case) -> list[Child]:
    """What is there stays as it is: a DataVolume's spec can't be changed. Labels say whose it is now."""
    volume, claim = case.base.volume, case.base.claim
    if volume is not None:
        marks = {POPULATED: case.disk} if phase(volume) == DONE and claim is not None else {}
        kept = {key: value for key, value in _annotations(volume).items() if key == POPULATED}
        return [_data_volume(case, volume["spec"], kept | marks)]
    if claim is None or case.child(PVC, case.disk) is None:
        return []
    meta = {"name": case.disk, "namespace": case.namespace, "labels": _labels(case)}
    # Without a spec on purpose: should it go this very moment, nothing empty is made in its place.
    obj = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta}
    return [Child(obj, retain=True, adopt=case.vm.spec.adopt)]


def _data_volume(case: Case, spec: Obj, annotations: dict[str, str]) -> Child:
    meta: Obj = {"name": case.disk, "namespace": case.namespace, "labels": _labels(case)}
    if annotations:
        meta["annotations"] = annotations
    obj = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "metadata": meta, "spec": spec}
    return Child(obj, retain=True, adopt=case.vm.spec.adopt)


def _labels(case: Case) -> dict[str, str]:
    return labels(case.name) | {DISK_OF: case.name}


def _annotations(obj: Obj | None) -> dict[str, str]:
    return ((obj or {}).get("metadata") or {}).get("annotations") or {}


def _growth(case: Case) -> tuple[tuple[Condition, ...], tuple[Action, ...]]:
    """A claim grows where its class can, and never shrinks."""
    spec = (case.base.claim or {}).get("spec") or {}
    live = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if live is None or not done(case):
        return (), ()
    made = _made_with(case)
    block = spec.get("volumeMode") == "Block"
    wanted = vm_size.claim(case.disk_size, block=block) if made is None or made != canonical(case.disk_size) else live
    if parse(wanted) * _ROUNDING < parse(live):
        if case.vm.spec.disk.size is None:
            return (), ()
        message = f"spec.disk.size: {case.disk_size} is less than the disk has, and disks never shrink: set it back"
        return (Condition("DiskResized", False, Reason.STORAGE_SHRINK_REFUSED, message),), ()
    if parse(wanted) > parse(live) * _ROUNDING:
        return _grow(case, spec, live, wanted)
    capacity = ((case.base.claim or {}).get("status") or {}).get("capacity") or {}
    if capacity.get("storage") and compare(capacity["storage"], live) < 0:
        message = f"the disk grows from {capacity['storage']} to {live}"
        return (Condition("DiskResized", False, Reason.PROGRESSING, message),), ()
    return (), ()


def _made_with(case: Case) -> str | None:
    """The size that the DataVolume was made with: its claim is larger by what CDI found right."""
    spec = (case.base.volume or {}).get("spec") or {}
    asked = (((spec.get("storage") or spec.get("pvc") or {}).get("resources") or {}).get("requests") or {}).get(
        "storage"
    )
    return canonical(asked) if asked else None


def _grow(case: Case, spec: Obj, live: str, wanted: str) -> tuple[tuple[Condition, ...], tuple[Action, ...]]:
    name = spec.get("storageClassName") or ""
    storage_class = case.observed.ref(STORAGECLASS, name) if name else None
    if not (storage_class or {}).get("allowVolumeExpansion"):
        message = f"spec.disk.size: StorageClass {name or '(none)'} can't grow the disk to {case.disk_size}"
        return (Condition("DiskResized", False, Reason.STORAGE_CLASS_CANNOT_GROW, message),), ()
    more = show(parse(wanted) - parse(live), binary=True)
    if missing := pods.over_quota(case.quota, {"requests.storage": more}):
        return (Condition("DiskResized", False, Reason.QUOTA_EXCEEDED, missing),), ()
    message = f"the disk grows to {case.disk_size} (its claim from {live} to {wanted})"
    action = Action("grow-disk", {"claim": case.disk, "size": wanted})
    return (Condition("DiskResized", False, Reason.PROGRESSING, message),), (action,)


def _copied(case: Case) -> tuple[Condition, ...]:
    why = _annotations(case.base.claim).get(FALLBACK)
    if not why:
        return ()
    message = f"the disk was copied in full instead of cloned, which takes longer: {why}"
    return (Condition("DiskCopied", True, Reason.DISK_COPIED, message),)


def _status(case: Case) -> list[Obj]:
    found = []
    for name in decide.disks(case.name, case.observed):
        volume = case.child(DATAVOLUME, name)
        claim = standing_claim(name, case.namespace, case.observed)
        entry: Obj = {"name": name, "phase": phase(volume) if volume else DONE, "inUse": name == case.disk}
        if size := ((((claim or {}).get("status") or {}).get("capacity")) or {}).get("storage"):
            entry["size"] = size
        progress = ((volume or {}).get("status") or {}).get("progress")
        if progress and progress != "N/A" and entry["phase"] != DONE:
            entry["progress"] = progress
        found.append(entry)
    return found


def keep(vm: SellerVM, observed: Observed) -> tuple[Action, ...]:
    """The data outlives its claim: whoever deletes that, or the namespace, or the CRD, deletes no data."""
    return _reclaim(vm, observed, "Retain")


def give_up(vm: SellerVM, observed: Observed) -> tuple[Action, ...]:
    """Volumes are deleted with their claims."""
    return _reclaim(vm, observed, "Delete")


def _reclaim(vm: SellerVM, observed: Observed, policy: str) -> tuple[Action, ...]:
    found = []
    for disk in decide.disks(vm.metadata.name, observed):
        volume = _bound(disk, vm.metadata.namespace, observed)
        if volume and (volume.get("spec") or {}).get("persistentVolumeReclaimPolicy") != policy:
            args = {"volume": volume["metadata"]["name"], "claim": disk, "policy": policy}
            found.append(Action("reclaim", args))
    return tuple(found)


def _bound(disk: str, namespace: str, observed: Observed) -> Obj | None:
    """The volume of a claim, if both say so: a claim may name any volume, it is bound only to its own."""
    claim = standing_claim(disk, namespace, observed) or {}
    name = (claim.get("spec") or {}).get("volumeName")
    volume = observed.ref(PV, name) if name else None
    theirs = ((volume or {}).get("spec") or {}).get("claimRef") or {}
    mine = (namespace, disk, (claim.get("metadata") or {}).get("uid"))
    return volume if volume and (theirs.get("namespace"), theirs.get("name"), theirs.get("uid")) == mine else None

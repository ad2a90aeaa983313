# SPDX-License-Identifier: Apache-2.0
"""Decisions about a machine before anything is built: what the cluster can do, its size, its disk. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from cairn.api import vm_size
from cairn.api.conditions import Reason, not_ready, stalled
from cairn.api.lookup import Wrong, parsed, plan_of, plan_ref
from cairn.api.promotion import Promotion
from cairn.api.resources import (
    DATAVOLUME,
    KUBEVIRT,
    POD,
    PROMOTION,
    PVC,
    VIRTUALMACHINE,
    VMI,
    VMPOOL,
    VOLUMESNAPSHOT,
    Obj,
    Ref,
)
from cairn.api.sellervm import SellerVM
from cairn.api.serviceplan import ServicePlan
from cairn.api.vm_size import Size
from cairn.calendar.capacity import Capacity, wanted_plans, wanted_promotions
from cairn.calendar.freeze import break_freeze
from cairn.calendar.maintenance import window_now
from cairn.engine.kind import Observed
from cairn.vm.case import BASE, NAME, ROLE, Base

QUOTA = "cairn"
"""Name of the ResourceQuota that a Seller's namespace has."""
KUBEVIRT_REF = Ref(KUBEVIRT, "kubevirt", "kubevirt")
OLDEST = "1.7"
CREATED_BY = "kubevirt.io/created-by"
"""KubeVirt's label of a launcher pod: the uid of its instance."""


def missing_parts(vm: SellerVM, observed: Observed) -> Wrong | None:
    """What the cluster lacks without which nothing is begun."""
    if observed.missing & {VIRTUALMACHINE, VMI}:
        message = f"this cluster has no KubeVirt, which runs machines: install KubeVirt {OLDEST} or newer"
        return not_ready(Reason.KUBEVIRT_MISSING, message)
    if VMPOOL in observed.missing:
        status = (observed.refs.get(KUBEVIRT_REF) or {}).get("status") or {}
        version = status.get("observedKubeVirtVersion") or "without pool.kubevirt.io/v1beta1"
        message = f"KubeVirt {version} is too old for machines: upgrade it to {OLDEST} or newer"
        return not_ready(Reason.KUBEVIRT_TOO_OLD, message)
    if DATAVOLUME in observed.missing:
        message = "this cluster has no CDI, which makes disks: install the Containerized Data Importer"
        return not_ready(Reason.CDI_MISSING, message)
    needs = {
        "image.snapshot": vm.spec.image.snapshot,
        "image.fromVM": vm.spec.image.from_vm,
        "deletionPolicy: Snapshot": vm.spec.deletion_policy == "Snapshot",
        "snapshots": vm.spec.snapshots,
    }
    if VOLUMESNAPSHOT in observed.missing and (asked := [field for field, value in needs.items() if value]):
        message = (
            f"spec.{asked[0]} needs volume snapshots and this cluster has none: install the snapshot controller and its"
            " CRDs (snapshot.storage.k8s.io/v1), or leave it out"
        )
        return not_ready(Reason.SNAPSHOTS_MISSING, message)
    return None


def plans_of(vm: SellerVM, observed: Observed) -> Mapping[str, ServicePlan] | Wrong:
    """The plans that the spec names: the base's must be there, one of a promotion is the calendar's to miss."""
    found: dict[str, ServicePlan] = {}
    base = vm.spec.plan_ref.name if vm.spec.plan_ref else None
    current = vm.status.plan.current if vm.status.plan else None
    stands = disk_in_use(vm.metadata.name, observed) is not None
    for name in wanted_plans(vm):
        mine = name if name != base or stands or current == name else current
        plan = plan_of("SellerVM", name, observed.refs.get(plan_ref(name)), current=mine)
        if isinstance(plan, ServicePlan):
            found[name] = plan
        elif name == base:
            return plan
    return found


def promotions_of(vm: SellerVM, observed: Observed) -> Mapping[str, Promotion]:
    found = {}
    for name in wanted_promotions(vm):
        live = observed.ref(PROMOTION, name)
        model = parsed(Promotion, live) if live else None
        if isinstance(model, Promotion):
            found[name] = model
    return found


def size_of(vm: SellerVM, plan: str | None, plans: Mapping[str, ServicePlan]) -> Size | Wrong:
    """The size that a plan, or the spec itself, stands for."""
    if own := vm.spec.resources:
        return vm_size.size(own.cpu, own.memory)
    named = plans.get(plan or "")
    if named is None or named.spec.size.cpu is None or named.spec.size.memory is None:
        return not_ready(Reason.INVALID_SPEC, f"ServicePlan {plan}: spec.size must name cpu and memory")
    return vm_size.size(named.spec.size.cpu, named.spec.size.memory)


def ceiling_of(vm: SellerVM, plans: Mapping[str, ServicePlan], wanted: Size) -> Size:
    """The most that any of its plans asks for: room for it is made when the guest starts."""
    sizes = (size_of(vm, name, plans) for name in plans)
    return vm_size.largest(wanted, *(size for size in sizes if isinstance(size, Size)))


def disk_size_of(vm: SellerVM, plans: Mapping[str, ServicePlan]) -> str | Wrong:
    """What the spec says about the disk; by default what the base's plan includes, whatever promotions do."""
    if size := vm.spec.disk.size:
        return size
    base = plans.get(vm.spec.plan_ref.name) if vm.spec.plan_ref else None
    if base is None or base.spec.size.storage is None:
        return stalled(Reason.INVALID_SPEC, "spec.disk.size is missing and no plan includes a disk: add it")
    return base.spec.size.storage


def base_of(name: str, namespace: str, disk: str, observed: Observed) -> Base:
    instance = observed.child(VMI, name, namespace)
    return Base(
        machine=observed.child(VIRTUALMACHINE, name, namespace),
        instance=instance,
        pod=_launcher(name, instance, observed),
        volume=observed.child(DATAVOLUME, disk, namespace),
        claim=observed.child(PVC, disk, namespace) or observed.ref(PVC, disk, namespace),
    )


def _launcher(name: str, instance: Obj | None, observed: Observed) -> Obj | None:
    """The pod that the guest runs in; while it migrates, the one that it still is in."""
    status = (instance or {}).get("status") or {}
    uid, node = ((instance or {}).get("metadata") or {}).get("uid"), status.get("nodeName")
    mine = [pod for pod in launchers(name, observed, role=BASE) if _labels(pod).get(CREATED_BY) == uid]
    here = [pod for pod in mine if node and (pod.get("spec") or {}).get("nodeName") == node]
    return min(here or mine, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), default=None)


def launchers(name: str, observed: Observed, *, role: str) -> tuple[Obj, ...]:
    """Launcher pods of a machine or of its clones. KubeVirt's controllers copy the owner's labels onto them."""
    wanted = {NAME: name, ROLE: role}
    found = (obj for ref, obj in observed.children.items() if ref.resource == POD)
    return tuple(pod for pod in found if wanted.items() <= _labels(pod).items())


def _labels(obj: Obj) -> dict[str, str]:
    return (obj.get("metadata") or {}).get("labels") or {}


def disk_name(name: str, restores: int = 0) -> str:
    """Of the base disk, after so many restores."""
    return f"{name}-disk-r{restores}" if restores else f"{name}-disk"


def disk_in_use(name: str, observed: Observed) -> str | None:
    """The disk that was made last: the first one, or the one of the last restore. None where there is none yet."""
    return max(disks(name, observed), key=lambda disk: _restores(name, disk), default=None)


def disks(name: str, observed: Observed) -> tuple[str, ...]:
    """Names of all disks that stand, in the order in which they were made."""
    found = {ref.name for ref in observed.children if ref.resource in (DATAVOLUME, PVC)}
    return tuple(sorted((one for one in found if _restores(name, one) >= 0), key=lambda one: _restores(name, one)))


def _restores(name: str, disk: str) -> int:
    found = re.fullmatch(rf"{re.escape(name)}-disk(?:-r([1-9][0-9]{{0,5}}))?", disk)
    return int(found[1] or 0) if found else -1


def may_restart(vm: SellerVM, capacity: Capacity, now: datetime) -> bool:
    """In a maintenance window, or while its user has broken a freeze, which is meant for just that."""
    broken = capacity.frozen_until is not None and break_freeze(vm.metadata.annotations, now) is not None
    return broken or window_now(vm.spec.maintenance, now)

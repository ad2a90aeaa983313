# SPDX-License-Identifier: Apache-2.0
"""SellerVM as the engine knows it: what it makes, owns and wants to see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from cairn.api.lookup import parsed, plan_ref, seller_ref
from cairn.api.platform import Platform
from cairn.api.resources import (
    DATAVOLUME,
    HPA,
    HTTPROUTE,
    INGRESS,
    LIMITRANGE,
    NAMESPACE,
    NETWORKPOLICY,
    POD,
    PROMOTION,
    PVC,
    RESOURCEQUOTA,
    SECRET,
    SELLERVM,
    SERVICE,
    VIRTUALMACHINE,
    VMI,
    VMPOOL,
    VOLUMESNAPSHOT,
    Obj,
    Ref,
    Resource,
)
from cairn.api.sellervm import SellerVM
from cairn.calendar.capacity import wanted_plans, wanted_promotions
from cairn.calendar.fit import preflight_on
from cairn.engine.kind import Action, Io, Observed, Plan, Want, Within
from cairn.vm import decide, disk, peak, snapshots
from cairn.vm.act import act
from cairn.vm.measure import measure
from cairn.vm.plan import plan_sellervm


class SellerVMKind:
    """A SellerVM becomes a VirtualMachine with its disk, its network and the clones of a peak."""

    resource: Resource = SELLERVM
    model: type[BaseModel] = SellerVM
    children: tuple[Resource, ...] = (
        VIRTUALMACHINE,
        VMI,
        VMPOOL,
        DATAVOLUME,
        PVC,
        VOLUMESNAPSHOT,
        POD,
        SERVICE,
        NETWORKPOLICY,
        INGRESS,
        HTTPROUTE,
        HPA,
    )
    finalizer = True

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def unwatched(self, obj: Obj) -> Iterable[Ref]:
        return ()

    def wants(self, obj: Obj, seen: Observed) -> Iterable[Want]:
        vm = parsed(SellerVM, obj)
        if not isinstance(vm, SellerVM):
            return
        namespace = vm.metadata.namespace
        yield Ref(NAMESPACE, "", namespace)
        if ref := seller_ref(seen.ref(NAMESPACE, namespace)):
            yield ref
        yield from (plan_ref(plan) for plan in wanted_plans(vm))
        yield from (Ref(PROMOTION, "", promotion) for promotion in wanted_promotions(vm))
        checked = bool(preflight_on(vm, decide.promotions_of(vm, seen)))
        if checked:
            yield Within(LIMITRANGE, namespace)
        if (checked or VMPOOL in seen.missing) and VIRTUALMACHINE not in seen.missing:
            yield decide.KUBEVIRT_REF
        yield Ref(RESOURCEQUOTA, namespace, decide.QUOTA)
        yield from disk.wants(vm, seen, self._platform)
        yield from snapshots.wants(vm, seen)
        yield from peak.wants(vm, seen)
        yield from _secrets(vm)

    async def probe(self, obj: Obj, observed: Observed, io: Io) -> Mapping[str, Any]:
        vm = parsed(SellerVM, obj)
        return await measure(vm, observed, io) if isinstance(vm, SellerVM) else {}

    def plan(self, obj: Obj, observed: Observed, now: datetime) -> Plan:
        return plan_sellervm(obj, observed, now, self._platform)

    async def act(self, action: Action, obj: Obj, observed: Observed, io: Io) -> None:
        vm = parsed(SellerVM, obj)
        if isinstance(vm, SellerVM):
            await act(action, vm, observed, io)


def _secrets(vm: SellerVM) -> Iterable[Ref]:
    if vm.spec.ssh:
        yield Ref(SECRET, vm.metadata.namespace, vm.spec.ssh.keys_secret_ref.name)
    if vm.spec.cloud_init:
        yield Ref(SECRET, vm.metadata.namespace, vm.spec.cloud_init.secret_ref.name)

# SPDX-License-Identifier: Apache-2.0
"""One machine in one pass: what was seen of it and what was decided. Built once, then only read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cairn.api.conditions import Condition
from cairn.api.platform import Platform
from cairn.api.resources import Obj, Ref, Resource
from cairn.api.seller import Seller
from cairn.api.sellervm import SellerVM
from cairn.api.serviceplan import ServicePlan
from cairn.api.vm_size import Size
from cairn.calendar.capacity import Capacity
from cairn.engine.kind import Action, Child, Observed

if TYPE_CHECKING:
    from cairn.vm.resize import Change

NAME, ROLE, TRAFFIC = "vm.cairn.dev/name", "vm.cairn.dev/role", "vm.cairn.dev/traffic"
"""Labels of launcher pods. Outside of cairn.dev/, where only Cairn may write: KubeVirt's controllers copy them."""
BASE, CLONE = "base", "clone"
DISK_OF, CONSISTENCY, BY = "vm.cairn.dev/disk-of", "vm.cairn.dev/consistency", "vm.cairn.dev/by"
"""Label of a snapshot, and its annotations: Crash or Filesystem; schedule, operation, peak, delete or clone."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one concern adds to the plan. The plan joins them in a fixed order; fields as in the engine's Plan."""

    children: tuple[Child, ...] = ()
    status: Mapping[str, Any] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()
    actions: tuple[Action, ...] = ()
    next: datetime | None = None
    delete: tuple[Ref, ...] = ()


@dataclass(frozen=True, slots=True)
class Base:
    """The base machine's live objects, None where absent. pod: its launcher; claim: of the disk in use"""

    machine: Obj | None = None
    instance: Obj | None = None
    pod: Obj | None = None
    volume: Obj | None = None
    claim: Obj | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """What was decided about one SellerVM.

    capacity: by the calendar, now; plans: those that the spec names and that exist
    wanted: the size that should be in force now; change: what of it the VirtualMachine is applied with, and what waits
    restart: whether the guest is to be restarted now, for what waits
    ceiling: the most that any of its plans asks for
    disk: name of the DataVolume and claim in use; disk_size: what the claim should ask for
    frozen: until when nothing may restart or shrink; break-freeze is accounted for
    quota: the namespace's ResourceQuota
    """

    vm: SellerVM
    seller: Seller
    observed: Observed
    now: datetime
    platform: Platform
    capacity: Capacity
    plans: Mapping[str, ServicePlan]
    wanted: Size
    ceiling: Size
    change: Change
    disk: str
    disk_size: str
    base: Base
    restart: bool = False
    frozen: datetime | None = None
    quota: Obj | None = None

    @property
    def name(self) -> str:
        return self.vm.metadata.name

    @property
    def namespace(self) -> str:
        return self.vm.metadata.namespace

    @property
    def size(self) -> Size:
        """What the base is applied with."""
        return self.change.made.size

    @property
    def running(self) -> bool:
        return self.vm.spec.power_state == "Running"

    def child(self, resource: Resource, name: str) -> Obj | None:
        return self.observed.child(resource, name, self.namespace)

    def ref(self, resource: Resource, name: str) -> Ref:
        return Ref(resource, self.namespace, name)

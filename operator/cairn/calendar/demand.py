# SPDX-License-Identifier: Apache-2.0
"""What a resource takes of nodes and of its seller's quota: outside of promotions, at the most, and as it stands. Pure.

Volumes count for clones only: a resource's own stands whatever the calendar says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from cairn.api.pushsubscription import PushSubscription
from cairn.api.quantity import parse
from cairn.api.sellervm import SellerVM
from cairn.api.serviceplan import ServicePlan
from cairn.api.vm_size import claim, launcher
from cairn.calendar.capacity import Capacity, Participant, participant
from cairn.calendar.participant import TakesPart

Plans = Mapping[str, ServicePlan]
Amount = Mapping[str, Decimal]
"""So much of each of KEYS; what is not there is 0."""
STORAGE = "requests.storage"
KEYS = ("requests.cpu", "limits.cpu", "requests.memory", "limits.memory", STORAGE)
"""What a ResourceQuota counts."""
NOTHING: Amount = {}
_ZERO = Decimal()


@dataclass(frozen=True, slots=True)
class Member:
    """A resource as far as its size goes: those that are alike are equal, so that many of them are counted once.

    resources: a size of its own, as cpu and memory; disk: what each clone's volume asks for, 0 as in the plan
    """

    who: Participant
    resources: tuple[str, str] | None = None
    disk: Decimal = _ZERO
    running: bool = True


@dataclass(frozen=True, slots=True)
class Stands:
    """What there is of a resource now: a size, or a plan that is as good as one, and clones."""

    size: tuple[str, str] | None = None
    plan: str | None = None
    clones: int = 0


@dataclass(frozen=True, slots=True)
class Demand:
    """So many pods of one size, and clones' volumes. pod: each of them; total: all together"""

    pods: int
    pod: Amount
    total: Amount


def plus(amounts: Iterable[Amount]) -> Amount:
    found: dict[str, Decimal] = {}
    for amount in amounts:
        for key, value in amount.items():
            found[key] = found.get(key, _ZERO) + value
    return found


def times(amount: Amount, count: int) -> Amount:
    return {key: value * count for key, value in amount.items()}


def less(amount: Amount, other: Amount) -> Amount:
    """What is left of each, never below 0."""
    return {key: max(value - other.get(key, _ZERO), _ZERO) for key, value in amount.items()}


def most(amounts: Iterable[Amount]) -> Amount:
    """The most of each."""
    found: dict[str, Decimal] = {}
    for amount in amounts:
        for key, value in amount.items():
            found[key] = max(found.get(key, _ZERO), value)
    return found


def least(amount: Amount, other: Amount) -> Amount:
    return {key: min(amount.get(key, _ZERO), other.get(key, _ZERO)) for key in KEYS}


def member(model: TakesPart) -> Member:
    own = None if isinstance(model, PushSubscription) else model.spec.resources
    return Member(
        who=participant(model),
        resources=(own.cpu, own.memory) if own else None,
        disk=_disk(model) if isinstance(model, SellerVM) else _ZERO,
        running=_runs(model),
    )


def base(one: Member, plans: Plans, clones: int | None = None) -> Demand:
    """Outside of promotions: with the clones that always stand, or with so many."""
    return _demand(one, one.who.base_plan, one.who.base_min if clones is None else clones, plans)


def at_most(one: Member, capacity: Capacity, plans: Plans) -> Demand:
    """With every clone that load may raise."""
    return _demand(one, capacity.plan, capacity.ceiling, plans)


def beyond(one: Member, capacity: Capacity, plans: Plans) -> Amount:
    """What the calendar may make of it on top of what it has outside of promotions.

    Where a promotion names clones, all but those that always stand are its own; else both sides have the same number.
    """
    raised = (capacity.floor, capacity.ceiling) != (one.who.base_min, one.who.base_max)
    outside = base(one, plans, one.who.base_min if raised else one.who.base_max)
    return less(at_most(one, capacity, plans).total, outside.total)


def stands(model: TakesPart) -> Stands:
    """What its status says that there is."""
    if isinstance(model, PushSubscription):
        plan = model.status.plan.current if model.status.plan and model.status.worker else None
        return Stands(plan=plan)
    size = model.status.size
    if size is None or not size.cpu or not size.memory:
        return Stands()
    clones = model.status.clones.replicas if isinstance(model, SellerVM) and model.status.clones else 0
    return Stands((size.cpu, size.memory), clones=clones)


def standing(one: Member, there: Stands, plans: Plans) -> Amount:
    """What it takes now."""
    if there.size is None:
        return _pod(one, there.plan, plans) if there.plan else NOTHING
    pod = _sized(one.who.kind, *there.size)
    return plus((times(pod, 1 + there.clones), {STORAGE: clone_disk(one, plans) * there.clones}))


def _demand(one: Member, plan: str | None, clones: int, plans: Plans) -> Demand:
    if not one.running:
        return Demand(0, NOTHING, NOTHING)
    pod = _pod(one, plan, plans)
    storage = clone_disk(one, plans) * clones
    total = plus((times(pod, 1 + clones), {STORAGE: storage} if storage else NOTHING))
    return Demand(1 + clones, pod, total)


def _pod(one: Member, plan: str | None, plans: Plans) -> Amount:
    """One pod of it. A worker without a plan has a size of Cairn's own, which no promotion changes: it cancels out."""
    if one.resources:
        return _sized(one.who.kind, *one.resources)
    found = plans.get(plan or "")
    size = found.spec.size if found else None
    return _sized(one.who.kind, size.cpu, size.memory) if size and size.cpu and size.memory else NOTHING


@lru_cache(maxsize=4096)
def _sized(kind: str, cpu: str, memory: str) -> Amount:
    if kind == "SellerVM":
        return {key: parse(value) for key, value in launcher(cpu, memory).items()}
    cores, size = parse(cpu), parse(memory)
    return {"requests.cpu": cores, "limits.cpu": cores, "requests.memory": size, "limits.memory": size}


def clone_disk(one: Member, plans: Plans) -> Decimal:
    """The volume of a clone is like the base machine's: of what the plan of the spec includes, unless it has a size."""
    plan = plans.get(one.who.base_plan or "")
    included = plan.spec.size.storage if plan and one.who.kind == "SellerVM" and not one.disk else None
    return _claimed(included) if included else one.disk


@lru_cache(maxsize=1024)
def _claimed(size: str) -> Decimal:
    return parse(claim(size))


def _disk(vm: SellerVM) -> Decimal:
    """As large as the claim for what the spec says, and as it has become."""
    sizes = [parse(disk.size) for disk in vm.status.disks if disk.in_use and disk.size]
    return max((*sizes, *((_claimed(vm.spec.disk.size),) if vm.spec.disk.size else ())), default=_ZERO)


def _runs(model: TakesPart) -> bool:
    if isinstance(model, PushSubscription):
        return not model.spec.paused
    return model.spec.power_state == "Running" and (isinstance(model, SellerVM) or model.spec.external is None)

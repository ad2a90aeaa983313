# SPDX-License-Identifier: Apache-2.0
"""What a SellerVM should consist of. Pure: what the cluster can do, whose it is, whether it goes, then its parts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from cairn.api.conditions import Condition
from cairn.api.lookup import Wrong, parsed, seller_of, seller_ref
from cairn.api.platform import Platform
from cairn.api.resources import LIMITRANGE, NAMESPACE, RESOURCEQUOTA, STORAGECLASS, Obj
from cairn.api.seller import Seller
from cairn.api.sellervm import SellerVM
from cairn.calendar import freeze
from cairn.calendar.capacity import capacity, participant
from cairn.calendar.capacity import conditions as promotion_conditions
from cairn.calendar.cost import cost_of
from cairn.calendar.fit import Site, peak_fits
from cairn.engine.kind import Action, Child, Observed, Plan
from cairn.vm import decide, delete, disk, machine, network, report, resize, waits
from cairn.vm.case import Case, Part
from cairn.vm.peak import peak
from cairn.vm.snapshots import snapshots

LOOK_AGAIN = timedelta(seconds=30)
"""While something is missing that nobody tells of: images and Secrets are not watched."""


def plan_sellervm(obj: Obj, observed: Observed, now: datetime, platform: Platform) -> Plan:
    vm = parsed(SellerVM, obj)
    if isinstance(vm, tuple):
        if "deletionTimestamp" in obj["metadata"]:
            return delete.released()  # whatever was meant: what holds data is kept
        return Plan(conditions=vm, hold=True)
    namespace = vm.metadata.namespace
    home = observed.ref(NAMESPACE, namespace)
    if vm.metadata.deletion_timestamp:
        return delete.gone(vm, observed, home, platform)
    if wrong := decide.missing_parts(vm, observed):
        return _held(vm, observed, wrong)
    ref = seller_ref(home)
    seller = seller_of(namespace, home, observed.refs.get(ref) if ref else None)
    if isinstance(seller, tuple):
        return _held(vm, observed, seller)
    case = case_of(vm, seller, observed, now, platform)
    if isinstance(case, tuple):
        return replace(_held(vm, observed, case), next=now + LOOK_AGAIN)
    return _joined(case)


def case_of(vm: SellerVM, seller: Seller, observed: Observed, now: datetime, platform: Platform) -> Case | Wrong:
    """Everything that is decided before objects are built, or the conditions that say why it can't be."""
    name, namespace = vm.metadata.name, vm.metadata.namespace
    plans = decide.plans_of(vm, observed)
    if isinstance(plans, tuple):
        return plans
    inforce = capacity(participant(vm), decide.promotions_of(vm, observed), plans, now)
    wanted = decide.size_of(vm, inforce.plan, plans)
    disk_size = decide.disk_size_of(vm, plans)
    if isinstance(wanted, tuple):
        return wanted
    if isinstance(disk_size, tuple):
        return disk_size
    in_use = decide.disk_in_use(name, observed) or decide.disk_name(name)
    ceiling = decide.ceiling_of(vm, plans, wanted)
    base = decide.base_of(name, namespace, in_use, observed)
    quota = observed.ref(RESOURCEQUOTA, decide.QUOTA, namespace)
    blueprint = machine.blueprint(vm, wanted, ceiling, in_use)
    frozen = freeze.frozen(inforce.frozen_until, vm.metadata.annotations, now)
    change = resize.change(blueprint, base, quota, frozen=frozen is not None)
    restart = change.anew or (bool(change.waits) and not frozen and decide.may_restart(vm, inforce, now))
    case = Case(
        vm=vm,
        seller=seller,
        observed=observed,
        now=now,
        platform=platform,
        capacity=inforce,
        plans=plans,
        wanted=wanted,
        ceiling=ceiling,
        change=replace(change, made=blueprint) if restart and not change.anew else change,
        disk=in_use,
        disk_size=disk_size,
        base=base,
        restart=restart,
        frozen=frozen,
        quota=quota,
    )
    return disk.wrong(case) or case


def _joined(case: Case) -> Plan:
    """The parts in their order: a disk before its machine, a machine before its clones."""
    parts = (disk.part(case), _machine(case), network.part(case), snapshots(case), peak(case))
    cost = cost_of(
        case.vm,
        decide.promotions_of(case.vm, case.observed),
        case.plans,
        case.seller.spec.billing,
        case.platform.currency,
        case.now,
    )
    moments = [part.next for part in parts] + [cost.next, case.capacity.next.at if case.capacity.next else None]
    status: Obj = report.status(case) | ({"cost": dict(cost.status)} if cost.status else {})
    for part in parts:
        status.update(part.status)
    return Plan(
        children=tuple(child for part in parts for child in part.children),
        status=status,
        conditions=_conditions(case, parts),
        actions=tuple(action for part in parts for action in part.actions),
        next=min((moment for moment in moments if moment and moment > case.now), default=None),
        delete=tuple(ref for part in parts for ref in part.delete),
    )


def _machine(case: Case) -> Part:
    """The VirtualMachine, once its disk is begun: storage that waits for a consumer is filled only for its pod."""
    if case.base.volume is None and case.base.claim is None:
        return Part()
    made = machine.virtual_machine(case.name, case.namespace, case.change.made, running=case.running)
    uid = ((case.base.instance or {}).get("metadata") or {}).get("uid")
    actions = (Action("restart", {"uid": uid}),) if case.restart else ()
    conditions, at = waits.told(case)
    return Part((Child(made),), conditions=conditions, actions=actions, next=at)


def _conditions(case: Case, parts: tuple[Part, ...]) -> tuple[Condition, ...]:
    extra = tuple(condition for part in parts for condition in part.conditions)
    return (*report.conditions(case), *extra, *promotion_conditions(case.capacity), *_fits(case))


def _fits(case: Case) -> tuple[Condition, ...]:
    """Whether there is room for what it asks for in the promotions whose preflight is on."""
    claim = case.base.claim
    storage_class = ((claim or {}).get("spec") or {}).get("storageClassName")
    site = Site(
        seller=case.seller,
        limit_ranges=case.observed.within(LIMITRANGE, case.namespace),
        claim=claim,
        storage_class=case.observed.ref(STORAGECLASS, storage_class) if storage_class else None,
        machine=case.base.machine,
        kubevirt=case.observed.refs.get(decide.KUBEVIRT_REF),
    )
    return peak_fits(case.vm, decide.promotions_of(case.vm, case.observed), case.plans, case.now, site)


def _held(vm: SellerVM, observed: Observed, conditions: Wrong) -> Plan:
    """What stands is left as it is until somebody has decided."""
    return Plan(status=report.kept(vm, observed), conditions=conditions, hold=True)

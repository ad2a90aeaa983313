# SPDX-License-Identifier: Apache-2.0
"""Whether there is room for what a resource asks for in a promotion: its condition PeakFits. Pure.

A preflight is on for whoever lists a Promotion that has the condition PeakFits itself: its plan alone says when.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from cairn.api.base import StatusCondition
from cairn.api.conditions import Condition, Reason
from cairn.api.promotion import Promotion
from cairn.api.quantity import compare, parse, show
from cairn.api.resources import Obj
from cairn.api.schedule import Participation
from cairn.api.seller import PeakStatus, Seller
from cairn.api.sellervm import SellerVM
from cairn.api.serviceplan import ServicePlan
from cairn.calendar.capacity import Capacity, capacity
from cairn.calendar.demand import at_most, beyond, clone_disk, member
from cairn.calendar.participant import TakesPart
from cairn.calendar.peak import moments, window

PEAK_FITS = "PeakFits"
_STATUS = {"True": True, "False": False}


@dataclass(frozen=True, slots=True)
class Site:
    """What was seen of where a resource runs; what a kind doesn't have is left out.

    seller: whose status.peaks has the quota as it will be; limit_ranges: all of the namespace
    claim: of a machine's disk; storage_class: the class that it names; machine: the live VirtualMachine
    kubevirt: the KubeVirt object of the cluster
    """

    seller: Seller | None = None
    limit_ranges: tuple[Obj, ...] = ()
    claim: Obj | None = None
    storage_class: Obj | None = None
    machine: Obj | None = None
    kubevirt: Obj | None = None


def verdict(promotion: Promotion | None) -> StatusCondition | None:
    """What a Promotion says about the nodes; None while no preflight of it is on."""
    said = promotion.status.conditions if promotion else ()
    return next((condition for condition in said if condition.type == PEAK_FITS), None)


def preflight_on(model: TakesPart, promotions: Mapping[str, Promotion]) -> tuple[str, ...]:
    """Promotions of a resource whose preflight is on."""
    return checked(model.spec.promotions, promotions)


def checked(entries: Iterable[Participation], promotions: Mapping[str, Promotion]) -> tuple[str, ...]:
    """Of those that a resource takes part in, the ones whose preflight is on."""
    return tuple(name for name in dict.fromkeys(entry.name for entry in entries) if verdict(promotions.get(name)))


def peak_fits(
    model: TakesPart,
    promotions: Mapping[str, Promotion],
    plans: Mapping[str, ServicePlan],
    now: datetime,
    site: Site,
) -> tuple[Condition, ...]:
    """Nothing, or one condition: what is missing in numbers, of what is missing here first, then of nodes."""
    names = preflight_on(model, promotions)
    if not names:
        return ()
    raised = {name: found for name in names if (found := _raised(model, promotions, plans, now, name))}
    wrong = [problem for name, found in raised.items() for problem in _problems(model, name, found, plans, site)]
    if wrong:
        return (Condition(PEAK_FITS, False, Reason.DOES_NOT_FIT, "; ".join(dict.fromkeys(wrong))),)
    nodes = [(name, said) for name in raised if (said := verdict(promotions.get(name)))]
    for status in ("False", "Unknown"):
        for name, said in nodes:
            if said.status == status:
                message = f"Promotion {name}: {said.message}"
                return (Condition(PEAK_FITS, _STATUS.get(status), Reason(said.reason), message),)
    return (Condition(PEAK_FITS, True, Reason.FITS, "" if raised else "it asks for no more than it has"),)


def _raised(
    model: TakesPart,
    promotions: Mapping[str, Promotion],
    plans: Mapping[str, ServicePlan],
    now: datetime,
    name: str,
) -> list[Capacity]:
    """What it has during the coming window of a promotion, where that is more than outside of promotions."""
    coming = window(promotions[name], now)
    if coming is None:
        return []
    one = member(model)
    since = max(now, coming.warm_up_from)
    found = (capacity(one.who, promotions, plans, at) for at in moments(promotions, since, coming.cool_down_until))
    return [here for here in found if any(beyond(one, here, plans).values())]


def _problems(
    model: TakesPart, name: str, raised: list[Capacity], plans: Mapping[str, ServicePlan], site: Site
) -> Iterator[str]:
    yield from quota_short(name, site.seller.status.peaks if site.seller else ())
    one = member(model)
    clones = max(here.ceiling for here in raised)
    disk = clone_disk(one, plans) if clones else Decimal()
    for here in raised:
        yield from _limited(at_most(one, here, plans).pod, disk, site.limit_ranges)
    if not isinstance(model, SellerVM):
        return
    claimed = ((site.claim or {}).get("spec") or {}).get("storageClassName")
    if clones and claimed and site.storage_class is None:
        yield f"StorageClass {claimed} does not exist, and clones need disks of it: create it"
    for here in raised:
        yield from _beyond_live(model, here.plan, plans, site)


def quota_short(name: str, peaks: Iterable[PeakStatus]) -> Iterator[str]:
    """Of what the seller's namespace needs more during a promotion than its quota will allow."""
    for peak in peaks:
        if peak.name == name:
            for part, of in (("cpu", peak.cpu), ("memory", peak.memory), ("storage", peak.storage)):
                if compare(of.needed, of.hard) > 0:
                    yield (
                        f"Promotion {name}: the seller's namespace needs {of.needed} of {part}, its quota will be"
                        f" {of.hard}: ask for less, or choose a plan with a larger peak for the Seller"
                    )


def _limited(pod: Mapping[str, Decimal], disk: Decimal, ranges: Iterable[Obj]) -> Iterator[str]:
    """What a LimitRange of the namespace refuses."""
    for found in ranges:
        for limit in (found.get("spec") or {}).get("limits") or ():
            claims = limit.get("type") == "PersistentVolumeClaim"
            asked = {"storage": disk} if claims else {key: pod.get(f"limits.{key}", Decimal()) for key in _POD_KEYS}
            if not claims and limit.get("type") not in ("Container", "Pod"):
                continue
            for key, allowed in (limit.get("max") or {}).items():
                if key in asked and asked[key] > parse(allowed):
                    yield (
                        f"LimitRange {found['metadata']['name']} allows a {limit['type']} at most {allowed} of {key},"
                        f" and {show(asked[key], binary=key != 'cpu')} are needed: raise it, or choose less"
                    )


_POD_KEYS = ("cpu", "memory")


def _beyond_live(vm: SellerVM, plan: str | None, plans: Mapping[str, ServicePlan], site: Site) -> Iterator[str]:
    """What the running machine can't grow to: its own limits count, and the cluster's where it has none."""
    found, running = plans.get(plan or ""), vm.status.size
    if found is None or running is None:
        return
    size = found.spec.size
    cpu, memory, where = _ceilings(site)
    what = "restart the machine before the warm-up begins"
    if where == "KubeVirt":
        what = "raise it in liveUpdateConfiguration of the KubeVirt object, then restart the machine"
    for wanted, now, limit, unit in ((size.cpu, running.cpu, cpu, " vCPU"), (size.memory, running.memory, memory, "")):
        if wanted and now and limit and compare(wanted, limit) > 0 and compare(wanted, now) > 0:
            yield f"ServicePlan {plan} has {wanted}{unit}, and the machine can grow to {limit} while it runs: {what}"


def _ceilings(site: Site) -> tuple[int | str | None, int | str | None, str]:
    """vCPU and memory that the machine can have without a restart, and who says so."""
    template = ((site.machine or {}).get("spec") or {}).get("template") or {}
    domain = (template.get("spec") or {}).get("domain") or {}
    cpu, memory = domain.get("cpu") or {}, domain.get("memory") or {}
    if cpu.get("maxSockets") or memory.get("maxGuest"):
        each = int(cpu.get("cores") or 1) * int(cpu.get("threads") or 1)
        sockets = int(cpu.get("maxSockets") or 0)
        return (sockets * each if sockets else None), memory.get("maxGuest"), "machine"
    configuration = ((site.kubevirt or {}).get("spec") or {}).get("configuration") or {}
    live = configuration.get("liveUpdateConfiguration") or {}
    return live.get("maxCpuSockets"), live.get("maxGuest"), "KubeVirt"

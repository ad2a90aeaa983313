# SPDX-License-Identifier: Apache-2.0
"""Whether the nodes have room for all who take part in a promotion: its condition PeakFits. Pure.

What a single participant needs beside nodes (quota, limits, storage class) is said on it, see `cairn.calendar.fit`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, ROUND_UP, Decimal

from cairn.api.conditions import Condition, Reason
from cairn.api.promotion import Promotion
from cairn.api.quantity import show
from cairn.api.resources import Obj
from cairn.api.schedule import duration
from cairn.api.serviceplan import ServicePlan
from cairn.calendar.capacity import capacity
from cairn.calendar.demand import STORAGE, Amount, at_most, beyond, less, most, plus, times
from cairn.calendar.fit import PEAK_FITS, verdict
from cairn.calendar.peak import moments, to_come, window
from cairn.calendar.resident import Resident
from cairn.calendar.windows import Interval
from cairn.promotion.nodes import Nodes, Room

LOOK_EVERY, SOON = timedelta(minutes=3), timedelta(seconds=1)
_CPU, _MEMORY = "requests.cpu", "requests.memory"
_ZERO = Decimal()


@dataclass(frozen=True, slots=True)
class Wanted:
    """needed: by all who take part, on top of what they have outside of it; coming: of that, what does not stand yet
    pods: new ones by their size, as cpu and memory"""

    needed: Amount
    coming: Amount
    pods: Mapping[tuple[Decimal, Decimal], int]


@dataclass(frozen=True, slots=True)
class Preflight:
    """next: when to look again"""

    conditions: tuple[Condition, ...] = ()
    needed: Obj | None = None
    next: datetime | None = None


def preflight(
    promotion: Promotion,
    taking_part: tuple[Resident, ...],
    promotions: Mapping[str, Promotion],
    plans: Mapping[str, ServicePlan],
    facts: Mapping[str, object],
    now: datetime,
    *,
    elastic: bool,
) -> Preflight:
    """Of the window that it is in or that comes next. promotions, plans: all that those who take part name."""
    coming = None if promotion.spec.suspend else window(promotion, now)
    if coming is None:
        return Preflight()
    begins = coming.warm_up_from - duration(promotion.spec.preflight)
    if not taking_part:
        nobody = Condition(PEAK_FITS, True, Reason.FITS, "nobody takes part")
        return Preflight((nobody,), None, coming.end) if now >= begins else Preflight(next=begins)
    asked = wanted(taking_part, promotions, plans, coming, now)
    needed = {"cpu": _figure(asked.needed, _CPU), "memory": _figure(asked.needed, _MEMORY)}
    needed["storage"] = _figure(asked.needed, STORAGE)
    if now < begins:
        return Preflight((), needed, begins)
    said, nodes = verdict(promotion), facts.get("nodes")
    if not isinstance(nodes, Nodes):
        message = "the nodes are being looked at"
        return Preflight((Condition(PEAK_FITS, None, Reason.PROGRESSING, message),), needed, now + SOON)
    if said and said.reason != Reason.PROGRESSING and not facts.get("fresh"):
        # Every participant reads this: it changes no more often than the nodes are looked at.
        held = Condition(PEAK_FITS, {"True": True, "False": False}.get(said.status), Reason(said.reason), said.message)
        return Preflight((held,), needed, now + LOOK_EVERY)
    return Preflight(
        (judge(asked, nodes, elastic=elastic or nodes.elastic),), needed, min(now + LOOK_EVERY, coming.end)
    )


def wanted(
    taking_part: tuple[Resident, ...],
    promotions: Mapping[str, Promotion],
    plans: Mapping[str, ServicePlan],
    coming: Interval,
    now: datetime,
) -> Wanted:
    """The most at any moment of a window from now on."""
    since = max(now, coming.warm_up_from)
    found = [_at(taking_part, promotions, plans, at) for at in moments(promotions, since, coming.cool_down_until)]
    largest: Counter[tuple[Decimal, Decimal]] = Counter()
    for one in found:
        largest |= Counter(one.pods)
    return Wanted(most(one.needed for one in found), most(one.coming for one in found), largest)


def _at(
    taking_part: tuple[Resident, ...],
    promotions: Mapping[str, Promotion],
    plans: Mapping[str, ServicePlan],
    moment: datetime,
) -> Wanted:
    here = {one: capacity(one.who, promotions, plans, moment) for one in {one for one, _ in taking_part}}
    asked = {one: beyond(one, capacity, plans) for one, capacity in here.items()}
    needed, coming, pods = [], [], Counter[tuple[Decimal, Decimal]]()
    for (one, there), count in Counter(taking_part).items():
        needed.append(times(asked[one], count))
        if not any(asked[one].values()):
            continue  # it takes part for the freeze alone
        now, then = to_come(one, there, here[one], plans)
        more, full = less(then, now), at_most(one, here[one], plans)
        coming.append(times(more, count))
        if any(more.values()) and full.pods:
            # a machine that grows moves to another node, and takes its new size there
            size = (full.pod.get(_CPU, _ZERO), full.pod.get(_MEMORY, _ZERO))
            pods[size] += count * max(full.pods - 1 - there.clones, 1)
    return Wanted(plus(needed), plus(coming), pods)


def judge(asked: Wanted, nodes: Nodes, *, elastic: bool) -> Condition:
    if nodes.fault:
        return Condition(PEAK_FITS, None, Reason.API_ERROR, f"the nodes can't be looked at: {nodes.fault}")
    short = "; ".join(_short(asked, nodes))
    if not short:
        return Condition(PEAK_FITS, True, Reason.FITS)
    if elastic:
        return Condition(PEAK_FITS, None, Reason.NODES_ELASTIC, f"{short}: a cluster autoscaler is to add nodes")
    return Condition(PEAK_FITS, False, Reason.DOES_NOT_FIT, f"{short}: add nodes, or have less take part")


def _short(asked: Wanted, nodes: Nodes) -> Iterator[str]:
    """What is missing: of all nodes together, else for the largest machine, else for all machines side by side."""
    free = {
        _CPU: max(sum((room.cpu for room in nodes.rooms), _ZERO) - nodes.waiting[0], _ZERO),
        _MEMORY: max(sum((room.memory for room in nodes.rooms), _ZERO) - nodes.waiting[1], _ZERO),
    }
    short = [key for key in (_CPU, _MEMORY) if asked.coming.get(key, _ZERO) > free[key]]
    for key in short:
        there = _text(key, free[key], ROUND_DOWN).removesuffix(" vCPU")
        yield f"needs {_text(key, asked.coming[key])}, {there} free on nodes"
    if short:
        return
    for cpu, memory in sorted(asked.pods, reverse=True):
        if not any(room.cpu >= cpu and room.memory >= memory for room in nodes.rooms):
            has = max(nodes.rooms, key=lambda room: (min(room.cpu, cpu), room.memory), default=Room(_ZERO, _ZERO, 0))
            asks = f"a machine needs {_text(_CPU, cpu)} and {_text(_MEMORY, memory)} on one node"
            yield f"{asks}, {_text(_CPU, has.cpu, ROUND_DOWN)} and {_text(_MEMORY, has.memory, ROUND_DOWN)} free on one"
            return
    count, placed = sum(asked.pods.values()), _placed(asked.pods, nodes.rooms)
    if placed < count:
        yield f"{count} machines are to come, and what is free is so spread over nodes that {placed} find room"


def _placed(pods: Mapping[tuple[Decimal, Decimal], int], rooms: Iterable[Room]) -> int:
    """How many find a place, the largest first."""
    left, placed = list(rooms), 0
    for (cpu, memory), count in sorted(pods.items(), reverse=True):
        more = count
        for index, room in enumerate(left):
            whole = [int(has // asks) for has, asks in ((room.cpu, cpu), (room.memory, memory)) if asks]
            fits = min(room.pods, more, *whole)
            left[index] = Room(room.cpu - fits * cpu, room.memory - fits * memory, room.pods - fits)
            more -= fits
        placed += count - more
    return placed


def _figure(amount: Amount, key: str) -> str:
    return show(amount.get(key, _ZERO), binary=key != _CPU)


def _text(key: str, value: Decimal, rounding: str = ROUND_UP) -> str:
    """For people: 92.5 vCPU, 171.5Gi."""
    tenth = (value if key == _CPU else value / 1024**3).quantize(Decimal("0.1"), rounding=rounding)
    number = f"{tenth:f}".removesuffix(".0")
    return f"{number} vCPU" if key == _CPU else f"{number}Gi"

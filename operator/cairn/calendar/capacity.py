# SPDX-License-Identifier: Apache-2.0
"""How big a resource that takes part in promotions should be at a moment: a pure function of what is written and of
the time, so that an operator that was down, or a clock that jumps, ends at the same place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from cairn.api.conditions import Condition, Reason
from cairn.api.promotion import Promotion
from cairn.api.serviceplan import ServicePlan
from cairn.calendar.edge import Edge, what_changes
from cairn.calendar.entries import Entry, Raised, entries, held_entries, told
from cairn.calendar.held import Held
from cairn.calendar.participant import Participant, participant, wanted_plans, wanted_promotions
from cairn.calendar.ranking import highest

__all__ = [
    "Capacity",
    "Edge",
    "Held",
    "Participant",
    "capacity",
    "conditions",
    "participant",
    "timeline",
    "wanted_plans",
    "wanted_promotions",
]

_FIRST_LOOK, _LAST_LOOK, _AT_A_TIME = 4, 4096, 32


@dataclass(frozen=True, slots=True)
class Capacity:
    """What should be in force at a moment.

    plan: the ServicePlan; None where the spec has resources of its own
    floor, ceiling: clones that stand at least, and that load may raise
    reason: empty, or as Promotion/double-11 what raised it; of several the one that ends last
    until: end of that raise, its cool-down included
    next: the first moment after now at which anything here changes
    frozen_until: inside a freeze, until when nothing restarts or shrinks
    phase: empty, WarmingUp, Active or CoolingDown
    unresolved: what of spec.promotions does not count, and why
    takes_part: whether there are any promotions at all
    held: what status is to say of each, in case it vanishes; not of moments to come
    """

    plan: str | None
    floor: int
    ceiling: int
    reason: str = ""
    until: datetime | None = None
    next: Edge | None = None
    frozen_until: datetime | None = None
    phase: str = ""
    unresolved: tuple[tuple[Reason, str], ...] = ()
    takes_part: bool = field(default=False, compare=False)
    held: tuple[Held, ...] = field(default=(), compare=False)


def capacity(
    who: Participant, promotions: Mapping[str, Promotion], plans: Mapping[str, ServicePlan], now: datetime
) -> Capacity:
    """What should be in force now, and when that changes next."""
    many = _FIRST_LOOK
    while True:
        seen = _Seen(who, promotions, plans, now, many)
        at_once = replace(seen.at(now), held=seen.told(now))
        for moment in seen.edges(now):
            then = seen.at(moment)
            if then != at_once:
                return replace(at_once, next=Edge(moment, what_changes(at_once, then)))
        if seen.whole or many >= _LAST_LOOK:
            return at_once
        many *= 4


def timeline(
    who: Participant,
    promotions: Mapping[str, Promotion],
    plans: Mapping[str, ServicePlan],
    since: datetime,
    until: datetime,
) -> tuple[tuple[datetime, Capacity], ...]:
    """All that is in force in [since, until): each from its moment to the next one's."""
    found: list[tuple[datetime, Capacity]] = []
    moment: datetime | None = since
    while moment is not None and moment < until:
        found += _steps(_Seen(who, promotions, plans, moment, _AT_A_TIME), moment, until)
        last, _ = found[-1]
        here = capacity(who, promotions, plans, last)  # its next may lie beyond what was looked at
        found[-1] = (last, here)
        moment = here.next.at if here.next else None
    return tuple(found)


def _steps(seen: _Seen, since: datetime, until: datetime) -> list[tuple[datetime, Capacity]]:
    """Every change, as far as was looked. Each knows its next one but for the last."""
    found = [(since, seen.at(since))]
    for moment in seen.edges(since):
        if moment >= until:
            break
        last, before = found[-1]
        here = seen.at(moment)
        if here != before:
            found[-1] = (last, replace(before, next=Edge(moment, what_changes(before, here))))
            found.append((moment, here))
    return found


def conditions(capacity: Capacity) -> tuple[Condition, ...]:
    """Whether the promotions that it takes part in are to be had. It has no influence on Ready."""
    if not capacity.takes_part:
        return ()
    if not capacity.unresolved:
        return (Condition("PromotionsResolved", True, Reason.RESOLVED),)
    message = "; ".join(message for _, message in capacity.unresolved)
    return (Condition("PromotionsResolved", False, capacity.unresolved[0][0], message),)


class _Seen:
    """The next windows of all promotions of a participant, and what they make of it at a moment."""

    def __init__(
        self,
        who: Participant,
        promotions: Mapping[str, Promotion],
        plans: Mapping[str, ServicePlan],
        now: datetime,
        many: int,
    ) -> None:
        self._who, self._plans = who, plans
        self._entries: tuple[Entry, ...] = entries(who, promotions, plans, now, many)
        self._held = held_entries(who, self._entries)
        self.whole = all(entry.whole for entry in self._entries)

    def edges(self, now: datetime) -> list[datetime]:
        """Moments after now at which something may change, as far as the windows that were looked at tell."""
        found = {moment for entry in self._entries for moment in entry.edges()}
        found |= {one.until for one in self._held}
        ends = [entry.windows[-1].warm_up_from for entry in self._entries if not entry.whole]
        return sorted(moment for moment in found if moment > now and all(moment < end for end in ends))

    def at(self, now: datetime) -> Capacity:
        """What is in force at a moment; `next` is left out."""
        who, raises = self._who, self._raises(now)
        floor = max([who.base_min, *(raised.floor for raised in raises)])
        ceilings = [raised.ceiling for raised in raises if raised.ceiling is not None]
        reasons = [(raised.until, raised.promotion) for raised in raises if raised.counts]
        frozen = [raised.frozen_until for raised in raises if raised.frozen_until]
        until, reason = max(reasons, default=(None, ""))
        return Capacity(
            plan=highest(who.base_plan, [raised.plan for raised in raises], self._plans),
            floor=floor,
            ceiling=max([floor, *(ceilings or [who.base_max])]),
            reason=f"Promotion/{reason}" if reason else "",
            until=until,
            frozen_until=max(frozen, default=None),
            phase=_phase(raises),
            unresolved=tuple(self._unresolved(now)),
            takes_part=bool(who.promotions),
        )

    def told(self, now: datetime) -> tuple[Held, ...]:
        return told(self._who, self._entries, self._raises(now))

    def _raises(self, now: datetime) -> list[Raised]:
        here = [raised for entry in self._entries for raised in entry.at(now)]
        return here + [held for held in self._held if now < held.until]

    def _unresolved(self, now: datetime) -> Iterator[tuple[Reason, str]]:
        ends = {held.promotion: held.until for held in self._held if now < held.until}
        for entry in self._entries:
            yield from entry.wrong(now, ends.get(entry.name))


def _phase(raises: list[Raised]) -> str:
    """Of several, what is on counts before what begins, and that before what ends."""
    phases = {raised.phase for raised in raises}
    return next((phase for phase in ("Active", "WarmingUp", "CoolingDown") if phase in phases), "")

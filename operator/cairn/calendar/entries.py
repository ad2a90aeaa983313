# SPDX-License-Identifier: Apache-2.0
"""One entry of spec.promotions: its next windows, what it asks for at a moment, and why it counts for nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from cairn.api.conditions import Reason
from cairn.api.promotion import Promotion
from cairn.api.schedule import Participation
from cairn.api.serviceplan import ServicePlan
from cairn.calendar.held import Held
from cairn.calendar.participant import Participant, replicas
from cairn.calendar.windows import Interval, ahead, problem


@dataclass(frozen=True, slots=True)
class Raised:
    """What one window of one promotion asks for at a moment; `ceiling` and `plan` are None where it asks for none.

    counts: whether it asks for anything, and so may be the reason of a size
    """

    promotion: str
    until: datetime
    phase: str
    floor: int = 0
    ceiling: int | None = None
    plan: str | None = None
    frozen_until: datetime | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry with the windows that are raised or come next.

    whole: whether these are all that there will ever be
    absent: why the promotion counts for nothing
    plan_wrong: why its planRef counts for nothing
    """

    what: Participation
    base_min: int
    windows: tuple[Interval, ...] = ()
    whole: bool = True
    steps: int = 1
    freeze: bool = False
    absent: tuple[Reason, str] | None = None
    plan_wrong: tuple[Reason, str] | None = None

    @property
    def name(self) -> str:
        return self.what.name

    def edges(self) -> Iterator[datetime]:
        """Every moment at which one of its windows asks for something else than before."""
        for window in self.windows:
            yield from (window.start, window.end, window.cool_down_until)
            yield from (_step_from(window, step, self.steps) for step in range(self.steps))

    def at(self, now: datetime) -> Iterator[Raised]:
        """What its windows ask for, as many as are raised."""
        wanted = replicas(self.what)
        plan = self.what.plan_ref.name if self.what.plan_ref and not self.plan_wrong else None
        for window in self.windows:
            if window.warm_up_from <= now < window.cool_down_until:
                yield Raised(
                    promotion=self.name,
                    until=window.cool_down_until,
                    phase=_phase(window, now),
                    floor=self._floor(window, wanted.min, now) if wanted else 0,
                    ceiling=wanted.max if wanted else None,
                    plan=plan,
                    frozen_until=window.end if self.freeze and now < window.end else None,
                    counts=wanted is not None or self.what.plan_ref is not None,
                )

    def wrong(self, now: datetime, held_until: datetime | None) -> Iterator[tuple[Reason, str]]:
        """Why it, or its plan, counts for nothing."""
        if self.absent:
            reason, message = self.absent
            yield reason, f"{message}. What it raised is held until {held_until.isoformat()}" if held_until else message
        elif self.whole and all(window.cool_down_until <= now for window in self.windows):
            yield (
                Reason.PROMOTION_OVER,
                f"spec.promotions[{self.name}]: Promotion {self.name} is over: remove the entry",
            )
        if self.plan_wrong:
            yield self.plan_wrong

    def _floor(self, window: Interval, full: int, now: datetime) -> int:
        """The ramp: equal steps over the warm-up, the last of which is done a step before the start."""
        rise = full - self.base_min
        step = sum(_step_from(window, step, self.steps) <= now for step in range(self.steps))
        return full if rise <= 0 else self.base_min - (-step * rise // self.steps)


def entries(
    who: Participant, promotions: Mapping[str, Promotion], plans: Mapping[str, ServicePlan], now: datetime, many: int
) -> tuple[Entry, ...]:
    """All entries, each with at most so many windows from now on."""
    return tuple(_entry(what, who, promotions.get(what.name), plans, now, many) for what in who.promotions)


def held_entries(who: Participant, seen: tuple[Entry, ...]) -> tuple[Raised, ...]:
    """What status says it was raised to by promotions that are no longer to be had but still listed.

    It is frozen as long, unless the promotion is there to say that it freezes nothing.
    """
    absent = {entry.name: entry for entry in seen if entry.absent}
    return tuple(
        _held_raise(held, held.until, absent[held.promotion])
        for held in who.held
        if held.until is not None and held.promotion in absent
    )


def told(who: Participant, seen: tuple[Entry, ...], raises: Sequence[Raised]) -> tuple[Held, ...]:
    """What status is to say of each promotion, for the case that it vanishes."""
    found = (_told(who, entry, [one for one in raises if one.promotion == entry.name]) for entry in seen)
    return tuple(held for held in found if held.plan or held.until)


def _told(who: Participant, entry: Entry, raises: Sequence[Raised]) -> Held:
    name = entry.what.plan_ref.name if entry.what.plan_ref else None
    given = name if not entry.plan_wrong or name in _given(who) else None
    counting = [one for one in raises if one.counts]
    ends = [one.until for one in counting] or [one.frozen_until for one in raises if one.frozen_until]
    return Held(
        entry.name,
        next((one.plan for one in counting if one.plan), given),
        max((one.floor for one in counting), default=0),
        max((one.ceiling for one in counting if one.ceiling is not None), default=None),
        max(ends, default=None),
    )


def _held_raise(held: Held, until: datetime, entry: Entry) -> Raised:
    clones, plan = replicas(entry.what), entry.what.plan_ref
    return Raised(
        promotion=held.promotion,
        until=until,
        phase="Active",
        floor=held.floor if clones else 0,
        ceiling=held.ceiling if clones else None,
        plan=held.plan if plan else None,
        frozen_until=until if entry.freeze else None,
        counts=clones is not None or plan is not None,
    )


def _given(who: Participant) -> set[str]:
    """ServicePlans that it has, or was promised: one that is deprecated stays to those."""
    return {name for name in (who.base_plan, *(held.plan for held in who.held)) if name}


def _entry(
    what: Participation,
    who: Participant,
    promotion: Promotion | None,
    plans: Mapping[str, ServicePlan],
    now: datetime,
    many: int,
) -> Entry:
    plan_wrong = _plan_wrong(what, who, plans)
    absent = _absent(what.name, promotion)
    if promotion is None or absent:
        freeze = promotion is None or promotion.spec.freeze
        return Entry(what, who.base_min, freeze=freeze, absent=absent, plan_wrong=plan_wrong)
    windows = tuple(islice(ahead(promotion, now), many))
    spec = promotion.spec
    return Entry(what, who.base_min, windows, len(windows) < many, spec.ramp.steps, spec.freeze, plan_wrong=plan_wrong)


def _absent(name: str, promotion: Promotion | None) -> tuple[Reason, str] | None:
    where = f"spec.promotions[{name}]: Promotion {name}"
    if promotion is None:
        return Reason.PROMOTION_NOT_FOUND, f"{where} does not exist: create it, or remove the entry"
    if wrong := problem(promotion):
        return Reason.INVALID_SPEC, f"{where} makes no sense: {wrong}"
    if promotion.spec.suspend:
        return Reason.PROMOTION_SUSPENDED, f"{where} is suspended: no window of it begins"
    return None


def _plan_wrong(what: Participation, who: Participant, plans: Mapping[str, ServicePlan]) -> tuple[Reason, str] | None:
    if what.plan_ref is None:
        return None
    name, where = what.plan_ref.name, f"spec.promotions[{what.name}].planRef"
    plan = plans.get(name)
    if plan is None:
        return Reason.PLAN_NOT_FOUND, f"{where}: ServicePlan {name} does not exist: create it, or name another"
    if plan.spec.for_ != who.kind:
        message = f"{where}: ServicePlan {name} is for a {plan.spec.for_}, not for a {who.kind}: name another"
        return Reason.PLAN_OF_ANOTHER_KIND, message
    if plan.spec.deprecated and name not in _given(who):
        return Reason.PLAN_DEPRECATED, f"{where}: ServicePlan {name} is deprecated and takes no new users: name another"
    return None


def _step_from(window: Interval, step: int, steps: int) -> datetime:
    """When a step of the ramp begins, counted from 0, on a whole second."""
    warm_up = int((window.start - window.warm_up_from).total_seconds())
    return window.warm_up_from + timedelta(seconds=warm_up * step // steps)


def _phase(window: Interval, now: datetime) -> str:
    if now < window.start:
        return "WarmingUp"
    return "Active" if now < window.end else "CoolingDown"

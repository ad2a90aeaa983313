# SPDX-License-Identifier: Apache-2.0
"""What the calendar asks of one participant at a moment, from what its kind observed, and how status says it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import BaseModel

from cairn.api.conditions import Condition, Reason
from cairn.api.lookup import parsed, plan_ref
from cairn.api.promotion import Promotion
from cairn.api.pushsubscription import PushSubscription
from cairn.api.resources import PROMOTION, Obj, Ref
from cairn.api.sellerrds import SellerRDS
from cairn.api.sellervm import SellerVM
from cairn.api.serviceplan import ServicePlan
from cairn.calendar import capacity as amounts
from cairn.calendar import fit, freeze, held
from cairn.calendar.capacity import Capacity, Participant
from cairn.calendar.windows import intervals

Model = SellerVM | SellerRDS | PushSubscription
M = TypeVar("M", bound=BaseModel)
AN_INSTANT = timedelta(microseconds=1)
LONGEST_LOOK = timedelta(days=366)
"""How far back a chain of freezes is followed: what fell due in it is overdue by then."""
RENEW_AHEAD = timedelta(hours=24)
"""What falls due inside a freeze is done this long before it begins."""


@dataclass(frozen=True, slots=True)
class Asked:
    """promotions and plans: what exists of those that the participant names; frozen: until when nothing may restart
    or shrink, None outside of a freeze and while it is broken; conditions: what is said of all that"""

    who: Participant
    capacity: Capacity
    promotions: Mapping[str, Promotion]
    plans: Mapping[str, ServicePlan]
    frozen: datetime | None
    broken: datetime | None
    conditions: tuple[Condition, ...]

    @property
    def edges(self) -> tuple[datetime, ...]:
        """When to look again."""
        edge = self.capacity.next
        found = (edge.at if edge else None, self.capacity.until, self.capacity.frozen_until, self.broken)
        return tuple(moment for moment in found if moment is not None)

    def frozen_from(self, moment: datetime) -> datetime | None:
        """Since when the freeze holds that a moment lies in; None where it lies in none."""
        named = [self.promotions[one.name] for one in self.who.promotions if one.name in self.promotions]
        freezing = [one for one in named if one.spec.freeze and not one.spec.suspend]
        since = None
        while since is None or since > moment - LONGEST_LOOK:
            at = since - AN_INSTANT if since else moment
            spans = (span for one in freezing for span in intervals(one, at, at + AN_INSTANT))
            begins = [span.warm_up_from for span in spans if span.warm_up_from <= at < span.end]
            if not begins:
                return since
            since = min(begins)
        return since

    def due(self, moment: datetime) -> datetime:
        """When to do what falls due at a moment: before the freeze that it lies in, if it lies in one."""
        since = self.frozen_from(moment)
        return moment if since is None else since - RENEW_AHEAD


def refs(model: Model) -> Iterable[Ref]:
    """What has to be seen to ask."""
    yield from (Ref(PROMOTION, "", name) for name in amounts.wanted_promotions(model))
    yield from (plan_ref(name) for name in amounts.wanted_plans(model))


def preflight_on(model: Model, seen: Mapping[Ref, Obj | None]) -> bool:
    """Whether it is being checked what a promotion needs, so that more has to be seen."""
    named = (Ref(PROMOTION, "", name) for name in amounts.wanted_promotions(model))
    return bool(fit.preflight_on(model, _models(Promotion, named, seen)))


def ask(model: Model, seen: Mapping[Ref, Obj | None], now: datetime) -> Asked:
    """seen: the objects that `refs` names; what is missing or can't be read is absent"""
    promotions = _models(Promotion, (Ref(PROMOTION, "", name) for name in amounts.wanted_promotions(model)), seen)
    plans = _models(ServicePlan, (plan_ref(name) for name in amounts.wanted_plans(model)), seen)
    who = amounts.participant(model)
    capacity = amounts.capacity(who, promotions, plans, now)
    broken = freeze.break_freeze(model.metadata.annotations, now) if capacity.frozen_until else None
    frozen = capacity.frozen_until if broken is None else None
    said = (*amounts.conditions(capacity), *_broken(model, broken, now))
    return Asked(who, capacity, promotions, plans, frozen, broken, said)


def _broken(model: Model, broken: datetime | None, now: datetime) -> tuple[Condition, ...]:
    """For the audit: who let changes into a freeze, and an annotation that lets none in."""
    if broken:
        message = (
            f"{freeze.BREAK_FREEZE} lets changes through until {freeze.show(broken)}: remove it when they are made"
        )
        return (Condition("FreezeBroken", True, Reason.FREEZE_BROKEN, message),)
    if wrong := freeze.break_freeze_problem(model.metadata.annotations, now):
        return (Condition("FreezeBroken", False, Reason.INVALID_SPEC, wrong),)
    return ()


def _models(model: type[M], named: Iterable[Ref], seen: Mapping[Ref, Obj | None]) -> dict[str, M]:
    found = {}
    for ref in named:
        obj = seen.get(ref)
        read = parsed(model, obj) if obj is not None else ()
        if isinstance(read, model):
            found[ref.name] = read
    return found


def plan_status(asked: Asked, base: str | None, current: str | None) -> Obj | None:
    """status.plan. current: the plan by which what runs was sized, None while that can't be said"""
    capacity = asked.capacity
    target, promotions = capacity.plan or base, held.spelled(capacity.held)
    if base is None:
        return {"promotions": promotions} if promotions else None
    if target is None or not (current or capacity.reason):
        return None
    found: Obj = {"current": current or base}
    if capacity.reason or target != found["current"]:
        found["target"] = target
    if capacity.reason:
        found["reason"] = capacity.reason
        if capacity.until:
            found["until"] = freeze.show(capacity.until)
    if promotions:
        found["promotions"] = promotions
    return found


def next_status(asked: Asked) -> Obj | None:
    """status.next."""
    edge = asked.capacity.next
    return {"at": freeze.show(edge.at), "what": edge.what} if edge else None

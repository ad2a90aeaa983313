# SPDX-License-Identifier: Apache-2.0
"""What the calendar needs to know of a resource that takes part in promotions, whatever its kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from cairn.api.pushsubscription import PushSubscription
from cairn.api.schedule import Participation, PlanStatus, Replicas, VMParticipation
from cairn.api.sellerrds import SellerRDS
from cairn.api.sellervm import SellerVM

TakesPart = SellerVM | SellerRDS | PushSubscription
REASON = "Promotion/"


@dataclass(frozen=True, slots=True)
class Held:
    """What status says a promotion raised it to, and until when: it counts if the promotion is no longer to be had."""

    promotion: str
    plan: str | None
    floor: int
    ceiling: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Participant:
    """A resource as the calendar sees it: its size outside of promotions, and those that it takes part in.

    base_plan: None where the spec has resources of its own, or is an external server
    base_min, base_max: clones; 0 for kinds that have none
    """

    kind: str
    base_plan: str | None
    base_min: int
    base_max: int
    promotions: tuple[Participation, ...]
    held: Held | None = None


def participant(model: TakesPart) -> Participant:
    """A resource as it stands, what its status holds included."""
    spec = model.spec
    low = high = 0
    if isinstance(model, SellerVM) and model.spec.autoscale:
        low, high = model.spec.autoscale.clones.min, model.spec.autoscale.clones.max
    base = spec.plan_ref.name if spec.plan_ref else None
    return Participant(model.kind, base, low, high, tuple(spec.promotions), _held(model, model.status.plan))


def wanted_promotions(model: TakesPart) -> tuple[str, ...]:
    """Names of the Promotions that have to be seen."""
    return tuple(dict.fromkeys(entry.name for entry in model.spec.promotions))


def wanted_plans(model: TakesPart) -> tuple[str, ...]:
    """Names of the ServicePlans that have to be seen: the spec's, those of its promotions, the one that is held."""
    return tuple(dict.fromkeys(_plans(model)))


def replicas(entry: Participation) -> Replicas | None:
    """How many clones an entry asks for; only machines have any."""
    return entry.replicas if isinstance(entry, VMParticipation) else None


def _plans(model: TakesPart) -> Iterator[str]:
    if model.spec.plan_ref:
        yield model.spec.plan_ref.name
    yield from (entry.plan_ref.name for entry in model.spec.promotions if entry.plan_ref)
    if (held := _held(model, model.status.plan)) and held.plan:
        yield held.plan


def _held(model: TakesPart, plan: PlanStatus | None) -> Held | None:
    if plan is None or not plan.until or not (plan.reason or "").startswith(REASON):
        return None
    try:
        until = datetime.fromisoformat(plan.until)
    except ValueError:
        return None
    if until.tzinfo is None:
        return None
    clones = model.status.clones if isinstance(model, SellerVM) else None
    floor, ceiling = (clones.floor, clones.ceiling) if clones else (0, 0)
    name = (plan.reason or "").removeprefix(REASON)
    return Held(name, plan.target or plan.current, floor, ceiling, until.astimezone(UTC))

# SPDX-License-Identifier: Apache-2.0
"""What the calendar needs to know of a resource that takes part in promotions, whatever its kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cairn.api.pushsubscription import PushSubscription
from cairn.api.schedule import Participation, Replicas, VMParticipation
from cairn.api.sellerrds import SellerRDS
from cairn.api.sellervm import SellerVM
from cairn.calendar.held import Held, read

TakesPart = SellerVM | SellerRDS | PushSubscription


@dataclass(frozen=True, slots=True)
class Participant:
    """A resource as the calendar sees it: its size outside of promotions, and those that it takes part in.

    base_plan: None where the spec has resources of its own, or is an external server
    base_min, base_max: clones; 0 for kinds that have none
    held: what status says of each promotion
    """

    kind: str
    base_plan: str | None
    base_min: int
    base_max: int
    promotions: tuple[Participation, ...]
    held: tuple[Held, ...] = ()


def participant(model: TakesPart) -> Participant:
    """A resource as it stands, what its status holds included."""
    spec = model.spec
    low = high = 0
    if isinstance(model, SellerVM) and model.spec.autoscale:
        low, high = model.spec.autoscale.clones.min, model.spec.autoscale.clones.max
    base = spec.plan_ref.name if spec.plan_ref else None
    return Participant(model.kind, base, low, high, tuple(spec.promotions), _held(model))


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
    yield from (held.plan for held in _held(model) if held.plan)


def _held(model: TakesPart) -> tuple[Held, ...]:
    clones = model.status.clones if isinstance(model, SellerVM) else None
    return read(model.status.plan, clones.floor if clones else 0, clones.ceiling if clones else 0)

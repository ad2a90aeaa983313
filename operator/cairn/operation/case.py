# SPDX-License-Identifier: Apache-2.0
"""One Operation in one pass: its target as it stands, and what a deed answers when asked where it is. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cairn.api.conditions import Reason
from cairn.api.lookup import parsed
from cairn.api.operation import Operation
from cairn.api.platform import Platform
from cairn.api.promotion import Promotion
from cairn.api.resources import ALL, OPERATION, PROMOTION, Obj, Ref, Resource
from cairn.api.sellerrds import SellerRDS
from cairn.api.sellervm import SellerVM
from cairn.calendar.capacity import capacity, participant
from cairn.calendar.freeze import frozen
from cairn.engine.kind import Action, Observed

MARK = "cairn.dev/operation"
"""Annotation with the Operation's uid: on a target whose power state it has set, and on what it has made."""
ENDED = ("Succeeded", "Failed")
LOOK_AGAIN = timedelta(minutes=1)
"""Where no event tells of progress."""


@dataclass(frozen=True, slots=True)
class Waits:
    """It may not begin yet."""

    reason: Reason
    message: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Begins:
    """It may begin. `before` is written down first: what was there, by which the deed is known as done."""

    before: str
    message: str


@dataclass(frozen=True, slots=True)
class Runs:
    """It is on its way."""

    message: str
    actions: tuple[Action, ...] = ()
    again: timedelta = LOOK_AGAIN


@dataclass(frozen=True, slots=True)
class Done:
    """It is done."""

    message: str
    result: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fails:
    """It can't be done, or not any more."""

    reason: Reason
    message: str


Step = Waits | Begins | Runs | Done | Fails


@dataclass(frozen=True, slots=True)
class Case:
    """target: as it stands; model: the same, read; frozen: until when nothing of it may restart"""

    op: Operation
    target: Obj
    model: SellerVM | SellerRDS
    observed: Observed
    now: datetime
    platform: Platform
    frozen: datetime | None = None

    @property
    def uid(self) -> str:
        return self.op.metadata.uid

    @property
    def namespace(self) -> str:
        return self.op.metadata.namespace

    @property
    def name(self) -> str:
        return self.op.spec.target.name

    @property
    def title(self) -> str:
        """The target, as messages name it."""
        return f"{self.op.spec.target.kind} {self.name}"

    def ref(self, resource: Resource, name: str) -> Obj | None:
        return self.observed.ref(resource, name, self.namespace)

    def mine(self, obj: Obj) -> bool:
        """Whether this Operation has made or marked it."""
        return notes_of(obj).get(MARK) == self.uid


def target_ref(op: Operation) -> Ref:
    return Ref(ALL[op.spec.target.kind], op.metadata.namespace, op.spec.target.name)


def case_of(op: Operation, observed: Observed, now: datetime, platform: Platform) -> Case | Fails:
    kind, name = op.spec.target.kind, op.spec.target.name
    target = observed.refs.get(target_ref(op))
    if target is None or "deletionTimestamp" in target["metadata"]:
        gone = "does not exist" if target is None else "is being deleted"
        return Fails(Reason.FAILED, f"spec.target: {kind} {name} {gone}: name one that stands, in another Operation")
    model = parsed(SellerVM, target) if kind == "SellerVM" else parsed(SellerRDS, target)
    if isinstance(model, tuple):
        return Fails(Reason.FAILED, f"spec.target: {kind} {name} can't be read: {model[0].message}")
    until = capacity(participant(model), _promotions(observed), {}, now).frozen_until
    return Case(op, target, model, observed, now, platform, frozen(until, notes_of(target), now))


def _promotions(observed: Observed) -> dict[str, Promotion]:
    read = ((obj["metadata"]["name"], parsed(Promotion, obj)) for obj in observed.all(PROMOTION))
    return {name: promotion for name, promotion in read if isinstance(promotion, Promotion)}


def others(op: Operation, observed: Observed) -> Iterator[Operation]:
    """Operations on the same target that have not ended."""
    for obj in observed.within(OPERATION, op.metadata.namespace):
        other = parsed(Operation, obj)
        if (
            isinstance(other, Operation)
            and other.metadata.uid != op.metadata.uid
            and other.spec.target == op.spec.target
            and other.status.phase not in ENDED
            and not other.metadata.deletion_timestamp
        ):
            yield other


def notes_of(obj: Obj) -> dict[str, str]:
    return obj["metadata"].get("annotations") or {}


def condition(obj: Obj, kind: str) -> Obj:
    """One condition of an object, empty where it has none."""
    found = (one for one in (obj.get("status") or {}).get("conditions") or () if one.get("type") == kind)
    return next(found, {})


def settled(obj: Obj, *, stopped: bool) -> bool:
    """Whether it stands as its spec says now, running or stopped."""
    ready = condition(obj, "Ready")
    seen = (obj.get("status") or {}).get("observedGeneration") == obj["metadata"].get("generation")
    return seen and ready.get("status") == "True" and (ready.get("reason") == Reason.STOPPED) == stopped


def says(obj: Obj) -> str:
    """What an object says about itself, for a message."""
    ready = condition(obj, "Ready")
    return ": ".join(part for part in (ready.get("reason", ""), ready.get("message", "")) if part) or "no word yet"

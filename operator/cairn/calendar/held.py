# SPDX-License-Identifier: Apache-2.0
"""What status keeps of each promotion, and how it is read back: it counts once the promotion is no longer to be had."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from cairn.api.resources import Obj
from cairn.api.schedule import PlanStatus, Raise

REASON = "Promotion/"


@dataclass(frozen=True, slots=True)
class Held:
    """What status says of a promotion.

    plan: that the entry was given, whether or not it is raised just now
    ceiling: None where it says nothing of clones
    until: end of what is raised; None while nothing is
    """

    promotion: str
    plan: str | None = None
    floor: int = 0
    ceiling: int | None = None
    until: datetime | None = None


def read(plan: PlanStatus | None, floor: int, ceiling: int) -> tuple[Held, ...]:
    """Of each promotion; of a status that tells nothing of them, what it says of the one that is its reason.

    floor, ceiling: of all of them together, as status.clones says
    """
    if plan is None:
        return ()
    if plan.promotions:
        return tuple(_held(one) for one in plan.promotions)
    until = _moment(plan.until)
    if until is None or not (plan.reason or "").startswith(REASON):
        return ()
    return (Held((plan.reason or "").removeprefix(REASON), plan.target or plan.current, floor, ceiling, until),)


def spelled(held: Iterable[Held]) -> list[Obj]:
    """status.plan.promotions."""
    return [_spelled(one) for one in held]


def _held(one: Raise) -> Held:
    return Held(one.name, one.plan, one.floor or 0, one.ceiling, _moment(one.until))


def _spelled(one: Held) -> Obj:
    clones = {"floor": one.floor, "ceiling": one.ceiling} if one.ceiling is not None else {}
    until = {"until": one.until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")} if one.until else {}
    return {"name": one.promotion} | ({"plan": one.plan} if one.plan else {}) | clones | until


def _moment(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None

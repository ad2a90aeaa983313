# SPDX-License-Identifier: Apache-2.0
"""A promotion at a moment: its windows about now, and who takes part. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from cairn.api.platform import Platform
from cairn.api.promotion import Promotion
from cairn.api.resources import PUSHSUBSCRIPTION, SELLERRDS, SELLERVM, Obj
from cairn.api.schedule import duration
from cairn.calendar.windows import MOST_AT_A_TIME, Interval, ahead
from cairn.engine.kind import Observed

PARTICIPANTS = (SELLERVM, SELLERRDS, PUSHSUBSCRIPTION)
UPCOMING = 5
"""How many windows to come are shown."""


@dataclass(frozen=True, slots=True)
class Case:
    """raised: the windows that are on, warm-up and cool-down included; upcoming: the next few after them. A suspended
    promotion has neither."""

    promotion: Promotion
    observed: Observed
    now: datetime
    platform: Platform
    participants: tuple[Obj, ...]
    raised: tuple[Interval, ...]
    upcoming: tuple[Interval, ...]

    @property
    def preflight(self) -> timedelta:
        """How long before a warm-up it is checked whether everything fits."""
        return duration(self.promotion.spec.preflight)


def case_of(promotion: Promotion, observed: Observed, now: datetime, platform: Platform) -> Case:
    near: tuple[Interval, ...] = ()
    if not promotion.spec.suspend:
        near = tuple(islice(ahead(promotion, now), MOST_AT_A_TIME + UPCOMING))
    raised = tuple(one for one in near if one.warm_up_from <= now)
    upcoming = tuple(one for one in near if one.warm_up_from > now)[:UPCOMING]
    return Case(promotion, observed, now, platform, participants(promotion.metadata.name, observed), raised, upcoming)


def participants(name: str, observed: Observed) -> tuple[Obj, ...]:
    """Who lists it; models are not read here, as one of them may be broken and there are thousands."""
    return tuple(obj for resource in PARTICIPANTS for obj in observed.all(resource) if _lists(obj, name))


def _lists(obj: Obj, name: str) -> bool:
    if "deletionTimestamp" in obj["metadata"]:
        return False
    return any(entry.get("name") == name for entry in (obj.get("spec") or {}).get("promotions") or ())

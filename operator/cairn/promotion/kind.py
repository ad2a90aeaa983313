# SPDX-License-Identifier: Apache-2.0
"""Promotion as the engine knows it: it makes nothing, and sees who takes part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from cairn.api.lookup import plan_ref
from cairn.api.platform import Platform
from cairn.api.promotion import Promotion
from cairn.api.resources import PROMOTION, Obj, Ref, Resource
from cairn.calendar.fit import PEAK_FITS
from cairn.calendar.resident import plan_names, promotion_names, residents
from cairn.engine.kind import Action, Io, Observed, Plan, Want
from cairn.promotion.case import PARTICIPANTS, participants
from cairn.promotion.nodes import Look
from cairn.promotion.plan import plan_promotion


class PromotionKind:
    """A Promotion makes nothing: those who take part raise themselves. It says where it stands and who they are.

    It needs no finalizer: who was raised by it holds on by what its own status says.
    """

    resource: Resource = PROMOTION
    model: type[BaseModel] = Promotion
    children: tuple[Resource, ...] = ()
    finalizer = False
    plans_suspended = True

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._look = Look()

    def unwatched(self, obj: Obj) -> Iterable[Ref]:
        return ()

    def wants(self, obj: Obj, seen: Observed) -> Iterable[Want]:
        yield from PARTICIPANTS
        name = obj["metadata"]["name"]
        who = {one.who for one, _ in residents(participants(name, seen))}
        yield from (Ref(PROMOTION, "", other) for other in promotion_names(who) - {name})
        yield from (plan_ref(plan) for plan in plan_names(who))

    async def probe(self, obj: Obj, observed: Observed, io: Io) -> Mapping[str, Any]:
        """What is free on nodes, where the last pass said that a preflight is on: a probe has no clock."""
        said = (obj.get("status") or {}).get("conditions") or ()
        on = any(one["type"] == PEAK_FITS for one in said) and participants(obj["metadata"]["name"], observed)
        return await self._look.facts(io) if on else {}

    def plan(self, obj: Obj, observed: Observed, now: datetime) -> Plan:
        return plan_promotion(obj, observed, now, self._platform)

    async def act(self, action: Action, obj: Obj, observed: Observed, io: Io) -> None:
        raise NotImplementedError(f"a Promotion's plan has no actions, and {action.name} is one")

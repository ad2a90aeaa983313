# SPDX-License-Identifier: Apache-2.0
"""Promotion as the engine knows it: it makes nothing, and sees who takes part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from cairn.api.platform import Platform
from cairn.api.promotion import Promotion
from cairn.api.resources import PROMOTION, Obj, Ref, Resource
from cairn.engine.kind import Action, Io, Observed, Plan, Want
from cairn.promotion.case import PARTICIPANTS
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

    def unwatched(self, obj: Obj) -> Iterable[Ref]:
        return ()

    def wants(self, obj: Obj, seen: Observed) -> Iterable[Want]:
        return PARTICIPANTS

    async def probe(self, obj: Obj, observed: Observed, io: Io) -> Mapping[str, Any]:
        return {}

    def plan(self, obj: Obj, observed: Observed, now: datetime) -> Plan:
        return plan_promotion(obj, observed, now, self._platform)

    async def act(self, action: Action, obj: Obj, observed: Observed, io: Io) -> None:
        raise NotImplementedError(f"a Promotion's plan has no actions, and {action.name} is one")

# SPDX-License-Identifier: Apache-2.0
"""What a Promotion has to say. It makes nothing. Pure."""

from __future__ import annotations

from datetime import datetime

from cairn.api.conditions import Reason, stalled
from cairn.api.lookup import parsed
from cairn.api.platform import Platform
from cairn.api.promotion import Promotion
from cairn.api.resources import Obj
from cairn.calendar.windows import problem
from cairn.engine.kind import Observed, Plan
from cairn.promotion import report
from cairn.promotion.case import case_of


def plan_promotion(obj: Obj, observed: Observed, now: datetime, platform: Platform) -> Plan:
    promotion = parsed(Promotion, obj)
    if isinstance(promotion, tuple):
        return Plan(conditions=promotion, hold=True)
    case = case_of(promotion, observed, now, platform)
    if wrong := problem(promotion):
        return Plan(status={"participants": len(case.participants)}, conditions=stalled(Reason.INVALID_SPEC, wrong))
    return Plan(status=report.status(case), conditions=report.conditions(case), next=report.look_again(case))

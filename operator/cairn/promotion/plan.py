# SPDX-License-Identifier: Apache-2.0
"""What a Promotion has to say. It makes nothing. Pure."""

from __future__ import annotations

from datetime import datetime

from cairn.api.conditions import Reason, stalled
from cairn.api.lookup import parsed, plan_ref
from cairn.api.platform import Platform
from cairn.api.promotion import Promotion
from cairn.api.resources import PROMOTION, Obj, Ref
from cairn.api.serviceplan import ServicePlan
from cairn.calendar.resident import plan_names, promotion_names, read, residents
from cairn.calendar.windows import problem
from cairn.engine.kind import Observed, Plan
from cairn.promotion import report
from cairn.promotion.case import Case, case_of
from cairn.promotion.preflight import Preflight, preflight


def plan_promotion(obj: Obj, observed: Observed, now: datetime, platform: Platform) -> Plan:
    promotion = parsed(Promotion, obj)
    if isinstance(promotion, tuple):
        return Plan(conditions=promotion, hold=True)
    case = case_of(promotion, observed, now, platform)
    if wrong := problem(promotion):
        return Plan(status={"participants": len(case.participants)}, conditions=stalled(Reason.INVALID_SPEC, wrong))
    checked = _preflight(case)
    status = report.status(case) | ({"needed": checked.needed} if checked.needed else {})
    moments = [at for at in (report.look_again(case), checked.next) if at]
    return Plan(
        status=status,
        conditions=(*report.conditions(case), *checked.conditions),
        next=min(moments, default=None),
    )


def _preflight(case: Case) -> Preflight:
    taking_part = tuple(residents(case.participants))
    who = {one.who for one, _ in taking_part}
    refs = case.observed.refs
    others = {name: read(Promotion, refs.get(Ref(PROMOTION, "", name))) for name in promotion_names(who)}
    named = {name: read(ServicePlan, refs.get(plan_ref(name))) for name in plan_names(who)}
    promotions = {name: found for name, found in others.items() if found}
    plans = {name: found for name, found in named.items() if found}
    promotions[case.promotion.metadata.name] = case.promotion
    elastic = case.platform.elastic_nodes
    return preflight(case.promotion, taking_part, promotions, plans, case.observed.facts, case.now, elastic=elastic)

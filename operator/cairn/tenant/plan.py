# SPDX-License-Identifier: Apache-2.0
"""What an IntegrationTenant should consist of. Pure: what is agreed, what stands, and the deeds in between.

Nothing is made in a database before status names it (`designId`), and nothing for an app before status.apps names its
uid: so that whoever deletes one waits for its access to end.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cairn.api.integrationtenant import IntegrationTenant
from cairn.api.lookup import parsed
from cairn.api.platform import Platform
from cairn.api.resources import Obj
from cairn.api.schedule import duration
from cairn.engine.kind import Action, Observed, Plan
from cairn.tenant import credentials, report
from cairn.tenant.agreed import Agreed, agree
from cairn.tenant.apps import AppCase, State, left
from cairn.tenant.case import Case, case_of
from cairn.tenant.children import children
from cairn.tenant.decisions import consents, decisions
from cairn.tenant.deletion import holds, plan_gone, withdraw
from cairn.tenant.erasure import erased, erasing, request
from cairn.tenant.gap import Desired, Gap, gap_of

LOOK_AGAIN = timedelta(seconds=15)
"""After a fault of the database: no event tells that it is over."""
MOST_SECONDS, FEWEST_SECONDS = 20.0, 5.0
"""Of one attempt: a pass of the engine's is broken off soon after. What is left is taken up by the next."""
REGULARLY = timedelta(seconds=60)
"""Nobody tells of what is changed by hand in a database."""


def plan_tenant(obj: Obj, observed: Observed, now: datetime, platform: Platform, desired: Desired) -> Plan:
    tenant = parsed(IntegrationTenant, obj)
    if isinstance(tenant, tuple):
        return Plan(conditions=tenant, hold=True)
    if tenant.metadata.deletion_timestamp:
        return plan_gone(tenant, observed, now, desired)
    case = case_of(tenant, observed, now, platform)
    if isinstance(case, tuple):
        return Plan(status=report.kept(tenant), conditions=case, hold=True, next=now + REGULARLY)
    return _standing(case, desired)


def _standing(case: Case, desired: Desired) -> Plan:
    agreed = agree(case)
    gap = gap_of(case.facts.observation, agreed.design, desired)
    deeds = tuple(_in_database(case, agreed, gap))
    return Plan(
        children=tuple(children(case, agreed)),
        status=report.status(case, agreed, gap),
        conditions=report.conditions(case, agreed, gap, working=bool(deeds)),
        actions=(*deeds, *_withdrawn(case)),
        next=_next(case, agreed),
    )


def _in_database(case: Case, agreed: Agreed, gap: Gap) -> Iterator[Action]:
    if not gap.known:
        return
    at = case.now.isoformat()
    limit = min(duration(case.tenant.spec.revocation.deadline).total_seconds(), MOST_SECONDS)
    if not gap.closed:
        # First: whoever loses access loses it whatever else there is to do, and fails.
        yield Action("settle", {"at": at}, deadline_seconds=max(limit, FEWEST_SECONDS), first=True)
        return
    reachable = [app for app in case.apps if app.name in agreed.apps and not credentials.is_foreign(app)]
    if due := [app.name for app in reachable if agreed.apps[app.name].rotation.due]:
        yield Action("rotate", {"at": at, "apps": due})
    stale = [app.name for app in reachable if app.name not in due and _stale(case, app, agreed)]
    if stale:
        yield Action("deliver", {"at": at, "apps": stale})
    if wanted := [one for one in (*decisions(case), *consents(case)) if one not in case.facts.told]:
        yield Action("record", {"at": at, "records": wanted})
    for op in erasing(case.tenant, case.observed):
        if op.metadata.uid not in erased(case):
            yield Action("erase", {"at": at, **request(op)})


def _stale(case: Case, app: AppCase, agreed: Agreed) -> bool:
    mine = agreed.apps[app.name]
    return mine.held.usable and credentials.outdated(case, app, mine.id)


def _withdrawn(case: Case) -> Iterator[Action]:
    """The Secret, from where no app is served any more."""
    gone = [app.home.namespace for app in case.apps if app.stands and app.state not in (State.ANNOUNCED, State.SERVED)]
    for name in sorted((*left(case.tenant, case.observed), *gone)):
        if holds(case.tenant, case.observed, name):
            yield withdraw(name)


def _next(case: Case, agreed: Agreed) -> datetime:
    fresh = case.tenant.status.design_id is None or any(app.state is State.ANNOUNCED for app in case.apps)
    if fresh:
        return case.now  # what was announced is done as soon as it is written down
    look = LOOK_AGAIN if case.facts.observation is None else REGULARLY
    moments = [case.now + look, *([agreed.next] if agreed.next else [])]
    return max(min(moments), case.now)

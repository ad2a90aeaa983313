# SPDX-License-Identifier: Apache-2.0
"""A tenant that goes: access ends first, then what gave it is taken away; data and namespaces stay. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from cairn.api import pods
from cairn.api.conditions import Condition, Reason, not_ready, progressing
from cairn.api.integrationtenant import IntegrationTenant
from cairn.api.resources import NAMESPACE, SECRET
from cairn.engine.kind import Action, Observed, Plan
from cairn.sql.share.model import Design
from cairn.tenant import credentials, objects
from cairn.tenant.case import database_of_tenant, older
from cairn.tenant.facts import Facts
from cairn.tenant.gap import Desired, gap_of

CONFIRM = "cairn.dev/confirm-delete"
LOOK_AGAIN = timedelta(seconds=15)
END_SECONDS = 20.0


def nothing(tenant: IntegrationTenant) -> Design:
    """What should stand in the database of a tenant that goes: nobody."""
    return Design(id=tenant.status.design_id or "", database=tenant.status.database or "")


def plan_gone(tenant: IntegrationTenant, observed: Observed, now: datetime, desired: Desired) -> Plan:
    """Whatever gives access in the cluster goes at once: children are pruned, Secrets are withdrawn."""
    ways = withdrawals(tenant, observed)
    if waits := _waits(tenant, observed, desired):
        conditions, end = waits
        return Plan(status=_kept(tenant), conditions=conditions, actions=(*end, *ways), next=now + LOOK_AGAIN)
    left = [ref for ref in observed.children if ref.resource == NAMESPACE]
    kept = f"; {', '.join(ref.name for ref in left)} and what is in there stay" if left else ""
    conditions = progressing(Reason.DELETING, f"access has ended, data and schemas stay{kept}")
    return Plan(status=_kept(tenant), conditions=conditions, actions=ways, released=not ways)


def _waits(
    tenant: IntegrationTenant, observed: Observed, desired: Desired
) -> tuple[tuple[Condition, ...], tuple[Action, ...]] | None:
    """Why it can't go yet, and what is done about it; None when nobody has access any more."""
    name, namespace = tenant.metadata.name, tenant.metadata.namespace
    if tenant.status.design_id is None or older(tenant, observed):
        return None  # it never had anything in the database, or what is there is another's
    if tenant.metadata.annotations.get(CONFIRM) == name:
        return None
    facts = Facts.of(observed)
    gap = gap_of(facts.observation, nothing(tenant), desired)
    if gap.closed:
        return None
    if gap.known:
        end = Action("end", deadline_seconds=END_SECONDS, first=True)
        return progressing(Reason.DELETING, f"access is being ended: {gap}"), (end,)
    if pods.terminating(observed.ref(NAMESPACE, namespace)):
        return None  # the passwords to the server go with the namespace: it would wait for ever
    return not_ready(*_unreachable(tenant, observed, facts)), ()


def _unreachable(tenant: IntegrationTenant, observed: Observed, facts: Facts) -> tuple[Reason, str]:
    name, namespace = tenant.metadata.name, tenant.metadata.namespace
    database = database_of_tenant(tenant, observed)
    why = "nobody has answered yet"
    if facts.error:
        why = facts.error[1]
    elif isinstance(database, tuple):
        why = database[0].message
    elif database.trouble:
        why = database.trouble
    message = (
        f"access to database {tenant.status.database} can't be ended: {why}. It is tried again. To let go without, "
        f"leaving logins and grants in the database as they are: kubectl annotate integrationtenant {name} "
        f"-n {namespace} {CONFIRM}={name}"
    )
    return Reason.DATABASE_UNREACHABLE, message


def withdrawals(tenant: IntegrationTenant, observed: Observed) -> tuple[Action, ...]:
    """Of the Secret in every namespace of the tenant's."""
    homes = [ref.name for ref in observed.children if ref.resource == NAMESPACE]
    return tuple(withdraw(home) for home in sorted(homes) if holds(tenant, observed, home))


def withdraw(namespace: str) -> Action:
    return Action("withdraw", {"namespace": namespace})


def holds(tenant: IntegrationTenant, observed: Observed, home: str) -> bool:
    live = observed.ref(SECRET, objects.SECRET, home)
    return live is not None and credentials.is_ours(live, tenant.metadata.name)


def _kept(tenant: IntegrationTenant) -> dict[str, object]:
    """What was said stays said: the apps' finalizers and the next pass read it."""
    unsaid = {"conditions", "observed_generation"}
    return tenant.status.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=unsaid)

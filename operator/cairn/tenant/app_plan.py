# SPDX-License-Identifier: Apache-2.0
"""What an IntegrationApp is told: all of it comes from its tenant, who alone writes in the database. Pure.

It goes when its tenant says that it has no access any more.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cairn.api.conditions import Condition, Reason, not_ready, progressing, ready, stalled
from cairn.api.integrationapp import IntegrationApp
from cairn.api.integrationtenant import AppStatus, IntegrationTenant
from cairn.api.lookup import SELLER_ID_LABEL, Wrong, parsed, seller_ref
from cairn.api.resources import INTEGRATIONTENANT, NAMESPACE, Obj, Ref
from cairn.api.tenant_rules import app_namespace
from cairn.engine.kind import Observed, Plan
from cairn.tenant.apps import State
from cairn.tenant.objects import APP_LABEL, TENANT_LABEL

LOOK_AGAIN = timedelta(seconds=30)
"""While it waits for its tenant: what the tenant says wakes it, this is for what nobody says."""
REASONS = {
    State.CONFLICT: Reason.CONFLICT,
    State.NO_PLAN: Reason.PLAN_NOT_FOUND,
    State.INVALID: Reason.INVALID_SPEC,
    State.NOT_ADMITTED: Reason.NOT_ADMITTED,
}


def plan_app(obj: Obj, observed: Observed, now: datetime) -> Plan:
    if "deletionTimestamp" in obj["metadata"]:
        return _gone(obj, observed, now)
    app = parsed(IntegrationApp, obj)
    if isinstance(app, tuple):
        return Plan(conditions=app, hold=True)
    tenant = tenant_of(app.metadata.namespace, app.metadata.name, observed)
    if isinstance(tenant, tuple):
        return Plan(conditions=tenant, hold=True, next=now + LOOK_AGAIN)
    entry = _entry(tenant, app.metadata.name)
    status = {"tenant": tenant.metadata.name, **(_status(entry) if entry and _is_mine(entry, obj) else {})}
    return Plan(status=status, conditions=_conditions(app, tenant, entry))


def tenant_ref(namespace: str, observed: Observed) -> Ref | None:
    """The IntegrationTenant that a namespace says it was made for, in the namespace of its Seller."""
    home = observed.ref(NAMESPACE, namespace)
    name = _labels(home).get(TENANT_LABEL)
    seller = seller_ref(home)
    raw = observed.refs.get(seller) if seller else None
    where = ((raw or {}).get("spec") or {}).get("namespace")
    return Ref(INTEGRATIONTENANT, where, name) if name and where else None


def tenant_of(namespace: str, name: str, observed: Observed) -> IntegrationTenant | Wrong:
    home = observed.ref(NAMESPACE, namespace)
    labels = _labels(home)
    admitted, seller = labels.get(APP_LABEL), labels.get(SELLER_ID_LABEL, "")
    if not admitted or TENANT_LABEL not in labels or namespace != app_namespace(seller, admitted):
        message = (
            f"namespace {namespace} is no app's: the seller admits an app in an IntegrationTenant's spec.apps, and "
            "Cairn makes a namespace for it; create this object there"
        )
        return stalled(Reason.NOT_ADMITTED, message)
    if name != admitted:
        message = f"metadata.name: namespace {namespace} is for the app {admitted}: name this object {admitted}"
        return stalled(Reason.NOT_ADMITTED, message)
    ref = tenant_ref(namespace, observed)
    raw = observed.refs.get(ref) if ref else None
    found = parsed(IntegrationTenant, raw) if raw else None
    if found is None or isinstance(found, tuple):
        message = f"IntegrationTenant {labels[TENANT_LABEL]}, which admitted this app, does not exist or can't be read"
        return not_ready(Reason.TENANT_NOT_FOUND, message)
    return found


def _conditions(app: IntegrationApp, tenant: IntegrationTenant, entry: AppStatus | None) -> tuple[Condition, ...]:
    name = tenant.metadata.name
    if entry is None or app.metadata.name not in {one.name for one in tenant.spec.apps}:
        if (tenant.status.observed_generation or 0) < tenant.metadata.generation:
            return progressing(Reason.WAITING, f"IntegrationTenant {name} is being looked at")
        message = f"IntegrationTenant {name} admits no app {app.metadata.name}: its seller adds it to spec.apps"
        return not_ready(Reason.NOT_ADMITTED, message)
    if reason := REASONS.get(State(entry.state) if entry.state in set(State) else State.MAKING):
        return not_ready(reason, entry.message or f"IntegrationTenant {name} does not serve it")
    asked = _asked(entry)
    if entry.uid != app.metadata.uid or entry.state != State.SERVED or entry.verified_at is None:
        trouble = next((one for one in tenant.status.conditions if one.type == "Ready" and one.status == "False"), None)
        message = (
            f"IntegrationTenant {name}: {trouble.message}" if trouble else f"IntegrationTenant {name} makes its access"
        )
        return (*progressing(Reason.WAITING, message), *asked)
    if entry.secret_name is None:
        return (*progressing(Reason.PROGRESSING, "its Secret is being made"), *asked)
    return (*ready(), *asked)


def _asked(entry: AppStatus) -> tuple[Condition, ...]:
    """Whether it is given what it can't do without, and what waits for the seller."""
    if entry.message and entry.state == State.SERVED:
        reason = Reason(entry.reason) if entry.reason in set(Reason) else Reason.NO_CONSENT
        granted = Condition("RequestsGranted", False, reason, entry.message)
    else:
        granted = Condition("RequestsGranted", True, Reason.GRANTED)
    pending = "; ".join(entry.pending or ())
    return (granted, Condition("PendingConsent", True, Reason.NO_CONSENT, pending)) if pending else (granted,)


def _status(entry: AppStatus) -> Obj:
    keys = {"id", "secret_name", "credential_generation", "granted", "denied", "pending", "verified_at"}
    found: Obj = entry.model_dump(mode="json", by_alias=True, exclude_none=True, include=keys)
    return found


def _gone(obj: Obj, observed: Observed, now: datetime) -> Plan:
    """Released as soon as its tenant no longer names it as one that has access; at once where there is no tenant."""
    meta = obj["metadata"]
    ref = tenant_ref(meta["namespace"], observed)
    raw = observed.refs.get(ref) if ref else None
    tenant = parsed(IntegrationTenant, raw) if raw else None
    entry = _entry(tenant, meta["name"]) if isinstance(tenant, IntegrationTenant) else None
    if entry is None or not _is_mine(entry, obj):
        return Plan(conditions=progressing(Reason.DELETING, "it has no access"), released=True)
    name = tenant.metadata.name if isinstance(tenant, IntegrationTenant) else ""
    held = isinstance(tenant, IntegrationTenant) and tenant.spec.suspend
    why = "; that one is suspended: set its spec.suspend to false" if held else ""
    message = f"IntegrationTenant {name} ends its access to the database first{why}"
    status = (obj.get("status") or {}) | {"conditions": None, "observedGeneration": None}
    return Plan(status=status, conditions=progressing(Reason.DELETING, message), next=now + LOOK_AGAIN)


def _entry(tenant: IntegrationTenant, name: str) -> AppStatus | None:
    return next((one for one in tenant.status.apps if one.name == name), None)


def _is_mine(entry: AppStatus, obj: Obj) -> bool:
    return bool(entry.uid == obj["metadata"]["uid"])


def _labels(obj: Obj | None) -> dict[str, str]:
    return ((obj or {}).get("metadata") or {}).get("labels") or {}

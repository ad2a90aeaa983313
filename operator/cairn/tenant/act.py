# SPDX-License-Identifier: Apache-2.0
"""The deeds of a tenant's plan. Each is idempotent, reads what it needs anew, and never logs a secret."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import Counter

from cairn.api.conditions import Reason
from cairn.api.integrationtenant import IntegrationTenant
from cairn.api.platform import Platform
from cairn.api.resources import INTEGRATIONTENANT, SECRET, Obj, Ref
from cairn.api.secrets import secret
from cairn.engine.kind import Action, ActionError, Io, Observed
from cairn.sql.share.engine import Outcome, Record, Share, Why
from cairn.sql.share.model import Design
from cairn.tenant import credentials, objects
from cairn.tenant.agreed import Agreed, agree, passwords
from cairn.tenant.apps import AppCase
from cairn.tenant.case import Case, case_of, database_of_tenant
from cairn.tenant.deletion import nothing
from cairn.tenant.events import event
from cairn.tenant.share import required

DRIFT = Counter("cairn_acl_drift_total", "Changes of rights made by hand that were undone.", ["namespace", "tenant"])


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a deed works with."""

    tenant: IntegrationTenant
    observed: Observed
    io: Io
    platform: Platform

    @property
    def ref(self) -> Ref:
        return Ref(INTEGRATIONTENANT, self.tenant.metadata.namespace, self.tenant.metadata.name)

    def case(self, action: Action) -> Case:
        """As the plan saw it, at the plan's moment."""
        at = datetime.fromisoformat(action.args["at"])
        found = case_of(self.tenant, self.observed, at, self.platform)
        if isinstance(found, tuple):
            raise ActionError(found[0].reason, found[0].message)
        return found


async def act(action: Action, scene: Scene) -> None:
    await DEEDS[action.name](action, scene)


async def _settle(action: Action, scene: Scene) -> None:
    """Rights, sessions, views: all that is in the database, and a look afterwards."""
    case = scene.case(action)
    agreed = agree(case)
    async with required(case.database, scene.observed, scene.platform, action.deadline_seconds) as share:
        why = await _why(scene, agreed)
        await _settled(scene, share, agreed.design, why, passwords(case, agreed))


async def _settled(scene: Scene, share: Share, design: Design, why: Why, known: Mapping[str, str]) -> None:
    outcome = await share.settle(design, why, known)
    await _tell(scene, outcome)
    if not outcome.verified:
        problem = outcome.problem or "a look found something else"
        reason = Reason.LOCK_TIMEOUT if problem.startswith(Reason.LOCK_TIMEOUT) else Reason.VERIFY_FAILED
        raise ActionError(reason, f"what stands in the database is not what is agreed yet: {problem}")


async def _tell(scene: Scene, outcome: Outcome) -> None:
    """An event for each record of the audit, and the count of what was undone."""
    meta = scene.tenant.metadata
    repairs = sum(record.action == "repair" for record in outcome.records)
    if repairs:
        DRIFT.labels(meta.namespace, meta.name).inc(repairs)
    for record in outcome.records:
        await scene.io.submit(event(scene.tenant, record, outcome.at), manager="cairn")


async def _why(scene: Scene, agreed: Agreed | None) -> Why:
    """actor: who wrote the spec last, as Kubernetes tells: the watch does not keep that."""
    live = await scene.io.get(scene.ref) or {}
    written = [
        entry
        for entry in (live.get("metadata") or {}).get("managedFields") or ()
        if "f:spec" in (entry.get("fieldsV1") or {}) and entry.get("subresource") in (None, "")
    ]
    newest: Obj = max(written, key=lambda entry: str(entry.get("time")), default={})
    meta = scene.tenant.metadata
    return Why(
        actor=str(newest.get("manager") or "cairn"),
        tenant=f"{meta.namespace}/{meta.name} ({meta.uid})",
        reasons=agreed.reasons if agreed else {},
        contracts=agreed.pins if agreed else {},
    )


async def _rotate(action: Action, scene: Scene) -> None:
    """A new password for the login that is not in use, then the Secret that names it. Killed in between, nobody knows
    the password and nobody uses the login: the next pass begins again."""
    case = scene.case(action)
    agreed = agree(case)
    due = [app for app in case.apps if app.name in action.args["apps"] and app.name in agreed.apps]
    minted = {app.name: secrets.token_urlsafe(24) for app in due}
    logins = {agreed.apps[name].coming: password for name, password in minted.items()}
    design = agreed.renewed(minted.keys())
    why = await _why(scene, agreed)
    async with required(case.database, scene.observed, scene.platform, action.deadline_seconds) as share:
        await _settled(scene, share, design, why, {**passwords(case, agreed), **logins})
        told = ((app.name, f"login {agreed.apps[app.name].coming} has a new password") for app in due)
        await share.record(design, why.tenant, [Record("rotate", "cairn", name, reason) for name, reason in told])
    for app in due:
        found = agreed.apps[app.name]
        data = credentials.content(case, app, found.id, found.coming, minted[app.name])
        await _write(scene, app, {**data, **credentials.stamps(found.held.generation + 1, case.now)})


async def _deliver(action: Action, scene: Scene) -> None:
    """Where and how to connect has changed; the login has not."""
    case = scene.case(action)
    agreed = agree(case)
    for app in case.apps:
        mine = agreed.apps.get(app.name)
        if app.name in action.args["apps"] and mine and mine.active:
            await _write(scene, app, credentials.content(case, app, mine.id, mine.active, credentials.password(app)))


async def _write(scene: Scene, app: AppCase, content: Mapping[str, str]) -> None:
    data = {key: value.encode() for key, value in content.items()}
    ref = Ref(SECRET, app.home.namespace, objects.SECRET)
    live = await scene.io.get(ref)
    if live is None:
        made = secret(ref.namespace, ref.name, app.home.labels, data)
        if await scene.io.create(made) is not None:
            return
        raise ActionError(Reason.CONFLICT, f"{ref} was made by somebody else just now; looking again")
    if not credentials.is_ours(live, app.home.tenant):
        message = f"{ref} exists and was not made by Cairn: it is left alone. Rename or delete it"
        raise ActionError(Reason.CONFLICT, message)
    await scene.io.update_data(ref, data)


async def _withdraw(action: Action, scene: Scene) -> None:
    """An app's way in goes: its Secret."""
    ref = Ref(SECRET, action.args["namespace"], objects.SECRET)
    live = await scene.io.get(ref)
    if live is not None and credentials.is_ours(live, scene.tenant.metadata.name):
        await scene.io.delete(ref, live["metadata"]["uid"])


async def _end(action: Action, scene: Scene) -> None:
    """Every right of every party, before the tenant goes. What they wrote stays."""
    database = database_of_tenant(scene.tenant, scene.observed)
    if isinstance(database, tuple):
        raise ActionError(database[0].reason, database[0].message)
    async with required(database, scene.observed, scene.platform, action.deadline_seconds) as share:
        await _settled(scene, share, nothing(scene.tenant), await _why(scene, None), {})


async def _record(action: Action, scene: Scene) -> None:
    """Decisions that change no right: they are told all the same."""
    case = scene.case(action)
    agreed = agree(case)
    why = await _why(scene, agreed)
    records = [Record(deed, why.actor, subject, reason) for deed, subject, reason in action.args["records"]]
    async with required(case.database, scene.observed, scene.platform, action.deadline_seconds) as share:
        await share.record(agreed.design, why.tenant, records)
    for record in records:
        await scene.io.submit(event(scene.tenant, record, case.now), manager="cairn")


async def _erase(action: Action, scene: Scene) -> None:
    """Said in the audit by the Operation's uid: by that it is known as done."""
    case = scene.case(action)
    agreed, args = agree(case), action.args
    why = await _why(scene, agreed)
    async with required(case.database, scene.observed, scene.platform, action.deadline_seconds) as share:
        await share.erase(agreed.design, args["shop"], args["ouid"], why)
        record = Record("erase", "cairn", f"shop {args['shop']}", args["reason"])
        await share.record(agreed.design, why.tenant, [record])
    await scene.io.submit(event(scene.tenant, record, case.now), manager="cairn")


DEEDS: Mapping[str, Callable[[Action, Scene], Awaitable[None]]] = {
    "settle": _settle,
    "rotate": _rotate,
    "deliver": _deliver,
    "withdraw": _withdraw,
    "end": _end,
    "erase": _erase,
    "record": _record,
}

# SPDX-License-Identifier: Apache-2.0
"""What a tenant says about itself: conditions and status, from what is agreed and what a look at the database found.

Pure. What can't be seen at the moment stays said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from cairn.api.conditions import Condition, Reason, not_ready, progressing, ready
from cairn.api.integrationtenant import AppStatus, IntegrationTenant
from cairn.api.resources import Obj
from cairn.sql.share import names as sql_names
from cairn.sql.share.state import Publication
from cairn.tenant import credentials, objects
from cairn.tenant.agreed import Agreed, AppAgreed
from cairn.tenant.apps import AppCase, State
from cairn.tenant.case import Case
from cairn.tenant.decisions import consent_hash, consents
from cairn.tenant.erasure import erased
from cairn.tenant.gap import Gap
from cairn.tenant.terms import few

MOST = 5
"""So many are named in a message, the others counted."""


def conditions(case: Case, agreed: Agreed, gap: Gap, *, working: bool) -> tuple[Condition, ...]:
    """working: something is still to be done in the database or with a Secret"""
    return (
        *_state(case, gap, working=working),
        _verified(case, gap),
        *_consent(case, agreed),
        *_repaired(case),
        *_stuck(case, agreed),
        *_publications(case, agreed),
    )


def _state(case: Case, gap: Gap, *, working: bool) -> tuple[Condition, ...]:
    if case.not_yours:
        return case.not_yours
    if case.facts.error:
        return not_ready(*case.facts.error)
    if case.database.trouble:
        return not_ready(Reason.DATABASE_NOT_READY, case.database.trouble)
    if taken := [app.message for app in case.apps if app.state is State.CONFLICT]:
        return not_ready(Reason.CONFLICT, "; ".join(taken))
    if no_plan := [app.message for app in case.apps if app.size is None]:
        return not_ready(Reason.PLAN_NOT_FOUND, "; ".join(no_plan))
    making = [app.name for app in case.apps if app.state in (State.MAKING, State.ANNOUNCED)]
    if making:
        return progressing(Reason.PROGRESSING, f"namespaces of apps are being made: {some(making)}")
    if working or not gap.known:
        return progressing(Reason.PROGRESSING, "roles, schemas and views in the database are being made")
    return ready()


def _verified(case: Case, gap: Gap) -> Condition:
    if gap.closed:
        return Condition("AclVerified", True, Reason.VERIFIED)
    if not gap.known:
        reason, message = case.facts.error or (Reason.PROGRESSING, case.database.trouble or "nobody has looked yet")
        return Condition("AclVerified", None, reason, message)
    return Condition("AclVerified", False, Reason.VERIFY_FAILED, f"in database {case.database.name} {gap}")


def _consent(case: Case, agreed: Agreed) -> Iterator[Condition]:
    found = agreed.effective
    if found.pending:
        yield Condition("PendingConsent", True, Reason.NO_CONSENT, "; ".join(found.pending))
    if found.grants:
        yield Condition(
            "GrantsValid", False, found.grants[0].reason, "; ".join(few([one.text for one in found.grants]))
        )
    elif case.tenant.spec.grants:
        yield Condition("GrantsValid", True, Reason.VALID)


def _repaired(case: Case) -> tuple[Condition, ...]:
    repair = case.facts.repair
    if repair is None:
        return ()
    message = (
        f"{repair.count} changes made by hand were undone, the last at {stamp(repair.at)}: {some(repair.subjects)}; "
        "`cairn audit-log` shows each"
    )
    return (Condition("DriftRepaired", True, Reason.DRIFT_FOUND, message),)


def _stuck(case: Case, agreed: Agreed) -> tuple[Condition, ...]:
    """Sessions of a login that is about to be ended: somebody has not read the Secret since it was written."""
    found = []
    sessions = case.facts.observation.sessions if case.facts.observation else ()
    for app in case.apps:
        mine = agreed.apps.get(app.name)
        if mine is None or mine.old is None or mine.old_until is None or case.now < mine.old_until - mine.patience:
            continue
        if count := sum(session.login == mine.old for session in sessions):
            found.append(
                f"{count} sessions of app {app.name} still use login {mine.old}, which ends at "
                f"{stamp(mine.old_until)}: its pods must read Secret {objects.SECRET} anew"
            )
    return (Condition("RotationStuck", True, Reason.OLD_LOGIN_IN_USE, "; ".join(found)),) if found else ()


def _publications(case: Case, agreed: Agreed) -> tuple[Condition, ...]:
    observation = case.facts.observation
    if wrong := agreed.effective.publications:
        return (Condition("PublicationsValid", False, wrong[0].reason, "; ".join(few([one.text for one in wrong]))),)
    figures = named(agreed, observation.publications) if observation else {}
    if not figures:
        return ()
    bad = [f"{name}: {found.conflicts}" for name, found in sorted(figures.items()) if found.conflicts]
    if bad:
        message = f"rows whose key names several orders or buyers, shown to nobody: {some(bad)}"
        return (Condition("PublicationsValid", False, Reason.MAPPING_CONFLICT, message),)
    return (Condition("PublicationsValid", True, Reason.VALID),)


def status(case: Case, agreed: Agreed, gap: Gap) -> Obj:
    before = {entry.name: entry for entry in case.tenant.status.apps}
    apps = [_app(case, app, agreed, gap, before.get(app.name)) for app in case.apps]
    here = {app.name for app in case.apps}
    # One that was removed is named until its access is gone: its finalizer waits for that.
    apps += [_leaving(entry) for name, entry in before.items() if name not in here and not gap.closed]
    found: Obj = {
        "database": case.database.name,
        "designId": agreed.design.id,
        "consentHash": _consented(case, gap),
        "verifiedAt": _verified_at(case, gap, apps),
        "apps": apps,
        "publications": _figures(case, agreed),
        "erased": sorted(erased(case)),
    }
    return {key: value for key, value in found.items() if value}


def _consented(case: Case, gap: Gap) -> str | None:
    """Moves once all of it stands in the audit."""
    if gap.closed and all(one in case.facts.told for one in consents(case)):
        return consent_hash(case)
    return case.tenant.status.consent_hash


def _app(case: Case, app: AppCase, agreed: Agreed, gap: Gap, before: AppStatus | None) -> Obj:
    found: Obj = {"name": app.name, "state": app.state.value, "message": app.message}
    if app.namespace is not None and app.state is not State.CONFLICT:
        found["namespace"] = app.home.namespace
    mine = agreed.apps.get(app.name)
    if app.state is State.ANNOUNCED and app.app is not None:
        found["uid"] = app.app.metadata.uid
    elif mine is not None and app.app is not None:
        found |= {"uid": app.app.metadata.uid, "id": mine.id} | _served(case, app, mine, agreed, gap, before)
    elif before is not None and before.uid and not gap.closed:
        found |= {"uid": before.uid, "id": before.id}
    if before is not None and before.credential_generation and "credentialGeneration" not in found:
        found["credentialGeneration"] = before.credential_generation
    return {key: value for key, value in found.items() if value not in (None, "", (), [])}


def _served(case: Case, app: AppCase, mine: AppAgreed, agreed: Agreed, gap: Gap, before: AppStatus | None) -> Obj:
    effective = agreed.effective.apps[app.name]
    same = before is not None and before.uid and before.effective_hash == effective.hash and before.id == mine.id
    verified = before.verified_at if before is not None and same else None
    if gap.closed and verified is None:
        verified = stamp(case.now)
    found: Obj = {
        "effectiveHash": effective.hash,
        "granted": list(effective.granted),
        "denied": list(effective.denied),
        "pending": [text[:300] for text in effective.pending],
        "reason": effective.reason.value if effective.missing else "",
        "message": effective.missing[:1024],
        "tables": effective.tables,
        "verifiedAt": verified if gap.closed or not gap.known else None,
        "sessions": _sessions(case, mine, before),
    }
    if mine.held.usable:
        found |= {"secretName": objects.SECRET, "credentialGeneration": mine.held.generation}
    if credentials.is_foreign(app):
        found["reason"] = Reason.CONFLICT.value
        found["message"] = (
            f"Secret {objects.SECRET} in namespace {app.home.namespace} was not made by Cairn: delete it, then the app"
            " gets its own"
        )
    return found


def _sessions(case: Case, mine: AppAgreed, before: AppStatus | None) -> int:
    """As of the last look that found any where there were none, or none any more: a status is no gauge."""
    said = (before and before.sessions) or 0
    if case.facts.observation is None:
        return said
    logins = {login.name for login in mine.logins}
    count = sum(session.login in logins for session in case.facts.observation.sessions)
    return said if bool(said) == bool(count) else count


def _leaving(entry: AppStatus) -> Obj:
    kept: Obj = entry.model_dump(
        mode="json", by_alias=True, exclude_none=True, include={"name", "namespace", "uid", "id"}
    )
    return kept | {"state": State.REMOVED.value, "message": "its access is being ended"}


def _verified_at(case: Case, gap: Gap, apps: list[Obj]) -> str | None:
    """When it last was found to be so for the first time: a look that finds nothing new writes nothing."""
    said = case.tenant.status.verified_at
    if not gap.closed:
        return said
    now, before = stamp(case.now), {one.name: one for one in case.tenant.status.apps}
    told = next((one for one in case.tenant.status.conditions if one.type == "AclVerified"), None)
    changed = any(one.get("verifiedAt") == now for one in apps) or before.keys() != {one["name"] for one in apps}
    return now if said is None or changed or told is None or told.status != "True" else said


def _figures(case: Case, agreed: Agreed) -> list[Obj]:
    """What was said stays said until it is another matter: conflicts, or a tenth more rows or less."""
    before = {one.name: one for one in case.tenant.status.publications}
    observation = case.facts.observation
    if observation is None:
        return [one.model_dump(mode="json", by_alias=True) for one in before.values()]
    found = []
    for name, figures in sorted(named(agreed, observation.publications).items()):
        now = {"rows": figures.rows, "mapped": figures.mapped, "unmapped": figures.unmapped}
        said = before.get(name)
        near = said is not None and said.conflicts == figures.conflicts and _near(said.rows, figures.rows)
        if said is not None and near and _near(said.mapped, figures.mapped):
            found.append(said.model_dump(mode="json", by_alias=True))
        else:
            found.append({"name": name, **now, "conflicts": figures.conflicts})
    return found


def named(agreed: Agreed, publications: Mapping[str, Publication]) -> dict[str, Publication]:
    """Published tables as people name them, `<app>.<table>`."""
    apps = {one.id: name for name, one in agreed.apps.items()}
    found = {}
    for table in agreed.design.tables:
        figures = publications.get(f"{sql_names.published(table.party)}.{table.name}")
        if figures is not None and table.party in apps:
            found[f"{apps[table.party]}.{table.name}"] = figures
    return found


def _near(said: int, now: int) -> bool:
    return abs(said - now) * 10 <= said if said else not now


def kept(tenant: IntegrationTenant) -> Obj:
    """What was said stays said: the apps' finalizers and the next pass read it."""
    unsaid = {"conditions", "observed_generation"}
    found: Obj = tenant.status.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=unsaid)
    return found


def stamp(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more

# SPDX-License-Identifier: Apache-2.0
"""A server that Cairn runs: from decisions to objects and actions. Pure. What is said about it is `report`'s."""

from __future__ import annotations

from datetime import datetime, timedelta

from cairn.api import pods
from cairn.api.conditions import Condition, Reason, not_ready, progressing
from cairn.api.platform import Platform
from cairn.api.quantity import parse
from cairn.api.resources import POD, RESOURCEQUOTA, SECRET, STATEFULSET, Obj
from cairn.api.secrets import text
from cairn.api.sellerrds import SellerRDS
from cairn.engine.kind import Action, Child, Observed, Plan
from cairn.rds import config, credentials, databases, decide, objects, report, volume
from cairn.rds.case import Case
from cairn.rds.credentials import Address
from cairn.rds.resize import Step, resize, within_quota

RENDERINGS = {"1": objects.stateful_set}
"""Every rendering that a running server may have. Cairn's upgrade adds one; it never changes one that stands here."""
LATEST = "1"
RELOAD_EVERY = timedelta(minutes=1)
"""Changed parameters are loaded this often until the server has them: nobody tells when the pod's files are new."""
PROJECTED = timedelta(minutes=3)
"""A changed Secret is in the pod's files by then (the kubelet's sync period and its cache, with room)."""


def plan_own(rds: SellerRDS, observed: Observed, now: datetime, platform: Platform) -> Plan:
    size = decide.size_of(rds, observed, now)
    if isinstance(size, tuple):
        return _held(rds, observed, size)
    if wrong := decide.data_wrong(rds, observed) or _identity_wrong(rds, observed):
        return _held(rds, observed, wrong)
    storage = decide.storage_of(rds, size, observed)
    if isinstance(storage, tuple):
        return _held(rds, observed, storage)
    logins = _logins(rds, observed)
    minting = _minting(rds, logins, observed, now)
    if minting and decide.claim_of(rds, observed) is None:
        conditions = progressing(Reason.PROGRESSING, "passwords and certificates are being made")
        return Plan(conditions=conditions, actions=minting, hold=True)
    name, namespace = rds.metadata.name, rds.metadata.namespace
    live, stateful_set = observed.child(POD, f"{name}-0", namespace), observed.child(STATEFULSET, name, namespace)
    quota = observed.ref(RESOURCEQUOTA, decide.QUOTA, namespace)
    change = resize(live, pods.spec_container(_template(stateful_set)), size.cpu, size.memory)
    case = Case(
        rds=rds,
        observed=observed,
        size=size,
        storage=storage,
        logins=logins,
        pod=live,
        claim=decide.claim_of(rds, observed),
        quota=quota,
        change=within_quota(change, live, quota, size.cpu, size.memory),
        rendering=rds.status.rendering if rds.status.rendering in RENDERINGS else LATEST,
    )
    server = _server(case, platform)
    wanted = RENDERINGS[case.rendering](server)
    return Plan(
        children=(*_children(case, server), Child(wanted)),
        status=report.status(case, platform.currency),
        conditions=report.conditions(case, wanted),
        actions=(*minting, *_actions(case, now)),
        next=_next(case, now),
    )


def _held(rds: SellerRDS, observed: Observed, conditions: tuple[Condition, ...]) -> Plan:
    """What stands is left as it is until somebody has decided."""
    live = observed.child(POD, f"{rds.metadata.name}-0", rds.metadata.namespace)
    return Plan(status=report.kept(rds, live), conditions=conditions, hold=True)


def _template(stateful_set: Obj | None) -> Obj:
    found = ((stateful_set or {}).get("spec") or {}).get("template")
    return found if isinstance(found, dict) else {}


def _identity_wrong(rds: SellerRDS, observed: Observed) -> tuple[Condition, ...] | None:
    """The engine's own identity against the one that was written down when the data was made."""
    recorded = _recorded_identity(rds, observed)
    found = databases.facts_of(observed).get("systemIdentifier")
    if not recorded or not found or recorded == found:
        return None
    message = (
        f"the volume should hold database {recorded} and the server on it says it is {found}: the data was exchanged. "
        f"Put the right volume back, or remove the annotation {objects.IDENTITY_ANNOTATION} from PersistentVolumeClaim"
        f" {objects.claim_name(rds.metadata.name)} and make this object anew with spec.adopt: true"
    )
    return not_ready(Reason.IDENTITY_MISMATCH, message)


def _recorded_identity(rds: SellerRDS, observed: Observed) -> str | None:
    claim = decide.claim_of(rds, observed)
    return decide.annotation(claim, objects.IDENTITY_ANNOTATION) or rds.status.system_identifier


def _logins(rds: SellerRDS, observed: Observed) -> tuple[credentials.Login, ...]:
    names = (database.name for database in rds.spec.databases)
    return credentials.logins(rds.metadata.name, rds.metadata.namespace, names, observed)


def _minting(
    rds: SellerRDS, logins: tuple[credentials.Login, ...], observed: Observed, now: datetime
) -> tuple[Action, ...]:
    """What is missing of the credentials, in the order in which one needs the other."""
    name, namespace = rds.metadata.name, rds.metadata.namespace
    ca = observed.child(SECRET, credentials.ca_secret(name), namespace)
    tls = observed.child(SECRET, credentials.tls_secret(name), namespace)
    names = objects.host_names(name, namespace)
    actions = []
    if not credentials.ca_stands(ca, now):
        actions.append(Action("mint-ca", {"secret": credentials.ca_secret(name)}))
    if actions or not credentials.tls_stands(tls, ca, names, now):
        actions.append(Action("mint-certificate", {"secret": credentials.tls_secret(name), "names": list(names)}))
    address = Address(objects.host(name, namespace), config.PORT, text(ca, "ca.crt"))
    for login in (credentials.admin_login(name), *logins):
        if credentials.outdated(login, address, observed.child(SECRET, login.secret, namespace)):
            actions.append(databases.mint_login(login, address))
    return tuple(actions)


def _server(case: Case, platform: Platform) -> objects.Server:
    spec = case.rds.spec
    return objects.Server(
        name=case.name,
        namespace=case.namespace,
        version=spec.version,
        image=platform.images.postgresql_of(spec.version),
        cpu=case.change.cpu,
        memory=case.change.memory,
        storage_class=spec.storage.class_ if spec.storage else None,
        parameters=_parameters(case),
        operator_namespace=platform.namespace,
        from_namespaces=spec.access.from_namespaces,
    )


def _children(case: Case, server: objects.Server) -> tuple[Child, ...]:
    identity = _recorded_identity(case.rds, case.observed) or case.facts.get("systemIdentifier")
    claim = objects.claim(server, size=case.storage.size, identity=identity)
    return (
        Child(claim, retain=True, adopt=case.rds.spec.adopt),
        Child(objects.config_map(server)),
        Child(objects.ingress_policy(server)),
        Child(objects.client_policy(server)),
        Child(objects.headless_service(server)),
        Child(objects.service(server)),
        Child(objects.disruption_budget(server)),
    )


def _actions(case: Case, now: datetime) -> tuple[Action, ...]:
    actions = list(volume.keep(case.rds, case.observed))
    if case.change.step is Step.PATCH:
        actions.append(Action("resize", {"pod": case.pod_name, "cpu": case.size.cpu, "memory": case.size.memory}))
    if pods.is_ready(case.pod):
        actions += databases.actions(case.logins, case.observed)
        if (due := _reload_at(case)) and due <= now:
            actions.append(Action("reload"))
    return tuple(actions)


def _reload_at(case: Case) -> datetime | None:
    """When the server has to read its files anew: a certificate, or parameters of another size. None where it has."""
    loaded = credentials.parse_time(case.facts.get("loadedAt"))
    if loaded is None:
        return None
    moments = [loaded + RELOAD_EVERY] if _parameters_differ(case) else []
    secret = case.observed.child(SECRET, credentials.tls_secret(case.name), case.namespace)
    served = credentials.certificate(secret, "tls.crt")
    started = credentials.parse_time(((case.pod or {}).get("status") or {}).get("startTime"))
    if served is not None and started is not None:
        issued = credentials.issued_at(served)
        if started < issued and loaded < issued + PROJECTED:
            moments.append(issued + PROJECTED)
    return min(moments, default=None)


def _parameters_differ(case: Case) -> bool:
    wanted, live = _parameters(case), case.facts.get("parameters") or {}
    return any(
        name in live and not config.same(live[name], value)
        for name, value in wanted.items()
        if name not in config.AT_START
    )


def _parameters(case: Case) -> dict[str, str]:
    return config.sized(int(parse(case.size.memory)), int(parse(case.storage.size)), case.size.connections)


def _next(case: Case, now: datetime) -> datetime | None:
    """A certificate to renew, one to load, or another price."""
    secrets = ((credentials.ca_secret(case.name), "ca.crt"), (credentials.tls_secret(case.name), "tls.crt"))
    found = (credentials.certificate(case.observed.child(SECRET, name, case.namespace), key) for name, key in secrets)
    moments = [credentials.renew_at(certificate) for certificate in found if certificate is not None]
    again = databases.look_again(case.observed, now)
    moments += [moment for moment in (case.size.price_changes, _reload_at(case), again) if moment is not None]
    return min((moment for moment in moments if moment > now), default=None)

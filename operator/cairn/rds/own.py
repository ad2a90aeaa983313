# SPDX-License-Identifier: Apache-2.0
"""A server that Cairn runs: from decisions to objects and actions. Pure. What is said about it is `report`'s."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from cryptography import x509

from cairn.api import pods
from cairn.api.conditions import Condition, Reason, not_ready, progressing
from cairn.api.database import Address
from cairn.api.platform import Platform
from cairn.api.resize import Step, resize, within_quota
from cairn.api.resources import LIMITRANGE, POD, RESOURCEQUOTA, SECRET, STATEFULSET, Obj
from cairn.api.secrets import text
from cairn.api.seller import Seller
from cairn.api.sellerrds import SellerRDS
from cairn.calendar.asked import Asked, ask
from cairn.calendar.cost import cost_of
from cairn.calendar.fit import Site, peak_fits
from cairn.engine.kind import Action, Child, Observed, Plan
from cairn.rds import config, credentials, databases, decide, objects, report, sizing, upkeep, volume
from cairn.rds.case import Case

RENDERINGS = {"1": objects.stateful_set}
"""Every rendering that a running server may have. Cairn's upgrade adds one; it never changes one that stands here."""
LATEST = "1"
RELOAD_EVERY = timedelta(minutes=1)
"""Changed parameters are loaded this often until the server has them: nobody tells when the pod's files are new."""
PROJECTED = timedelta(minutes=3)
"""A changed Secret is in the pod's files by then (the kubelet's sync period and its cache, with room)."""


def plan_own(rds: SellerRDS, seller: Seller, observed: Observed, now: datetime, platform: Platform) -> Plan:
    size = decide.size_of(rds, observed)
    if isinstance(size, tuple):
        return _held(rds, observed, size)
    if wrong := decide.data_wrong(rds, observed) or _identity_wrong(rds, observed):
        return _held(rds, observed, wrong)
    storage = decide.storage_of(rds, size, observed)
    if isinstance(storage, tuple):
        return _held(rds, observed, storage)
    logins, asked = _logins(rds, observed), ask(rds, observed.refs, now)
    minting = _minting(rds, logins, observed, asked, now)
    if minting and decide.claim_of(rds, observed) is None:
        conditions = progressing(Reason.PROGRESSING, "passwords and certificates are being made")
        return Plan(conditions=conditions, actions=minting, hold=True)
    case = _case(rds, observed, asked, size, storage, logins)
    render = RENDERINGS[case.rendering]
    free = _server(case, platform)
    server = _pinned(free, case.stateful_set) if asked.frozen else free
    kept = upkeep.upkeep(case, render(free), now)
    site = Site(seller=seller, limit_ranges=observed.within(LIMITRANGE, rds.metadata.namespace))
    fits = peak_fits(rds, asked.promotions, asked.plans, now, site)
    charge = cost_of(rds, asked.promotions, asked.plans, seller.spec.billing, platform.currency, now)
    return Plan(
        children=(*_children(case, server), Child(render(server))),
        status=report.status(case, charge.status),
        conditions=(*report.conditions(case, kept.conditions), *fits),
        actions=(*minting, *_actions(case, now), *kept.restart),
        next=_next(case, (kept.next, charge.next), now),
    )


def _case(
    rds: SellerRDS,
    observed: Observed,
    asked: Asked,
    size: decide.Size,
    storage: decide.Storage,
    logins: tuple[credentials.Login, ...],
) -> Case:
    name, namespace = rds.metadata.name, rds.metadata.namespace
    live, stateful_set = observed.child(POD, f"{name}-0", namespace), observed.child(STATEFULSET, name, namespace)
    quota = observed.ref(RESOURCEQUOTA, pods.QUOTA, namespace)
    template = pods.spec_container(_template(stateful_set))
    force = sizing.in_force(size, asked, live, template)
    parameters = sizing.parameters(size, force, storage, live)
    less = sizing.less_memory(force, parameters, databases.facts_of(observed).get("parameters") or {}, live)
    change = within_quota(resize(live, template, *force.size, less), live, quota)
    stop = rds.spec.power_state == "Stopped"
    stays_up = bool(stop and asked.frozen and ((stateful_set or {}).get("spec") or {}).get("replicas"))
    return Case(
        rds=rds,
        observed=observed,
        asked=asked,
        size=size,
        force=force,
        storage=storage,
        logins=logins,
        pod=live,
        stateful_set=stateful_set,
        claim=decide.claim_of(rds, observed),
        quota=quota,
        parameters=parameters,
        change=change,
        rendering=rds.status.rendering if rds.status.rendering in RENDERINGS else LATEST,
        stopped=stop and not stays_up,
        stays_up=stays_up,
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
    rds: SellerRDS, logins: tuple[credentials.Login, ...], observed: Observed, asked: Asked, now: datetime
) -> tuple[Action, ...]:
    """What is missing of the credentials, in the order in which one needs the other."""
    name, namespace = rds.metadata.name, rds.metadata.namespace
    ca = observed.child(SECRET, credentials.ca_secret(name), namespace)
    tls = observed.child(SECRET, credentials.tls_secret(name), namespace)
    names = objects.host_names(name, namespace)
    actions = []
    as_of = _renew_as_of(credentials.certificate(ca, "ca.crt"), asked, now)
    if not credentials.ca_stands(ca, as_of):
        actions.append(Action("mint-ca", {"secret": credentials.ca_secret(name), "asOf": as_of.isoformat()}))
    as_of = _renew_as_of(credentials.certificate(tls, "tls.crt"), asked, now)
    if actions or not credentials.tls_stands(tls, ca, names, as_of):
        secret = credentials.tls_secret(name)
        args = {"secret": secret, "names": list(names), "asOf": as_of.isoformat()}
        actions.append(Action("mint-certificate", args))
    address = Address(objects.host(name, namespace), config.PORT, text(ca, "ca.crt"))
    for login in (credentials.admin_login(name), *logins):
        if credentials.outdated(login, address, observed.child(SECRET, login.secret, namespace)):
            actions.append(databases.mint_login(login, address))
    return tuple(actions)


def _renew_as_of(found: x509.Certificate | None, asked: Asked, now: datetime) -> datetime:
    """The moment to judge a certificate by: what falls due inside a freeze is renewed before it, and inside of one only
    what would end with it."""
    if found is None:
        return now
    at = credentials.renew_at(found)
    if asked.frozen:
        return at if found.not_valid_after_utc <= asked.frozen else min(now, at - timedelta(seconds=1))
    return at if asked.due(at) <= now else now


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
        parameters=dict(case.parameters),
        operator_namespace=platform.namespace,
        from_namespaces=spec.access.from_namespaces,
        replicas=0 if case.stopped else 1,
    )


def _pinned(server: objects.Server, stateful_set: Obj | None) -> objects.Server:
    """As it stands, but for what grows: a pod that dies inside a freeze comes back as it was."""
    template = _template(stateful_set)
    running = objects.parameters_of(template)
    image = pods.spec_container(template).get("image") or server.image
    parameters = server.parameters | {key: running[key] for key in config.AT_START if key in running}
    return replace(server, image=image, parameters=parameters)


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
        cpu, memory = case.change.ask
        actions.append(Action("resize", {"pod": case.pod_name, "cpu": cpu, "memory": memory}))
    if pods.is_ready(case.pod):
        actions += databases.actions(case.logins, case.observed, case.rds.spec.traits)
        if (due := _reload_at(case)) and due <= now:
            actions.append(Action("reload"))
    return tuple(actions)


def _reload_at(case: Case) -> datetime | None:
    """When the server has to read its files anew: a certificate, or parameters of another size. None where it has."""
    loaded = credentials.parse_time(case.facts.get("loadedAt"))
    if loaded is None:
        return None
    moments = [loaded + RELOAD_EVERY] if sizing.differing(case.parameters, case.facts.get("parameters") or {}) else []
    secret = case.observed.child(SECRET, credentials.tls_secret(case.name), case.namespace)
    served = credentials.certificate(secret, "tls.crt")
    started = credentials.parse_time(((case.pod or {}).get("status") or {}).get("startTime"))
    if served is not None and started is not None:
        issued = credentials.issued_at(served)
        if started < issued and loaded < issued + PROJECTED:
            moments.append(issued + PROJECTED)
    return min(moments, default=None)


def _next(case: Case, others: Iterable[datetime | None], now: datetime) -> datetime | None:
    """A certificate to renew, one to load, or what the calendar says."""
    secrets = ((credentials.ca_secret(case.name), "ca.crt"), (credentials.tls_secret(case.name), "tls.crt"))
    found = (credentials.certificate(case.observed.child(SECRET, name, case.namespace), key) for name, key in secrets)
    moments = [case.asked.due(credentials.renew_at(certificate)) for certificate in found if certificate is not None]
    again = databases.look_again(case.observed, now)
    others = (_reload_at(case), again, *others, *case.asked.edges)
    moments += [moment for moment in others if moment is not None]
    return min((moment for moment in moments if moment > now), default=None)

# SPDX-License-Identifier: Apache-2.0
"""What a PushSubscription should consist of. Pure: decide whose records go where, then build the worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cairn.api import pods
from cairn.api.conditions import Condition, Reason, progressing
from cairn.api.database import Database, read_by
from cairn.api.dataset import Dataset
from cairn.api.lookup import Wrong, parsed
from cairn.api.platform import Platform
from cairn.api.pushsubscription import PushSubscription
from cairn.api.resize import Limits, Resize, Step, limits
from cairn.api.resources import CONFIGMAP, DEPLOYMENT, LIMITRANGE, RESOURCEQUOTA, SECRET, Obj
from cairn.api.secrets import raw, text
from cairn.api.seller import Seller
from cairn.calendar.asked import Asked, ask
from cairn.calendar.cost import cost_of
from cairn.calendar.fit import Site, peak_fits
from cairn.engine.kind import Action, Child, Observed, Plan
from cairn.pool.assign import room
from cairn.push import decide, frozen, names, objects, proof, report, retention, shared, sizing
from cairn.push.facts import Facts

CONFIRM = "cairn.dev/confirm-delete"
LOOK_AGAIN = timedelta(seconds=15)
"""After a fault of bus or database: no event tells that it is over."""
LAGGING, CAUGHT_UP = timedelta(minutes=1), timedelta(minutes=5)
"""How old status.lag may get, with a backlog and without."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A subscription that may be served: whose it is, what goes where, with what."""

    push: PushSubscription
    seller: Seller
    shops: dict[str, str]
    datasets: tuple[Dataset, ...]
    database: Database
    resources: Obj
    shared: bool
    asked: Asked

    @property
    def consumer(self) -> str:
        return names.consumer(self.push.metadata.namespace, self.push.metadata.name)

    @property
    def login(self) -> str:
        return names.login(
            self.push.metadata.namespace, self.push.metadata.name, self.database.rds.spec.traits.longest_login
        )

    @property
    def subjects(self) -> list[str]:
        return names.subjects(self.seller.spec.id, self.shops, (dataset.name for dataset in self.datasets))


def plan_push(obj: Obj, observed: Observed, now: datetime, platform: Platform, known: Mapping[str, Dataset]) -> Plan:
    push = parsed(PushSubscription, obj)
    if isinstance(push, tuple):
        return Plan(conditions=push, hold=True)
    if push.metadata.deletion_timestamp:
        return _gone(push, observed, now, platform)
    decided = _decide(push, observed, now, known)
    if isinstance(decided, tuple):
        # A worker must not go on with shops that are not its seller's (any more); everything else may be passing.
        hold = decided[0].reason is not Reason.NOT_YOUR_SHOP
        actions = () if hold else shared.leave(_place(push, observed, now, platform))
        return Plan(status=report.kept(push, observed), conditions=decided, actions=actions, hold=hold)
    return _serve(decided, observed, now, platform)


def _decide(push: PushSubscription, observed: Observed, now: datetime, known: Mapping[str, Dataset]) -> Decided | Wrong:
    seller = decide.seller(push, observed)
    if isinstance(seller, tuple):
        return seller
    shops = decide.shops(push, seller)
    if isinstance(shops, tuple):
        return shops
    datasets = decide.datasets(push, known)
    if isinstance(datasets, tuple):
        return datasets
    database = decide.database(push, observed)
    if isinstance(database, tuple):
        return database
    resources = decide.resources(push, observed)
    if isinstance(resources, tuple):
        return resources
    return Decided(
        push,
        seller,
        shops,
        tuple(datasets),
        database,
        resources,
        decide.shared(push, observed),
        ask(push, observed.refs, now),
    )


def _serve(decided: Decided, observed: Observed, now: datetime, platform: Platform) -> Plan:
    push, asked, facts = decided.push, decided.asked, Facts.of(observed)
    name, namespace = push.metadata.name, push.metadata.namespace
    deployed = observed.child(DEPLOYMENT, objects.object_name(name), namespace)
    stands = _place(push, observed, now, platform)
    if not decided.database.ready and deployed is None and stands is None:
        conditions = progressing(Reason.DATABASE_NOT_READY, decided.database.trouble)
        return Plan(status=report.kept(push, observed), conditions=conditions, hold=True)
    secret = observed.child(SECRET, objects.object_name(name), namespace)
    if _secret_lacking(decided, secret, observed, facts, platform):
        conditions = progressing(Reason.PROGRESSING, "credentials are being made")
        status = report.kept(push, observed)
        return Plan(status=status, conditions=conditions, actions=(_mint(decided, platform),), hold=True)
    size = sizing.in_force(decided.resources, asked)
    pooled, moves = shared.pooled(decided.shared, deployed is not None, stands is not None, frozen=bool(asked.frozen))
    if pooled and size is not None:
        home = _in_pool(decided, secret, stands, size, observed, platform)
    else:
        home = _at_home(decided, secret, stands, size, observed, platform)
    charge = cost_of(push, asked.promotions, asked.plans, decided.seller.spec.billing, platform.currency, now)
    edges = (edge for edge in (charge.next, *asked.edges) if edge is not None and edge > now)
    site = Site(seller=decided.seller, limit_ranges=observed.within(LIMITRANGE, namespace))
    fits = () if pooled else peak_fits(push, asked.promotions, asked.plans, now, site)
    slowed = shared.slowed(stands) if pooled else ()
    said = (*report.calendar(home.change, (*moves, *home.waits), asked), *fits, *slowed)
    trouble = report.worker_trouble(push, observed) if home.trouble is None else home.trouble
    return Plan(
        children=home.children,
        status=report.status(push, decided.consumer, observed, facts)
        | (shared.status(stands) if pooled else {})
        | report.sold(push, observed, asked, size, charge, reserved=size if pooled and stands else None)
        | retention.status(push, facts),
        conditions=(
            *report.conditions(push, decided.database, observed, facts, trouble, working=home.working),
            *proof.conditions(push, facts, platform.push.source),
            *retention.conditions(push, decided.datasets),
            *said,
        ),
        actions=home.actions,
        next=min([now + (shared.SOON if home.soon else _patience(facts)), *edges]),
    )


def _place(push: PushSubscription, observed: Observed, now: datetime, platform: Platform) -> shared.Place | None:
    consumer = names.consumer(push.metadata.namespace, push.metadata.name)
    return shared.place(observed, platform.push.pool.namespace, consumer, now)


@dataclass(frozen=True, slots=True)
class Home:
    """Where the worker runs, and what there is to do about it.

    working: tables, login or consumer are still to be made. soon: no event tells how it goes on. trouble: what the
    worker lacks; None where that is told by its pod.
    """

    children: tuple[Child, ...]
    actions: tuple[Action, ...]
    working: bool
    soon: bool = False
    trouble: tuple[Condition, ...] | None = None
    waits: tuple[str, ...] = ()
    change: Resize | None = None


def _at_home(
    decided: Decided,
    secret: Obj | None,
    stands: shared.Place | None,
    size: Limits | None,
    observed: Observed,
    platform: Platform,
) -> Home:
    """A pod of its own, in the seller's namespace."""
    push, asked, facts = decided.push, decided.asked, Facts.of(observed)
    namespace = push.metadata.namespace
    deployed = observed.child(DEPLOYMENT, objects.object_name(push.metadata.name), namespace)
    pod, quota = report.newest(observed), observed.ref(RESOURCEQUOTA, pods.QUOTA, namespace)
    change = sizing.change(size, decided.resources, asked, pod, deployed, quota)
    free = _worker(decided, secret, platform, objects.SECRET, sizing.renewed_for(change, asked, pod, deployed))
    if stands is not None:  # until it has ended there, it needs its way to the database
        left = shared.network_policy(free, platform.push.pool.namespace)
        trouble = progressing(Reason.PROGRESSING, "the worker moves out of the pool; records wait on the bus")
        way = (Child(left),) if left else ()
        return Home(way, shared.leave(stands), working=False, soon=True, trouble=trouble)
    held = _held(decided, free, deployed, observed)
    actions = _actions(decided, held.subjects, facts)
    children = [Child(objects.config_map(held.worker)), Child(objects.network_policy(held.worker))]
    if deployed is not None or (facts.bus and facts.database and not actions):
        # Not before its tables, its login and its consumer stand: it would only fail and be started again.
        children.append(Child(objects.deployment(held.worker)))
    resized = _resize(change, pod)
    return Home(tuple(children), (*actions, *resized), working=bool(actions), waits=held.waits, change=change)


def _in_pool(
    decided: Decided,
    secret: Obj | None,
    stands: shared.Place | None,
    size: Limits,
    observed: Observed,
    platform: Platform,
) -> Home:
    """A process in the platform's pool."""
    facts, seller = Facts.of(observed), decided.seller.spec
    worker = _worker(decided, secret, platform, ".", "")
    worker.settings["budgetBytes"] = shared.budget(limits({"resources": decided.resources}))
    deployed = observed.child(DEPLOYMENT, worker.object_name, worker.namespace)
    if stands is None and (deployed is not None or report.pods_of(observed)):
        trouble = progressing(Reason.PROGRESSING, "the worker moves into the pool; records wait on the bus")
        last = Child(objects.network_policy(worker))
        return Home((last,), (), working=False, soon=True, trouble=trouble)
    kept = bool(decided.asked.frozen) and stands is not None and shared.keeps(stands, [one.id for one in seller.shops])
    subjects = shared.reads(stands, seller.id) if kept and stands else decided.subjects
    actions = _actions(decided, subjects, facts)
    entered = shared.wanted(worker, size, decided.consumer, stands)
    waits: tuple[str, ...] = ()
    if kept and stands:
        entered, waits = shared.larger(stands, size), shared.waits(entered, stands)
    elif stands is None and not (facts.bus and facts.database and not actions):
        entered = ()
    policy = shared.network_policy(worker, platform.push.pool.namespace)
    trouble = shared.trouble(stands, room(platform.push.pool.cpu, platform.push.pool.memory))
    soon = bool(trouble) and worker.replicas > 0
    children = (Child(policy),) if policy else ()
    return Home(children, (*actions, *entered), working=bool(actions), soon=soon, trouble=trouble, waits=waits)


def _held(decided: Decided, free: objects.Worker, deployed: Obj | None, observed: Observed) -> frozen.Pinned:
    """The worker as it is applied: inside a freeze what would make it anew waits."""
    if not decided.asked.frozen or deployed is None:
        return frozen.Pinned(free, decided.subjects, ())
    config_map = observed.child(CONFIGMAP, free.object_name, free.namespace)
    own, shops = decided.seller.spec, [shop.id for shop in decided.seller.spec.shops]
    return frozen.pinned(free, decided.subjects, config_map, deployed, own.id, shops)


def _resize(change: Resize | None, pod: Obj | None) -> tuple[Action, ...]:
    if change is None or pod is None or change.step is not Step.PATCH:
        return ()
    return (Action("resize", {"pod": pod["metadata"]["name"], "cpu": change.ask[0], "memory": change.ask[1]}),)


def _patience(facts: Facts) -> timedelta:
    """No event tells how far the consumer is: whoever has a backlog is looked at more often."""
    if facts.bus_error or facts.database_error:
        return LOOK_AGAIN
    consumer = facts.bus.get("consumer") or {}
    return LAGGING if facts.bus.get("full") or consumer.get("pending") or consumer.get("unacknowledged") else CAUGHT_UP


def _secret_lacking(decided: Decided, secret: Obj | None, observed: Observed, facts: Facts, platform: Platform) -> bool:
    if text(secret, "username") != decided.login or not raw(secret, "password") or not raw(secret, "user.creds"):
        return True
    account = facts.bus.get("account")
    if account and text(secret, "account") != account:
        return True  # the bus was set up anew: what the old account signed opens nothing
    if platform.push.source is not None and text(secret, "source.mark") != facts.source_mark:
        return True
    if text(secret, "rights") != names.rights(platform.bus.stream, decided.consumer):
        return True  # made by a version whose workers needed other rights on the bus
    return text(secret, "ca.crt") != _ca(decided, observed)


def _ca(decided: Decided, observed: Observed) -> str:
    """The authority that the worker checks the database against."""
    authority = decided.database.authority
    return text(observed.ref(SECRET, authority, decided.push.metadata.namespace), "ca.crt") if authority else ""


def _mint(decided: Decided, platform: Platform) -> Action:
    args = {
        "secret": objects.object_name(decided.push.metadata.name),
        "login": decided.login,
        "consumer": decided.consumer,
        "rights": names.rights(platform.bus.stream, decided.consumer),
        "authority": decided.database.authority,
        "source": platform.push.source is not None,
        "seller": decided.seller.spec.id,
    }
    return Action("mint", args)


def _actions(decided: Decided, subjects: list[str], facts: Facts) -> tuple[Action, ...]:
    """subjects: what the worker reads, as it is or will be"""
    actions = []
    if decided.database.ready and facts.database and not facts.schema_stands and not facts.drift:
        args = {
            "datasets": [dataset.name for dataset in decided.datasets],
            "shops": decided.shops,
            "login": decided.login,
            "secret": objects.object_name(decided.push.metadata.name),
            "readers": [names.reader(source) for source in read_by(decided.database.rds, decided.database.name)],
            "expiring": retention.expiring(decided.push, decided.datasets),
        }
        actions.append(Action("schema", args, deadline_seconds=60))
    # Asking for the consumer mends the stream's settings, too, as far as they can be changed.
    told = any(one.type == "BusUnsafe" for one in decided.push.status.conditions)
    if facts.bus and (not facts.consumes(subjects) or (facts.unsafe and not told)):
        actions.append(Action("consumer", {"consumer": decided.consumer, "subjects": subjects}))
    return tuple(actions)


def _worker(decided: Decided, secret: Obj | None, platform: Platform, files: str, renewed_for: str) -> objects.Worker:
    """files: the directory where the worker finds its secrets"""
    push = decided.push
    content = "\n".join(f"{key}={value}" for key, value in sorted(((secret or {}).get("data") or {}).items()))
    return objects.Worker(
        name=push.metadata.name,
        namespace=push.metadata.namespace,
        image=platform.images.cairn,
        replicas=0 if push.spec.paused or decided.database.stopped else 1,
        resources=decided.resources,
        settings=_settings(decided, platform, secret, files),
        secret_digest=objects.digest(content),
        operator_namespace=platform.namespace,
        bus=platform.bus,
        database=decided.database.rds.metadata.name,
        external=decided.database.rds.spec.outside,
        denied_networks=platform.external_databases.denied_networks,
        source=platform.push.source,
        renewed_for=renewed_for,
    )


def _settings(decided: Decided, platform: Platform, secret: Obj | None, files: str) -> dict[str, Any]:
    """worker.json."""
    push, database = decided.push, decided.database
    checked = bool(raw(secret, "ca.crt"))
    return {
        "subscription": f"{push.metadata.namespace}/{push.metadata.name}",
        "bus": {
            "url": platform.bus.url,
            "stream": platform.bus.stream,
            "consumer": decided.consumer,
            "credsFile": f"{files}/user.creds",
        },
        "database": {
            "engine": database.rds.spec.engine,
            "host": database.host,
            "port": database.port,
            "database": database.name,
            "usernameFile": f"{files}/username",
            "passwordFile": f"{files}/password",
            "caFile": f"{files}/ca.crt" if checked else None,
            # As the operator does: VerifyCA asks who vouches for the server, whatever name it was given.
            **({"verifyHost": False} if database.rds.spec.external else {}),
        },
        "datasets": [
            dataset.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"order", "buyer"})
            for dataset in decided.datasets
        ],
        "shops": decided.shops,
        "metricsPort": objects.METRICS_PORT,
        **({"retentionDays": days} if (days := retention.in_force(push)) else {}),
    } | _proof(decided, platform, secret, files)


def _proof(decided: Decided, platform: Platform, secret: Obj | None, files: str) -> Obj:
    if platform.push.source is None or not raw(secret, "source.key"):
        return {}
    spec = decided.push.spec
    found = {
        "url": platform.push.source.url,
        "seller": decided.seller.spec.id,
        "keyFile": f"{files}/source.key",
        "caFile": f"{files}/source-ca.crt" if raw(secret, "source-ca.crt") else None,
        "historyDays": spec.history.days,
        "maxRowsPerSecond": spec.history.max_rows_per_second,
        "repair": spec.audit.repair,
    }
    return {"proof": found}


def _gone(push: PushSubscription, observed: Observed, now: datetime, platform: Platform) -> Plan:
    """First the worker stops, then its place on the bus and its login go. The tables stay: they are the seller's."""
    name, namespace = push.metadata.name, push.metadata.namespace
    facts = Facts.of(observed)
    consumer = names.consumer(namespace, name)
    if observed.child(DEPLOYMENT, objects.object_name(name), namespace) is not None:
        return Plan(conditions=progressing(Reason.DELETING, "the worker is being stopped"))
    if (stands := _place(push, observed, now, platform)) is not None:
        conditions = progressing(Reason.DELETING, "the worker is being stopped, in the platform's pool")
        return Plan(conditions=conditions, actions=shared.leave(stands), next=now + shared.SOON)
    if push.metadata.annotations.get(CONFIRM) == name:
        message = f"let go of as confirmed; consumer {consumer} may remain on the bus"
        return Plan(conditions=progressing(Reason.DELETING, message), released=True)
    if facts.bus_error:
        message = (
            f"consumer {consumer} can't be deleted from the bus ({facts.bus_error[1]}); it is tried again. Should the "
            f"bus be gone for good: kubectl annotate pushsubscription {name} -n {namespace} {CONFIRM}={name}"
        )
        return Plan(conditions=progressing(Reason.DELETING, message), next=now + LOOK_AGAIN)
    actions = []
    if facts.bus.get("consumer"):
        actions.append(Action("forget-consumer", {"consumer": consumer}))
    if facts.login:
        actions.append(Action("drop-login", {"login": facts.login["name"]}))
    conditions = progressing(Reason.DELETING, "its place on the bus and its login are being removed")
    return Plan(conditions=conditions, actions=tuple(actions), released=bool(facts.bus) and not actions)

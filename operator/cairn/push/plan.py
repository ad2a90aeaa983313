# SPDX-License-Identifier: Apache-2.0
"""What a PushSubscription should consist of. Pure: decide whose records go where, then build the worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cairn.api import pods
from cairn.api.conditions import Reason, progressing
from cairn.api.database import Database, read_by
from cairn.api.dataset import Dataset
from cairn.api.lookup import Wrong, parsed
from cairn.api.platform import Platform
from cairn.api.pushsubscription import PushSubscription
from cairn.api.resize import Resize, Step
from cairn.api.resources import CONFIGMAP, DEPLOYMENT, LIMITRANGE, RESOURCEQUOTA, SECRET, Obj
from cairn.api.secrets import raw, text
from cairn.api.seller import Seller
from cairn.calendar.asked import Asked, ask
from cairn.calendar.cost import cost_of
from cairn.calendar.fit import Site, peak_fits
from cairn.engine.kind import Action, Child, Observed, Plan
from cairn.push import decide, frozen, names, objects, proof, report, sizing
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
        return _gone(push, observed, now)
    decided = _decide(push, observed, now, known)
    if isinstance(decided, tuple):
        # A worker must not go on with shops that are not its seller's (any more); everything else may be passing.
        hold = decided[0].reason is not Reason.NOT_YOUR_SHOP
        return Plan(status=report.kept(push, observed), conditions=decided, hold=hold)
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
    return Decided(push, seller, shops, tuple(datasets), database, resources, ask(push, observed.refs, now))


def _serve(decided: Decided, observed: Observed, now: datetime, platform: Platform) -> Plan:
    push, asked, facts = decided.push, decided.asked, Facts.of(observed)
    name, namespace = push.metadata.name, push.metadata.namespace
    deployed = observed.child(DEPLOYMENT, objects.object_name(name), namespace)
    if not decided.database.ready and deployed is None:
        conditions = progressing(Reason.DATABASE_NOT_READY, decided.database.trouble)
        return Plan(status=report.kept(push, observed), conditions=conditions, hold=True)
    secret = observed.child(SECRET, objects.object_name(name), namespace)
    if _secret_lacking(decided, secret, observed, facts, platform):
        conditions = progressing(Reason.PROGRESSING, "credentials are being made")
        status = report.kept(push, observed)
        return Plan(status=status, conditions=conditions, actions=(_mint(decided, platform),), hold=True)
    pod, size = report.newest(observed), sizing.in_force(decided.resources, asked)
    quota = observed.ref(RESOURCEQUOTA, pods.QUOTA, namespace)
    change = sizing.change(size, decided.resources, asked, pod, deployed, quota)
    free = _worker(decided, secret, platform, sizing.renewed_for(change, asked, pod, deployed))
    held = _held(decided, free, deployed, observed)
    actions = _actions(decided, held.subjects, facts)
    children = [Child(objects.config_map(held.worker)), Child(objects.network_policy(held.worker))]
    if deployed is not None or (facts.bus and facts.database and not actions):
        # Not before its tables, its login and its consumer stand: it would only fail and be started again.
        children.append(Child(objects.deployment(held.worker)))
    charge = cost_of(push, asked.promotions, asked.plans, decided.seller.spec.billing, platform.currency, now)
    edges = (edge for edge in (charge.next, *asked.edges) if edge is not None and edge > now)
    site = Site(seller=decided.seller, limit_ranges=observed.within(LIMITRANGE, namespace))
    fits = peak_fits(push, asked.promotions, asked.plans, now, site)
    said = (*report.calendar(change, held.waits, asked), *fits)
    return Plan(
        children=tuple(children),
        status=report.status(push, decided.consumer, observed, facts)
        | report.sold(push, observed, asked, size, charge),
        conditions=(
            *report.conditions(push, decided.database, observed, facts, working=bool(actions)),
            *proof.conditions(push, facts, platform.push.source),
            *said,
        ),
        actions=(*actions, *_resize(change, pod)),
        next=min([now + _patience(facts), *edges]),
    )


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
        }
        actions.append(Action("schema", args, deadline_seconds=60))
    # Asking for the consumer mends the stream's settings, too, as far as they can be changed.
    told = any(one.type == "BusUnsafe" for one in decided.push.status.conditions)
    if facts.bus and (not facts.consumes(subjects) or (facts.unsafe and not told)):
        actions.append(Action("consumer", {"consumer": decided.consumer, "subjects": subjects}))
    return tuple(actions)


def _worker(decided: Decided, secret: Obj | None, platform: Platform, renewed_for: str) -> objects.Worker:
    push = decided.push
    content = "\n".join(f"{key}={value}" for key, value in sorted(((secret or {}).get("data") or {}).items()))
    return objects.Worker(
        name=push.metadata.name,
        namespace=push.metadata.namespace,
        image=platform.images.cairn,
        replicas=0 if push.spec.paused or decided.database.stopped else 1,
        resources=decided.resources,
        settings=_settings(decided, platform, secret),
        secret_digest=objects.digest(content),
        operator_namespace=platform.namespace,
        bus=platform.bus,
        database=decided.database.rds.metadata.name,
        external=decided.database.rds.spec.outside,
        denied_networks=platform.external_databases.denied_networks,
        source=platform.push.source,
        renewed_for=renewed_for,
    )


def _settings(decided: Decided, platform: Platform, secret: Obj | None) -> dict[str, Any]:
    """worker.json."""
    push, database = decided.push, decided.database
    checked = bool(raw(secret, "ca.crt"))
    return {
        "subscription": f"{push.metadata.namespace}/{push.metadata.name}",
        "bus": {
            "url": platform.bus.url,
            "stream": platform.bus.stream,
            "consumer": decided.consumer,
            "credsFile": f"{objects.SECRET}/user.creds",
        },
        "database": {
            "engine": database.rds.spec.engine,
            "host": database.host,
            "port": database.port,
            "database": database.name,
            "usernameFile": f"{objects.SECRET}/username",
            "passwordFile": f"{objects.SECRET}/password",
            "caFile": f"{objects.SECRET}/ca.crt" if checked else None,
            # As the operator does: VerifyCA asks who vouches for the server, whatever name it was given.
            **({"verifyHost": False} if database.rds.spec.external else {}),
        },
        "datasets": [
            dataset.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"order", "buyer"})
            for dataset in decided.datasets
        ],
        "shops": decided.shops,
        "metricsPort": objects.METRICS_PORT,
    } | _proof(decided, platform, secret)


def _proof(decided: Decided, platform: Platform, secret: Obj | None) -> Obj:
    if platform.push.source is None or not raw(secret, "source.key"):
        return {}
    spec = decided.push.spec
    found = {
        "url": platform.push.source.url,
        "seller": decided.seller.spec.id,
        "keyFile": f"{objects.SECRET}/source.key",
        "caFile": f"{objects.SECRET}/source-ca.crt" if raw(secret, "source-ca.crt") else None,
        "historyDays": spec.history.days,
        "maxRowsPerSecond": spec.history.max_rows_per_second,
        "repair": spec.audit.repair,
    }
    return {"proof": found}


def _gone(push: PushSubscription, observed: Observed, now: datetime) -> Plan:
    """First the worker stops, then its place on the bus and its login go. The tables stay: they are the seller's."""
    name, namespace = push.metadata.name, push.metadata.namespace
    facts = Facts.of(observed)
    consumer = names.consumer(namespace, name)
    if observed.child(DEPLOYMENT, objects.object_name(name), namespace) is not None:
        return Plan(conditions=progressing(Reason.DELETING, "the worker is being stopped"))
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

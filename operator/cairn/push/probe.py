# SPDX-License-Identifier: Apache-2.0
"""Looks at a subscription's place on the bus and at its tables, login and grants in the database. Reads only."""

from __future__ import annotations

import hashlib
import hmac
import ssl
from collections.abc import Mapping
from typing import Any

import asyncpg

from cairn.api.conditions import Reason
from cairn.api.database import pushed_into, read_by
from cairn.api.dataset import Dataset
from cairn.api.lookup import parsed
from cairn.api.platform import Platform
from cairn.api.pushsubscription import PushSubscription
from cairn.api.quantity import parse
from cairn.api.resources import POD, SECRET, SELLERRDS, Obj, Ref
from cairn.api.secrets import raw, text
from cairn.api.sellerrds import SellerRDS
from cairn.bus.admin import consumer_info, stream_problems
from cairn.bus.connection import BusError, Client
from cairn.bus.connection import connect as connect_bus
from cairn.bus.nkeys import KeyPair
from cairn.bus.verdict import Verdict
from cairn.engine.kind import Io, Observed
from cairn.push import decide, names, objects, retention
from cairn.push.servers import BusServers
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Target
from cairn.sql.push.engine import Asked
from cairn.sql.push.engines import engine
from cairn.sql.reach import way_in

BUS_SECONDS = 3.0


async def probe(
    push: PushSubscription,
    observed: Observed,
    io: Io,
    platform: Platform,
    known: Mapping[str, Dataset],
    servers: BusServers,
    verdict: Verdict,
) -> Mapping[str, Any]:
    """The facts that `cairn.push.facts` describes."""
    bus = await _bus(push, io, platform, servers)
    owner = decide.seller(push, observed)
    bus["full"] = not isinstance(owner, tuple) and owner.spec.id in verdict.full
    found = {"bus": bus, "database": await _database(push, observed, platform, known)}
    if platform.push.source is not None:
        found["source"] = {"mark": source_mark(await io.get(source_ref(platform)))}
    return found


def account_ref(platform: Platform) -> Ref:
    return Ref(SECRET, platform.namespace, platform.bus.account_secret)


def source_ref(platform: Platform) -> Ref:
    name = platform.push.source.key_secret if platform.push.source else ""
    return Ref(SECRET, platform.namespace, name)


def source_mark(held: Obj | None) -> str:
    """Short, tells one key and authority from another and gives neither away; empty where there is no key."""
    key = raw(held, "source.key").strip()
    return hmac.new(key, b"mark" + raw(held, "ca.crt"), hashlib.sha256).hexdigest()[:16] if key else ""


async def open_bus(account: Obj | None, platform: Platform, user: str = "admin") -> Client:
    """A session of the operator's, or of the system account's. BusError says why there is none."""
    creds = text(account, f"{user}.creds")
    if not creds:
        raise BusError(f"{account_ref(platform)} has no {user}.creds: {_remedy(account, user)}")
    tls = ssl.create_default_context() if platform.bus.url.startswith("tls://") else None
    try:
        return await connect_bus(platform.bus.url, lambda: creds, user, tls=tls, patience_seconds=BUS_SECONDS)
    except ValueError as error:
        raise BusError(f"{account_ref(platform)}: {user}.creds: {error}") from error


def _remedy(account: Obj | None, user: str) -> str:
    """`cairn bus init` onto a standing bus would lock everybody out of it: named only beside what it is for."""
    if account_key(account) and user == "admin":
        return "mint it from its account.seed with `cairn bus users`"
    return "put back the copy of this Secret; `cairn bus init` makes a new bus"


def account_key(account: Obj | None) -> str:
    """The public key of the account that signs credentials; empty where there is none."""
    try:
        return KeyPair.from_seed(text(account, "account.seed").strip()).public
    except ValueError:
        return ""


async def _bus(push: PushSubscription, io: Io, platform: Platform, servers: BusServers) -> dict[str, Any]:
    name = names.consumer(push.metadata.namespace, push.metadata.name)
    account = await io.get(account_ref(platform))
    try:
        client = await open_bus(account, platform)
        try:
            found = await consumer_info(client, platform.bus.stream, name)
            size = int(parse(platform.bus.stream_size))
            unsafe = await stream_problems(client, platform.bus.stream, max_bytes=size, replicas=platform.bus.replicas)
        finally:
            await client.close()
        unsafe = (*dict.fromkeys((*unsafe, *await servers.problems(account, platform))),)
    except BusError as error:
        return {"error": Reason.BUS_UNREACHABLE.value, "message": str(error.args[0])}
    consumer = (
        None
        if found is None
        else {
            "filterSubjects": list(found.filter_subjects),
            "pending": found.pending,
            "unacknowledged": found.unacknowledged,
        }
    )
    return {"account": account_key(account), "consumer": consumer, "unsafe": list(unsafe)}


async def _database(
    push: PushSubscription, observed: Observed, platform: Platform, known: Mapping[str, Dataset]
) -> dict[str, Any]:
    try:
        rds = server_of(push, observed)
        target = await target_of(rds, push, observed, platform) if rds else None
        return await _facts(rds, target, push, observed, known) if rds and target else {}
    except SqlError as error:
        return {"error": error.reason.value, "message": error.message}
    except asyncpg.PostgresError as error:
        message = f"the database broke off: {str(error) or type(error).__name__}"
        return {"error": Reason.DATABASE_UNREACHABLE.value, "message": message}


def server_of(push: PushSubscription, observed: Observed) -> SellerRDS | None:
    live = observed.ref(SELLERRDS, push.spec.database_ref.name, push.metadata.namespace)
    rds = parsed(SellerRDS, live) if live else None
    return rds if isinstance(rds, SellerRDS) else None


async def target_of(rds: SellerRDS, push: PushSubscription, observed: Observed, platform: Platform) -> Target | None:
    """The operator's way into the subscription's database; None while there is none."""
    database = pushed_into(rds, push.spec.database_name)
    if database is None:
        return None
    namespace = push.metadata.namespace
    pod = observed.ref(POD, f"{rds.metadata.name}-0", namespace)
    denied = platform.external_databases.denied_networks
    return await way_in(rds, lambda secret: observed.ref(SECRET, secret, namespace), pod, denied, database)


async def _facts(
    rds: SellerRDS, target: Target, push: PushSubscription, observed: Observed, known: Mapping[str, Dataset]
) -> dict[str, Any]:
    owner = decide.seller(push, observed)
    shops = decide.shops(push, owner) if not isinstance(owner, tuple) else {}
    secret = observed.child(SECRET, objects.object_name(push.metadata.name), push.metadata.namespace)
    datasets = tuple(known[name] for name in sorted(set(push.spec.datasets)) if name in known)
    asked = Asked(
        target.database,
        datasets,
        shops if isinstance(shops, dict) else {},
        names.login(push.metadata.namespace, push.metadata.name, rds.spec.traits.longest_login),
        text(secret, "password"),
        tuple(names.reader(source) for source in read_by(rds, target.database)),
        tuple(retention.expiring(push, datasets)),
    )
    found = await engine(rds.spec.engine).look(target, asked)
    return {
        "missing": list(found.missing),
        "drift": list(found.drift),
        "quarantined": found.quarantined,
        "tables": list(found.tables),
        "login": {"name": asked.login, "ours": found.login.ours, "password": found.login.opens}
        if found.login
        else None,
        "granted": found.granted,
        "weak": list(found.weak),
        "proof": found.proof,
    }

# SPDX-License-Identifier: Apache-2.0
"""Looks at a subscription's place on the bus and at its tables, login and grants in the database. Reads only."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

import asyncpg

from cairn.api.conditions import Reason
from cairn.api.dataset import Dataset
from cairn.api.lookup import parsed
from cairn.api.platform import Platform
from cairn.api.pushsubscription import PushSubscription
from cairn.api.resources import POD, SECRET, SELLERRDS, Obj, Ref
from cairn.api.secrets import text
from cairn.api.sellerrds import SellerRDS
from cairn.bus.admin import consumer_info
from cairn.bus.connection import BusError, Client
from cairn.bus.connection import connect as connect_bus
from cairn.bus.nkeys import KeyPair
from cairn.engine.kind import Io, Observed
from cairn.push import decide, names, objects
from cairn.sql.errors import SqlError
from cairn.sql.facts import SchemaFacts, schema_facts, server_facts
from cairn.sql.logins import may_push, may_read, passwords_open
from cairn.sql.postgresql import Connection, Target
from cairn.sql.postgresql import connect as connect_database
from cairn.sql.reach import way_in
from cairn.sql.schema import drifted, missing

BUS_SECONDS = 3.0
DATABASE_SECONDS = 3.0


async def probe(
    push: PushSubscription, observed: Observed, io: Io, platform: Platform, known: Mapping[str, Dataset]
) -> Mapping[str, Any]:
    """The facts that `cairn.push.facts` describes."""
    return {"bus": await _bus(push, io, platform), "database": await _database(push, observed, platform, known)}


def account_ref(platform: Platform) -> Ref:
    return Ref(SECRET, platform.namespace, platform.bus.account_secret)


async def open_bus(account: Obj | None, platform: Platform) -> Client:
    """A session of the operator's. BusError says why there is none."""
    creds = text(account, "admin.creds")
    if not creds:
        ref = account_ref(platform)
        raise BusError(f"{ref} has no admin.creds: make it with `cairn bus init`")
    tls = ssl.create_default_context() if platform.bus.url.startswith("tls://") else None
    try:
        return await connect_bus(platform.bus.url, lambda: creds, "admin", tls=tls, patience_seconds=BUS_SECONDS)
    except ValueError as error:
        raise BusError(f"{account_ref(platform)}: admin.creds: {error}") from error


def account_key(account: Obj | None) -> str:
    """The public key of the account that signs credentials; empty where there is none."""
    try:
        return KeyPair.from_seed(text(account, "account.seed").strip()).public
    except ValueError:
        return ""


async def _bus(push: PushSubscription, io: Io, platform: Platform) -> dict[str, Any]:
    name = names.consumer(push.metadata.namespace, push.metadata.name)
    account = await io.get(account_ref(platform))
    try:
        client = await open_bus(account, platform)
        try:
            found = await consumer_info(client, platform.bus.stream, name)
        finally:
            await client.close()
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
    return {"account": account_key(account), "consumer": consumer}


async def _database(
    push: PushSubscription, observed: Observed, platform: Platform, known: Mapping[str, Dataset]
) -> dict[str, Any]:
    try:
        target = await target_of(push, observed, platform)
        if target is None:
            return {}
        conn = await connect_database(target, timeout=DATABASE_SECONDS, statement_timeout_ms=3000)
        try:
            return await _facts(conn, target, push, observed, known)
        finally:
            await conn.close(timeout=1)
    except SqlError as error:
        return {"error": error.reason.value, "message": error.message}
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        message = f"the database broke off: {str(error) or type(error).__name__}"
        return {"error": Reason.DATABASE_UNREACHABLE.value, "message": message}


async def target_of(push: PushSubscription, observed: Observed, platform: Platform) -> Target | None:
    """The operator's way into the subscription's database; None while there is none."""
    namespace, name = push.metadata.namespace, push.spec.database_ref.name
    live = observed.ref(SELLERRDS, name, namespace)
    rds = parsed(SellerRDS, live) if live else ()
    if not isinstance(rds, SellerRDS):
        return None
    pod = observed.ref(POD, f"{name}-0", namespace)
    denied = platform.external_databases.denied_networks
    return await way_in(
        rds, lambda secret: observed.ref(SECRET, secret, namespace), pod, denied, push.spec.database_name
    )


async def _facts(
    conn: Connection, target: Target, push: PushSubscription, observed: Observed, known: Mapping[str, Dataset]
) -> dict[str, Any]:
    datasets = [known[name] for name in sorted(set(push.spec.datasets)) if name in known]
    owner = decide.seller(push, observed)
    shops = decide.shops(push, owner) if not isinstance(owner, tuple) else {}
    schema, roles = await schema_facts(conn), (await server_facts(conn)).roles
    login, reader = names.login(push.metadata.namespace, push.metadata.name), names.reader(push.spec.database_name)
    secret = observed.child(SECRET, objects.object_name(push.metadata.name), push.metadata.namespace)
    opened = {}
    if login in roles:
        opened = await passwords_open(conn, target, {login: (text(secret, "password"), push.spec.database_name)})
    tables = [dataset.table for dataset in datasets]
    granted = login in roles and await may_push(conn, login, (*tables, "jdp_quarantine"))
    if reader in roles and roles[reader].ours:
        granted = granted and await may_read(conn, reader, tables)
    return {
        "missing": list(missing(schema, datasets, shops if isinstance(shops, dict) else {})),
        "drift": list(drifted(schema, datasets)),
        "quarantined": schema.quarantined,
        "tables": _standing(schema, datasets),
        "login": {"ours": roles[login].ours, "password": opened.get(login, False)} if login in roles else None,
        "granted": granted,
    }


def _standing(schema: SchemaFacts, datasets: list[Dataset]) -> list[str]:
    tables = [f"sys_info.{dataset.table}" for dataset in datasets if dataset.table in schema.tables]
    return tables + [f"platform.{dataset.name}" for dataset in datasets if dataset.name in schema.views]

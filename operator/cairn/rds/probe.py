# SPDX-License-Identifier: Apache-2.0
"""Looks at a database server: reachable, whose, with which databases, roles and passwords. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg

from cairn.api import pods
from cairn.api.conditions import Reason
from cairn.api.platform import Platform
from cairn.api.resources import POD, SECRET, Obj
from cairn.api.secrets import raw, text
from cairn.api.sellerrds import SellerRDS
from cairn.engine.kind import Observed
from cairn.rds import config, credentials
from cairn.rds.databases import FACTS
from cairn.sql.errors import SqlError
from cairn.sql.facts import server_facts
from cairn.sql.logins import comments, current_settings, loaded_at, may_connect, passwords_open
from cairn.sql.postgresql import Connection, Target, connect
from cairn.sql.reach import admin_target

CONNECT_SECONDS = 4.0


async def probe(rds: SellerRDS, observed: Observed, platform: Platform) -> Mapping[str, Any]:
    """The facts that `cairn.rds.databases` describes; none while there is nobody to ask."""
    if rds.metadata.deletion_timestamp:
        return {}
    try:
        target = await target_of(rds, observed, platform)
        if target is None:
            return {}
        conn = await connect(target, timeout=CONNECT_SECONDS, statement_timeout_ms=4000)
        try:
            return {FACTS: await _facts(conn, target, rds, observed)}
        finally:
            await conn.close(timeout=1)
    except SqlError as error:
        return {FACTS: {"error": error.reason.value, "message": error.message}}
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        message = f"the server broke off: {str(error) or type(error).__name__}"
        return {FACTS: {"error": Reason.DATABASE_UNREACHABLE.value, "message": message}}


async def target_of(rds: SellerRDS, observed: Observed, platform: Platform) -> Target | None:
    """The operator's way in, by what was seen; None where there is no server, or no password for it (yet)."""
    admin, ca, address = _own(rds, observed) if rds.spec.external is None else _external(rds, observed)
    if admin is None or not raw(admin, "password") or (rds.spec.external is None and not address):
        return None
    login = {key: raw(admin, key) for key in ("username", "password")}
    denied = platform.external_databases.denied_networks
    return await admin_target(rds, login, ca, denied, pod_address=address)


def _own(rds: SellerRDS, observed: Observed) -> tuple[Obj | None, bytes | None, str | None]:
    name, namespace = rds.metadata.name, rds.metadata.namespace
    live = observed.child(POD, f"{name}-0", namespace)
    address = ((live or {}).get("status") or {}).get("podIP") if pods.is_ready(live) else None
    ca = observed.child(SECRET, credentials.ca_secret(name), namespace)
    admin = observed.child(SECRET, credentials.admin_login(name).secret, namespace)
    return admin, raw(ca, "ca.crt") or None, address


def _external(rds: SellerRDS, observed: Observed) -> tuple[Obj | None, bytes | None, str | None]:
    external, namespace = rds.spec.external, rds.metadata.namespace
    if external is None:
        return None, None, None
    admin = observed.ref(SECRET, external.admin_secret_ref.name, namespace)
    ca = observed.ref(SECRET, external.ca_secret_ref.name, namespace) if external.ca_secret_ref else None
    if external.tls == "VerifyCA" and not raw(ca, "ca.crt"):
        return None, None, None
    return admin, raw(ca, "ca.crt") or None, None


async def _facts(conn: Connection, target: Target, rds: SellerRDS, observed: Observed) -> dict[str, Any]:
    found = await server_facts(conn)
    namespace = rds.metadata.namespace
    names = (database.name for database in rds.spec.databases)
    logins = credentials.logins(rds.metadata.name, namespace, names, observed)
    wanted = {
        login.username: (text(observed.child(SECRET, login.secret, namespace), "password"), login.database)
        for login in logins
        if login.username in found.roles
    }
    open_ = await passwords_open(conn, target, wanted)
    pairs = [(login.username, login.database) for login in logins if login.role == "reader"]
    connects = await may_connect(conn, pairs)
    return {
        "me": f"{namespace}/{rds.metadata.name}",
        "version": found.version,
        "systemIdentifier": found.system_identifier,
        "inRecovery": found.in_recovery,
        "databases": dict(found.databases),
        "roles": {name: {"ours": found.roles[name].ours, "password": open_.get(name, False)} for name in wanted},
        "connect": sorted(f"{role}@{database}" for role, database in connects),
        "comments": await comments(conn),
        "weak": list(found.weak),
        "loadedAt": await loaded_at(conn),
        "parameters": await current_settings(conn, config.sized(0, 0, 0)),
    }

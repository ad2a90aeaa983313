# SPDX-License-Identifier: Apache-2.0
"""Looks at a database server: reachable, whose, with which databases, roles and passwords. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cairn.api import pods
from cairn.api.platform import Platform
from cairn.api.resources import POD, SECRET, Obj
from cairn.api.secrets import raw, text
from cairn.api.sellerrds import SellerRDS
from cairn.engine.kind import Observed
from cairn.rds import config, credentials
from cairn.rds.databases import FACTS
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Target
from cairn.sql.reach import admin_target
from cairn.sql.server.engine import Account, Asked
from cairn.sql.server.engines import server


async def probe(rds: SellerRDS, observed: Observed, platform: Platform) -> Mapping[str, Any]:
    """The facts that `cairn.rds.databases` describes; none while there is nobody to ask."""
    if rds.metadata.deletion_timestamp:
        return {}
    try:
        target = await target_of(rds, observed, platform)
        if target is None:
            return {}
        return {FACTS: await server(rds.spec.engine).look(target, _asked(rds, observed))}
    except SqlError as error:
        return {FACTS: {"error": error.reason.value, "message": error.message}}


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


def _asked(rds: SellerRDS, observed: Observed) -> Asked:
    namespace = rds.metadata.namespace
    logins = credentials.logins(
        rds.metadata.name, namespace, (database.name for database in rds.spec.databases), observed
    )
    accounts = (
        Account(
            login.username,
            login.database,
            text(observed.child(SECRET, login.secret, namespace), "password"),
            reader=login.role == "reader",
        )
        for login in logins
    )
    return Asked(f"{namespace}/{rds.metadata.name}", tuple(accounts), tuple(config.sized(0, 0, 0)))

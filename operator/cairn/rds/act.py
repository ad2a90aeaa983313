# SPDX-License-Identifier: Apache-2.0
"""The deeds of a SellerRDS's plan. Each is idempotent, reads what it needs anew, and never logs a secret."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg

from cairn.api import resize
from cairn.api.conditions import Reason
from cairn.api.database import Address
from cairn.api.platform import Platform
from cairn.api.resources import POD, PVC, SECRET, Obj, Ref
from cairn.api.secrets import raw, secret, text
from cairn.api.sellerrds import SellerRDS
from cairn.engine.kind import Action, ActionError, Io, Observed
from cairn.rds import credentials, objects
from cairn.rds.certificates import new_ca, new_certificate
from cairn.rds.credentials import Login
from cairn.rds.probe import target_of
from cairn.sql.errors import SqlError
from cairn.sql.logins import reload_config
from cairn.sql.postgresql import Target, connect
from cairn.sql.server.engine import Account
from cairn.sql.server.engines import server

EARLIER_AUTHORITIES = 2
"""So many stay known beside a new one."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a deed works with."""

    rds: SellerRDS
    observed: Observed
    io: Io
    platform: Platform

    @property
    def name(self) -> str:
        return self.rds.metadata.name

    @property
    def namespace(self) -> str:
        return self.rds.metadata.namespace

    def secret_ref(self, name: str) -> Ref:
        return Ref(SECRET, self.namespace, name)


async def act(action: Action, rds: SellerRDS, observed: Observed, io: Io, platform: Platform) -> None:
    try:
        await DEEDS[action.name](action, Scene(rds, observed, io, platform))
    except SqlError as error:
        raise ActionError(error.reason, error.message) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ActionError(Reason.ACTION_FAILED, f"{action.name}: {error}") from error


async def _mint_ca(action: Action, scene: Scene) -> None:
    live = await scene.io.get(scene.secret_ref(action.args["secret"]))
    if not credentials.ca_stands(live, _as_of(action)):
        made = new_ca(f"{scene.namespace}/{scene.name}"[:60])
        # A running server shows its old certificate until it is told to reload: who may no longer know the authority
        # of that one could not get in to tell it.
        admin = await scene.io.get(scene.secret_ref(credentials.admin_login(scene.name).secret))
        made["ca.crt"] += credentials.authorities(text(admin, "ca.crt"), EARLIER_AUTHORITIES)
        await _write(scene, action.args["secret"], live, made)


def _as_of(action: Action) -> datetime:
    """What has to be renewed at this moment is made anew; before a freeze that comes earlier than it has to."""
    return credentials.parse_time(action.args.get("asOf")) or datetime.now(UTC)


async def _mint_certificate(action: Action, scene: Scene) -> None:
    ca = await scene.io.get(scene.secret_ref(credentials.ca_secret(scene.name)))
    live = await scene.io.get(scene.secret_ref(action.args["secret"]))
    names = tuple(action.args["names"])
    if credentials.tls_stands(live, ca, names, _as_of(action)):
        return
    try:
        made = new_certificate({key: raw(ca, key) for key in ("ca.crt", "ca.key")}, list(names))
    except ValueError as error:
        message = f"Secret {credentials.ca_secret(scene.name)} holds no usable authority ({error}): delete it"
        raise ActionError(Reason.CREDENTIALS_LOST, message) from error
    await _write(scene, action.args["secret"], live, made)


async def _mint_login(action: Action, scene: Scene) -> None:
    args = action.args
    login = Login(args["secret"], args["role"], args["username"], args["database"])
    live = await scene.io.get(scene.secret_ref(login.secret))
    address = Address(args["host"], args["port"], await _ca(scene), scene.rds.spec.engine)
    password = text(live, "password") or secrets.token_urlsafe(24)
    made = credentials.connection(login, address, password)
    await _write(scene, login.secret, live, {key: value.encode() for key, value in made.items()})


async def _ca(scene: Scene) -> str:
    external = scene.rds.spec.external
    if external is None:
        name: str | None = credentials.ca_secret(scene.name)
    else:
        name = external.ca_secret_ref.name if external.ca_secret_ref else None
    return text(await scene.io.get(scene.secret_ref(name)), "ca.crt") if name else ""


async def _write(scene: Scene, name: str, live: Obj | None, data: Mapping[str, bytes]) -> None:
    """Create the Secret, or set these keys of the one that stands, if it is ours."""
    if live is None:
        labels = objects.selector(scene.name) | {"cairn.dev/retain": "true"}
        if await scene.io.create(secret(scene.namespace, name, labels, data)) is not None:
            return
        raise ActionError(Reason.CONFLICT, f"Secret {name} was made by somebody else just now; looking again")
    labels = live["metadata"].get("labels") or {}
    if (labels.get("cairn.dev/owner-kind"), labels.get("cairn.dev/owner-name")) != ("SellerRDS", scene.name):
        message = f"Secret {name} exists and was not made for this object: it is left alone. Rename or delete it"
        raise ActionError(Reason.CONFLICT, message)
    await scene.io.update_data(scene.secret_ref(name), data)


async def _keep_volume(action: Action, scene: Scene) -> None:
    await _reclaim_policy(action, scene, "Retain")


async def _give_up_volume(action: Action, scene: Scene) -> None:
    await _reclaim_policy(action, scene, "Delete")


async def _reclaim_policy(action: Action, scene: Scene, policy: str) -> None:
    claim = Ref(PVC, scene.namespace, objects.claim_name(scene.name))
    await scene.io.reclaim(action.args["volume"], claim, policy)


async def _resize(action: Action, scene: Scene) -> None:
    ref = Ref(POD, scene.namespace, action.args["pod"])
    asked = resize.body(await scene.io.get(ref), objects.CONTAINER, (action.args["cpu"], action.args["memory"]))
    if asked is not None:
        await scene.io.patch(ref, asked, "resize")


async def _restart(action: Action, scene: Scene) -> None:
    await scene.io.delete(Ref(POD, scene.namespace, action.args["pod"]), action.args["uid"])


async def _database(action: Action, scene: Scene) -> None:
    args = action.args
    owner = Account(args["owner"], args["database"], await _password(scene, args["ownerSecret"]))
    reader = Account(args["reader"], args["database"], await _password(scene, args["readerSecret"]), reader=True)
    me = f"{scene.namespace}/{scene.name}"
    await server(scene.rds.spec.engine).settle(await _target(scene), me, owner, reader)


async def _password(scene: Scene, name: str) -> str:
    found = text(await scene.io.get(scene.secret_ref(name)), "password")
    if not found:
        raise ActionError(Reason.SECRET_NOT_FOUND, f"Secret {name} has no password yet")
    if not found.isascii():
        message = f"Secret {name}: its password has characters that are no ASCII: set another, or delete the key"
        raise ActionError(Reason.ACTION_FAILED, message)
    return found


async def _reload(action: Action, scene: Scene) -> None:
    conn = await connect(await _target(scene), timeout=5)
    try:
        await reload_config(conn)
    finally:
        await conn.close(timeout=2)


async def _target(scene: Scene) -> Target:
    target = await target_of(scene.rds, scene.observed, scene.platform)
    if target is None:
        raise ActionError(Reason.DATABASE_NOT_READY, "the server is not ready")
    return target


DEEDS: Mapping[str, Callable[[Action, Scene], Awaitable[None]]] = {
    "mint-ca": _mint_ca,
    "mint-certificate": _mint_certificate,
    "mint-login": _mint_login,
    "keep-volume": _keep_volume,
    "give-up-volume": _give_up_volume,
    "resize": _resize,
    "restart": _restart,
    "database": _database,
    "reload": _reload,
}

# SPDX-License-Identifier: Apache-2.0
"""The deeds of a subscription's plan. Each is idempotent, reads what it needs anew, and never logs a secret."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import asyncpg

from cairn.api import resize
from cairn.api.conditions import Reason
from cairn.api.dataset import Dataset
from cairn.api.engines import EngineName
from cairn.api.platform import Platform
from cairn.api.pushsubscription import PushSubscription
from cairn.api.quantity import parse
from cairn.api.resources import POD, SECRET, Obj, Ref
from cairn.api.secrets import raw, secret, text
from cairn.api.signing import source_key
from cairn.bus.admin import delete_consumer, ensure_consumer, ensure_stream
from cairn.bus.connection import BusError
from cairn.bus.credentials import mint_user, worker_permissions
from cairn.engine.kind import Action, ActionError, Io, Observed
from cairn.pool import leases
from cairn.push import objects, shared
from cairn.push.probe import account_key, account_ref, open_bus, server_of, source_mark, source_ref, target_of
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Target
from cairn.sql.push.engine import Asked
from cairn.sql.push.engines import engine


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a deed works with."""

    push: PushSubscription
    observed: Observed
    io: Io
    platform: Platform
    known: Mapping[str, Dataset]

    def secret_ref(self, name: str) -> Ref:
        return Ref(SECRET, self.push.metadata.namespace, name)


async def act(action: Action, scene: Scene) -> None:
    try:
        await DEEDS[action.name](action, scene)
    except SqlError as error:
        raise ActionError(error.reason, error.message) from error
    except BusError as error:
        raise ActionError(Reason.BUS_UNREACHABLE, f"{action.name}: {error.args[0]}") from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ActionError(Reason.ACTION_FAILED, f"{action.name}: {error}") from error


async def _mint(action: Action, scene: Scene) -> None:
    """The worker's Secret: its login, its credentials for the bus, and the authority to check the database against."""
    args = action.args
    account = await scene.io.get(account_ref(scene.platform))
    key = account_key(account)
    if not key:
        ref = account_ref(scene.platform)
        message = f"{ref} has no account.seed: put back the copy of this Secret; `cairn bus init` makes a new bus"
        raise ActionError(Reason.BUS_UNREACHABLE, message)
    live = await scene.io.get(scene.secret_ref(args["secret"]))
    valid = (text(live, "account"), text(live, "rights")) == (key, args["rights"])
    creds = raw(live, "user.creds") if valid else b""
    if not creds:
        allowed = worker_permissions(scene.platform.bus.stream, args["consumer"])
        seed = text(account, "account.seed").strip()
        creds = mint_user(seed, args["consumer"], allowed.publish, allowed.subscribe).encode()
    authority = await scene.io.get(scene.secret_ref(args["authority"])) if args["authority"] else None
    source = await _source(action, scene)
    data = {
        "username": args["login"].encode(),
        "password": raw(live, "password") or secrets.token_urlsafe(24).encode(),
        "user.creds": creds,
        "account": key.encode(),
        "rights": args["rights"].encode(),
        "ca.crt": raw(authority, "ca.crt"),
        **source,
    }
    await _write(scene, args["secret"], live, data)


async def _source(action: Action, scene: Scene) -> dict[str, bytes]:
    """What the worker asks the platform with: a key that opens this seller's records alone."""
    if not action.args["source"]:
        return {}
    ref = source_ref(scene.platform)
    held = await scene.io.get(ref)
    key = raw(held, "source.key").strip()
    if not key:
        raise ActionError(Reason.SECRET_NOT_FOUND, f"{ref} has no source.key: push.source.keySecret names it")
    made = source_key(key, action.args["seller"]).encode()
    return {"source.key": made, "source.mark": source_mark(held).encode(), "source-ca.crt": raw(held, "ca.crt")}


async def _write(scene: Scene, name: str, live: Obj | None, data: Mapping[str, bytes]) -> None:
    mine = scene.push.metadata
    if live is None:
        made = secret(mine.namespace, name, objects.selector(mine.name), data)
        if await scene.io.create(made) is not None:
            return
        raise ActionError(Reason.CONFLICT, f"Secret {name} was made by somebody else just now; looking again")
    labels = live["metadata"].get("labels") or {}
    if labels.get("cairn.dev/owner-uid") != mine.uid:
        message = f"Secret {name} exists and was not made for this object: it is left alone. Rename or delete it"
        raise ActionError(Reason.CONFLICT, message)
    await scene.io.update_data(scene.secret_ref(name), data)


async def _schema(action: Action, scene: Scene) -> None:
    """Tables and views, the worker's login, and who may write and read."""
    args = action.args
    password = text(await scene.io.get(scene.secret_ref(args["secret"])), "password")
    if not password:
        raise ActionError(Reason.SECRET_NOT_FOUND, f"Secret {args['secret']} has no password yet")
    name, target = await _database(scene)
    asked = Asked(
        target.database,
        tuple(scene.known[name] for name in args["datasets"]),
        args["shops"],
        args["login"],
        password,
        tuple(args["readers"]),
        tuple(args["expiring"]),
    )
    await engine(name).settle(target, asked)


async def _drop_login(action: Action, scene: Scene) -> None:
    name, target = await _database(scene)
    await engine(name).drop_login(target, action.args["login"])


async def _database(scene: Scene) -> tuple[EngineName, Target]:
    rds = server_of(scene.push, scene.observed)
    target = await target_of(rds, scene.push, scene.observed, scene.platform) if rds else None
    if rds is None or target is None:
        raise ActionError(Reason.DATABASE_NOT_READY, "the database is not ready")
    return rds.spec.engine, target


async def _consumer(action: Action, scene: Scene) -> None:
    bus = scene.platform.bus
    client = await open_bus(await scene.io.get(account_ref(scene.platform)), scene.platform)
    try:
        await ensure_stream(client, bus.stream, max_bytes=int(parse(bus.stream_size)), replicas=bus.replicas)
        await ensure_consumer(client, bus.stream, action.args["consumer"], action.args["subjects"])
    finally:
        await client.close()


async def _forget_consumer(action: Action, scene: Scene) -> None:
    client = await open_bus(await scene.io.get(account_ref(scene.platform)), scene.platform)
    try:
        await delete_consumer(client, scene.platform.bus.stream, action.args["consumer"])
    finally:
        await client.close()


async def _resize(action: Action, scene: Scene) -> None:
    ref = Ref(POD, scene.push.metadata.namespace, action.args["pod"])
    asked = resize.body(await scene.io.get(ref), objects.CONTAINER, (action.args["cpu"], action.args["memory"]))
    if asked is not None:
        await scene.io.patch(ref, asked, "resize")


def _pool(scene: Scene, name: str) -> tuple[Ref, Ref]:
    return shared.refs(scene.platform.push.pool.namespace, name)


async def _lend(action: Action, scene: Scene) -> None:
    """Into the pool: what the worker needs, and nothing else of the seller's; then the Lease that announces it."""
    args = action.args
    lease, held = _pool(scene, args["name"])
    source = await scene.io.get(scene.secret_ref(args["secret"]))
    data = {key: value for key in shared.LENT if (value := raw(source, key))}
    data[objects.CONFIG_FILE] = args["settings"].encode()
    live = await scene.io.get(held)
    if live is None:
        made = secret(held.namespace, held.name, {}, data)
        if await scene.io.create(made) is None:
            raise ActionError(Reason.CONFLICT, f"{held} was made by somebody else just now; looking again")
    else:
        _own(live, held, scene)
        encoded = secret("", "", {}, data)["data"]
        await scene.io.patch(held, {"data": dict.fromkeys(live.get("data") or {}) | encoded})
    await _announce(lease, args["notes"], scene)


async def _announce(lease: Ref, notes: Mapping[str, str], scene: Scene) -> None:
    live = await scene.io.get(lease)
    if live is not None:
        _own(live, lease, scene)
        await scene.io.patch(lease, {"metadata": {"annotations": dict(notes)}})
    elif await scene.io.create(leases.subscription(lease.namespace, lease.name, notes)) is None:
        raise ActionError(Reason.CONFLICT, f"{lease} was made by somebody else just now; looking again")


async def _reserve(action: Action, scene: Scene) -> None:
    lease, _ = _pool(scene, action.args["name"])
    await _announce(lease, action.args["notes"], scene)


async def _halt(action: Action, scene: Scene) -> None:
    """The member that has it ends the worker, then gives the Lease up."""
    lease, _ = _pool(scene, action.args["name"])
    await scene.io.patch(lease, {"metadata": {"annotations": {leases.WANTED: "false"}}})


async def _withdraw(action: Action, scene: Scene) -> None:
    """Out of the pool, the Lease last: while it is there, the worker has no pod of its own."""
    lease, held = _pool(scene, action.args["name"])
    for ref in (held, lease):
        if (live := await scene.io.get(ref)) is not None:
            await scene.io.delete(ref, live["metadata"]["uid"])


def _own(live: Obj, ref: Ref, scene: Scene) -> None:
    if (live["metadata"].get("labels") or {}).get("cairn.dev/owner-uid") != scene.push.metadata.uid:
        raise ActionError(
            Reason.CONFLICT, f"{ref} exists and was not made for this object: it is left alone. Delete it"
        )


DEEDS: Mapping[str, Callable[[Action, Scene], Awaitable[None]]] = {
    "mint": _mint,
    "schema": _schema,
    "drop-login": _drop_login,
    "consumer": _consumer,
    "resize": _resize,
    "forget-consumer": _forget_consumer,
    "lend": _lend,
    "reserve": _reserve,
    "halt": _halt,
    "withdraw": _withdraw,
}

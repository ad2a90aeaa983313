# SPDX-License-Identifier: Apache-2.0
"""The edge to kopf: it watches, discovers, authenticates and lives; every event goes to the engine, nothing else.

Only `on.event` is used: it writes nothing into the objects (other kopf handlers leave finalizers and annotations, a
copy of a Secret's data among them). Errors in these handlers would be dropped by kopf, so there is nothing in them
that can fail for an object's sake.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import kopf

from cairn.api.resources import Obj, Resource
from cairn.engine.loop import Engine
from cairn.engine.render import SELECTOR

TOKEN_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")

Connection = Callable[[], kopf.ConnectionInfo]


async def watch(engine: Engine, connect: Connection, stop: asyncio.Event) -> None:
    """Watch every kind of the engine that is served until `stop` is set. Raises what ends kopf.

    kopf finds out once, at its start, what is served: it is started anew when that has changed.
    """
    await _first(stop, engine.discovered)
    while not stop.is_set():
        engine.regrouped.clear()
        turn = asyncio.Event()
        # made before kopf starts: what it did not see then, it cancels at its end
        waiting = [asyncio.create_task(event.wait()) for event in (stop, engine.regrouped)]
        for task in waiting:
            task.add_done_callback(partial(_set, turn))
        try:
            await _watch_once(engine, connect, turn)
        finally:
            for task in waiting:
                task.cancel()
        if not (stop.is_set() or engine.regrouped.is_set()):  # it ended by itself, as it does on a signal
            return


def _set(event: asyncio.Event, _: object) -> None:
    event.set()


async def _first(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


async def _watch_once(engine: Engine, connect: Connection, stop: asyncio.Event) -> None:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)  # type: ignore[untyped-decorator]  # kopf is not followed: it types slowly
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return connect()

    for resource in sorted(engine.watched - engine.missing):
        _observe(engine, registry, resource)
    await kopf.operator(
        registry=registry,
        settings=settings(engine),
        clusterwide=True,
        standalone=True,
        identity="cairn",  # unused without peering; else kopf asks for the user's name, and a pod's user has none
        stop_flag=stop,
    )


def connection(configuration: Any) -> kopf.ConnectionInfo:
    """What kopf needs of the client's configuration; a pod's token is read anew at each login, it is rotated."""
    token = None
    if not configuration.cert_file:
        if TOKEN_FILE.exists():
            token = TOKEN_FILE.read_text().strip()
        elif bearer := configuration.api_key.get("BearerToken"):
            token = str(bearer).split(" ")[-1]
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        token=token,
    )


def _observe(engine: Engine, registry: kopf.OperatorRegistry, resource: Resource) -> None:
    where = (resource.group, resource.version, resource.plural)

    @kopf.on.event(*where, registry=registry, id=resource.plural)  # type: ignore[untyped-decorator]
    async def seen(event: Any, **_: Any) -> None:
        engine.seen(_plain(resource, event["object"]), deleted=event["type"] == "DELETED")


class _NoDifferences(kopf.DiffBaseStorage):  # type: ignore[misc]
    """kopf copies every object of every event to find out what changed in it. Nobody here asks that."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None


def _plain(resource: Resource, raw: Any) -> Obj:
    meta = {key: value for key, value in raw["metadata"].items() if key != "managedFields"}
    return {**raw, "apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta}


def settings(engine: Engine) -> kopf.OperatorSettings:
    """kopf's settings that differ from its defaults, each for a reason."""
    chosen = kopf.OperatorSettings()
    chosen.peering.standalone = True  # never pause because of somebody else's kopf: our Lease elects
    chosen.persistence.finalizer = "cairn.dev/kopf"  # kopf removes its own on sight: it must not be named as ours
    chosen.persistence.diffbase_storage = _NoDifferences()
    chosen.scanning.disabled = True  # our CRDs come with the chart; saves rights on every CRD and namespace
    chosen.posting.enabled = False  # events are the engine's
    chosen.networking.request_timeout = 30  # default 300: a hung request would block a kind for minutes
    chosen.networking.connect_timeout = 5
    chosen.watching.connect_timeout = 5
    chosen.watching.client_timeout = 15 * 60  # reconnect at times whatever happens: silent streams were seen
    chosen.watching.reconnect_backoff = 1.0
    chosen.watching.chunk_size = 500
    chosen.process.ultimate_exiting_timeout = 20
    for resource in engine.watched - engine.parents:
        where = (resource.group, resource.version, resource.plural)
        chosen.watching.label_selectors[where] = SELECTOR  # else every such object of the cluster is streamed
    return chosen

# SPDX-License-Identifier: Apache-2.0
"""A real API server with the toy kind, an engine driven step by step, and one that runs with its watches."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cairn.api.resources import NAMESPACE, Obj, Ref, Resource
from cairn.engine.cluster import Cluster, KubernetesTransport, Transport, load_configuration
from cairn.engine.errors import ApiError
from cairn.engine.loop import Engine, Pace
from cairn.engine.reconcile import Result
from cairn.engine.watch import connection, watch
from cluster.engine import toy as toys
from devcluster import ControlPlane

CRDS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False)


@pytest.fixture(scope="session")
def toy_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane.start(tmp_path_factory.mktemp("toys"), name="toys") as plane:
        plane.kubectl("apply", "-f", "-", input=_json(toys.CRD))
        plane.kubectl("wait", "--for=condition=Established", "crd/toys.test.cairn.dev", "--timeout=30s")
        yield plane


@pytest.fixture
async def transport(toy_plane: ControlPlane) -> AsyncIterator[Transport]:
    transport = KubernetesTransport(await load_configuration(str(toy_plane.kubeconfig), None))
    yield transport
    await transport.close()


@pytest.fixture
async def cluster(transport: Transport) -> Cluster:
    return Cluster(transport)


@pytest.fixture
async def namespace(cluster: Cluster) -> AsyncIterator[str]:
    """Its toys are gone afterwards: the next test's engine sees the whole cluster, and some of them never rest."""
    name = await make_namespace(cluster)
    yield name
    for obj in await cluster.list(toys.TOY, namespace=name):
        released: Obj = {"metadata": {"finalizers": []}}
        await cluster.patch(Ref(toys.TOY, name, obj["metadata"]["name"]), released)
        await cluster.delete(Ref(toys.TOY, name, obj["metadata"]["name"]), uid=obj["metadata"]["uid"])


async def make_namespace(cluster: Cluster) -> str:
    name = f"toys-{uuid.uuid4().hex[:8]}"
    await cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    assert await cluster.get(Ref(NAMESPACE, "", name))
    return name


async def settle(engine: Engine) -> None:
    """Work until nothing is left to do and a fresh list shows nothing new. No watch, no appointments.

    Who loses a write to another controller tries again, as in the engine's own loop; five times in a row is a fault."""
    lost = 0
    while True:
        await engine.resync()
        passes = 0
        while not engine.queue.idle():
            key = await engine.queue.get()
            try:
                result = await engine.reconciler.reconcile(key)
                lost = 0
            except ApiError as error:
                lost += 1
                if error.status != 409 or lost == 5:
                    raise
                result = Result(again=True)
            finally:
                engine.queue.done(key)
            if result.again:
                passes += 1
                engine.queue.add(key)
        if not passes:
            return


async def until(what: str, check: Callable[[], Awaitable[Any]], seconds: float = 20) -> Any:
    """Await a condition of the cluster; asking is the only way there is."""
    async with asyncio.timeout(seconds):
        while not (found := await check()):  # noqa: ASYNC110 - the cluster has no event of ours
            await asyncio.sleep(0.05)
    assert found, what
    return found


Running = Callable[..., AbstractAsyncContextManager[Engine]]


@pytest.fixture
def running(toy_plane: ControlPlane) -> Running:
    @asynccontextmanager
    async def run(
        cluster: Cluster, *, kubeconfig: Path | None = None, kind: toys.ToyKind | None = None, **pace: Any
    ) -> AsyncIterator[Engine]:
        kind = kind or toys.ToyKind()
        engine = Engine([kind], cluster, pace=Pace(**pace))
        configuration = await load_configuration(str(kubeconfig or toy_plane.kubeconfig), None)
        stop = asyncio.Event()
        tasks = [
            asyncio.create_task(engine.run()),
            asyncio.create_task(watch(engine, lambda: connection(configuration), stop)),
        ]
        try:
            yield engine
        finally:
            kind.freed.set()  # else one that hangs would keep the engine from ending
            stop.set()
            tasks[0].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return run


def _json(obj: Obj) -> str:
    import json

    return json.dumps(obj)

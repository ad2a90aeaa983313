# SPDX-License-Identifier: Apache-2.0
"""Machines on a control plane with KubeVirt's real webhooks and controllers, and an engine driven step by step."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from cairn.api.platform import Platform
from cairn.api.resources import NODE, SELLER, SELLERVM, VMPOOL, Obj, Ref
from cairn.engine.cluster import (
    MERGE,
    Cluster,
    KubernetesTransport,
    Request,
    Response,
    Transport,
    load_configuration,
)
from cairn.engine.loop import Engine
from cairn.vm.kind import SellerVMKind
from cluster.engine.conftest import settle
from cluster.peak.hands import Hands, at_work
from devcluster import ControlPlane
from handclock import SetClock

PLATFORM = Platform.model_validate({"virtualMachines": {"snapshotClass": "csi-dev"}})


class Rival:
    """A transport under which somebody else writes an object right after the next look at it, once `due`."""

    def __init__(self, inner: Transport, path: str) -> None:
        self._inner = inner
        self._path = path
        self.due = False

    async def send(self, request: Request) -> Response:
        response = await self._inner.send(request)
        if self.due and request.method == "GET" and request.path == self._path:
            self.due = False
            body = {"metadata": {"annotations": {"rival": "was here"}}}
            await self._inner.send(Request("PATCH", request.path, {}, MERGE, body, request.kind))
        return response

    async def close(self) -> None:
        """The inner transport is the fixture's."""


class Scene:
    """One Seller's namespace with the operator's engine on it."""

    def __init__(self, cluster: Cluster, namespace: str, hands: Hands, transport: Transport) -> None:
        self.cluster, self.namespace, self.hands = cluster, namespace, hands
        self.clock = SetClock()
        self.rival = Rival(transport, VMPOOL.path(namespace, "shop-peak"))
        self.engine = Engine([SellerVMKind(PLATFORM)], Cluster(self.rival), clock=self.clock)

    async def apply(self, obj: Obj) -> None:
        await self.cluster.apply(obj, manager="seller")

    async def until(self, what: str, check: Callable[[], Awaitable[Any]], seconds: float = 40) -> Any:
        """The engine works until something holds."""
        try:
            async with asyncio.timeout(seconds):
                while not (found := await self._step(check)):  # noqa: ASYNC110 - the cluster has no event of ours
                    await asyncio.sleep(0.2)
        except TimeoutError as error:
            live = await self.cluster.list(SELLERVM, namespace=self.namespace)
            raise AssertionError(f"{what}: {[one.get('status') for one in live]}") from error
        return found

    async def work(self, passes: int = 3) -> None:
        for _ in range(passes):
            await settle(self.engine)

    async def get(self, resource: Any, name: str) -> Obj | None:
        return await self.cluster.get(Ref(resource, self.namespace, name))

    async def machine(self, name: str = "shop") -> Obj:
        found = await self.get(SELLERVM, name)
        assert found is not None
        return found

    async def _step(self, check: Callable[[], Awaitable[Any]]) -> Any:
        await settle(self.engine)
        return await check()


@pytest.fixture
async def transport(kubevirt_plane: ControlPlane) -> AsyncIterator[Transport]:
    transport = KubernetesTransport(await load_configuration(str(kubevirt_plane.kubeconfig), None))
    yield transport
    await transport.close()


@pytest.fixture
async def handler(kubevirt_plane: ControlPlane) -> AsyncIterator[Cluster]:
    """As one of KubeVirt's own accounts."""
    transport = KubernetesTransport(await load_configuration(str(kubevirt_plane.kubeconfig), None))
    transport._api.set_default_header("Impersonate-User", "system:serviceaccount:kubevirt:kubevirt-controller")
    yield Cluster(transport)
    await transport.close()


@pytest.fixture
async def scene(transport: Transport, handler: Cluster) -> AsyncIterator[Scene]:
    cluster = Cluster(transport)
    number = uuid.uuid4().int % 10**9
    namespace = f"seller-{number}"
    labels = {"cairn.dev/seller": namespace, "cairn.dev/seller-id": str(number)}
    await cluster.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}, manager="test"
    )
    seller = {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "Seller",
        "metadata": {"name": namespace},
        "spec": {"id": str(number), "namespace": namespace, "planRef": {"name": "none"}},
    }
    await cluster.apply(seller, manager="test")
    async with at_work(cluster, handler, transport, namespace) as hands:
        scene = Scene(cluster, namespace, hands, transport)
        await scene.engine.discover()
        yield scene
        for obj in await cluster.list(SELLERVM, namespace=namespace):
            ref = Ref(SELLERVM, namespace, obj["metadata"]["name"])
            await cluster.patch(ref, {"metadata": {"finalizers": []}})
            await cluster.delete(ref, uid=obj["metadata"]["uid"])
        for ref in (Ref(SELLER, "", namespace), Ref(NODE, "", "node-1")):  # others use this plane too
            if left := await cluster.get(ref):
                await cluster.delete(ref, uid=left["metadata"]["uid"])

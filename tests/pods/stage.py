# SPDX-License-Identifier: Apache-2.0
"""The operator's engine at work on the cluster with guests, in a Seller's namespace of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cairn.api.platform import Platform
from cairn.api.resources import SELLERVM, VIRTUALMACHINE, Obj, Ref
from cairn.engine.cluster import Cluster as Client
from cairn.engine.cluster import KubernetesTransport, load_configuration
from cairn.engine.errors import ApiError
from cairn.engine.loop import Engine
from cairn.engine.watch import connection, watch
from cairn.operation.kind import OperationKind
from cairn.vm.kind import SellerVMKind
from cluster.conftest import install_crds
from devcluster import Cluster
from handclock import SetClock

PLATFORM = Platform.model_validate({"virtualMachines": {"snapshotClass": "csi-dev"}})


def cairn_object(kind: str, name: str, spec: Obj, **meta: str) -> Obj:
    return {"apiVersion": "cairn.dev/v1alpha1", "kind": kind, "metadata": {"name": name, **meta}, "spec": spec}


@dataclass
class Scene:
    client: Client
    devcluster: Cluster
    namespace: str
    clock: SetClock

    async def status(self) -> Obj:
        found = await self.client.get(Ref(SELLERVM, self.namespace, "shop"))
        return (found or {}).get("status") or {}

    async def jump(self, ahead: timedelta) -> None:
        """Move the clock and wake the engine, which sleeps by the old one."""
        self.clock.ahead = ahead
        poke = {"metadata": {"annotations": {"example.com/poke": str(ahead)}}}
        await self.client.patch(Ref(SELLERVM, self.namespace, "shop"), poke)

    async def until(self, what: str, check: Callable[[], Awaitable[Any]], seconds: float) -> Any:
        end = time.monotonic() + seconds
        while not (found := await check()):
            assert time.monotonic() < end, f"{what}: not within {seconds:g} s: {json.dumps(await self.status())}"
            await asyncio.sleep(0.5)
        return found

    async def standing(self) -> set[str]:
        found = await self.client.list(VIRTUALMACHINE, namespace=self.namespace)
        return {one["metadata"]["name"] for one in found if "deletionTimestamp" not in one["metadata"]}


@contextlib.asynccontextmanager
async def at_work(kubevirt_cluster: Cluster, settings: Platform = PLATFORM) -> AsyncIterator[Scene]:
    """A Seller's namespace on a cluster with guests, and the engine at work there with its watches.

    No fixture: kopf, when it ends, cancels every task that it did not find at its start, a fixture's end too.
    """
    install_crds(kubevirt_cluster)
    # the test's storage driver takes snapshots of what is mounted on the first node, and another test adds a second one
    others = [one for one in kubevirt_cluster.kubectl("get", "nodes", "-o", "name").split() if one != "node/node1"]
    if others:
        kubevirt_cluster.kubectl("cordon", *others)
    configuration = await load_configuration(str(kubevirt_cluster.kubeconfig), None)
    transport = KubernetesTransport(configuration)
    client, clock = Client(transport), SetClock()
    number = str(uuid.uuid4().int % 10**9)
    namespace = f"seller-{number}"
    labels = {"cairn.dev/seller": namespace, "cairn.dev/seller-id": number}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
    await client.apply(body, manager="test")
    spec = {"id": number, "namespace": namespace, "planRef": {"name": "none"}}
    seller = {"apiVersion": "cairn.dev/v1alpha1", "kind": "Seller", "metadata": {"name": namespace}, "spec": spec}
    await client.apply(seller, manager="test")
    engine = Engine([SellerVMKind(settings), OperationKind(settings)], client, clock=clock)
    stop = asyncio.Event()
    tasks = [
        asyncio.create_task(engine.run()),
        asyncio.create_task(watch(engine, lambda: connection(configuration), stop)),
    ]
    try:
        yield Scene(client, kubevirt_cluster, namespace, clock)
    finally:
        with contextlib.suppress(ApiError):
            await client.patch(Ref(SELLERVM, namespace, "shop"), {"metadata": {"finalizers": []}})
        stop.set()
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await transport.close()
        if others:
            kubevirt_cluster.kubectl("uncordon", *others)
        kubevirt_cluster.kubectl("delete", "namespace", namespace, "--wait=false")

# SPDX-License-Identifier: Apache-2.0
"""A promotion with guests that boot: its clones answer behind the Service at its start, lose their traffic before they
go, and the base answers throughout."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cairn.api.platform import Platform
from cairn.api.resources import SELLERVM, VIRTUALMACHINE, VMPOOL, VOLUMESNAPSHOT, Obj, Ref
from cairn.engine.cluster import Cluster as Client
from cairn.engine.cluster import KubernetesTransport, load_configuration
from cairn.engine.errors import ApiError
from cairn.engine.loop import Engine
from cairn.engine.watch import connection, watch
from cairn.vm.kind import SellerVMKind
from cluster.conftest import install_crds
from devcluster import Cluster, StepError
from handclock import SetClock

pytestmark = pytest.mark.pods

HOUR = timedelta(hours=1)
PLATFORM = Platform.model_validate({"virtualMachines": {"snapshotClass": "csi-dev"}})
CLONES = ("shop-peak-0", "shop-peak-1")


@dataclass
class Answers:
    """Who answered whom, as long as it runs: behind the Service, and the base by itself."""

    namespace: str
    devcluster: Cluster
    behind: list[str] = field(default_factory=list)
    base_failed: list[str] = field(default_factory=list)
    base_answered: int = 0

    async def ask_base(self) -> None:
        while True:
            try:
                said = await asyncio.to_thread(self._ask, f"pods/{self._pod()}:8080")
                assert said == "shop"
                self.base_answered += 1
            except (StepError, ValueError, AssertionError) as error:
                self.base_failed.append(f"{datetime.now(UTC):%H:%M:%S} {error}")
            await asyncio.sleep(1)

    async def ask_service(self) -> set[str]:
        """The host names of twelve answers."""
        found = set()
        for _ in range(12):
            with contextlib.suppress(StepError, ValueError):
                found.add(await asyncio.to_thread(self._ask, "services/shop:8080"))
        return found

    def _ask(self, target: str) -> str:
        path = f"/api/v1/namespaces/{self.namespace}/{target}/proxy/cgi-bin/info"
        return str(json.loads(self.devcluster.kubectl("get", "--raw", path, "--request-timeout=30s"))["hostname"])

    def _pod(self) -> str:
        select = "--selector=vm.cairn.dev/name=shop,vm.cairn.dev/role=base"
        found = self.devcluster.kubectl("-n", self.namespace, "get", "pod", select, "-o", "name")
        return found.strip().rpartition("/")[2]


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
async def at_work(kubevirt_cluster: Cluster) -> AsyncIterator[Scene]:
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
    engine = Engine([SellerVMKind(PLATFORM)], client, clock=clock)
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


async def test_clones_answer_at_the_start_lose_traffic_before_they_go_and_the_base_answers_throughout(
    kubevirt_cluster: Cluster,
) -> None:
    async with at_work(kubevirt_cluster) as scene:
        await _plays(scene)


async def _plays(scene: Scene) -> None:
    answers = Answers(scene.namespace, scene.devcluster)
    await _apply(scene)
    await scene.until("the base answers", lambda: _hosts(answers, {"shop"}), 300)
    asking = asyncio.create_task(answers.ask_base())
    try:
        await scene.jump(HOUR + timedelta(minutes=1))  # the warm-up has begun
        await scene.until("both clones get traffic", lambda: _counts(scene, ready=2), 400)
        began = answers.base_answered
        await scene.until("everyone answers", lambda: _hosts(answers, {"shop", *CLONES}), 60)

        await scene.jump(3 * HOUR + timedelta(minutes=1))  # the window is over
        await scene.until("the clones lose their traffic", lambda: _counts(scene, ready=0, draining=CLONES[1]), 60)
        await scene.until("the base alone answers", lambda: _hosts(answers, {"shop"}), 20)
        assert await scene.standing() == {"shop", *CLONES}, "traffic goes before the clones"
        await scene.until("the clones are gone", lambda: _only_base(scene), 240)
        await scene.until("pool and snapshot too", lambda: _nothing_left(scene), 60)
        assert await answers.ask_service() == {"shop"}
    finally:
        asking.cancel()
    assert answers.base_answered > began
    assert answers.base_failed == []


async def _apply(scene: Scene) -> None:
    """A promotion whose warm-up begins in an hour and whose window lasts one more, and a machine that takes part."""
    start = (datetime.now(UTC) + 2 * HOUR).strftime("%Y-%m-%dT%H:%M:%S")
    window = {"name": "main", "start": start, "duration": "1h"}
    promotion = {"timeZone": "UTC", "windows": [window], "warmUp": "1h", "coolDown": "0"}
    await scene.client.apply(_object("Promotion", scene.namespace, promotion), manager="test")
    machine = {
        "resources": {"cpu": "1", "memory": "192Mi"},
        "image": {"name": "guest"},
        "disk": {"size": "256Mi", "storageClass": "csi-dev-immediate"},
        "ports": [{"name": "web", "port": 8080}],
        "promotions": [{"name": scene.namespace, "replicas": {"min": 2, "max": 2}}],
    }
    await scene.client.apply(_object("SellerVM", "shop", machine, namespace=scene.namespace), manager="test")


def _object(kind: str, name: str, spec: Obj, **meta: str) -> Obj:
    return {"apiVersion": "cairn.dev/v1alpha1", "kind": kind, "metadata": {"name": name, **meta}, "spec": spec}


async def _hosts(answers: Answers, wanted: set[str]) -> bool:
    return await answers.ask_service() == wanted


async def _counts(scene: Scene, **fields: Any) -> bool:
    clones = (await scene.status()).get("clones") or {}
    return all(clones.get(key) == value for key, value in fields.items())


async def _only_base(scene: Scene) -> bool:
    return await scene.standing() == {"shop"}


async def _nothing_left(scene: Scene) -> bool:
    return not any([await scene.client.list(one, namespace=scene.namespace) for one in (VMPOOL, VOLUMESNAPSHOT)])

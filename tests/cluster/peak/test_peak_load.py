# SPDX-License-Identifier: Apache-2.0
"""Clones by load: Kubernetes' own autoscaler, which reads metrics that this test writes, raises KubeVirt's own pool."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from cairn.api.resources import HPA, POD, PODMETRICS, VMPOOL, Ref
from cluster.foreign import crd
from cluster.peak.conftest import Scene
from cluster.peak.test_peak import base_ready, clones, gone, machine, said
from devcluster import ControlPlane

NAME = "vm.cairn.dev/name"


@pytest.fixture
async def metered(kubevirt_plane: ControlPlane, scene: Scene) -> AsyncIterator[Scene]:
    """With metrics.k8s.io, of which the objects are the test's own."""
    definition = crd(PODMETRICS)
    name = definition["metadata"]["name"]
    kubevirt_plane.kubectl("apply", "--server-side", "--filename=-", input=json.dumps(definition))
    kubevirt_plane.kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=30s")
    async with asyncio.timeout(30):
        while PODMETRICS in scene.engine.missing:  # served a moment later
            await scene.engine.discover()
            await asyncio.sleep(0.2)
    yield scene
    kubevirt_plane.kubectl("delete", f"crd/{name}", "--timeout=30s")


async def measure(scene: Scene, cpu: str) -> None:
    """Every launcher pod that stands uses so much now."""
    for pod in await scene.cluster.list(POD, namespace=scene.namespace, labels=f"{NAME}=shop"):
        meta = {key: pod["metadata"][key] for key in ("name", "namespace", "labels")}
        body = {
            "apiVersion": PODMETRICS.api_version,
            "kind": PODMETRICS.kind,
            "metadata": meta,
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "window": "15s",
            "containers": [{"name": "compute", "usage": {"cpu": cpu, "memory": "100Mi"}}],
        }
        if await scene.cluster.create(body) is None:
            await scene.cluster.patch(Ref(PODMETRICS, scene.namespace, meta["name"]), body)


async def test_load_raises_a_first_clone_then_the_autoscaler_more_and_low_load_takes_them_again(
    metered: Scene,
) -> None:
    scene = metered
    autoscale = {"clones": {"min": 0, "max": 3}, "cpu": 50, "drain": "10s"}
    await scene.apply(machine(scene.namespace, autoscale=autoscale))
    await scene.until("the base runs", lambda: base_ready(scene))
    await measure(scene, "400m")
    await scene.work()
    assert await scene.get(VMPOOL, "shop-peak") is None, "half of a core is what it should use"

    await measure(scene, "900m")
    await scene.until("the base's load raises one", lambda: said(scene, replicas=1, ready=1))
    scaler = await scene.get(HPA, "shop-peak")
    assert scaler is not None
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (1, 3)

    async def busy() -> bool:
        await measure(scene, "900m")
        return await said(scene, replicas=3, ready=3)

    await scene.until("the autoscaler raises to the ceiling", busy, seconds=150)

    await measure(scene, "50m")
    await scene.work()
    pool = await scene.get(VMPOOL, "shop-peak")
    assert pool is not None
    assert pool["metadata"]["annotations"]["vm.cairn.dev/low-load"].endswith("/0")
    assert len(await clones(scene)) == 3, "low for a moment"

    scene.clock.ahead += timedelta(minutes=6)
    await scene.until("they lose their traffic", lambda: said(scene, ready=0, draining="shop-peak-2"))
    scene.clock.ahead += timedelta(seconds=11)
    await scene.until("and go", lambda: gone(scene))
    assert await scene.get(HPA, "shop-peak") is None
    assert await base_ready(scene)

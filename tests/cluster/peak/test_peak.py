# SPDX-License-Identifier: Apache-2.0
"""Clones through KubeVirt's own webhooks and pool controller: up for a promotion, down after it, never the base."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cairn.api import pods
from cairn.api.resources import (
    DATAVOLUME,
    POD,
    VIRTUALMACHINE,
    VMI,
    VMPOOL,
    VOLUMESNAPSHOT,
    Obj,
    Ref,
)
from cluster.peak.conftest import Scene

HOUR = timedelta(hours=1)
CLONES = "vm.cairn.dev/name=shop,vm.cairn.dev/role=clone"
TRAFFIC = f"{CLONES},vm.cairn.dev/traffic=true"


def machine(namespace: str, **spec: Any) -> Obj:
    fields = {
        "resources": {"cpu": "1", "memory": "256Mi"},
        "image": {"http": {"url": "http://images.example.com/debian.qcow2", "checksum": f"sha256:{'0' * 64}"}},
        "disk": {"size": "1Gi"},
        "ports": [{"name": "web", "port": 80}],
        "deletionPolicy": "Retain",
    }
    meta = {"name": "shop", "namespace": namespace}
    return {"apiVersion": "cairn.dev/v1alpha1", "kind": "SellerVM", "metadata": meta, "spec": fields | spec}


async def promote(scene: Scene, clones: int, **spec: Any) -> None:
    """A promotion whose warm-up begins in an hour and whose window lasts one more, and a machine that takes part."""
    start = (datetime.now(UTC) + 2 * HOUR).strftime("%Y-%m-%dT%H:%M:%S")
    promotion = {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "Promotion",
        "metadata": {"name": scene.namespace},
        "spec": {
            "timeZone": "UTC",
            "windows": [{"name": "main", "start": start, "duration": "1h"}],
            "warmUp": "1h",
            "coolDown": "0",
        },
    }
    await scene.apply(promotion)
    part = {"name": scene.namespace, "replicas": {"min": clones, "max": clones + 2}}
    await scene.apply(machine(scene.namespace, promotions=[part], **spec))
    await scene.until("the base runs", lambda: base_ready(scene))


async def base_ready(scene: Scene) -> bool:
    return pods.condition(await scene.get(VMI, "shop"), "Ready").get("status") == "True"


async def clones(scene: Scene) -> list[str]:
    found = await scene.cluster.list(VIRTUALMACHINE, namespace=scene.namespace, labels=CLONES)
    return sorted(one["metadata"]["name"] for one in found if not pods.terminating(one))


async def said(scene: Scene, **fields: Any) -> bool:
    status = ((await scene.machine()).get("status") or {}).get("clones") or {}
    return all(status.get(key) == value for key, value in fields.items())


async def gone(scene: Scene) -> bool:
    left = [await scene.cluster.list(one, namespace=scene.namespace) for one in (VMPOOL, VOLUMESNAPSHOT)]
    return left == [[], []] and await clones(scene) == []


async def test_promotion_raises_clones_and_lowers_them_again_and_leaves_the_base_alone(scene: Scene) -> None:
    await promote(scene, 3)
    await scene.work()
    assert await scene.get(VMPOOL, "shop-peak") is None
    before = await scene.get(VIRTUALMACHINE, "shop")
    assert before is not None

    scene.clock.ahead = HOUR + timedelta(minutes=5)
    await scene.until("three clones get traffic", lambda: said(scene, floor=3, replicas=3, ready=3))
    assert await clones(scene) == ["shop-peak-0", "shop-peak-1", "shop-peak-2"]
    await each_is_somebody_else(scene)

    scene.clock.ahead = 3 * HOUR + timedelta(minutes=5)
    await scene.until("no traffic", lambda: said(scene, floor=0, ready=0, draining="shop-peak-2"))
    assert await scene.cluster.list(POD, namespace=scene.namespace, labels=TRAFFIC) == []
    await scene.work()
    assert await clones(scene) == ["shop-peak-0", "shop-peak-1", "shop-peak-2"], "drained first"

    scene.rival.due = True
    scene.clock.ahead += timedelta(seconds=61)
    await scene.until("nothing is left of the clones", lambda: gone(scene))
    assert not scene.rival.due, "another's write came between the look and the write"
    after = await scene.get(VIRTUALMACHINE, "shop")
    assert after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"] == before["spec"]
    assert await base_ready(scene)


async def each_is_somebody_else(scene: Scene) -> None:
    """Disks of their own from one snapshot, and nothing that tells them from the base in KubeVirt's objects."""
    names = ["shop", *(await clones(scene))]
    guests = [await scene.get(VMI, name) for name in names]
    uuids = {guest["spec"]["domain"]["firmware"]["uuid"] for guest in guests if guest}
    assert len(uuids) == len(names), "the instance id of cloud-init is the firmware's UUID"
    (snapshot,) = await scene.cluster.list(VOLUMESNAPSHOT, namespace=scene.namespace)
    for name in names[1:]:
        disk = await scene.get(DATAVOLUME, name)
        assert disk is not None
        assert disk["spec"]["source"]["snapshot"]["name"] == snapshot["metadata"]["name"]
        assert not disk["spec"]["storage"].get("resources"), "CDI takes the size of the snapshot"


async def test_member_that_somebody_deletes_comes_back_and_the_highest_goes_first_all_the_same(scene: Scene) -> None:
    await promote(scene, 3)
    scene.clock.ahead = HOUR + timedelta(minutes=5)
    await scene.until("three clones get traffic", lambda: said(scene, ready=3))
    victim = await scene.get(VIRTUALMACHINE, "shop-peak-1")
    assert victim is not None

    await scene.cluster.delete(Ref(VIRTUALMACHINE, scene.namespace, "shop-peak-1"), uid=victim["metadata"]["uid"])
    await scene.until("it is on its way", lambda: said(scene, ready=2))
    await scene.until("it came back", lambda: said(scene, replicas=3, ready=3))
    assert await clones(scene) == ["shop-peak-0", "shop-peak-1", "shop-peak-2"]

    await scene.apply(machine(scene.namespace, promotions=[part(scene, 2)]))
    await scene.until("the highest goes", lambda: said(scene, floor=2, ready=2, draining="shop-peak-2"))
    scene.clock.ahead += timedelta(seconds=61)
    await scene.until("it went", lambda: said(scene, replicas=2, ready=2))
    assert await clones(scene) == ["shop-peak-0", "shop-peak-1"]


def part(scene: Scene, clones: int) -> Obj:
    return {"name": scene.namespace, "replicas": {"min": clones, "max": clones + 2}}


async def test_clone_that_is_needed_again_before_it_went_gets_its_traffic_back(scene: Scene) -> None:
    await promote(scene, 2)
    scene.clock.ahead = HOUR + timedelta(minutes=5)
    await scene.until("two clones get traffic", lambda: said(scene, ready=2))
    await scene.apply(machine(scene.namespace, promotions=[part(scene, 1)]))
    await scene.until("one goes", lambda: said(scene, ready=1, draining="shop-peak-1"))

    await scene.apply(machine(scene.namespace, promotions=[part(scene, 2)]))
    await scene.until("it stays", lambda: said(scene, ready=2))
    found = await scene.cluster.list(POD, namespace=scene.namespace, labels=TRAFFIC)
    assert len(found) == 2
    assert all("vm.cairn.dev/draining-since" not in (one["metadata"].get("annotations") or {}) for one in found)


async def test_number_of_clones_belongs_to_whoever_set_it_last_and_a_new_template_leaves_it(scene: Scene) -> None:
    await promote(scene, 1, autoscale={"clones": {"min": 0, "max": 9}})
    scene.clock.ahead = HOUR + timedelta(minutes=5)
    await scene.until("a clone gets traffic", lambda: said(scene, ready=1))

    ports = [{"name": "web", "port": 8080}]
    await scene.apply(machine(scene.namespace, promotions=[part(scene, 1)], ports=ports))
    await scene.work()

    pool = await scene.get(VMPOOL, "shop-peak")
    assert pool is not None
    probe = pool["spec"]["virtualMachineTemplate"]["spec"]["template"]["spec"]["readinessProbe"]
    assert probe["tcpSocket"]["port"] == 8080
    assert pool["spec"]["replicas"] == 1


async def test_many_clones_come_by_bursts(scene: Scene) -> None:
    scene.hands.boots = False
    await promote(scene, 25)
    scene.clock.ahead = HOUR + timedelta(minutes=5)
    await scene.until("the first burst stands", lambda: said(scene, replicas=20))
    await scene.work()
    assert len(await clones(scene)) == 20
    status = (await scene.machine())["status"]
    condition = next(one for one in status["conditions"] if one["type"] == "ClonesReady")
    assert condition["message"].startswith("0 of 25 clones get traffic")


@pytest.mark.parametrize("spec", [{}, {"autoscale": {"clones": {"min": 0, "max": 3}}}])
async def test_machine_that_nothing_raises_has_no_clones_and_writes_nothing(scene: Scene, spec: Obj) -> None:
    await scene.apply(machine(scene.namespace, **spec))
    await scene.until("the base runs", lambda: base_ready(scene))
    await scene.work()
    before = (await scene.machine())["metadata"]["resourceVersion"]

    await scene.work(5)

    assert (await scene.machine())["metadata"]["resourceVersion"] == before
    assert await scene.cluster.list(VMPOOL, namespace=scene.namespace) == []

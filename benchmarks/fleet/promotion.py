# SPDX-License-Identifier: Apache-2.0
"""How fast one promotion raises 500 machines: `python benchmarks/fleet/promotion.py`.

From the beginning of the warm-up until every pool of clones stands with its floor, with writes and answers 429 counted
in the API server's own audit log. KubeVirt, CDI and the snapshot controller stand in here by what they would write
(a running guest, a bound disk, a snapshot that is ready): 500 guests and their clones would need 1,500 of them on two
cores. Real ones are in tests/pods and in `make demo-promotion`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from ground import (
    TREE,
    Api,
    Operator,
    each,
    fleet,
    machine,
    platform,
    report,
    said,
    stands,
    until,
    writes,
)

from cairn.api.resources import (
    DATAVOLUME,
    PVC,
    SELLER,
    SELLERVM,
    VIRTUALMACHINE,
    VMPOOL,
    VOLUMESNAPSHOT,
    Obj,
)

SELLERS = 20
FLOOR = 2
PROMOTION = "double-11"


def promotion(warm_up_from: datetime) -> Obj:
    window = {"name": "main", "start": f"{warm_up_from + timedelta(hours=1):%Y-%m-%dT%H:%M:%S}", "duration": "4h"}
    spec = {"timeZone": "UTC", "windows": [window], "warmUp": "1h", "preflight": "0"}
    return {"apiVersion": "cairn.dev/v1alpha1", "kind": "Promotion", "metadata": {"name": PROMOTION}, "spec": spec}


def machines(count: int) -> list[Obj]:
    part = [{"name": PROMOTION, "replicas": {"min": FLOOR, "max": 2 * FLOOR}}]
    return [machine(f"seller-{700000 + n % SELLERS}", f"shop-{n}", promotions=part) for n in range(count)]


async def bring_up(api: Api, vm: Obj) -> None:
    """What CDI and KubeVirt would make of one machine: a bound claim and a running guest."""
    meta, namespace = vm["metadata"], vm["metadata"]["namespace"]
    volume = await api.get(DATAVOLUME.path(namespace, f"{meta['name']}-disk"))
    kept = {key: volume["metadata"].get(key, {}) for key in ("labels", "annotations")}
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": volume["metadata"]["name"], "namespace": namespace, **kept},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
    }
    await api.create(claim)
    bound = {"phase": "Bound", "capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"]}
    await api.patch_status(PVC, namespace, claim["metadata"]["name"], bound)
    await api.patch_status(DATAVOLUME, namespace, volume["metadata"]["name"], {"phase": "Succeeded"})
    ready = [{"type": "Ready", "status": "True"}]
    guest = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": {
            "name": meta["name"],
            "namespace": namespace,
            "labels": vm["spec"]["template"]["metadata"]["labels"],
        },
        "spec": vm["spec"]["template"]["spec"],
        "status": {"phase": "Running", "conditions": ready},
    }
    await api.create(guest)
    status = {"created": True, "ready": True, "printableStatus": "Running", "conditions": ready}
    await api.patch_status(VIRTUALMACHINE, namespace, meta["name"], status)


async def take_snapshots(api: Api) -> None:
    """What the snapshot controller would say, as soon as one is asked for."""
    done: set[str] = set()
    while True:
        fresh = [one for one in (await api.get(VOLUMESNAPSHOT.path()))["items"] if one["metadata"]["uid"] not in done]
        status = {"readyToUse": True, "restoreSize": "10Gi", "boundVolumeSnapshotContentName": "bench"}
        await each(
            (
                api.patch_status(VOLUMESNAPSHOT, o["metadata"]["namespace"], o["metadata"]["name"], status)
                for o in fresh
            ),
            16,
        )
        done |= {one["metadata"]["uid"] for one in fresh}
        await asyncio.sleep(0.25)


async def floors(api: Api, count: int) -> bool:
    if await api.count(VMPOOL) < count:
        return False
    pools = (await api.get(VMPOOL.path()))["items"]
    return sum(one["spec"].get("replicas", 1) >= FLOOR for one in pools) >= count


async def run(args: argparse.Namespace) -> Obj:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        async with fleet(Path(directory), SELLERS, kubevirt=False) as (plane, api):
            said(started, "API server up")
            async with Operator(plane, platform()):
                await until("the sellers' namespaces", lambda: stands(api, SELLER, SELLERS, ready=True), 120)
                await api.create(promotion(datetime.now(UTC) + timedelta(days=1)))
                await each((api.create(obj) for obj in machines(args.resources)), 16)
                await until("all machines", lambda: _all(api, args.resources), 900, every=2)
                said(started, f"{args.resources} machines are made")
                made = (await api.get(VIRTUALMACHINE.path()))["items"]
                await each((bring_up(api, {**one, "kind": "VirtualMachine"}) for one in made), 16)
                await until("all Ready", lambda: stands(api, SELLERVM, args.resources, ready=True), 900, every=2)
                await asyncio.sleep(10)
                said(started, "and stand, at rest")
                snapshots = asyncio.create_task(take_snapshots(api))
                since = datetime.now(UTC) + timedelta(seconds=5)
                await api.apply(promotion(since))
                await asyncio.sleep((since - datetime.now(UTC)).total_seconds())
                began, edge = time.monotonic(), time.time()
                await until("every floor", lambda: floors(api, args.resources), 900, every=0.5)
                seconds = time.monotonic() - began
                said(started, f"every floor stands after {seconds:.1f} s")
                snapshots.cancel()
            written, throttled = writes(plane, edge)
    return {
        "resources": args.resources,
        "seconds": round(seconds, 1),
        "writes_per_resource": round(written / args.resources, 2),
        "throttled": throttled,
    }


async def _all(api: Api, count: int) -> bool:
    return await api.count(VIRTUALMACHINE) >= count and await api.count(DATAVOLUME) >= count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resources", type=int, default=500, help="machines that take part (default 500)")
    args = parser.parse_args()
    report(TREE / "build" / "bench" / "promotion.json", asyncio.run(run(args)))


if __name__ == "__main__":
    main()

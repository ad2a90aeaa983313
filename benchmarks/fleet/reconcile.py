# SPDX-License-Identifier: Apache-2.0
"""How fast the operator makes machines, and what it costs when nothing changes: `python benchmarks/fleet/reconcile.py`.

Speed: 1,000 SellerVMs from the first one's creation until all their children are applied, against a bare concurrent
client that creates as many SellerVMs and applies the very same children, in the same run on the same API server.
Rest: 5,000 SellerVMs, and the API server's audit log. KubeVirt's CRDs are there, its controllers are not: they would
be measured, too.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime
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

from cairn.api.platform import Platform
from cairn.api.resources import ALL, SELLER, SELLERVM, Obj, Resource
from cairn.cli.rehearsal import rehearse
from cairn.cli.world import World
from cairn.engine.cluster import Cluster, KubernetesTransport, load_configuration
from cairn.engine.render import finish
from cairn.vm.kind import SellerVMKind
from devcluster import ControlPlane

SELLERS = 20
AT_ONCE = 32


def machines(group: str, count: int) -> list[Obj]:
    return [machine(f"seller-{700000 + n % SELLERS}", f"{group}-{n}") for n in range(count)]


async def children_of(plane: ControlPlane, sample: Obj) -> list[Obj]:
    """What the operator applies for a machine, the owner's marks included, by planning it against the cluster."""
    transport = KubernetesTransport(await load_configuration(str(plane.kubeconfig), None))
    try:
        world = World(Cluster(transport))
        owner = await world.give(sample)
        outcome = await rehearse(SellerVMKind(Platform.model_validate(platform())), owner, world, datetime.now(UTC))
        return [finish(child, owner) for child in outcome.plan.children]
    finally:
        await transport.close()


def renamed(child: Obj, sample: Obj, owner: Obj) -> Obj:
    """The same child of another machine."""
    import json

    text = json.dumps(child)
    for old, new in (
        (sample["metadata"]["uid"], owner["metadata"]["uid"]),
        (sample["metadata"]["namespace"], owner["metadata"]["namespace"]),
        (sample["metadata"]["name"], owner["metadata"]["name"]),
    ):
        text = text.replace(old, new)
    return dict(json.loads(text))


async def bare(api: Api, objects: list[Obj], children: list[Obj], sample: Obj) -> float:
    async def one(obj: Obj) -> None:
        owner = await api.create(obj)
        for child in children:
            await api.apply(renamed(child, sample, owner))

    started = time.monotonic()
    await each((one(obj) for obj in objects), AT_ONCE)
    return time.monotonic() - started


async def by_operator(api: Api, objects: list[Obj], kinds: dict[Resource, int]) -> float:
    """`kinds`: how many children of each one machine has."""
    before = {kind: await api.count(kind) for kind in kinds}

    async def all_there() -> bool:
        return all([await api.count(kind) - before[kind] >= each_ * len(objects) for kind, each_ in kinds.items()])

    started = time.monotonic()
    await each((api.create(obj) for obj in objects), AT_ONCE)
    await until("all children", all_there, 900, every=0.25)
    return time.monotonic() - started


async def idle(plane: ControlPlane, operator: Operator, seconds: float) -> Obj:
    since, cpu = time.time(), operator.cpu_seconds()
    await asyncio.sleep(seconds)
    spent = operator.cpu_seconds() - cpu
    written, _ = writes(plane, since)
    return {"idle_writes": written, "idle_cpu_share": round(spent / seconds, 4), "rss_mib": round(operator.rss_mib())}


async def run(args: argparse.Namespace) -> Obj:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        async with fleet(Path(directory), SELLERS, kubevirt=False) as (plane, api):
            said(started, "API server up")
            async with Operator(plane, platform()):
                await until("the sellers' namespaces", lambda: stands(api, SELLER, SELLERS, ready=True), 120)
            sample = await api.create(machine("seller-700000", "sample"))
            children = await children_of(plane, sample)
            kinds: dict[Resource, int] = {}
            for child in children:
                kinds[ALL[child["kind"]]] = kinds.get(ALL[child["kind"]], 0) + 1
            said(started, f"children of a machine: {', '.join(child['kind'] for child in children)}")
            direct = await bare(api, machines("bare", args.machines), children, sample)
            said(started, f"bare client: {direct:.1f} s")
            async with Operator(plane, platform()) as operator:
                await until("those at rest", lambda: stands(api, SELLERVM, args.machines + 1), 900, every=2)
                said(started, "operator has seen those")
                ours = await by_operator(api, machines("made", args.machines), kinds)
                said(started, f"operator: {ours:.1f} s")
                more = machines("more", max(args.idle - 2 * args.machines - 1, 0))
                await each((api.create(obj) for obj in more), AT_ONCE)
                total = len(more) + 2 * args.machines + 1
                await until("all at rest", lambda: stands(api, SELLERVM, total), 3600, every=5)
                await asyncio.sleep(15)
                said(started, f"{total} machines at rest")
                rest = await idle(plane, operator, args.seconds)
    ratio = round(direct / ours, 3)
    return {"ratio": ratio, **rest, "machines": args.machines, "idle": total, "idle_seconds": args.seconds,
            "bare_s": round(direct, 1), "operator_s": round(ours, 1)}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=1000, help="made by either (default 1000)")
    parser.add_argument("--idle", type=int, default=5000, help="that stand at rest (default 5000)")
    parser.add_argument("--seconds", type=float, default=660, help="at rest: a whole resync and more (default 660)")
    args = parser.parse_args()
    report(TREE / "build" / "bench" / "reconcile.json", asyncio.run(run(args)))


if __name__ == "__main__":
    main()

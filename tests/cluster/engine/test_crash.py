# SPDX-License-Identifier: Apache-2.0
"""A crash at every API call of a whole life, before the server acted and after (its answer lost), ends the same."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from cairn.api.resources import CONFIGMAP, PVC, SECRET, Obj, Ref, Resource
from cairn.engine.cluster import Cluster, Transport
from cairn.engine.loop import Engine
from cluster.engine.conftest import make_namespace, settle
from cluster.engine.crashing import Crash, CrashingTransport
from cluster.engine.toy import TOY, ToyKind, toy

FEWEST_CALLS = 60
"""Fewer calls than this mean that the life below lost a part: look before you lower it."""


class OneNamespace(Cluster):
    """Sees one namespace only, so that many lives can be lived side by side on one API server."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        super().__init__(transport)
        self._namespace = namespace

    async def list(
        self, resource: Resource, *, namespace: str | None = None, labels: str = "", limit: int = 500
    ) -> list[Obj]:
        return await super().list(resource, namespace=namespace or self._namespace, labels=labels, limit=limit)


class Life:
    """One toy from birth over two changes to its end, and what stood at each station."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        self.transport = transport
        self.cluster = Cluster(transport)
        self.namespace = namespace
        self.key = Ref(TOY, namespace, "one")

    async def run(self, at: int = 0, *, after: bool = False) -> tuple[list[Any], CrashingTransport]:
        crashing = CrashingTransport(self.transport, at, after=after)
        engine = Engine([ToyKind()], OneNamespace(crashing, self.namespace))
        stations = []
        for step in (self._born, self._changed, self._shrunk, self._ended):
            await step()
            try:
                await settle(engine)
            except Crash:
                engine = Engine([ToyKind()], OneNamespace(self.transport, self.namespace))
                await settle(engine)
            stations.append(await self._state())
        return stations, crashing

    async def _born(self) -> None:
        await self._put(values={"a": "1", "b": "2"}, data=True)

    async def _changed(self) -> None:
        await self._put(values={"a": "9", "b": "2", "c": "3"}, data=True)

    async def _shrunk(self) -> None:
        await self._put(values={"c": "3"}, data=True)

    async def _ended(self) -> None:
        live = await self.cluster.get(self.key)
        assert live
        await self.cluster.delete(self.key, uid=live["metadata"]["uid"])

    async def _put(self, **spec: Any) -> None:
        await self.cluster.apply(toy(self.namespace, "one", **spec), manager="user")

    async def _state(self) -> list[Any]:
        found: list[Obj] = []
        for resource in (TOY, CONFIGMAP, SECRET, PVC):
            found += await self.cluster.list(resource, namespace=self.namespace)
        return sorted((_essence(obj) for obj in found if obj["metadata"]["name"].startswith("one")), key=str)


def _essence(obj: Obj) -> Any:
    """What must be the same whatever happened on the way: no uids, times, versions, nor random bytes."""
    meta = obj["metadata"]
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if not k.endswith("-uid")}
    conditions = sorted((c["type"], c["status"], c["reason"]) for c in obj.get("status", {}).get("conditions", []))
    data = {k: len(v) if obj["kind"] == "Secret" else v for k, v in (obj.get("data") or {}).items()}
    owners = [(o["kind"], o["name"]) for o in meta.get("ownerReferences", [])]
    return (obj["kind"], meta["name"], labels, owners, meta.get("finalizers", []), data, conditions)


@pytest.mark.parametrize("after", [pytest.param(False, id="before"), pytest.param(True, id="after")])
async def test_crash_at_every_call_ends_in_the_same_state(transport: Transport, cluster: Cluster, after: bool) -> None:
    expected, counting = await Life(transport, await make_namespace(cluster)).run()
    calls = counting.calls
    assert [len(station) for station in expected] == [5, 6, 4, 1], "the life itself is as it should be"
    bound = asyncio.Semaphore(8)
    different = {}

    async def crash(at: int) -> None:
        async with bound:
            stations, _ = await Life(transport, await make_namespace(cluster)).run(at, after=after)
        if stations != expected:
            different[at] = stations

    async with asyncio.TaskGroup() as lives:
        for at in range(1, len(calls) + 1):
            lives.create_task(crash(at))
    kinds = ", ".join(f"{count} {method}" for method, count in sorted(Counter(calls).items()))
    print(
        f"\n{len(calls)} API calls ({kinds}), "
        f"{len(calls)} crash points {'after' if after else 'before'} the server acted"
    )
    assert not different, different
    assert len(calls) >= FEWEST_CALLS

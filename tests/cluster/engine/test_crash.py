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

FEWEST_CALLS = 89
"""Fewer calls than this mean that the life below lost a part: look before you lower it."""


class OneLife(Cluster):
    """Sees the objects of one life only, so that many can be lived side by side in one namespace."""

    def __init__(self, transport: Transport, namespace: str, name: str) -> None:
        super().__init__(transport)
        self._namespace, self._name = namespace, name

    async def list(
        self, resource: Resource, *, namespace: str | None = None, labels: str = "", limit: int = 500
    ) -> list[Obj]:
        found = await super().list(resource, namespace=namespace or self._namespace, labels=labels, limit=limit)
        return [obj for obj in found if f"{obj['metadata']['name']}-".startswith(f"{self._name}-")]


class Life:
    """One toy from birth over two changes to its end, and what stood at each station."""

    def __init__(self, transport: Transport, namespace: str, name: str) -> None:
        self.transport = transport
        self.cluster = OneLife(transport, namespace, name)
        self.namespace, self.name = namespace, name
        self.key = Ref(TOY, namespace, name)

    async def run(self, at: int = 0, *, after: bool = False) -> tuple[list[Any], CrashingTransport]:
        crashing = CrashingTransport(self.transport, at, after=after)
        engine = Engine([ToyKind()], OneLife(crashing, self.namespace, self.name))
        stations = []
        for step in (self._born, self._changed, self._shrunk, self._ended):
            await step()
            try:
                await settle(engine)
            except Crash:
                engine = Engine([ToyKind()], self.cluster)
                await settle(engine)
            stations.append(await self._state())
        claim = Ref(PVC, self.namespace, f"{self.name}-data")
        if kept := await self.cluster.get(claim):
            await self.cluster.delete(claim, uid=kept["metadata"]["uid"])
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
        await self.cluster.apply(toy(self.namespace, self.name, **spec), manager="user")

    async def _state(self) -> list[Any]:
        found: list[Obj] = []
        for resource in (TOY, CONFIGMAP, SECRET, PVC):
            found += await self.cluster.list(resource, namespace=self.namespace)
        return sorted((_essence(obj, self.name) for obj in found), key=str)


def _essence(obj: Obj, life: str) -> Any:
    """What must be the same whatever happened on the way: no uids, times, versions, nor random bytes."""
    meta = obj["metadata"]
    own = {"cairn.dev/owner-uid", "cairn.dev/owner-name"}
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k not in own}
    conditions = sorted((c["type"], c["status"], c["reason"]) for c in obj.get("status", {}).get("conditions", []))
    data = {k: len(v) if obj["kind"] == "Secret" else v for k, v in (obj.get("data") or {}).items()}
    owners = [o["kind"] for o in meta.get("ownerReferences", [])]
    return (obj["kind"], meta["name"].removeprefix(life), labels, owners, meta.get("finalizers", []), data, conditions)


@pytest.mark.parametrize("after", [pytest.param(False, id="before"), pytest.param(True, id="after")])
async def test_crash_at_every_call_ends_in_the_same_state(
    transport: Transport, cluster: Cluster, after: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    namespace = await make_namespace(cluster)
    expected, counting = await Life(transport, namespace, "unharmed").run()
    calls = counting.calls
    assert [len(station) for station in expected] == [5, 6, 4, 1], "the life itself is as it should be"
    bound = asyncio.Semaphore(8)
    different = {}

    async def crash(at: int) -> None:
        async with bound:
            stations, _ = await Life(transport, namespace, f"life-{at}").run(at, after=after)
        if stations != expected:
            different[at] = stations

    async with asyncio.TaskGroup() as lives:
        for at in range(1, len(calls) + 1):
            lives.create_task(crash(at))
    kinds = ", ".join(f"{count} {method}" for method, count in sorted(Counter(calls).items()))
    with capsys.disabled():
        print(
            f"\n{len(calls)} API calls ({kinds}), "
            f"{len(calls)} crash points {'after' if after else 'before'} the server acted"
        )
    assert not different, different
    assert len(calls) >= FEWEST_CALLS

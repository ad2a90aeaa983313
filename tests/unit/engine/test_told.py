# SPDX-License-Identifier: Apache-2.0
"""Who hears of what the engine itself learned from an answer, before a watch tells of it."""

from __future__ import annotations

import copy
from typing import Any, cast

import pytest

from cairn.api.platform import Platform
from cairn.api.resources import DATAVOLUME, OPERATION, SELLERVM, Obj, Ref, Resource, ref_of
from cairn.engine.cluster import Cluster
from cairn.engine.discovery import OPTIONAL
from cairn.engine.errors import ConflictError
from cairn.engine.loop import Engine
from cairn.operation.kind import OperationKind
from cairn.vm.kind import SellerVMKind

KEY = Ref(SELLERVM, "ns", "shop")
DEED = Ref(OPERATION, "ns", "stop")


def machine(version: int, **spec: Any) -> Obj:
    meta = {"name": "shop", "namespace": "ns", "uid": "u", "generation": version, "resourceVersion": str(version)}
    return {"apiVersion": SELLERVM.api_version, "kind": "SellerVM", "metadata": meta, "spec": spec}


class Server:
    """Holds one object; a status that is written on another version of it is refused."""

    def __init__(self, obj: Obj) -> None:
        self.obj = obj

    async def get(self, ref: Ref) -> Obj | None:
        return copy.deepcopy(self.obj) if ref == ref_of(self.obj) else None

    async def apply_status(self, obj: Obj) -> Obj:
        standing = self.obj["metadata"]["resourceVersion"]
        if obj["metadata"]["resourceVersion"] != standing:
            raise ConflictError(409, "the object has been modified")
        self.obj = {**self.obj, "status": obj["status"]}
        self.obj["metadata"] = self.obj["metadata"] | {"resourceVersion": str(int(standing) + 1)}
        return copy.deepcopy(self.obj)

    async def create(self, obj: Obj, **_: Any) -> Obj:
        return obj


def engine(server: Server) -> Engine:
    platform = Platform()
    return Engine((SellerVMKind(platform), OperationKind(platform)), cast(Cluster, server))


async def test_last_of_several_writes_wakes_who_waits_for_it_when_the_watch_tells_of_all() -> None:
    server = Server(machine(1, suspend=True, planRef={"name": "p"}, image={"name": "i"}))
    turning = engine(server)
    turning.seen(await server.get(KEY) or {})
    assert await turning.queue.get() == KEY
    turning.queue.done(KEY)
    turning.reconciler.wanted_by[KEY].add(DEED)
    told = []
    for message in ("first", "second"):
        await turning.reconciler.say_failure(KEY, message)
        told.append(await server.get(KEY) or {})
    for event in told:
        turning.seen(event)
    assert turning.queue.depth() == {"live": 1, "slow": 0}
    assert await turning.queue.get() == DEED


class Reinstalled(Server):
    """Serves machines' disks only sometimes, and says what there is of them when asked."""

    def __init__(self, disk: Obj) -> None:
        super().__init__(disk)
        self.serves = False

    async def served(self, api_version: str) -> Obj:
        if api_version == DATAVOLUME.api_version and not self.serves:
            return {}
        return {"resources": [{"name": one.plural} for one in OPTIONAL if one.api_version == api_version]}

    async def list(self, resource: Resource, **_: Any) -> list[Obj]:
        return [self.obj] if resource == DATAVOLUME else []


async def test_what_stands_of_an_api_that_comes_is_known_before_anything_is_planned_by_it() -> None:
    disk: Obj = {"apiVersion": DATAVOLUME.api_version, "kind": "DataVolume"}
    disk["metadata"] = {"name": "shop-disk", "namespace": "ns", "uid": "d", "resourceVersion": "5"}
    server = Reinstalled(disk)
    turning = engine(server)
    await turning.discover()
    assert DATAVOLUME in turning.missing
    server.serves = True
    await turning.discover()
    assert DATAVOLUME not in turning.missing
    assert turning.store.get(ref_of(disk)) == disk


@pytest.mark.parametrize("spec", [{"suspend": True}, {"planRef": 3}])
async def test_object_that_changed_before_its_status_was_written_is_looked_at_again(spec: Obj) -> None:
    good = {"planRef": {"name": "p"}, "image": {"name": "i"}} | spec
    server = Server(machine(2, **good))
    turning = engine(server)
    turning.seen(machine(1, **good))
    result = await turning.reconciler.reconcile(KEY)
    assert result.again
    result = await turning.reconciler.reconcile(KEY)
    assert not result.again
    assert server.obj["status"]["observedGeneration"] == 2

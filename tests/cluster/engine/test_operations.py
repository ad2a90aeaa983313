# SPDX-License-Identifier: Apache-2.0
"""Operations through the engine on a real API server, cut off at any call: what is done is done once.

KubeVirt, CDI and Cairn's other kinds don't run here: the test says in their place what came of a deed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from cairn.api.crd import CRDS
from cairn.api.platform import Platform
from cairn.api.resources import DATAVOLUME, OPERATION, SELLERVM, VMI, VOLUMESNAPSHOT, Obj, Ref, Resource
from cairn.api.text import to_yaml
from cairn.engine.cluster import MERGE, Cluster, KubernetesTransport, Request, Transport, load_configuration
from cairn.engine.loop import Engine
from cairn.operation.kind import OperationKind
from cluster import foreign
from cluster.engine.conftest import settle
from cluster.engine.crashing import Crash, CrashingTransport
from devcluster import ControlPlane

API = "cairn.dev/v1alpha1"
SPECS: dict[str, Obj] = {
    "stop": {},
    "restart": {},
    "snapshot": {},
    "restore": {"args": {"snapshot": "earlier"}, "confirm": "web"},
    "clone": {"args": {"name": "web-2"}},
}


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane.start(tmp_path_factory.mktemp("operations"), name="operations") as plane:
        crds = [*[crd.manifest() for crd in CRDS], *foreign.crds()]
        plane.kubectl("apply", "--server-side", "-f", "-", input=to_yaml(*crds))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        yield plane


@pytest.fixture
async def transport(plane: ControlPlane) -> AsyncIterator[Transport]:
    transport = KubernetesTransport(await load_configuration(str(plane.kubeconfig), None))
    yield transport
    await transport.close()


class Life:
    """One namespace with a machine, and an Operation on it."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        self.transport = transport
        self.cluster = OneNamespace(transport, namespace)
        self.namespace = namespace

    async def begin(self, action: str) -> None:
        await self.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        stopped = action == "restore"
        spec = {"planRef": {"name": "vm.medium"}, "image": {"name": "debian-12"}}
        await self.make(SELLERVM, "web", spec=spec | ({"powerState": "Stopped"} if stopped else {}))
        await self.say("web", "Stopped" if stopped else "Ready", "web-disk")
        if not stopped:
            await self.make(VMI, "web", status={"conditions": [{"type": "Ready", "status": "True"}]})
        source = {"source": {"persistentVolumeClaimName": "web-disk"}}
        await self.make(VOLUMESNAPSHOT, "earlier", spec=source, status={"readyToUse": True})
        await self.make(
            OPERATION, "deed", spec={"target": {"kind": "SellerVM", "name": "web"}, "action": action, **SPECS[action]}
        )

    async def react(self, action: str) -> None:
        """What others make of the deed, if it was done."""
        match action:
            case "stop":
                await self.say("web", "Stopped", "web-disk")
            case "restart":
                if await self.cluster.get(Ref(VMI, self.namespace, "web")) is None:
                    await self.make(VMI, "web", status={"conditions": [{"type": "Ready", "status": "True"}]})
            case "snapshot":
                await self.cluster.patch(Ref(VOLUMESNAPSHOT, self.namespace, "deed"), {"status": {"readyToUse": True}})
            case "restore":
                await self.cluster.patch(
                    Ref(DATAVOLUME, self.namespace, "web-disk-r1"), {"status": {"phase": "Succeeded"}}
                )
                await self.say("web", "Stopped", "web-disk-r1")
            case "clone":
                await self.say("web-2", "Ready", "web-2-disk")

    async def make(self, resource: Resource, name: str, **rest: Any) -> None:
        meta = {"name": name, "namespace": self.namespace}
        await self.cluster.create({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, **rest})

    async def say(self, name: str, reason: str, disk: str) -> None:
        """The status of a SellerVM, as its own kind would write it."""
        ref = Ref(SELLERVM, self.namespace, name)
        live = await self.cluster.get(ref)
        assert live, name
        seen = live["metadata"]["generation"]
        ready = {"type": "Ready", "status": "True", "reason": reason, "message": "", "observedGeneration": seen}
        ready["lastTransitionTime"] = "2026-11-22T12:00:00Z"
        status = {"observedGeneration": seen, "conditions": [ready], "disks": [{"name": disk, "inUse": True}]}
        await self.cluster.patch(ref, {"status": status}, subresource="status")

    async def made(self) -> dict[str, Any]:
        """What stands, without what differs from one life to the next."""
        found: dict[str, Any] = {}
        for resource in (SELLERVM, VMI, VOLUMESNAPSHOT, DATAVOLUME):
            for obj in await self.cluster.list(resource):
                labels = {k: v for k, v in obj["metadata"].get("labels", {}).items() if k != "cairn.dev/owner-uid"}
                marks = sorted(obj["metadata"].get("annotations", {}))
                found[f"{resource.kind} {obj['metadata']['name']}"] = (
                    labels,
                    marks,
                    str(obj.get("spec")).replace(self.namespace, "HERE"),
                )
        op = await self.cluster.get(Ref(OPERATION, self.namespace, "deed"))
        assert op
        found["phase"] = op["status"].get("phase"), op["status"].get("result")
        return found


class OneNamespace(Cluster):
    """Sees one namespace, so that many lives can be lived side by side on one API server."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        super().__init__(transport)
        self._namespace = namespace

    async def list(
        self, resource: Resource, *, namespace: str | None = None, labels: str = "", limit: int = 500
    ) -> list[Obj]:
        where = self._namespace if resource.namespaced else None
        return await super().list(resource, namespace=where, labels=labels, limit=limit)


async def live(transport: Transport, action: str, at: int, *, after: bool) -> tuple[dict[str, Any], list[str]]:
    """A whole life, cut off at the n-th call of the engine; what stands at its end, and the calls."""
    life = Life(transport, f"op-{action}-{at}-{int(after)}")
    await life.begin(action)
    crashing = CrashingTransport(transport, at, after=after)
    engine = Engine((OperationKind(Platform()),), OneNamespace(crashing, life.namespace))

    async def turns() -> None:
        nonlocal engine
        for _ in range(4):
            try:
                await settle(engine)
            except Crash:
                engine = Engine((OperationKind(Platform()),), OneNamespace(transport, life.namespace))

    await turns()
    await life.react(action)
    await turns()
    return await life.made(), crashing.calls


EXPECTED = {
    "stop": ("Succeeded", None),
    "restart": ("Succeeded", None),
    "snapshot": ("Succeeded", {"snapshot": "deed"}),
    "restore": ("Succeeded", {"disk": "web-disk-r1", "replaced": "web-disk"}),
    "clone": ("Succeeded", {"machine": "web-2"}),
}
FEWEST_WRITES = 5
"""Finalizer, begun, its event, the deed, ended: fewer mean that a part was lost."""


@pytest.mark.parametrize("action", EXPECTED)
async def test_deed_cut_off_at_any_call_is_done_once(
    transport: Transport, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    expected, calls = await live(transport, action, 0, after=False)
    assert expected["phase"] == EXPECTED[action]
    bound, wrong = asyncio.Semaphore(6), {}

    async def crash(at: int, after: bool) -> None:
        async with bound:
            state, _ = await live(transport, action, at, after=after)
        if state != expected:
            wrong[at, after] = state

    writes = [at for at, method in enumerate(calls, 1) if method != "GET"]  # between two of them nothing changes
    async with asyncio.TaskGroup() as lives:
        for at in writes:
            for after in (False, True):
                lives.create_task(crash(at, after))
    with capsys.disabled():
        print(f"\n{action}: {len(calls)} API calls, a crash before and after each of {len(writes)} writes")
    assert not wrong, wrong
    assert len(writes) >= FEWEST_WRITES


async def test_what_was_made_belongs_to_the_machine_and_is_kept(transport: Transport) -> None:
    for action, key in (("snapshot", "VolumeSnapshot deed"), ("restore", "DataVolume web-disk-r1")):
        made, _ = await live(transport, action, 999, after=False)
        labels = made[key][0]
        assert labels["cairn.dev/owner-kind"] == "SellerVM"
        assert labels["cairn.dev/owner-name"] == "web"
        assert labels["cairn.dev/retain"] == "true"
        assert labels["vm.cairn.dev/disk-of"] == "web"


async def test_power_state_is_the_operations_field(transport: Transport) -> None:
    await live(transport, "stop", 998, after=False)
    answer = await transport.send(Request("GET", SELLERVM.path("op-stop-998-0", "web")))
    managers = {entry["manager"] for entry in answer.body["metadata"]["managedFields"] if "f:powerState" in str(entry)}
    assert managers == {"cairn-operation"}


async def test_deleted_in_the_middle_of_a_restore_leaves_no_half_disk(transport: Transport) -> None:
    life = Life(transport, "op-going")
    await life.begin("restore")
    engine = Engine((OperationKind(Platform()),), life.cluster)
    for _ in range(3):
        await settle(engine)
    disk, op = Ref(DATAVOLUME, "op-going", "web-disk-r1"), Ref(OPERATION, "op-going", "deed")
    assert await life.cluster.get(disk)
    standing = await life.cluster.get(op)
    assert standing
    await life.cluster.delete(op, uid=standing["metadata"]["uid"])
    for _ in range(3):
        await settle(engine)
    assert await life.cluster.get(disk) is None
    assert await life.cluster.get(op) is None


async def test_ended_operation_is_removed_after_its_days(transport: Transport) -> None:
    life = Life(transport, "op-over")
    await life.begin("stop")
    op = Ref(OPERATION, "op-over", "deed")
    ended = {"phase": "Succeeded", "endedAt": "2026-01-01T00:00:00Z"}
    path = OPERATION.path("op-over", "deed", "status")
    assert (await transport.send(Request("PATCH", path, {}, MERGE, {"status": ended}))).status == 200
    engine = Engine((OperationKind(Platform()),), life.cluster)
    for _ in range(3):
        await settle(engine)
    assert await life.cluster.get(op) is None

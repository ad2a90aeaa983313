# SPDX-License-Identifier: Apache-2.0
"""Operations, their targets, and an engine in small: passes over one Operation in a world of dicts."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from cairn.api.platform import Platform
from cairn.api.resources import OPERATION, Obj, Ref, Resource, ref_of
from cairn.engine.kind import Io, Observed, Plan, Within
from cairn.engine.status import status_of
from cairn.operation.kind import OperationKind

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NS = "seller-2088"
KIND = OperationKind(Platform())
SNAPSHOT_CLAIM = "web-disk"


def operation(
    action: str = "restart", name: str = "deed", kind: str = "SellerVM", target: str = "web", **more: Any
) -> Obj:
    created = more.pop("created", "2026-11-22T11:59:00Z")
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "Operation",
        "metadata": {
            "name": name, "namespace": NS, "uid": f"uid-{name}", "generation": 1, "creationTimestamp": created,
        },
        "spec": {"target": {"kind": kind, "name": target}, "action": action, **more},
    }  # fmt: skip


def ready(obj: Obj, *, status: str = "True", reason: str = "Ready", message: str = "", **fields: Any) -> Obj:
    generation = obj["metadata"]["generation"]
    condition = {
        "type": "Ready", "status": status, "reason": reason, "message": message,
        "lastTransitionTime": "2026-11-22T11:00:00Z", "observedGeneration": generation,
    }  # fmt: skip
    old = {key: value for key, value in (obj.get("status") or {}).items() if key != "conditions"}
    stalled = [{**condition, "type": "Stalled", "status": "True"}] if fields.pop("stalled", False) else []
    return {**obj, "status": {**old, "observedGeneration": generation, "conditions": [condition, *stalled], **fields}}


def machine(name: str = "web", **spec: Any) -> Obj:
    """A SellerVM that runs."""
    obj = {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "SellerVM",
        "metadata": {"name": name, "namespace": NS, "uid": f"uid-{name}", "generation": 1},
        "spec": {"planRef": {"name": "vm.medium"}, "image": {"name": "debian-12"}} | spec,
    }
    disk = {"name": f"{name}-disk", "phase": "Succeeded", "inUse": True}
    stopped = spec.get("powerState") == "Stopped"
    return ready(obj, reason="Stopped" if stopped else "Ready", disks=[disk])


def database(name: str = "shop-db", **spec: Any) -> Obj:
    return ready(
        {
            "apiVersion": "cairn.dev/v1alpha1",
            "kind": "SellerRDS",
            "metadata": {"name": name, "namespace": NS, "uid": f"uid-{name}", "generation": 1},
            "spec": {"version": "17", "planRef": {"name": "db.small"}} | spec,
        }
    )


def external(name: str = "shop-db") -> Obj:
    obj = database(name)
    obj["spec"] = {"version": "17", "external": {"host": "db.example.com", "adminSecretRef": {"name": "admin"}}}
    return obj


def instance(name: str = "web", uid: str = "vmi-1") -> Obj:
    return _running("kubevirt.io/v1", "VirtualMachineInstance", name, uid)


def pod(name: str = "shop-db-0", uid: str = "pod-1") -> Obj:
    return _running("v1", "Pod", name, uid)


def _running(api: str, kind: str, name: str, uid: str) -> Obj:
    obj = {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": NS, "uid": uid, "generation": 1}}
    return ready(obj)


def volume_snapshot(name: str = "web-1", of: str = "web", *, whole: bool = True) -> Obj:
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {"name": name, "namespace": NS, "uid": f"uid-{name}", "labels": {"vm.cairn.dev/disk-of": of}},
        "spec": {"source": {"persistentVolumeClaimName": f"{of}-disk"}},
        "status": {"readyToUse": whole},
    }


def promotion(**spec: Any) -> Obj:
    """Inside of its freeze now."""
    window = {"name": "main", "start": "2026-11-22T10:00:00", "duration": "8h"}
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "Promotion",
        "metadata": {"name": "double-11", "uid": "uid-double-11", "generation": 1},
        "spec": {"timeZone": "UTC", "windows": [window], "freeze": True} | spec,
    }


class World:
    """Objects, and what KubeVirt, CDI and Cairn's other kinds make of what is written: only what a test says."""

    def __init__(self, *objects: Obj, now: datetime = NOW, missing: tuple[Resource, ...] = ()) -> None:
        self.objects = {ref_of(obj): copy.deepcopy(obj) for obj in objects}
        self.now = now
        self.missing = frozenset(missing)
        self.writes: list[str] = []
        self.managers: dict[Ref, str] = {}
        self.owners: dict[Ref, str] = {}

    # as the engine

    def observe(self, obj: Obj) -> Observed:
        refs: dict[Ref, Obj | None] = {}
        for _ in range(6):
            for want in KIND.wants(obj, Observed({}, refs, {}, self.missing)):
                if isinstance(want, Within):
                    refs |= {
                        r: o
                        for r, o in self.objects.items()
                        if (r.resource, r.namespace) == (want.resource, want.namespace)
                    }
                else:
                    refs[cast(Ref, want)] = copy.deepcopy(self.objects.get(cast(Ref, want)))
        return Observed({}, refs, {}, self.missing)

    def plan(self, name: str = "deed") -> Plan:
        obj = self[OPERATION, name]
        return KIND.plan(obj, self.observe(obj), self.now)

    async def turn(self, name: str = "deed") -> Obj:
        """One pass. The Operation as it stands then."""
        obj = copy.deepcopy(self[OPERATION, name])
        observed = self.observe(obj)
        plan = KIND.plan(obj, observed, self.now)
        for action in plan.actions:
            await KIND.act(action, obj, observed, cast(Io, self))
        if Ref(OPERATION, NS, name) in self.objects:
            self[OPERATION, name]["status"] = status_of(obj, plan.status, plan.conditions, self.now)
        return self.objects.get(Ref(OPERATION, NS, name), {})

    async def turns(self, name: str = "deed", many: int = 3) -> Obj:
        for _ in range(many):
            found = await self.turn(name)
        return found

    # as an Io

    async def get(self, ref: Ref) -> Obj | None:
        return copy.deepcopy(self.objects.get(ref))

    async def create(self, obj: Obj, owner: Obj | None = None) -> Obj | None:
        if ref_of(obj) in self.objects:
            return None
        self.writes.append(f"create {ref_of(obj).resource.kind} {ref_of(obj).name}")
        self.owners[ref_of(obj)] = (owner or {"kind": "?"})["kind"]
        made = copy.deepcopy(obj)
        made["metadata"] |= {"uid": f"uid-{obj['metadata']['name']}-made", "generation": 1}
        return self.objects.setdefault(ref_of(obj), made)

    async def submit(self, obj: Obj, manager: str) -> Obj | None:
        self.managers[ref_of(obj)] = manager
        return await self.create(obj)

    async def patch(self, ref: Ref, body: Obj, subresource: str | None = None, manager: str = "") -> Obj:
        self.writes.append(f"patch {ref.resource.kind} {ref.name}")
        self.managers[ref] = manager
        live = self.objects[ref]
        assert body["metadata"].get("uid", live["metadata"]["uid"]) == live["metadata"]["uid"]
        live["metadata"].setdefault("annotations", {}).update(body["metadata"].get("annotations", {}))
        if "spec" in body:
            live["spec"] |= body["spec"]
            live["metadata"]["generation"] += 1
        return live

    async def delete(self, ref: Ref, uid: str) -> None:
        if ref in self.objects and self.objects[ref]["metadata"]["uid"] == uid:
            self.writes.append(f"delete {ref.resource.kind} {ref.name}")
            del self.objects[ref]

    # as a test

    def __getitem__(self, key: tuple[Resource, str]) -> Obj:
        resource, name = key
        return self.objects[Ref(resource, NS if resource.namespaced else "", name)]

    def put(self, *objects: Obj) -> None:
        self.objects |= {ref_of(obj): obj for obj in objects}

    def after(self, **elapsed: float) -> None:
        self.now += timedelta(**elapsed)


def said(obj: Obj) -> tuple[str, str, str]:
    """Phase, Ready's reason and message."""
    status: Mapping[str, Any] = obj["status"]
    first = status["conditions"][0]
    assert first["type"] == "Ready"
    return status["phase"], first["reason"], first["message"]

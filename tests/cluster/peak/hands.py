# SPDX-License-Identifier: Apache-2.0
"""What a cluster with nodes would do beside KubeVirt's real controllers: CDI, the snapshot driver, kubelet, the guest.

They look again and again and do what is due, as the real ones would; `boots` and `snaps` hold that back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cairn.api.resources import DATAVOLUME, POD, PVC, VMI, VOLUMESNAPSHOT, Obj, Ref, Resource, ref_of
from cairn.engine.cluster import Cluster, Request, Transport
from cairn.engine.errors import ApiError

LOOK_SECONDS = 0.2
LAUNCHER = "kubevirt.io=virt-launcher"


@dataclass
class Hands:
    cluster: Cluster
    handler: Cluster
    """As KubeVirt's own account: nobody else may say how a guest is."""
    transport: Transport
    namespace: str
    boots: bool = True
    """Whether launcher pods of clones become ready."""
    snaps: bool = True
    """Whether snapshots become ready."""
    done: bool = False

    async def work(self) -> None:
        await self._stand_up()
        while not self.done:
            for deed in (self._fill_disks, self._take_snapshots, self._run_pods, self._run_guests):
                with contextlib.suppress(ApiError):  # somebody was faster: look again
                    await deed()
            await asyncio.sleep(LOOK_SECONDS)  # the cluster has no event of ours

    async def _stand_up(self) -> None:
        """KubeVirt gives up guests on a node that does not tell of itself, and the controller manager pods on none."""
        marks = {"annotations": {"kubevirt.io/heartbeat": _now()}, "labels": {"kubevirt.io/schedulable": "true"}}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1", **marks}}
        await self.cluster.apply(node, manager="hands")

    async def _fill_disks(self) -> None:
        for volume in await self._list(DATAVOLUME):
            if (volume.get("status") or {}).get("phase") == "Succeeded":
                continue
            await self._claim(volume)
            await self.cluster.patch(ref_of(volume), {"status": {"phase": "Succeeded"}}, subresource="status")

    async def _claim(self, volume: Obj) -> None:
        storage = volume["spec"]["storage"]
        size = ((storage.get("resources") or {}).get("requests") or {}).get("storage", "1Gi")
        name = volume["metadata"]["name"]
        owner = {"apiVersion": DATAVOLUME.api_version, "kind": "DataVolume", "name": name}
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": volume["metadata"].get("labels") or {},
                "ownerReferences": [{**owner, "uid": volume["metadata"]["uid"], "controller": True}],
            },
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "none",
                "resources": {"requests": {"storage": size}},
            },
        }
        await self.cluster.create(claim)
        status = {"phase": "Bound", "capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"]}
        await self.cluster.patch(Ref(PVC, self.namespace, name), {"status": status}, subresource="status")

    async def _take_snapshots(self) -> None:
        for one in await self._list(VOLUMESNAPSHOT):
            if self.snaps and not (one.get("status") or {}).get("readyToUse"):
                status = {"readyToUse": True, "creationTime": _now(), "restoreSize": "1Gi"}
                await self.cluster.patch(ref_of(one), {"status": status}, subresource="status")

    async def _run_pods(self) -> None:
        for pod in await self.cluster.list(POD, namespace=self.namespace, labels=LAUNCHER):
            ref = ref_of(pod)
            if "deletionTimestamp" in pod["metadata"]:
                await self.cluster.patch(ref, {"metadata": {"finalizers": None}})
                await self._kill(pod)
            elif not pod["spec"].get("nodeName"):
                await self._bind(pod)
            elif pod["status"].get("phase") == "Pending":
                ready = self.boots or "-peak-" not in pod["metadata"]["name"]
                await self.cluster.patch(ref, {"status": _pod_status(pod, ready=ready)}, subresource="status")

    async def _kill(self, pod: Obj) -> None:
        """As the kubelet does it at last."""
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}}
        await self.transport.send(_request("DELETE", ref_of(pod), body))

    async def _bind(self, pod: Obj) -> None:
        target = {"apiVersion": "v1", "kind": "Node", "name": "node-1"}
        meta = {"name": pod["metadata"]["name"]}
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": meta, "target": target}
        await self.transport.send(_request("POST", ref_of(pod), body, "binding"))

    async def _run_guests(self) -> None:
        """What virt-handler says of a guest."""
        for guest in await self._list(VMI):
            phase = (guest.get("status") or {}).get("phase")
            if "deletionTimestamp" in guest["metadata"] and phase not in ("Succeeded", "Failed"):
                await self.handler.patch(ref_of(guest), {"status": {"phase": "Succeeded"}})
            elif phase == "Scheduled":
                await self.handler.patch(ref_of(guest), {"status": {"phase": "Running", "nodeName": "node-1"}})

    async def _list(self, resource: Resource) -> list[Obj]:
        return await self.cluster.list(resource, namespace=self.namespace)


@contextlib.asynccontextmanager
async def at_work(cluster: Cluster, handler: Cluster, transport: Transport, namespace: str) -> AsyncIterator[Hands]:
    hands = Hands(cluster, handler, transport, namespace)
    task = asyncio.create_task(hands.work())
    try:
        yield hands
    finally:
        hands.done = True  # not cancelled: a request that is broken off leaves its connection open
        await task


def _pod_status(pod: Obj, *, ready: bool) -> Obj:
    word = "True" if ready else "False"
    since = (datetime.now(UTC) - timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    types = ("PodScheduled", "Initialized", "ContainersReady", "Ready", "kubevirt.io/virtual-machine-unpaused")
    return {
        "phase": "Running",
        "startTime": since,  # the autoscaler does not believe young pods
        "podIP": "10.9.9.9",
        "conditions": [{"type": one, "status": word, "lastTransitionTime": since} for one in types],
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": container["image"],
                "ready": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": _now()}},
            }
            for container in pod["spec"]["containers"]
        ],
    }


def _request(method: str, ref: Ref, body: Obj, subresource: str | None = None) -> Request:
    return Request(method, ref.resource.path(ref.namespace, ref.name, subresource), body=body)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

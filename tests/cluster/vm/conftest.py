# SPDX-License-Identifier: Apache-2.0
"""Machines on a real API server with KubeVirt's webhooks and virt-controller; what needs nodes is stood in for.

No nodes, no CDI controllers: `Stand` fills disks and runs guests, by writing what CDI and virt-handler would.
"""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cairn.api.platform import Platform
from cairn.api.resources import DATAVOLUME, RESOURCEQUOTA, SELLERVM, VIRTUALMACHINE, VMI, Obj, Ref
from cairn.cli.kinds import kinds
from cairn.engine.cluster import Cluster, KubernetesTransport, load_configuration
from cairn.engine.loop import Engine
from cluster.engine.conftest import until
from devcluster import ControlPlane

API = "cairn.dev/v1alpha1"
NAMESPACE = "seller-2088"
HANDLER = "--as=system:serviceaccount:kubevirt:kubevirt-controller"
SECCOMP = {"virtualMachineInstanceProfile": {"customProfile": {"runtimeDefaultProfile": True}}}
PLATFORM = Platform()


def service_plan(name: str, cpu: str, memory: str, *, target: str = "SellerVM", storage: str = "1Gi") -> Obj:
    size = {"cpu": cpu, "memory": memory, "storage": storage}
    prices = [{"name": "a", "from": "2026-01-01", "monthly": "100.00"}]
    spec = {"for": target, "size": size, "prices": prices}
    return {"apiVersion": API, "kind": "ServicePlan", "metadata": {"name": name}, "spec": spec}


PLANS = (
    service_plan("seller.standard", "40", "80Gi", target="Seller", storage="500Gi"),
    service_plan("vm.small", "1", "1Gi"),
    service_plan("vm.medium", "2", "2Gi"),
    service_plan("vm.large", "4", "4Gi"),
)
SELLER: Obj = {
    "apiVersion": API,
    "kind": "Seller",
    "metadata": {"name": "acme"},
    "spec": {
        "id": "2088",
        "namespace": NAMESPACE,
        "hosts": ["shop.example.com"],
        "planRef": {"name": "seller.standard"},
    },
}
IMAGE: Obj = {
    "apiVersion": "cdi.kubevirt.io/v1beta1",
    "kind": "DataSource",
    "metadata": {"name": "debian-12", "namespace": "cairn-images"},
    "spec": {"source": {"pvc": {"name": "debian-12", "namespace": "cairn-images"}}},
}


class Stand:
    """Drives the engine step by step, and stands in for CDI and virt-handler."""

    def __init__(self, plane: ControlPlane, cluster: Cluster) -> None:
        self.plane = plane
        self.cluster = cluster
        self.engine = Engine(kinds(PLATFORM), cluster)

    async def settle(self) -> None:
        """Pass after pass, each with a fresh list: there is no watch here that would tell of a restart."""
        for _ in range(30):
            await self.engine.resync()
            again = False
            while not self.engine.queue.idle():
                key = await self.engine.queue.get()
                try:
                    again |= (await self.engine.reconciler.reconcile(key)).again
                finally:
                    self.engine.queue.done(key)
            if not again:
                return
        raise AssertionError("it does not settle")

    async def apply(self, *objs: Obj) -> None:
        for obj in objs:
            self.plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=json.dumps(obj))

    async def machine(self, name: str, **spec: Any) -> None:
        """Write a SellerVM and settle."""
        fields = {"planRef": {"name": "vm.medium"}, "image": {"name": "debian-12"}} | spec
        meta = {"name": name, "namespace": NAMESPACE}
        await self.apply({"apiVersion": API, "kind": "SellerVM", "metadata": meta, "spec": fields})
        await self.settle()

    async def get(self, resource: Any, name: str) -> Obj:
        found = await self.cluster.get(Ref(resource, NAMESPACE, name))
        assert found, f"no {resource.kind} {name}"
        return found

    async def condition(self, name: str, kind: str) -> Obj:
        status = (await self.get(SELLERVM, name)).get("status") or {}
        return next((one for one in status.get("conditions") or () if one["type"] == kind), {})

    async def fill(self, name: str) -> None:
        """As CDI does: a claim with the DataVolume's labels and annotations, bound and filled."""
        volume = await self.get(DATAVOLUME, f"{name}-disk")
        meta = volume["metadata"]
        owner = {"apiVersion": DATAVOLUME.api_version, "kind": "DataVolume", "name": meta["name"], "uid": meta["uid"]}
        asked = volume["spec"]["storage"]["resources"]
        await self.apply(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {
                    "name": meta["name"],
                    "namespace": NAMESPACE,
                    "labels": meta["labels"] | {"app": "containerized-data-importer"},
                    "annotations": meta.get("annotations", {}) | {"cdi.kubevirt.io/storage.contentType": "kubevirt"},
                    "ownerReferences": [owner | {"controller": True, "blockOwnerDeletion": True}],
                },
                "spec": {"accessModes": ["ReadWriteMany"], "resources": asked},
            }
        )
        self._status("pvc", meta["name"], {"phase": "Bound", "capacity": asked["requests"]})
        self._status("datavolume", meta["name"], {"phase": "Succeeded"})
        await self.settle()

    def _status(self, resource: str, name: str, status: Obj) -> None:
        body = json.dumps({"status": status})
        self.plane.kubectl("-n", NAMESPACE, "patch", resource, name, "--subresource=status", "--type=merge", "-p", body)

    async def run_guest(self, name: str) -> Obj:
        """As virt-handler does: the guest runs, and can migrate."""
        instance = await until("an instance with a pod", lambda: self._scheduling(name))
        conditions = [
            *({k: v for k, v in one.items() if v is not None} for one in instance["status"].get("conditions", ())),
            {"type": "LiveMigratable", "status": "True", "lastProbeTime": None, "lastTransitionTime": None},
        ]
        status = {"phase": "Running", "nodeName": "node-1", "conditions": conditions}
        body = json.dumps({"status": copy.deepcopy(status)})
        self.plane.kubectl(HANDLER, "-n", NAMESPACE, "patch", "vmi", name, "--type=merge", "-p", body)
        await self.settle()
        return await self.get(VMI, name)

    async def clear(self) -> None:
        """Every machine goes. As virt-handler does: guests end when they are told to."""
        for obj in await self.cluster.list(SELLERVM, namespace=NAMESPACE):
            await self.cluster.delete(Ref(SELLERVM, NAMESPACE, obj["metadata"]["name"]), uid=obj["metadata"]["uid"])
        await self.settle()
        await until("machines to go", self._gone, seconds=40)

    async def _gone(self) -> bool:
        for obj in await self.cluster.list(VMI, namespace=NAMESPACE):
            if (obj.get("status") or {}).get("phase") == "Running":
                await self.end(obj["metadata"]["name"])
        return not await self.cluster.list(VIRTUALMACHINE, namespace=NAMESPACE)

    async def end(self, name: str) -> None:
        """The guest has shut down."""
        body = json.dumps({"status": {"phase": "Succeeded"}})
        self.plane.kubectl(HANDLER, "-n", NAMESPACE, "patch", "vmi", name, "--type=merge", "-p", body)

    async def _scheduling(self, name: str) -> Obj | None:
        found = await self.cluster.get(Ref(VMI, NAMESPACE, name))
        return found if ((found or {}).get("status") or {}).get("phase") == "Scheduling" else None

    async def domain(self, name: str) -> Obj:
        spec: Obj = (await self.get(VIRTUALMACHINE, name))["spec"]["template"]["spec"]["domain"]
        return spec


@pytest.fixture(scope="session")
def machines_plane(kubevirt_plane: ControlPlane) -> ControlPlane:
    """With the profile that launcher pods need in a namespace that enforces the restricted level."""
    seccomp(kubevirt_plane, SECCOMP)
    for namespace in ("cairn-images",):
        kubevirt_plane.kubectl("create", "namespace", namespace)
    kubevirt_plane.kubectl("create", "clusterrole", "cairn-seller-namespace", "--verb=get", "--resource=secrets")
    return kubevirt_plane


def seccomp(plane: ControlPlane, value: Obj | None) -> None:
    body = json.dumps({"spec": {"configuration": {"seccompConfiguration": value}}})
    plane.kubectl("-n", "kubevirt", "patch", "kubevirt", "kubevirt", "--type=merge", "-p", body)


@pytest.fixture
async def stand(machines_plane: ControlPlane) -> AsyncIterator[Stand]:
    transport = KubernetesTransport(await load_configuration(str(machines_plane.kubeconfig), None))
    found = Stand(machines_plane, Cluster(transport))
    await found.apply(*PLANS, SELLER, IMAGE)
    await found.settle()
    await until("the quota", lambda: found.cluster.get(Ref(RESOURCEQUOTA, NAMESPACE, "cairn")))
    yield found
    await found.clear()
    await transport.close()

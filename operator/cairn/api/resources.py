# SPDX-License-Identifier: Apache-2.0
"""The Kubernetes resources Cairn reads or writes, each named once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Obj = dict[str, Any]
"""A Kubernetes object as the API server speaks it: the one sanctioned `Any`."""

GROUP = "cairn.dev"
VERSION = "v1alpha1"


@dataclass(frozen=True, slots=True, order=True)
class Resource:
    """A kind of object and where the API server serves it."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """URL path of the collection, of one object, or of its subresource."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """One object by resource, namespace (empty for cluster-scoped ones) and name."""

    resource: Resource
    namespace: str
    name: str

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.resource.kind} {where}{self.name}"


SELLER = Resource(GROUP, VERSION, "Seller", "sellers", namespaced=False)
SERVICEPLAN = Resource(GROUP, VERSION, "ServicePlan", "serviceplans", namespaced=False)
SELLERRDS = Resource(GROUP, VERSION, "SellerRDS", "sellerrdses")
PUSHSUBSCRIPTION = Resource(GROUP, VERSION, "PushSubscription", "pushsubscriptions")
SELLERVM = Resource(GROUP, VERSION, "SellerVM", "sellervms")
PROMOTION = Resource(GROUP, VERSION, "Promotion", "promotions", namespaced=False)
OPERATION = Resource(GROUP, VERSION, "Operation", "operations")
INTEGRATIONTENANT = Resource(GROUP, VERSION, "IntegrationTenant", "integrationtenants")
INTEGRATIONAPP = Resource(GROUP, VERSION, "IntegrationApp", "integrationapps")

NAMESPACE = Resource("", "v1", "Namespace", "namespaces", namespaced=False)
POD = Resource("", "v1", "Pod", "pods")
SECRET = Resource("", "v1", "Secret", "secrets")
CONFIGMAP = Resource("", "v1", "ConfigMap", "configmaps")
SERVICE = Resource("", "v1", "Service", "services")
SERVICEACCOUNT = Resource("", "v1", "ServiceAccount", "serviceaccounts")
PVC = Resource("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
PV = Resource("", "v1", "PersistentVolume", "persistentvolumes", namespaced=False)
STORAGECLASS = Resource("storage.k8s.io", "v1", "StorageClass", "storageclasses", namespaced=False)
RESOURCEQUOTA = Resource("", "v1", "ResourceQuota", "resourcequotas")
LIMITRANGE = Resource("", "v1", "LimitRange", "limitranges")
EVENT = Resource("", "v1", "Event", "events")
STATEFULSET = Resource("apps", "v1", "StatefulSet", "statefulsets")
DEPLOYMENT = Resource("apps", "v1", "Deployment", "deployments")
NETWORKPOLICY = Resource("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
PDB = Resource("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
ROLEBINDING = Resource("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")
INGRESS = Resource("networking.k8s.io", "v1", "Ingress", "ingresses")
HPA = Resource("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
NODE = Resource("", "v1", "Node", "nodes", namespaced=False)

KUBEVIRT = Resource("kubevirt.io", "v1", "KubeVirt", "kubevirts")
VIRTUALMACHINE = Resource("kubevirt.io", "v1", "VirtualMachine", "virtualmachines")
VMI = Resource("kubevirt.io", "v1", "VirtualMachineInstance", "virtualmachineinstances")
VMPOOL = Resource("pool.kubevirt.io", "v1beta1", "VirtualMachinePool", "virtualmachinepools")
DATAVOLUME = Resource("cdi.kubevirt.io", "v1beta1", "DataVolume", "datavolumes")
DATASOURCE = Resource("cdi.kubevirt.io", "v1beta1", "DataSource", "datasources")
VOLUMESNAPSHOT = Resource("snapshot.storage.k8s.io", "v1", "VolumeSnapshot", "volumesnapshots")
VOLUMESNAPSHOTCLASS = Resource(
    "snapshot.storage.k8s.io", "v1", "VolumeSnapshotClass", "volumesnapshotclasses", namespaced=False
)
VOLUMESNAPSHOTCONTENT = Resource(
    "snapshot.storage.k8s.io", "v1", "VolumeSnapshotContent", "volumesnapshotcontents", namespaced=False
)
HTTPROUTE = Resource("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes")
PODMETRICS = Resource("metrics.k8s.io", "v1beta1", "PodMetrics", "pods")

LEASE = Resource("coordination.k8s.io", "v1", "Lease", "leases")

BUILT_IN = frozenset(
    {
        "",
        "apps",
        "autoscaling",
        "coordination.k8s.io",
        "networking.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "storage.k8s.io",
        GROUP,
    }
)
"""API groups that are always there. Those of every other resource may be missing, or come later."""

ALL = {r.kind: r for r in list(globals().values()) if isinstance(r, Resource)}
"""Every resource above, by its kind."""


def ref_of(obj: Obj) -> Ref:
    """The Ref of an object that carries apiVersion and kind; KeyError for a kind that is not in `ALL`."""
    meta = obj["metadata"]
    return Ref(ALL[obj["kind"]], meta.get("namespace", ""), meta["name"])

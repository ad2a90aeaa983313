# SPDX-License-Identifier: Apache-2.0
"""One small valid object of each kind that the operator touches."""

from __future__ import annotations

import copy
from typing import Any

from cairn.api.resources import PODMETRICS
from cluster import foreign

_POD = {
    "automountServiceAccountToken": False,
    "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "main",
            "image": "cairn.local/none",
            "resources": {"requests": {"cpu": "10m"}, "limits": {"memory": "64Mi"}},
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    ],
}
_APP = {"app.kubernetes.io/name": "sample"}
_TEMPLATE = {"metadata": {"labels": _APP}, "spec": _POD}
_JOB = {"metadata": {"labels": _APP}, "spec": {**_POD, "restartPolicy": "Never"}}
_CAIRN = "cairn.dev/v1alpha1"
_WINDOW = {"name": "main", "start": "2026-11-10T20:00:00", "duration": "28h"}
_RESOURCES = {"cpu": "1", "memory": "1Gi"}

_KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "namespaces": ("v1", "Namespace", {}),
    "pods": ("v1", "Pod", {"spec": _POD}),
    "services": ("v1", "Service", {"spec": {"ports": [{"port": 80}]}}),
    "configmaps": ("v1", "ConfigMap", {"data": {"a": "b"}}),
    "secrets": ("v1", "Secret", {"stringData": {"a": "b"}}),
    "events": ("v1", "Event", {"reason": "Ready", "type": "Normal", "involvedObject": {"namespace": "default"}}),
    "persistentvolumeclaims": (
        "v1",
        "PersistentVolumeClaim",
        {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
    ),
    "persistentvolumes": (
        "v1",
        "PersistentVolume",
        {
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "1Gi"},
                "hostPath": {"path": "/none"},
                "claimRef": {"namespace": "seller-2088", "name": "x-data"},
            }
        },
    ),
    "resourcequotas": ("v1", "ResourceQuota", {"spec": {"hard": {"pods": "1000"}}}),
    "limitranges": ("v1", "LimitRange", {"spec": {"limits": [{"type": "Container", "max": {"cpu": "64"}}]}}),
    "statefulsets": (
        "apps/v1",
        "StatefulSet",
        {"spec": {"replicas": 0, "serviceName": "x", "selector": {"matchLabels": _APP}, "template": _TEMPLATE}},
    ),
    "deployments": (
        "apps/v1",
        "Deployment",
        {"spec": {"replicas": 0, "selector": {"matchLabels": _APP}, "template": _TEMPLATE}},
    ),
    "jobs": ("batch/v1", "Job", {"spec": {"template": _JOB}}),
    "cronjobs": (
        "batch/v1",
        "CronJob",
        {"spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": _JOB}}}},
    ),
    "networkpolicies": ("networking.k8s.io/v1", "NetworkPolicy", {"spec": {"podSelector": {"matchLabels": _APP}}}),
    "poddisruptionbudgets": (
        "policy/v1",
        "PodDisruptionBudget",
        {"spec": {"maxUnavailable": 1, "selector": {"matchLabels": _APP}}},
    ),
    "ingresses": (
        "networking.k8s.io/v1",
        "Ingress",
        {"spec": {"defaultBackend": {"service": {"name": "x", "port": {"number": 80}}}}},
    ),
    "horizontalpodautoscalers": (
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        {"spec": {"maxReplicas": 2, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}}},
    ),
    "nodes": ("v1", "Node", {}),
    **{r.plural: (r.api_version, r.kind, {"spec": {}}) for r in foreign.RESOURCES if r != PODMETRICS},
    "storageclasses": ("storage.k8s.io/v1", "StorageClass", {"provisioner": "none"}),
    "leases": ("coordination.k8s.io/v1", "Lease", {"spec": {"holderIdentity": "a", "leaseDurationSeconds": 12}}),
    "rolebindings": ("rbac.authorization.k8s.io/v1", "RoleBinding", {}),
    "sellers": (_CAIRN, "Seller", {"spec": {"id": "2088", "namespace": "seller-sample", "planRef": {"name": "x"}}}),
    "serviceplans": (_CAIRN, "ServicePlan", {"spec": {"for": "PushSubscription", "size": _RESOURCES}}),
    "sellerrdses": (
        _CAIRN,
        "SellerRDS",
        {
            "spec": {
                "engine": "postgresql",
                "version": "17",
                "resources": {**_RESOURCES, "connections": 100},
                "storage": {"size": "1Gi"},
            }
        },
    ),
    "pushsubscriptions": (
        _CAIRN,
        "PushSubscription",
        {"spec": {"databaseRef": {"name": "shop-db"}, "databaseName": "shop", "shops": ["55501"]}},
    ),
    "sellervms": (_CAIRN, "SellerVM", {"spec": {"planRef": {"name": "x"}, "image": {"name": "debian-12"}}}),
    "promotions": (_CAIRN, "Promotion", {"spec": {"timeZone": "UTC", "windows": [_WINDOW]}}),
    "operations": (
        _CAIRN,
        "Operation",
        {"spec": {"target": {"kind": "SellerVM", "name": "web"}, "action": "restart"}},
    ),
}
_KINDS["integrationtenants"] = (
    _CAIRN,
    "IntegrationTenant",
    {"spec": {"databaseRef": {"name": "shop-db"}, "shops": ["55501"]}},
)
_KINDS["integrationapps"] = (_CAIRN, "IntegrationApp", {"spec": {"vendor": {"name": "Bolt", "appKey": "23456789"}}})
CLUSTER_SCOPED = (
    "namespaces", "nodes", "persistentvolumes", "storageclasses", "clusterroles", "volumesnapshotclasses",
    "sellers", "serviceplans", "promotions",
)  # fmt: skip


def sample(plural: str, name: str, namespace: str) -> dict[str, Any]:
    """A new object as the API server takes it."""
    api_version, kind, rest = _KINDS[plural]
    meta: dict[str, Any] = {"name": name}
    if plural in ("jobs", "cronjobs"):
        meta["labels"] = dict(_APP)  # else the API server copies the template's
    if plural not in CLUSTER_SCOPED:
        meta["namespace"] = namespace
    return copy.deepcopy({"apiVersion": api_version, "kind": kind, "metadata": meta, **rest})

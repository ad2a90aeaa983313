# SPDX-License-Identifier: Apache-2.0
"""What a Seller consists of: its namespace and the guards in it. Pure builders, plain dicts.

Only fields that the API server stores as they are sent: the engine compares what is wanted with what is live.
"""

from __future__ import annotations

from collections.abc import Mapping

from cairn.api.lookup import SELLER_ID_LABEL, SELLER_LABEL
from cairn.api.resources import Obj

GUARD = "cairn"
"""Name of the ResourceQuota and the LimitRange."""
OPERATOR = "cairn-operator"
"""Name of the RoleBinding, and of the operator's ServiceAccount."""
NAMESPACE_ROLE = "cairn-seller-namespace"
"""ClusterRole of the chart with what the operator may do in a seller's namespace and nowhere else."""


def labels(seller: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "seller",
        "app.kubernetes.io/instance": seller,
        "app.kubernetes.io/component": "tenancy",
    }


def namespace(seller: str, seller_id: str, name: str) -> Obj:
    """The seller's namespace. Its labels are its identity: every other kind reads the seller from them."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "labels": {
                **labels(seller),
                SELLER_LABEL: seller,
                SELLER_ID_LABEL: seller_id,
                # KubeVirt sets a machine's limits itself, and by default twice the memory it needs: the quota counts it
                "alpha.kubevirt.io/auto-memory-limits-ratio": "1",
                "pod-security.kubernetes.io/enforce": "restricted",
                "pod-security.kubernetes.io/warn": "restricted",
                "pod-security.kubernetes.io/audit": "restricted",
            },
        },
    }


def quota(seller: str, namespace: str, hard: Mapping[str, str]) -> Obj:
    """What all resources of the namespace may take together, requested and as limits."""
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": GUARD, "namespace": namespace, "labels": labels(seller)},
        "spec": {"hard": dict(hard)},
    }


def limit_range(seller: str, namespace: str) -> Obj:
    """Limits for containers that name none: under the quota they would be refused otherwise."""
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": GUARD, "namespace": namespace, "labels": labels(seller)},
        "spec": {
            "limits": [
                {
                    "type": "Container",
                    "default": {"cpu": "500m", "memory": "256Mi"},
                    "defaultRequest": {"cpu": "50m", "memory": "64Mi"},
                }
            ]
        },
    }


def default_deny(seller: str, namespace: str) -> Obj:
    """Nothing in, nothing out, until another policy allows it."""
    return _policy(seller, namespace, "cairn-default-deny", {"policyTypes": ["Ingress", "Egress"]})


def dns(seller: str, namespace: str) -> Obj:
    """Every pod may look up names."""
    cluster_dns = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    ports = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
    egress = [{"to": [cluster_dns], "ports": ports}]
    return _policy(seller, namespace, "cairn-dns", {"policyTypes": ["Egress"], "egress": egress})


def _policy(seller: str, namespace: str, name: str, spec: Obj) -> Obj:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace, "labels": labels(seller)},
        "spec": {"podSelector": {}, **spec},
    }


def role_binding(seller: str, namespace: str, operator_namespace: str) -> Obj:
    """Lets the operator read and write Secrets in this namespace, and only there."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": OPERATOR, "namespace": namespace, "labels": labels(seller)},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAMESPACE_ROLE},
        "subjects": [{"kind": "ServiceAccount", "name": OPERATOR, "namespace": operator_namespace}],
    }

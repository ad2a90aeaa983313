# SPDX-License-Identifier: Apache-2.0
"""What guards every namespace that Cairn makes, a seller's and an app's. Pure builders, plain dicts.

Only fields that the API server stores as they are sent: the engine compares what is wanted with what is live.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from cairn.api.resources import Obj

Labels = Mapping[str, str]
Networks = Sequence[IPv4Network | IPv6Network]

GUARD = "cairn"
"""Name of the ResourceQuota and the LimitRange."""
OPERATOR = "cairn-operator"
"""Name of the RoleBinding, and of the operator's ServiceAccount."""
SELLER_NAMESPACE_ROLE = "cairn-seller-namespace"
APP_NAMESPACE_ROLE = "cairn-app-namespace"
"""ClusterRole of the chart with what the operator may do in such a namespace and nowhere else."""
HOSTNAME = "kubernetes.io/metadata.name"
"""Label of a namespace that the API server sets itself: no other may be trusted in a policy."""
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
POSTGRESQL_PORT = 5432


def limit_range(labels: Labels, namespace: str) -> Obj:
    """Limits for containers that name none: under the quota they would be refused otherwise."""
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": GUARD, "namespace": namespace, "labels": dict(labels)},
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


def quota(labels: Labels, namespace: str, hard: Mapping[str, str]) -> Obj:
    """What all of the namespace may take together."""
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": GUARD, "namespace": namespace, "labels": dict(labels)},
        "spec": {"hard": dict(hard)},
    }


def default_deny(labels: Labels, namespace: str) -> Obj:
    """Nothing in, nothing out, until another policy allows it."""
    return policy(labels, namespace, "cairn-default-deny", {"policyTypes": ["Ingress", "Egress"]})


def dns(labels: Labels, namespace: str) -> Obj:
    """Every pod may look up names."""
    cluster_dns = {"namespaceSelector": {"matchLabels": {HOSTNAME: "kube-system"}}}
    ports = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
    egress = [{"to": [cluster_dns], "ports": ports}]
    return policy(labels, namespace, "cairn-dns", {"policyTypes": ["Egress"], "egress": egress})


def policy(labels: Labels, namespace: str, name: str, spec: Obj) -> Obj:
    """A NetworkPolicy for every pod of the namespace, unless `spec` selects some."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
        "spec": {"podSelector": {}, **spec},
    }


def role_binding(labels: Labels, namespace: str, name: str, role: str, subjects: list[Obj]) -> Obj:
    """Gives a ClusterRole of the chart in this namespace."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": subjects,
    }


def operator_binding(labels: Labels, namespace: str, operator_namespace: str, role: str) -> Obj:
    """Lets the operator read and write Secrets in this namespace, and only there. role: by what the namespace is for"""
    subject = {"kind": "ServiceAccount", "name": OPERATOR, "namespace": operator_namespace}
    return role_binding(labels, namespace, OPERATOR, role, [subject])


def group(name: str) -> Obj:
    """A RoleBinding's subject: everybody whom the platform's sign-on puts into this group."""
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name}


def database_pods(database: str) -> Obj:
    """The pods of a SellerRDS."""
    labels = {
        "app.kubernetes.io/name": "postgresql",
        "app.kubernetes.io/instance": database,
        "app.kubernetes.io/component": "database",
    }
    return {"podSelector": {"matchLabels": labels}}


def database_egress(
    database: str, external: tuple[str, int] | None, denied: Networks, namespace: str | None = None
) -> Obj:
    """An egress rule to a SellerRDS, or to where its external server is.

    namespace: the server's, where it is another one; denied: where the platform lets no database be
    """
    if external is None:
        where = {"namespaceSelector": {"matchLabels": {HOSTNAME: namespace}}} if namespace else {}
        return {"to": [{**where, **database_pods(database)}], "ports": tcp(POSTGRESQL_PORT)}
    host, port = external
    try:
        blocks: list[Obj] = [{"cidr": str(ip_network(ip_address(host)))}]
    except ValueError:
        # A policy knows no names: anywhere on this port, but for where the platform lets no database be.
        blocks = [_everywhere("0.0.0.0/0", 4, denied), _everywhere("::/0", 6, denied)]
    return {"to": [{"ipBlock": block} for block in blocks], "ports": tcp(port)}


def tcp(*numbers: int) -> list[Obj]:
    return [{"protocol": "TCP", "port": number} for number in numbers]


def _everywhere(cidr: str, version: int, denied: Networks) -> Obj:
    but = sorted(str(network) for network in denied if network.version == version)
    return {"cidr": cidr} | ({"except": but} if but else {})

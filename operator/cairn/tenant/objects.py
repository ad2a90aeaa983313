# SPDX-License-Identifier: Apache-2.0
"""What a tenant consists of on Kubernetes: a namespace for each app with its guards, roles, copies of contracts.

Pure builders, plain dicts; only fields that the API server stores as they are sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from urllib.parse import urlsplit

from cairn.api import guards
from cairn.api.guards import HOSTNAME, Networks
from cairn.api.lookup import SELLER_ID_LABEL, SELLER_LABEL
from cairn.api.resources import Obj
from cairn.api.tenant_rules import account_group, app_namespace, developer_group

APP_LABEL = "cairn.dev/app"
TENANT_LABEL = "cairn.dev/tenant"
SECRET = "cairn-db"
"""Name of the Secret that an app connects with."""
DEVELOPERS = "cairn-developers"
DEVELOPER_ROLE = "cairn-isv-developer"
DATABASE_POLICY = "cairn-database"
CONTRACT_KEY = "contract.yaml"
ROLES: Mapping[str, str] = {
    "owner": "cairn-owner",
    "operator": "cairn-operator-staff",
    "finance": "cairn-finance",
    "support": "cairn-support",
    "viewer": "cairn-viewer",
}
"""ClusterRole of the chart for each role of the seller's staff."""
COUNTS = {"count/secrets": "50", "services.nodeports": "0", "services.loadbalancers": "0"}
"""Helm keeps a Secret for each revision; ways in from outside are the platform's to make."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where an app lives, and whose it is."""

    tenant: str
    seller: str
    seller_id: str
    app: str

    @property
    def namespace(self) -> str:
        return app_namespace(self.seller_id, self.app)

    @property
    def labels(self) -> dict[str, str]:
        return {
            "app.kubernetes.io/name": "integration-app",
            "app.kubernetes.io/instance": self.app,
            "app.kubernetes.io/component": "tenancy",
        }


def labels(tenant: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "integration-tenant",
        "app.kubernetes.io/instance": tenant,
        "app.kubernetes.io/component": "tenancy",
    }


def identity(home: Home) -> dict[str, str]:
    """The labels by which everybody knows whose an app's namespace is; set when it is made and never after."""
    return {
        SELLER_LABEL: home.seller,
        SELLER_ID_LABEL: home.seller_id,
        APP_LABEL: home.app,
        TENANT_LABEL: home.tenant,
    }


def namespace(home: Home) -> Obj:
    marks = {**home.labels, **identity(home), **guards.RESTRICTED}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": home.namespace, "labels": marks}}


def quota(home: Home, size: Mapping[str, str]) -> Obj:
    """size: cpu, memory, storage, pods"""
    compute = {f"{what}.{key}": size[key] for key in ("cpu", "memory") for what in ("requests", "limits")}
    hard = {**compute, "requests.storage": size["storage"], "pods": size["pods"], **COUNTS}
    return guards.quota(home.labels, home.namespace, hard)


def lasting(home: Home, size: Mapping[str, str]) -> tuple[Obj, ...]:
    """Guards that stay with the namespace, also when the app is removed: its pods may still run."""
    where = (home.labels, home.namespace)
    return (
        quota(home, size),
        guards.limit_range(*where),
        guards.default_deny(*where),
        guards.dns(*where),
        within(home),
    )


def within(home: Home) -> Obj:
    """An app's own pods may talk to each other."""
    spec = {
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": {}}]}],
        "egress": [{"to": [{"podSelector": {}}]}],
    }
    return guards.policy(home.labels, home.namespace, "cairn-within", spec)


def way_to_database(
    home: Home, database: str, seller_namespace: str, external: tuple[str, int] | None, denied: Networks
) -> Obj:
    """Egress to this seller's database, and to nothing else of the seller's."""
    egress = [guards.database_egress(database, external, denied, seller_namespace)]
    spec = {"policyTypes": ["Egress"], "egress": egress}
    return guards.policy(home.labels, home.namespace, DATABASE_POLICY, spec)


def way_to_sign_on(home: Home, issuer: str, networks: Networks) -> Obj:
    """Egress to the platform's sign-on, where the platform has said in which networks it is."""
    blocks = [{"ipBlock": {"cidr": str(network)}} for network in networks]
    rule = {"to": blocks, "ports": guards.tcp(urlsplit(issuer).port or 443)}
    spec = {"policyTypes": ["Egress"], "egress": [rule]}
    return guards.policy(home.labels, home.namespace, "cairn-sign-on", spec)


def ways_out(home: Home, openings: Iterable[tuple[str, int]], denied: Networks) -> Obj | None:
    """Egress to what the seller opened (network and port), but for where the platform lets nobody connect."""
    rules = []
    for cidr, port in sorted(openings):
        network = ip_network(cidr, strict=False)
        inside = [one for one in denied if one.version == network.version and one.overlaps(network)]
        if any(network.subnet_of(one) for one in inside):  # type: ignore[arg-type]  # of the same version
            continue
        but = {"except": sorted(str(one) for one in inside)} if inside else {}
        rules.append({"to": [{"ipBlock": {"cidr": str(network), **but}}], "ports": guards.tcp(port)})
    if not rules:
        return None
    spec = {"policyTypes": ["Egress"], "egress": rules}
    return guards.policy(home.labels, home.namespace, "cairn-openings", spec)


def access(home: Home, namespaces: Sequence[str]) -> Obj | None:
    """Who may connect to the app's pods, such as an ingress controller."""
    if not namespaces:
        return None
    peers = {"matchExpressions": [{"key": HOSTNAME, "operator": "In", "values": sorted(namespaces)}]}
    spec = {"policyTypes": ["Ingress"], "ingress": [{"from": [{"namespaceSelector": peers}]}]}
    return guards.policy(home.labels, home.namespace, "cairn-access", spec)


def ways_in(tenant: str, seller_namespace: str, database: str, apps: Iterable[str]) -> Obj:
    """On the database's side: the pods of these app namespaces may connect. For a server of our own."""
    peers = {"matchExpressions": [{"key": HOSTNAME, "operator": "In", "values": sorted(apps)}]}
    rule = {"from": [{"namespaceSelector": peers}], "ports": guards.tcp(guards.POSTGRESQL_PORT)}
    spec = {**guards.database_pods(database), "policyTypes": ["Ingress"], "ingress": [rule]}
    return guards.policy(labels(tenant), seller_namespace, f"cairn-{tenant}-apps", spec)


def operator_binding(home: Home, operator_namespace: str) -> Obj:
    return guards.operator_binding(home.labels, home.namespace, operator_namespace, guards.APP_NAMESPACE_ROLE)


def developers(home: Home, vendor_app_key: str, names: Iterable[str]) -> Obj:
    """The vendor's people."""
    groups = [guards.group(developer_group(vendor_app_key, name)) for name in sorted(names)]
    return guards.role_binding(home.labels, home.namespace, DEVELOPERS, DEVELOPER_ROLE, groups)


def staff_binding(tenant: str, role: str) -> str:
    return f"cairn-{tenant}-{role}"


def staff(tenant: str, seller_namespace: str, seller_id: str, accounts: Mapping[str, str]) -> tuple[Obj, ...]:
    """accounts: the role of each account by its name. One binding for each role that anybody has."""
    found = []
    for role, cluster_role in ROLES.items():
        names = sorted(name for name, has in accounts.items() if has == role)
        if names:
            groups = [guards.group(account_group(seller_id, name)) for name in names]
            where = (labels(tenant), seller_namespace, staff_binding(tenant, role))
            found.append(guards.role_binding(*where, cluster_role, groups))
    return tuple(found)


def contract_name(tenant: str, sha256: str) -> str:
    return f"cairn-contract-{tenant}-{sha256[:16]}"


def contract(tenant: str, seller_namespace: str, sha256: str, text: str) -> Obj:
    """The bytes that were consented to, kept whatever becomes of those that were offered."""
    meta = {"name": contract_name(tenant, sha256), "namespace": seller_namespace, "labels": labels(tenant)}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": meta,
        "immutable": True,
        "data": {CONTRACT_KEY: text},
    }

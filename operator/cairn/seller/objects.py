# SPDX-License-Identifier: Apache-2.0
"""What a Seller consists of: its namespace and the guards in it. Pure builders, plain dicts.

Only fields that the API server stores as they are sent: the engine compares what is wanted with what is live.
"""

from __future__ import annotations

from collections.abc import Mapping

from cairn.api import guards
from cairn.api.lookup import SELLER_ID_LABEL, SELLER_LABEL
from cairn.api.resources import Obj


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
                **guards.RESTRICTED,
            },
        },
    }


def quota(seller: str, namespace: str, hard: Mapping[str, str]) -> Obj:
    """What all resources of the namespace may take together, requested and as limits."""
    return guards.quota(labels(seller), namespace, hard)


def limit_range(seller: str, namespace: str) -> Obj:
    return guards.limit_range(labels(seller), namespace)


def default_deny(seller: str, namespace: str) -> Obj:
    return guards.default_deny(labels(seller), namespace)


def dns(seller: str, namespace: str) -> Obj:
    return guards.dns(labels(seller), namespace)


def role_binding(seller: str, namespace: str, operator_namespace: str) -> Obj:
    """Lets the operator read and write Secrets in this namespace, and only there."""
    return guards.operator_binding(labels(seller), namespace, operator_namespace, guards.SELLER_NAMESPACE_ROLE)

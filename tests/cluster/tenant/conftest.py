# SPDX-License-Identifier: Apache-2.0
"""People of a seller and of a vendor, with the RoleBindings that Cairn's operator gives them."""

from __future__ import annotations

import pytest

from cluster.caller import Caller
from cluster.charted import APP, LABELS, OPERATOR_SUBJECT, ROLES, SELLER, Charted, binding, until

CLUSTER_ROLES = {
    "owner": "cairn-owner",
    "operator": "cairn-operator-staff",
    "finance": "cairn-finance",
    "support": "cairn-support",
    "viewer": "cairn-viewer",
}
GROUPS = {role: f"cairn:2088:{role}-1" for role in CLUSTER_ROLES} | {"developer": "cairn:isv:23456789:li"}


@pytest.fixture(scope="session")
def people(charted: Charted) -> dict[str, Caller]:
    """One person of each role, all bound by the operator's own account as the product does it."""
    for namespace in (SELLER, APP):
        for role, name in CLUSTER_ROLES.items():
            body = binding(f"cairn-main-{role}", name, {"kind": "Group", "name": GROUPS[role]})
            made = charted.operator.create(f"{ROLES}/namespaces/{namespace}/rolebindings", body)
            assert made.ok, made
    developers = {"kind": "Group", "name": GROUPS["developer"]}
    body = binding("cairn-developers", "cairn-isv-developer", developers)
    made = charted.operator.create(f"{ROLES}/namespaces/{APP}/rolebindings", body)
    assert made.ok, made
    callers = {role: charted.person("system:authenticated", group) for role, group in GROUPS.items()}
    path = "/apis/cairn.dev/v1alpha1/namespaces/{}/integrationapps"
    for role, caller in callers.items():
        if role != "finance":
            until(lambda caller=caller: caller.get(path.format(APP)), lambda a: a.ok)  # type: ignore[misc]
    return callers


@pytest.fixture(scope="session")
def neighbour(charted: Charted) -> str:
    """The namespace of another seller."""
    name = "seller-2099"
    labels = LABELS | {"cairn.dev/seller": "emca", "cairn.dev/seller-id": "2099"}
    assert charted.operator.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}}).ok
    body = binding("cairn-operator", "cairn-seller-namespace", OPERATOR_SUBJECT)
    until(lambda: charted.operator.create(f"{ROLES}/namespaces/{name}/rolebindings", body), lambda a: a.ok)
    until(lambda: charted.admin.get(f"/api/v1/namespaces/{name}/serviceaccounts/default"), lambda a: a.ok)
    return name

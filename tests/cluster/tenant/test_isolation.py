# SPDX-License-Identifier: Apache-2.0
"""Two sellers on one cluster: no account, pod or developer of one finds or touches anything of the other's."""

from __future__ import annotations

import pytest

from cluster.caller import Caller
from cluster.charted import APP, ROLES, SELLER, SYSTEM, Charted
from cluster.samples import sample

CAIRN = "/apis/cairn.dev/v1alpha1"
NEXT_DOOR = "cairn-2099-erp-bolt"


@pytest.fixture(scope="session")
def next_door(charted: Charted, neighbour: str) -> str:
    """What another seller has: a tenant, a database and its Secret, and an app of the same vendor, with its own."""
    charted.make_app(NEXT_DOOR)
    for plural in ("integrationtenants", "sellerrdses", "operations"):
        made = charted.admin.create(f"{CAIRN}/namespaces/{neighbour}/{plural}", sample(plural, "theirs", neighbour))
        assert made.ok, made
    for namespace, name in ((neighbour, "shop-db-owner"), (NEXT_DOOR, "cairn-db")):
        made = charted.admin.create(f"/api/v1/namespaces/{namespace}/secrets", sample("secrets", name, namespace))
        assert made.ok, made
    made = charted.admin.create(
        f"{CAIRN}/namespaces/{NEXT_DOOR}/integrationapps", sample("integrationapps", "erp-bolt", NEXT_DOOR)
    )
    assert made.ok, made
    return neighbour


@pytest.fixture(scope="session")
def pods(charted: Charted) -> dict[str, Caller]:
    """What a pod would be, were its token mounted: the default account of each of the first seller's namespaces."""
    return {namespace: charted.account(namespace, "default") for namespace in (SELLER, APP)}


def attempts(neighbour: str) -> list[tuple[str, str, object]]:
    """Reading, listing, watching, making, changing, deleting; by way of proxies; and the operator's own numbers."""
    secret = f"/api/v1/namespaces/{neighbour}/secrets"
    tenant = f"{CAIRN}/namespaces/{neighbour}/integrationtenants"
    there = f"/api/v1/namespaces/{NEXT_DOOR}"
    change = {"metadata": {"annotations": {"a": "b"}}}
    return [
        ("GET", f"{secret}/shop-db-owner", None),
        ("GET", secret, None),
        ("GET", f"{secret}?watch=true&timeoutSeconds=1", None),
        ("POST", secret, {"metadata": {"name": "mine"}}),
        ("GET", f"{tenant}/theirs", None),
        ("GET", tenant, None),
        ("PATCH", f"{tenant}/theirs", change),
        ("PATCH", f"{tenant}/theirs/status", change),
        ("DELETE", f"{tenant}/theirs", None),
        ("POST", tenant, sample("integrationtenants", "mine", neighbour)),
        ("GET", f"{CAIRN}/namespaces/{neighbour}/sellerrdses/theirs", None),
        ("POST", f"{CAIRN}/namespaces/{neighbour}/operations", sample("operations", "mine", neighbour)),
        ("GET", f"{there}/secrets/cairn-db", None),
        ("GET", f"{there}/configmaps", None),
        ("GET", f"{there}/events", None),
        ("GET", f"{there}/pods/x/log", None),
        ("POST", f"{there}/pods/x/exec?command=id", None),
        ("GET", f"{CAIRN}/namespaces/{NEXT_DOOR}/integrationapps/erp-bolt", None),
        ("POST", f"{ROLES}/namespaces/{NEXT_DOOR}/rolebindings", {"metadata": {"name": "mine"}}),
        ("GET", f"/api/v1/namespaces/{neighbour}", None),
        ("GET", "/api/v1/namespaces", None),
        ("GET", "/api/v1/secrets", None),
        ("GET", f"{CAIRN}/sellers", None),
        ("GET", f"{CAIRN}/integrationtenants", None),
        ("GET", f"/api/v1/namespaces/{neighbour}/services/shop-db:5432/proxy/", None),
        ("GET", f"/api/v1/namespaces/{SYSTEM}/services/cairn-operator-metrics:8080/proxy/metrics", None),
        ("GET", f"/api/v1/namespaces/{SYSTEM}/configmaps/cairn-platform", None),
        ("GET", "/api/v1/nodes/x/proxy/pods", None),
        ("GET", "/metrics", None),
    ]


@pytest.mark.parametrize("role", ["owner", "operator", "finance", "support", "viewer", "developer"])
def test_check_10_seller_isolation_of_people(
    charted: Charted, people: dict[str, Caller], next_door: str, role: str
) -> None:
    for method, path, body in attempts(next_door):
        answer = people[role](method, path, body)
        assert answer.status == 403, (role, method, path, answer)


@pytest.mark.parametrize("namespace", [SELLER, APP])
def test_check_10_seller_isolation_of_pods(
    charted: Charted, pods: dict[str, Caller], next_door: str, namespace: str
) -> None:
    """Nor has a pod any right at home."""
    own = [
        ("GET", f"/api/v1/namespaces/{namespace}/secrets", None),
        ("GET", f"/api/v1/namespaces/{namespace}/configmaps", None),
        ("GET", f"{CAIRN}/namespaces/{namespace}/integrationtenants", None),
        ("GET", f"{CAIRN}/namespaces/{namespace}/integrationapps", None),
    ]
    for method, path, body in [*attempts(next_door), *own]:
        answer = pods[namespace](method, path, body)
        assert answer.status == 403, (namespace, method, path, answer)


def test_check_10_seller_isolation_by_the_end_of_an_id(charted: Charted, people: dict[str, Caller]) -> None:
    """Seller 20880's boss is none of seller 2088's, and a vendor called like a seller's account is not that account."""
    for group in ("cairn:20880:owner-1", "cairn:208:owner-1", "cairn:isv:2088:owner-1", "cairn:2088", "owner-1"):
        answer = charted.person("system:authenticated", group).get(f"{CAIRN}/namespaces/{SELLER}/integrationtenants")
        assert answer.status == 403, (group, answer)

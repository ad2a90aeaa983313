# SPDX-License-Identifier: Apache-2.0
"""What a stolen token of the operator's can't do: the chart's policies and its roles, asked by real requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cluster.charted import (
    APP_LABELS,
    LABELS,
    OPERATOR_SUBJECT,
    OTHER,
    ROLES,
    SELLER,
    SYSTEM,
    Charted,
    binding,
    refused_by,
    until,
)
from cluster.samples import sample

CAIRN = "/apis/cairn.dev/v1alpha1"
RBAC = f"{ROLES}/namespaces"
OWN_ROLE = "cairn-seller-namespace"


@pytest.mark.parametrize(
    ("name", "role", "kind", "subject"),
    [
        pytest.param("another", OWN_ROLE, "ClusterRole", OPERATOR_SUBJECT, id="another-name"),
        pytest.param("cairn-operator", "view", "ClusterRole", OPERATOR_SUBJECT, id="another-role"),
        pytest.param("cairn-operator", OWN_ROLE, "Role", OPERATOR_SUBJECT, id="a-role-of-the-namespace"),
        pytest.param(
            "cairn-operator", OWN_ROLE, "ClusterRole", OPERATOR_SUBJECT | {"namespace": SELLER},
            id="another-account",
        ),
        pytest.param(
            "cairn-operator", OWN_ROLE, "ClusterRole", {"kind": "Group", "name": "system:authenticated"},
            id="everybody",
        ),
    ],
)  # fmt: skip
def test_operator_rolebinding_other_than_its_own_is_refused(
    charted: Charted, name: str, role: str, kind: str, subject: dict[str, str]
) -> None:
    """Even where RBAC would let it: here an admin has lent it every right to bind."""
    with lent(charted, "cluster-admin"):
        answer = charted.operator.create(f"{RBAC}/{SELLER}/rolebindings?dryRun=All", binding(name, role, subject, kind))
    refused_by("cairn-operator-rolebindings", answer)


def test_operator_rolebinding_outside_sellers_namespaces_is_refused(charted: Charted, other: str) -> None:
    body = binding("cairn-operator", OWN_ROLE, OPERATOR_SUBJECT)
    for namespace in (other, "kube-system", SYSTEM):
        answer = charted.operator.create(f"{RBAC}/{namespace}/rolebindings?dryRun=All", body)
        refused_by("cairn-operator-rolebindings", answer)


def test_operator_rolebinding_changed_to_another_subject_is_refused(charted: Charted) -> None:
    body = {"subjects": [{"kind": "ServiceAccount", "name": "isv", "namespace": SELLER}]}
    path = f"{RBAC}/{SELLER}/rolebindings/cairn-operator"
    refused_by("cairn-operator-rolebindings", charted.operator.merge(path, body))


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        pytest.param("seller-9", {}, id="without-labels"),
        pytest.param("seller-9", {"cairn.dev/seller-id": "9"}, id="without-seller"),
        pytest.param("kube-seller", LABELS, id="kubernetes-name"),
        pytest.param("cairn-seller", LABELS, id="cairn-name"),
        pytest.param("cairn-2088-erp", LABELS, id="app-without-its-label"),
        pytest.param("cairn-2088-erp", APP_LABELS, id="app-of-another-name"),
        pytest.param("cairn-2099-erp-bolt", APP_LABELS, id="app-of-another-seller"),
        pytest.param("seller-2088-erp-bolt", APP_LABELS, id="app-without-the-prefix"),
        pytest.param("cairn-x-erp", APP_LABELS | {"cairn.dev/seller-id": "x", "cairn.dev/app": "erp"}, id="no-id"),
        pytest.param("seller-9", LABELS | {"pod-security.kubernetes.io/enforce": "privileged"}, id="privileged"),
    ],
)
def test_operator_namespace_that_is_no_sellers_is_refused(charted: Charted, name: str, labels: dict[str, str]) -> None:
    answer = charted.operator.create("/api/v1/namespaces?dryRun=All", {"metadata": {"name": name, "labels": labels}})
    refused_by("cairn-operator-namespaces", answer)


@pytest.mark.parametrize("namespace", ["default", "kube-system", SYSTEM, OTHER])
def test_operator_takes_over_no_namespace(charted: Charted, other: str, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}"
    taken = charted.operator.merge(path, {"metadata": {"labels": LABELS}})
    # Two policies say no; the API server names one.
    assert taken.status == 422
    assert "'cairn-seller-labels'" in taken.message or "'cairn-operator-namespaces'" in taken.message, taken
    privileged = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    refused_by("cairn-operator-namespaces", charted.operator.merge(path, privileged))


def test_operator_does_not_change_whose_namespace_it_is(charted: Charted) -> None:
    path = f"/api/v1/namespaces/{SELLER}"
    for change in ({"cairn.dev/seller-id": "1"}, {"cairn.dev/seller": "other"}):
        answer = charted.operator.merge(path, {"metadata": {"labels": change}})
        refused_by("cairn-seller-labels", answer)
    answer = charted.operator.merge(path, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}})
    refused_by("cairn-operator-namespaces", answer)


def volume(charted: Charted, name: str, namespace: str) -> str:
    """A volume bound to a claim there; its path."""
    body = sample("persistentvolumes", name, "")
    body["spec"]["claimRef"] = {"namespace": namespace, "name": f"{name}-data"}
    assert charted.admin.create("/api/v1/persistentvolumes", body).ok
    return f"/api/v1/persistentvolumes/{name}"


def test_operator_keeps_the_volume_of_a_seller_and_changes_nothing_else_of_it(charted: Charted) -> None:
    path = volume(charted, "of-a-seller", SELLER)
    for policy in ("Delete", "Retain"):
        assert charted.operator.merge(path, {"spec": {"persistentVolumeReclaimPolicy": policy}}).ok
    for change in ({"claimRef": {"namespace": "default"}}, {"mountOptions": ["exec"]}, {"storageClassName": "x"}):
        refused_by("cairn-operator-volumes", charted.operator.merge(path, {"spec": change}))


def test_operator_changes_no_volume_of_others(charted: Charted) -> None:
    path = volume(charted, "of-others", "default")
    change = {"spec": {"persistentVolumeReclaimPolicy": "Delete"}}
    refused_by("cairn-operator-volumes", charted.operator.merge(path, change))


NEVER = [
    pytest.param("GET", "/api/v1/namespaces/kube-system/secrets", id="list-secrets-of-kube-system"),
    pytest.param("GET", "/api/v1/namespaces/default/secrets/x", id="get-a-secret-of-default"),
    pytest.param("GET", "/api/v1/secrets", id="list-every-secret"),
    pytest.param("GET", f"/api/v1/namespaces/{SYSTEM}/secrets/another", id="another-secret-of-its-own-namespace"),
    pytest.param("GET", f"/api/v1/namespaces/{SELLER}/secrets", id="list-secrets-of-a-seller"),
    pytest.param("DELETE", f"/api/v1/namespaces/{SELLER}", id="delete-a-namespace"),
    pytest.param("DELETE", f"{CAIRN}/namespaces/{SELLER}/sellerrdses/x", id="delete-what-a-user-made"),
    pytest.param("DELETE", "/api/v1/persistentvolumes/x", id="delete-a-volume"),
    pytest.param("POST", f"{ROLES}/clusterrolebindings", id="bind-cluster-wide"),
    pytest.param("POST", f"{ROLES}/clusterroles", id="make-a-clusterrole"),
    pytest.param("POST", f"{RBAC}/{SELLER}/roles", id="make-a-role"),
    pytest.param("POST", "/api/v1/namespaces/default/configmaps", id="write-in-default"),
    pytest.param("POST", f"/api/v1/namespaces/{SYSTEM}/configmaps", id="write-in-its-own-namespace"),
    pytest.param("POST", f"/api/v1/namespaces/{SELLER}/pods", id="make-a-pod"),
    pytest.param("GET", f"/api/v1/namespaces/{SELLER}/pods/x/log", id="read-logs"),
    pytest.param("POST", f"/api/v1/namespaces/{SELLER}/pods/x/exec?command=id", id="exec"),
    pytest.param("POST", f"/api/v1/namespaces/{SELLER}/serviceaccounts/default/token", id="mint-a-token"),
    pytest.param("GET", "/api/v1/nodes/x", id="read-a-node"),
    pytest.param("PATCH", "/api/v1/nodes/x", id="change-a-node"),
    pytest.param("POST", f"{CAIRN}/namespaces/default/sellervms", id="make-a-machine-outside-of-sellers"),
    pytest.param("DELETE", f"{CAIRN}/namespaces/{SELLER}/sellervms/x", id="delete-a-machine-that-a-user-made"),
    pytest.param("POST", "/apis/kubevirt.io/v1/namespaces/default/virtualmachines", id="run-a-machine-in-default"),
    pytest.param("POST", "/apis/cdi.kubevirt.io/v1beta1/namespaces/cairn-images/datavolumes", id="write-an-image"),
]


@pytest.mark.parametrize(("method", "path"), NEVER)
def test_operator_may_never(charted: Charted, method: str, path: str) -> None:
    answer = charted.operator(method, path, {"metadata": {"name": "x"}} if method == "POST" else None)
    assert answer.status == 403, answer
    assert "cannot" in answer.message  # by RBAC: it has no such rule


def test_operator_binding_cluster_admin_is_refused_by_rbac_alone(charted: Charted) -> None:
    body = binding("cairn-operator", "cluster-admin", OPERATOR_SUBJECT)
    answer = charted.operator.create(f"{RBAC}/{SELLER}/rolebindings", body)
    assert answer.status in (403, 422)
    assert charted.operator("POST", f"{ROLES}/clusterrolebindings", body).status == 403


def test_operator_impersonating_is_refused(charted: Charted) -> None:
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "spec": {"resourceAttributes": {"verb": "impersonate", "resource": "users", "name": "admin"}},
    }
    answer = charted.operator.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
    assert answer.body["status"]["allowed"] is False


@contextmanager
def lent(cluster: Charted, role: str) -> Iterator[None]:
    """The operator's account with one more ClusterRole for a while."""
    bindings = f"{ROLES}/clusterrolebindings"
    assert cluster.admin.create(bindings, binding("lent", role, OPERATOR_SUBJECT)).ok
    try:
        until(lambda: cluster.operator.get("/api/v1/nodes/x"), lambda a: a.status == 404)
        yield
    finally:
        assert cluster.admin.delete(f"{bindings}/lent").ok
        until(lambda: cluster.operator.get("/api/v1/nodes/x"), lambda a: a.status == 403)

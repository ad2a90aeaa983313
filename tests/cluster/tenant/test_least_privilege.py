# SPDX-License-Identifier: Apache-2.0
"""The operator's rights as a golden file, and what a stolen token of it can't do with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.caller import Caller
from cluster.charted import APP, BUS, CHARTS, OPERATOR_SUBJECT, OTHER, ROLES, SELLER, SYSTEM, Charted, binding, helm
from cluster.samples import sample

GOLDEN = Path(__file__).parent / "rbac.golden.yaml"
KINDS = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")


def rendered(where: Path) -> list[dict[str, Any]]:
    """The chart's roles and who has them, by kind and name."""
    args = ("template", "cairn", CHARTS / "cairn", "--namespace", SYSTEM, "--values", str(BUS))
    objects = [one for one in yaml.safe_load_all(helm(where / "none", *args).stdout) if one and one["kind"] in KINDS]
    for one in objects:
        one["metadata"] = {k: v for k, v in one["metadata"].items() if k in ("name", "namespace")}
    return sorted(objects, key=lambda one: (one["kind"], one["metadata"]["name"]))


def test_check_12_operator_least_privilege_golden_file(tmp_path: Path) -> None:
    """A right more shows in the diff of a file that people read. To renew it: write what this test renders."""
    assert rendered(tmp_path) == list(yaml.safe_load_all(GOLDEN.read_text()))


def test_check_12_operator_least_privilege_what_no_role_of_the_chart_has(tmp_path: Path) -> None:
    cluster_wide = {one["roleRef"]["name"] for one in rendered(tmp_path) if one["kind"] == "ClusterRoleBinding"}
    for one in rendered(tmp_path):
        for rule in one.get("rules", ()):
            name = one["metadata"]["name"]
            assert "*" not in (*rule["verbs"], *rule["resources"], *rule["apiGroups"]), name
            assert not {"escalate", "impersonate", "deletecollection"} & set(rule["verbs"]), name
            assert "bind" not in rule["verbs"] or rule.get("resourceNames"), name
            assert not {"admissionregistration.k8s.io", "apiextensions.k8s.io"} & set(rule["apiGroups"]), name
            assert not {"pods/exec", "pods/attach", "serviceaccounts/token", "nodes/proxy"} & set(rule["resources"])
            if one["kind"] == "ClusterRole" and name in cluster_wide:
                assert "secrets" not in rule["resources"], name
            if "secrets" in rule["resources"] and name != "cairn-isv-developer":
                assert not {"list", "watch"} & set(rule["verbs"]), name


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("POST", f"{ROLES}/clusterrolebindings", id="bind-cluster-wide"),
        pytest.param("POST", f"{ROLES}/namespaces/{APP}/roles", id="make-a-role"),
        pytest.param("GET", "/api/v1/namespaces/kube-system/secrets", id="list-secrets-of-kube-system"),
        pytest.param("GET", "/api/v1/secrets", id="list-every-secret"),
        pytest.param("GET", f"/api/v1/namespaces/{APP}/secrets", id="list-secrets-of-an-app"),
        pytest.param("POST", f"/api/v1/namespaces/{APP}/pods", id="make-a-pod-in-an-app"),
        pytest.param("POST", f"/apis/apps/v1/namespaces/{APP}/deployments", id="make-a-deployment-in-an-app"),
        pytest.param("POST", f"/api/v1/namespaces/{APP}/configmaps", id="write-an-apps-configuration"),
        pytest.param("DELETE", f"/api/v1/namespaces/{APP}", id="delete-an-apps-namespace"),
        pytest.param("DELETE", f"/api/v1/namespaces/{APP}/resourcequotas/cairn", id="lift-an-apps-quota"),
        pytest.param("POST", f"/api/v1/namespaces/{APP}/serviceaccounts/default/token", id="mint-a-token"),
        pytest.param("POST", f"/apis/cairn.dev/v1alpha1/namespaces/{SELLER}/integrationtenants", id="make-a-tenant"),
        pytest.param("POST", f"/apis/cairn.dev/v1alpha1/namespaces/{APP}/integrationapps", id="make-a-request"),
        pytest.param("POST", "/api/v1/namespaces/default/secrets", id="write-a-secret-in-default"),
        pytest.param("POST", "/apis/networking.k8s.io/v1/namespaces/kube-system/networkpolicies", id="network"),
        pytest.param("POST", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", id="webhook"),
        pytest.param("POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests", id="certificate"),
    ],
)
def test_check_12_operator_least_privilege_stolen_token(charted: Charted, method: str, path: str) -> None:
    answer = charted.operator(method, path, {"metadata": {"name": "x"}} if method == "POST" else None)
    assert answer.status == 403, answer
    assert "cannot" in answer.message  # by RBAC: it has no such rule


def test_check_12_operator_least_privilege_binds_no_other_role(charted: Charted) -> None:
    """RBAC alone refuses: `bind` names its roles."""
    for role in ("cluster-admin", "admin", "edit", "view", "cairn-editor"):
        for namespace in (SELLER, APP):
            body = binding("cairn-main-owner", role, {"kind": "Group", "name": "cairn:2088:boss"})
            answer = charted.operator.create(f"{ROLES}/namespaces/{namespace}/rolebindings?dryRun=All", body)
            assert answer.status in (403, 422), (role, answer)


def test_check_12_operator_least_privilege_impersonates_nobody(charted: Charted) -> None:
    caller = Caller(
        charted.admin.server, charted.admin.pki, token=charted.operator.token, groups=("cairn:2088:owner-1",)
    )
    answer = caller.get(f"/api/v1/namespaces/{SELLER}/configmaps")
    assert answer.status == 403
    assert "impersonate" in answer.message


def test_check_12_operator_least_privilege_writes_in_no_namespace_of_others(charted: Charted, other: str) -> None:
    """Where it was never let in, and (by a stolen binding) where it was, but the label is missing."""
    for namespace in ("default", "kube-system", SYSTEM):
        answer = charted.operator.create(f"/api/v1/namespaces/{namespace}/secrets", sample("secrets", "x", namespace))
        assert answer.status == 403, answer
    body = binding("cairn-operator", "cairn-app-namespace", OPERATOR_SUBJECT)
    answer = charted.operator.create(f"{ROLES}/namespaces/{OTHER}/rolebindings", body)
    assert answer.status == 422, answer
    assert "cairn-operator-rolebindings" in answer.message


def test_check_12_operator_least_privilege_takes_away_only_what_it_gave(charted: Charted) -> None:
    path = f"{ROLES}/namespaces/{SELLER}/rolebindings"
    body = binding("admins-own", "view", {"kind": "Group", "name": "auditors"})
    assert charted.admin.create(path, body).ok
    for name in ("admins-own", "cairn-operator"):
        answer = charted.operator.delete(f"{path}/{name}")
        assert answer.status == 422, answer
        assert "cairn-operator-unbinds" in answer.message

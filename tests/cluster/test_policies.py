# SPDX-License-Identifier: Apache-2.0
"""The chart's admission policies: what a stolen operator token, a seller, an ISV and a tired admin can't do.

Each refusal names its policy, so that no case passes because something else said no.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from cairn.api.resources import DATAVOLUME, SECRET, VIRTUALMACHINE, VOLUMESNAPSHOT, Resource
from cluster.caller import Caller
from cluster.charted import LABELS, ROLES, SELLER, SYSTEM, Charted, binding, refused_by, until
from cluster.samples import sample

CAIRN = "/apis/cairn.dev/v1alpha1"
CONFIRM = "cairn.dev/confirm-delete"
RBAC = f"{ROLES}/namespaces"
FORGED = [
    pytest.param({"cairn.dev/owner-name": "shop-db"}, id="owner-name"),
    pytest.param({"cairn.dev/owner-uid": "0"}, id="owner-uid"),
    pytest.param({"cairn.dev/retain": "true"}, id="retain"),
    pytest.param({"app.kubernetes.io/managed-by": "cairn"}, id="managed-by"),
]


@pytest.fixture(scope="session")
def tenant(charted: Charted) -> Caller:
    """An ISV's account with Kubernetes' own role `admin` in the Seller's namespace, and KubeVirt's and CDI's."""
    groups = ["kubevirt.io", "pool.kubevirt.io", "cdi.kubevirt.io", "snapshot.storage.k8s.io"]
    rules = [{"apiGroups": groups, "resources": ["*"], "verbs": ["*"]}]
    charted.admin.create(f"{ROLES}/clusterroles", {"metadata": {"name": "machines"}, "rules": rules})
    tenant = charted.account(SELLER, "isv", "admin", "machines")
    until(lambda: tenant.get(VIRTUALMACHINE.path(SELLER)), lambda a: a.ok)
    return tenant


def configmap(name: str, **meta: Any) -> dict[str, Any]:
    body = sample("configmaps", name, SELLER)
    body["metadata"] |= meta
    return body


# Whose namespace it is


@pytest.mark.parametrize("label", ["cairn.dev/seller", "cairn.dev/seller-id"])
def test_seller_labels_set_by_others_are_refused(charted: Charted, other: str, label: str) -> None:
    """By somebody who may write namespaces, but is no cluster admin."""
    steward = charted.account(SYSTEM, "steward")
    role = {
        "metadata": {"name": "steward"},
        "rules": [rule("namespaces"), rule("namespaces/status"), rule("namespaces/finalize")],
    }
    charted.admin.create(f"{ROLES}/clusterroles", role)
    charted.admin.create(f"{ROLES}/clusterrolebindings", binding("steward", "steward", account("steward")))
    new = {"metadata": {"name": "seller-7", "labels": {label: "7"}}}
    until(lambda: steward.get(f"/api/v1/namespaces/{other}"), lambda a: a.ok)
    refused_by("cairn-seller-labels", steward.create("/api/v1/namespaces", new))
    change = {"metadata": {"labels": {label: "7"}}}
    refused_by("cairn-seller-labels", steward.merge(f"/api/v1/namespaces/{other}", change))
    refused_by("cairn-seller-labels", steward.merge(f"/api/v1/namespaces/{other}/status", change))
    refused_by(
        "cairn-seller-labels", steward.merge(f"/api/v1/namespaces/{SELLER}", {"metadata": {"labels": {label: None}}})
    )
    whole = charted.admin.get(f"/api/v1/namespaces/{other}").body
    whole["metadata"]["labels"][label] = "7"
    refused_by("cairn-seller-labels", steward("PUT", f"/api/v1/namespaces/{other}/finalize", whole))
    assert steward.merge(f"/api/v1/namespaces/{other}", {"metadata": {"labels": {"team": "a"}}}).ok


def test_seller_labels_set_by_a_cluster_admin_are_taken(charted: Charted) -> None:
    """Of system:masters, and by the ClusterRole cluster-admin."""
    charted.account(SYSTEM, "root")
    charted.admin.create(f"{ROLES}/clusterrolebindings", binding("root", "cluster-admin", account("root")))
    root = Caller(charted.admin.server, charted.admin.pki, token=charted.token(SYSTEM, "root"))
    body = {"metadata": {"name": "seller-8", "labels": dict(LABELS)}}
    until(lambda: root.create("/api/v1/namespaces?dryRun=All", body), lambda a: a.ok)
    assert charted.admin.create("/api/v1/namespaces?dryRun=All", body).ok


# Promotions


def test_promotion_that_others_are_raised_by_is_deleted_only_when_confirmed(charted: Charted) -> None:
    path = f"{CAIRN}/promotions"
    assert charted.admin.create(path, sample("promotions", "double-11", "")).ok
    path += "/double-11"
    for status, refused in (
        ({}, False),
        ({"phase": "Waiting", "participants": 3}, False),
        ({"phase": "WarmingUp", "participants": 3}, True),
        ({"phase": "Active"}, True),
        ({"phase": "Active", "participants": 0}, False),
        ({"phase": "CoolingDown", "participants": 3}, False),
        ({"phase": "Active", "participants": 3}, True),
    ):
        now = {"phase": None, "participants": None, **status}
        assert charted.operator.merge(f"{path}/status", {"status": now}).ok
        answer = charted.admin.delete(f"{path}?dryRun=All")
        if refused:
            refused_by("cairn-confirm-delete-promotion", answer)
            assert f"{CONFIRM}=double-11" in answer.message
        else:
            assert answer.ok, (status, answer)
    refused_by("cairn-confirm-delete-promotion", charted.admin.delete(f"{CAIRN}/promotions"))
    assert charted.admin.merge(path, {"metadata": {"annotations": {CONFIRM: "double-11"}}}).ok
    assert charted.admin.delete(path).ok


# Data


@pytest.mark.parametrize("plural", ["persistentvolumeclaims", "secrets", "datavolumes", "volumesnapshots"])
@pytest.mark.parametrize("who", ["admin", "operator", "tenant"])
def test_retained_data_is_deleted_only_when_confirmed(charted: Charted, tenant: Caller, plural: str, who: str) -> None:
    caller = {"admin": charted.admin, "operator": charted.operator, "tenant": tenant}[who]
    path = {"datavolumes": DATAVOLUME, "volumesnapshots": VOLUMESNAPSHOT}.get(plural, SECRET).path(SELLER)
    path = path.replace("/secrets", f"/{plural}")
    body = sample(plural, f"data-{who}", SELLER)
    body["metadata"]["labels"] = {"cairn.dev/retain": "true"}
    assert charted.operator.create(path, body).ok
    path += f"/data-{who}"
    refused = caller.delete(path)
    refused_by("cairn-confirm-delete-data", refused)
    assert f"{CONFIRM}=data-{who}" in refused.message
    assert charted.operator.merge(path, {"metadata": {"annotations": {CONFIRM: "something-else"}}}).ok
    refused_by("cairn-confirm-delete-data", caller.delete(path))
    assert charted.operator.merge(path, {"metadata": {"annotations": {CONFIRM: f"data-{who}"}}}).ok
    assert caller.delete(path).ok


def test_retained_data_survives_a_deletion_of_all(charted: Charted) -> None:
    path = f"/api/v1/namespaces/{SELLER}/persistentvolumeclaims"
    body = sample("persistentvolumeclaims", "data-all", SELLER)
    body["metadata"]["labels"] = {"cairn.dev/retain": "true"}
    assert charted.operator.create(path, body).ok
    refused_by("cairn-confirm-delete-data", charted.admin.delete(path))
    assert charted.admin.get(f"{path}/data-all").body["metadata"].get("deletionTimestamp") is None


@pytest.mark.parametrize("prefix", ["prime", "tmp-pvc"])
def test_claims_by_which_cdi_fills_another_are_deleted_though_they_bear_its_labels(
    charted: Charted, prefix: str
) -> None:
    """CDI v1.65 merges the labels of the claim into its own (populator-base.go, createPVCPrime)."""
    path = f"/api/v1/namespaces/{SELLER}/persistentvolumeclaims"
    name = f"{prefix}-0d3a5a14-9a5c-4d3e-8f0e-1b2c3d4e5f60"
    for one in (name, f"{prefix}-shop-disk"):
        body = sample("persistentvolumeclaims", one, SELLER)
        body["metadata"]["labels"] = {"cairn.dev/retain": "true"}
        assert charted.operator.create(path, body).ok
    assert charted.admin.delete(f"{path}/{name}").ok
    refused_by("cairn-confirm-delete-data", charted.admin.delete(f"{path}/{prefix}-shop-disk"))


def test_retain_label_is_not_taken_off(charted: Charted, tenant: Caller) -> None:
    """Else two steps of an ISV would do what one may not."""
    path = f"/api/v1/namespaces/{SELLER}/persistentvolumeclaims"
    body = sample("persistentvolumeclaims", "data-label", SELLER)
    body["metadata"]["labels"] = {"cairn.dev/retain": "true"}
    assert charted.operator.create(path, body).ok
    off = {"metadata": {"labels": {"cairn.dev/retain": None}}}
    refused_by("cairn-owner-labels", tenant.merge(f"{path}/data-label", off))


def test_sellers_namespace_is_deleted_only_when_confirmed_and_takes_its_claims(charted: Charted) -> None:
    path = "/api/v1/namespaces/seller-gone"
    charted.make_seller("seller-gone")
    claim = sample("persistentvolumeclaims", "data", "seller-gone")
    claim["metadata"]["labels"] = {"cairn.dev/retain": "true"}
    until(lambda: charted.operator.create(f"{path}/persistentvolumeclaims", claim), lambda a: a.ok)
    refused = charted.admin.delete(path)
    refused_by("cairn-confirm-delete", refused)
    assert f"{CONFIRM}=seller-gone" in refused.message
    assert charted.admin.merge(path, {"metadata": {"annotations": {CONFIRM: "seller-gone"}}}).ok
    assert charted.admin.delete(path).ok
    until(lambda: charted.admin.get(path), lambda a: a.status == 404, seconds=60)


def test_namespace_of_nobody_is_deleted_freely(charted: Charted) -> None:
    charted.make_namespace("scratch")
    assert charted.admin.delete("/api/v1/namespaces/scratch").ok


def test_crd_of_cairn_is_deleted_only_when_confirmed(charted: Charted) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/serviceplans.cairn.dev"
    refused = charted.admin.delete(f"{path}?dryRun=All")
    refused_by("cairn-confirm-delete-crd", refused)
    assert f"{CONFIRM}=serviceplans.cairn.dev" in refused.message
    assert charted.admin.merge(path, {"metadata": {"annotations": {CONFIRM: "serviceplans.cairn.dev"}}}).ok
    assert charted.admin.delete(f"{path}?dryRun=All").ok
    assert charted.admin.merge(path, {"metadata": {"annotations": {CONFIRM: None}}}).ok


# Status, finalizer, owner labels


def test_status_written_by_others_is_refused(charted: Charted) -> None:
    assert charted.admin.create(f"{CAIRN}/serviceplans", sample("serviceplans", "status", "")).ok
    said = {"status": {"observedGeneration": 7}}
    refused_by("cairn-status", charted.admin.merge(f"{CAIRN}/serviceplans/status/status", said))
    assert charted.operator.merge(f"{CAIRN}/serviceplans/status/status", said).ok


def test_finalizer_taken_off_by_a_tenant_is_refused(charted: Charted) -> None:
    path = f"{CAIRN}/namespaces/{SELLER}/pushsubscriptions"
    charted.admin.create(
        f"{ROLES}/clusterroles", {"metadata": {"name": "cairn-user"}, "rules": [rule("pushsubscriptions", "cairn.dev")]}
    )
    user = charted.account(SELLER, "cairn-user", "cairn-user")
    body = sample("pushsubscriptions", "held", SELLER)
    body["metadata"]["finalizers"] = ["cairn.dev/teardown"]
    until(lambda: user.create(path, body), lambda a: a.ok)
    assert user.merge(f"{path}/held", {"metadata": {"labels": {"team": "a"}}}).ok
    off = {"metadata": {"finalizers": None}}
    refused_by("cairn-finalizer", user.merge(f"{path}/held", off))
    assert charted.operator.merge(f"{path}/held", off).ok


@pytest.mark.parametrize("labels", FORGED)
def test_owner_labels_forged_on_an_object_are_refused(charted: Charted, tenant: Caller, labels: dict[str, str]) -> None:
    path = f"/api/v1/namespaces/{SELLER}/configmaps"
    for caller in (tenant, charted.admin):
        refused_by("cairn-owner-labels", caller.create(path, configmap("forged", labels=labels)))
    name = f"plain-{next(iter(labels)).split('/')[1]}"
    assert tenant.create(path, configmap(name)).ok
    refused_by("cairn-owner-labels", tenant.merge(f"{path}/{name}", {"metadata": {"labels": labels}}))


@pytest.mark.parametrize("labels", FORGED)
@pytest.mark.parametrize("change", [None, "other"], ids=["removed", "changed"])
def test_owner_labels_of_a_child_are_not_touched(
    charted: Charted, tenant: Caller, labels: dict[str, str], change: str | None
) -> None:
    key = next(iter(labels))
    name = f"child-{key.split('/')[1]}-{change}".lower()
    path = f"/api/v1/namespaces/{SELLER}/configmaps"
    assert charted.operator.create(path, configmap(name, labels=labels)).ok
    refused_by("cairn-owner-labels", tenant.merge(f"{path}/{name}", {"metadata": {"labels": {key: change}}}))
    assert tenant.merge(f"{path}/{name}", {"data": {"a": "c"}}).ok  # drift the operator undoes


def test_owner_labels_forged_by_a_pods_status_are_refused(charted: Charted) -> None:
    """A status update carries metadata along (CVE-2025-55205 was this gap, for namespaces)."""
    charted.admin.create(f"{ROLES}/clusterroles", {"metadata": {"name": "pod-status"}, "rules": [rule("pods/status")]})
    agent = charted.account(SELLER, "agent", "pod-status")
    path = f"/api/v1/namespaces/{SELLER}/pods"
    assert charted.admin.create(path, sample("pods", "status", SELLER)).ok
    forged = {"metadata": {"labels": {"cairn.dev/owner-name": "shop-db"}}}
    until(lambda: agent.merge(f"{path}/status/status", {}), lambda a: a.ok)
    refused_by("cairn-owner-labels", agent.merge(f"{path}/status/status", forged))


def _template(kind: str, where: str) -> tuple[str, dict[str, Any]]:
    """An object of this kind whose labels under `where` a controller would copy to what it makes."""
    labels = {"cairn.dev/owner-name": "shop-db"}
    body = copy.deepcopy(sample(kind, "forged", SELLER))
    claim = {
        "metadata": {"name": "data", "labels": labels},
        "spec": sample("persistentvolumeclaims", "x", SELLER)["spec"],
    }
    if where == "claims":
        body["spec"]["volumeClaimTemplates"] = [claim]
    elif where == "ephemeral":
        pod = body["spec"] if kind == "pods" else body["spec"]["template"]["spec"]
        pod["volumes"] = [
            {"name": "x", "ephemeral": {"volumeClaimTemplate": {**claim, "metadata": {"labels": labels}}}}
        ]
    elif where == "machines":
        body["spec"]["template"] = {"metadata": {"labels": labels}, "spec": {}}
    elif where == "disks":
        body["spec"]["dataVolumeTemplates"] = [{"metadata": {"name": "x", "labels": labels}}]
    elif where.startswith("pool"):
        inner = {"machines": {"template": {"metadata": {"labels": labels}}}, "disks": {"dataVolumeTemplates": [claim]}}
        spec = inner.get(where.removeprefix("pool-"), {})
        body["spec"]["virtualMachineTemplate"] = {"metadata": {} if spec else {"labels": labels}, "spec": spec}
    elif kind == "cronjobs":
        body["spec"]["jobTemplate"]["spec"]["template"].setdefault("metadata", {})["labels"] = labels
    else:
        body["spec"]["template"]["metadata"]["labels"] |= labels
    return Resource(*_group_of(body), body["kind"], kind).path(SELLER), body


def _group_of(body: dict[str, Any]) -> tuple[str, str]:
    group, _, version = body["apiVersion"].rpartition("/")
    return group, version


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        ("deployments", "pods"),
        ("statefulsets", "pods"),
        ("statefulsets", "claims"),
        ("jobs", "pods"),
        ("cronjobs", "pods"),
        ("pods", "ephemeral"),
        ("deployments", "ephemeral"),
        ("virtualmachines", "machines"),
        ("virtualmachines", "disks"),
        ("virtualmachinepools", "pool"),
        ("virtualmachinepools", "pool-machines"),
        ("virtualmachinepools", "pool-disks"),
    ],
)
def test_owner_labels_forged_in_a_template_are_refused(tenant: Caller, kind: str, where: str) -> None:
    path, body = _template(kind, where)
    refused_by("cairn-owner-labels-in-templates", tenant.create(path, body))


def test_child_with_labels_in_its_template_can_be_scaled_and_restarted(charted: Charted, tenant: Caller) -> None:
    path, body = _template("deployments", "pods")
    body["metadata"]["name"] = "worker"
    assert charted.operator.create(path, body).ok
    restart = {"spec": {"template": {"metadata": {"annotations": {"restarted": "now"}}}}}
    assert tenant.merge(f"{path}/worker", restart).ok
    assert tenant.merge(f"{path}/worker/scale", {"spec": {"replicas": 1}}).ok


def test_labels_copied_by_kubernetes_own_controllers_are_taken(charted: Charted) -> None:
    """The controller manager makes the pods of the operator's workloads, with the labels of the template."""
    path, body = _template("deployments", "pods")
    body["metadata"]["name"] = "copied"
    body["spec"]["replicas"] = 1
    assert charted.operator.create(path, body).ok
    pods = f"/api/v1/namespaces/{SELLER}/pods?labelSelector=cairn.dev/owner-name=shop-db"
    until(lambda: charted.admin.get(pods), lambda a: a.body.get("items"))


def test_objects_with_no_label_of_cairns_are_nobodys_business(charted: Charted, tenant: Caller) -> None:
    for kind in ("configmaps", "secrets", "persistentvolumeclaims", "services"):
        body = sample(kind, "free", SELLER)
        body["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "Helm"}
        assert tenant.create(f"/api/v1/namespaces/{SELLER}/{kind}", body).ok
        assert tenant.delete(f"/api/v1/namespaces/{SELLER}/{kind}/free").ok
    outside = configmap("forged", labels={"cairn.dev/owner-name": "x"}) | {}
    outside["metadata"]["namespace"] = "default"
    assert charted.admin.create("/api/v1/namespaces/default/configmaps", outside).ok


def test_policies_compile_without_warnings(charted: Charted) -> None:
    """The API server checks types of what a policy matches and says in its status what can't be."""
    path = (
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies?labelSelector=app.kubernetes.io/name=cairn"
    )
    found = until(lambda: charted.admin.get(path).body["items"], lambda items: all(_checked(i) for i in items))
    assert len(found) == 19
    warnings = {i["metadata"]["name"]: i["status"]["typeChecking"].get("expressionWarnings") for i in found}
    assert {name: w for name, w in warnings.items() if w} == {}


def _checked(policy: dict[str, Any]) -> bool:
    status = policy.get("status", {})
    return "typeChecking" in status and status.get("observedGeneration") == policy["metadata"]["generation"]


def rule(resource: str, group: str = "") -> dict[str, Any]:
    return {"apiGroups": [group], "resources": [resource], "verbs": ["get", "create", "update", "patch", "delete"]}


def account(name: str) -> dict[str, str]:
    return {"kind": "ServiceAccount", "name": name, "namespace": SYSTEM}


# Who may run things


def test_staff_makes_operations_and_changes_no_spec(charted: Charted) -> None:
    staff = charted.account(SELLER, "staff", "cairn-operator-staff")
    here = f"{CAIRN}/namespaces/{SELLER}"
    assert charted.admin.create(f"{here}/sellervms", sample("sellervms", "staffed", SELLER)).ok
    operation = sample("operations", "restart-staffed", SELLER)
    made = until(lambda: staff.create(f"{here}/operations", operation), lambda a: a.ok)
    assert made.ok
    for answer in (
        staff.merge(f"{here}/sellervms/staffed", {"spec": {"powerState": "Stopped"}}),
        staff.delete(f"{here}/sellervms/staffed"),
        staff.create(f"{here}/sellervms", sample("sellervms", "new", SELLER)),
        staff.merge(f"{here}/operations/restart-staffed", {"spec": {"action": "stop"}}),
        staff.get(f"/api/v1/namespaces/{SELLER}/secrets"),
        staff.create(f"{CAIRN}/namespaces/default/operations", operation),
    ):
        assert answer.status in (403, 400), answer
    assert staff.get(f"{here}/sellervms/staffed").ok
    assert staff.delete(f"{here}/operations/restart-staffed").ok


def test_catalogue_shows_plans_and_promotions(charted: Charted) -> None:
    reader = charted.account(SELLER, "reader", "cairn-viewer")
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": SELLER}
    assert reader.get(f"{CAIRN}/promotions").status == 403
    assert charted.admin.create(f"{ROLES}/clusterrolebindings", binding("reader", "cairn-catalogue", subject)).ok
    for kind in ("promotions", "serviceplans"):
        until(lambda kind=kind: reader.get(f"{CAIRN}/{kind}"), lambda a: a.ok)  # type: ignore[misc]
    assert reader.get(f"{CAIRN}/sellers").status == 403
    for kind in ("sellervms", "operations"):
        until(lambda kind=kind: reader.get(f"{CAIRN}/namespaces/{SELLER}/{kind}"), lambda a: a.ok)  # type: ignore[misc]


@pytest.mark.parametrize("who", ["kubevirt:kubevirt-controller", "cdi:cdi-sa", "default:somebody"])
def test_labels_copied_by_kubevirt_and_cdi_are_taken_and_by_others_not(charted: Charted, who: str) -> None:
    namespace, name = who.split(":")
    charted.make_namespace(namespace)
    controller = charted.account(namespace, name)
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    assert charted.admin.create(f"{RBAC}/{SELLER}/rolebindings", binding(name, "admin", subject)).ok
    path = f"/api/v1/namespaces/{SELLER}/configmaps"
    until(lambda: controller.get(path), lambda a: a.ok)
    answer = controller.create(path, configmap(f"copied-by-{name}", labels={"cairn.dev/owner-name": "web"}))
    if who == "default:somebody":
        refused_by("cairn-owner-labels", answer)
    else:
        assert answer.ok, answer

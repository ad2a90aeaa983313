# SPDX-License-Identifier: Apache-2.0
"""The charts on a cluster with pods: install, a seller's cloud by an ISV, upgrade and uninstall, with real data.

The tests build on each other in the order they stand here: one cluster lives through all of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cairn.pool import leases
from cairn.rds.config import SOCKETS
from cluster.charted import CHARTS, POOL, ROLES, SELLER, SYSTEM, Charted, helm, until
from devcluster import Cluster
from pods.installed import MINUTES, VALUES, chart, explained, ready

pytestmark = pytest.mark.pods

EXAMPLES = CHARTS.parent / "examples"
CAIRN = f"/apis/cairn.dev/v1alpha1/namespaces/{SELLER}"
PODS = f"/api/v1/namespaces/{SELLER}/pods"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{SELLER}/deployments/orders-push"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{POOL}/leases/{SELLER}--orders"
OPERATOR = f"system:serviceaccount:{SYSTEM}:cairn-operator"


@pytest.fixture(scope="module")
def installed(devcluster: Cluster) -> Iterator[Charted]:
    with chart(devcluster, "--set=push.pool.cpu=500m,push.pool.memory=512Mi") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def isv(installed: Charted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kubeconfig of an account with cairn-editor and Helm's ConfigMaps in the seller's namespace, made by Cairn."""
    for file in ("plans", "seller"):
        installed.plane.kubectl("apply", "-f", str(EXAMPLES / "first-order" / f"{file}.yaml"))
    ready(installed, "/apis/cairn.dev/v1alpha1/sellers/acme")
    verbs = ["get", "list", "create", "update", "delete"]
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs}]
    assert installed.admin.create(f"{ROLES}/clusterroles", {"metadata": {"name": "helm"}, "rules": rules}).ok
    caller = installed.account(SELLER, "isv", "cairn-editor", "helm")
    return installed.kubeconfig(tmp_path_factory.mktemp("isv") / "isv.conf", caller.token, SELLER)


def database_pod(cluster: Charted) -> dict[str, Any]:
    return cluster.admin.get(f"{PODS}/shop-db-0").body


def sql(cluster: Charted, statement: str) -> str:
    command = ("psql", "-h", SOCKETS, "-U", "cairn_admin", "-d", "shop", "-Atc", statement)
    return cluster.plane.kubectl("exec", "-n", SELLER, "shop-db-0", "--", *command).strip()


def test_install_two_operators_run_and_one_leads(installed: Charted) -> None:
    pods = installed.admin.get(f"/api/v1/namespaces/{SYSTEM}/pods?labelSelector=app.kubernetes.io/component=operator")
    names = {pod["metadata"]["name"] for pod in pods.body["items"]}
    assert len(names) == 2
    lease = installed.admin.get(f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/cairn-operator").body
    assert lease["spec"]["holderIdentity"].rsplit("-", 1)[0] in names


def test_seller_cloud_by_an_isv_stands_and_takes_data(installed: Charted, isv: Path) -> None:
    args = ("--namespace", SELLER, "--values", EXAMPLES / "helm" / "values.yaml", "--wait=hookOnly")
    helm(isv, "install", "cloud", CHARTS / "seller-cloud", *args, driver="configmap")
    ready(installed, f"{CAIRN}/sellerrdses/shop-db")
    ready(installed, f"{CAIRN}/pushsubscriptions/orders")
    sql(installed, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)")


def test_worker_moves_into_the_pool_outlives_a_member_and_moves_out_again(installed: Charted, isv: Path) -> None:
    plan = "/apis/cairn.dev/v1alpha1/serviceplans/push.small"
    assert installed.admin.merge(plan, {"spec": {"push": {"worker": "Shared"}}}).ok
    first = pooled(installed)
    assert not installed.admin.get(DEPLOYMENT).ok
    with explained(installed):
        installed.plane.kubectl("delete", "pod", "-n", POOL, first, "--grace-period=0", "--force")
        assert pooled(installed) != first
    assert installed.admin.merge(plan, {"spec": {"push": {"worker": "Own"}}}).ok
    with explained(installed):
        until(
            lambda: installed.admin.get(DEPLOYMENT),
            lambda own: own.ok and own.body.get("status", {}).get("readyReplicas") == 1,
            seconds=2 * MINUTES,
        )
    assert not installed.admin.get(LEASE).ok
    ready(installed, f"{CAIRN}/pushsubscriptions/orders")


def pooled(cluster: Charted) -> str:
    """The living member that has the subscription, once its worker reads and writes."""

    def found() -> str:
        pods = cluster.admin.get(f"/api/v1/namespaces/{POOL}/pods").body["items"]
        slot = leases.slot(lease) if (lease := cluster.admin.get(LEASE).body).get("spec") else None
        alive = {pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]}
        return slot.holder if slot and slot.ready and slot.holder in alive else ""

    with explained(cluster):
        return until(found, bool, seconds=2 * MINUTES)


def test_operator_was_refused_nothing_and_used_what_the_tests_say(installed: Charted) -> None:
    """The audit log of a whole life so far: no 403, and no request for which test_rbac has no case."""
    refused, used = Counter[str](), set()
    for event in installed.plane.audit_events():
        if event["user"]["username"] != OPERATOR:
            continue
        ref = event.get("objectRef", {})
        group = f"{ref['apiGroup']}/" if ref.get("apiGroup") else ""
        sub = f"/{ref['subresource']}" if ref.get("subresource") else ""
        right = f"{event['verb']} {group}{ref.get('resource', event['requestURI'])}{sub}"
        if event.get("responseStatus", {}).get("code") in (403, 422):
            refused[f"{right} {ref.get('namespace', '')}/{ref.get('name', '')}"] += 1
        used.add(right)
    given = given_rights()
    print("never used in this run:", sorted(given - used))
    discovery = {right for right in used if right.startswith("get /api")}  # what every account may ask
    assert used - discovery <= given
    assert not refused


def given_rights() -> set[str]:
    table = yaml.safe_load((CHARTS / "cairn" / "files" / "rbac.yaml").read_text())
    rules = [rule for part in table.values() for rule in part]
    return {
        f"{verb} {rule['group']}/{resource}" if rule["group"] else f"{verb} {resource}"
        for rule in rules
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_upgrade_of_the_operator_restarts_no_database(installed: Charted, isv: Path) -> None:
    before = database_pod(installed)
    args = ("--namespace", SYSTEM, "--wait", "--timeout", "4m", "--set=currency=EUR")
    helm(installed.plane.kubeconfig, "upgrade", "cairn", CHARTS / "cairn", *args, *VALUES)
    seller = "/apis/cairn.dev/v1alpha1/sellers/acme"
    until(
        lambda: installed.admin.get(seller).body["status"].get("cost", {}).get("currency"),
        lambda currency: currency == "EUR",
        seconds=2 * MINUTES,
    )
    after = database_pod(installed)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert [c["restartCount"] for c in after["status"]["containerStatuses"]] == [0]


def test_uninstall_of_the_seller_cloud_keeps_data_that_a_new_one_adopts(installed: Charted, isv: Path) -> None:
    identity = installed.admin.get(f"{CAIRN}/sellerrdses/shop-db").body["status"]["systemIdentifier"]
    helm(isv, "uninstall", "cloud", "--namespace", SELLER, driver="configmap")
    until(lambda: installed.admin.get(f"{CAIRN}/sellerrdses/shop-db"), lambda a: a.status == 404, seconds=MINUTES)
    until(lambda: installed.admin.get(f"{PODS}/shop-db-0"), lambda a: a.status == 404, seconds=MINUTES)
    claim = installed.admin.get(f"/api/v1/namespaces/{SELLER}/persistentvolumeclaims/shop-db-data").body
    assert "deletionTimestamp" not in claim["metadata"]
    assert installed.admin.get(f"/api/v1/namespaces/{SELLER}/secrets/shop-db-admin").ok

    args = ("--namespace", SELLER, "--values", EXAMPLES / "helm" / "values.yaml", "--wait=hookOnly")
    adopt = "--set=databases.shop-db.adopt=true"
    helm(isv, "install", "cloud", CHARTS / "seller-cloud", *args, adopt, driver="configmap")
    again = ready(installed, f"{CAIRN}/sellerrdses/shop-db")
    assert again["status"]["systemIdentifier"] == identity
    assert sql(installed, "SELECT n FROM kept") == "42"


def test_uninstall_of_the_operator_keeps_objects_and_running_databases(installed: Charted, isv: Path) -> None:
    before = database_pod(installed)
    helm(installed.plane.kubeconfig, "uninstall", "cairn", "--namespace", SYSTEM, "--wait")
    for path in ("/apis/cairn.dev/v1alpha1/sellers/acme", f"{CAIRN}/sellerrdses/shop-db"):
        assert "deletionTimestamp" not in installed.admin.get(path).body["metadata"]
    assert database_pod(installed)["metadata"]["uid"] == before["metadata"]["uid"]
    assert sql(installed, "SELECT n FROM kept") == "42"

    args = ("--namespace", SYSTEM, "--wait", "--timeout", "4m")
    helm(installed.plane.kubeconfig, "install", "cairn", CHARTS / "cairn", *args, *VALUES)
    ready(installed, f"{CAIRN}/sellerrdses/shop-db")
    assert database_pod(installed)["metadata"]["uid"] == before["metadata"]["uid"]


def test_deletion_policy_delete_gives_up_the_data(installed: Charted, isv: Path) -> None:
    """The engine confirms on each object what the policy asks for: without that, the volume would stay for ever."""
    confirmed = {"annotations": {"cairn.dev/confirm-delete": "shop-db"}}
    give_up = {"metadata": confirmed, "spec": {"deletionPolicy": "Delete"}}
    assert installed.admin.merge(f"{CAIRN}/sellerrdses/shop-db", give_up).ok
    helm(isv, "uninstall", "cloud", "--namespace", SELLER, driver="configmap")
    for path in ("persistentvolumeclaims/shop-db-data", "secrets/shop-db-admin"):
        gone = f"/api/v1/namespaces/{SELLER}/{path}"
        with explained(installed):
            until(lambda gone=gone: installed.admin.get(gone), lambda a: a.status == 404, seconds=2 * MINUTES)  # type: ignore[misc]

# SPDX-License-Identifier: Apache-2.0
"""charts/seller-cloud, installed by an ISV's account that has rights in one seller's namespace and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cluster.charted import CHARTS, OTHER, ROLES, SELLER, Charted, helm, until
from cluster.samples import sample

CHART = CHARTS / "seller-cloud"
VALUES = CHARTS.parent / "examples" / "helm" / "values.yaml"
PEAK = CHARTS.parent / "examples" / "helm" / "values-peak.yaml"
CAIRN = f"/apis/cairn.dev/v1alpha1/namespaces/{SELLER}"
STORES = {"secret": "secrets", "configmap": "configmaps"}


@pytest.fixture(params=STORES)
def driver(request: pytest.FixtureRequest) -> str:
    """Where Helm keeps its releases."""
    return str(request.param)


@pytest.fixture
def isv(charted: Charted, driver: str, tmp_path: Path) -> Path:
    """Kubeconfig of an account with cairn-editor and a place for Helm's releases, in the seller's namespace only."""
    role = f"helm-{driver}"
    verbs = ["get", "list", "create", "update", "delete"]
    rules = [{"apiGroups": [""], "resources": [STORES[driver]], "verbs": verbs}]
    charted.admin.create(f"{ROLES}/clusterroles", {"metadata": {"name": role}, "rules": rules})
    caller = charted.account(SELLER, f"isv-{driver}", "cairn-editor", role)
    until(lambda: caller.get(f"{CAIRN}/sellerrdses"), lambda a: a.ok)
    until(lambda: caller.get(f"/api/v1/namespaces/{SELLER}/{STORES[driver]}"), lambda a: a.ok)
    return charted.kubeconfig(tmp_path / "isv.conf", caller.token, SELLER)


def database(charted: Charted) -> dict[str, Any]:
    return charted.admin.get(f"{CAIRN}/sellerrdses/shop-db").body


def test_install_upgrade_rollback_and_uninstall_by_an_isv(charted: Charted, isv: Path, driver: str) -> None:
    where = ("--namespace", SELLER, "--wait=hookOnly")
    helm(isv, "install", "cloud", CHART, *where, "--values", VALUES, driver=driver)
    made = database(charted)
    assert made["spec"]["version"] == "17"
    assert made["spec"]["planRef"] == {"name": "db.small"}
    pushed = charted.admin.get(f"{CAIRN}/pushsubscriptions/orders").body
    assert pushed["spec"]["databaseRef"] == {"name": "shop-db"}

    opened = "--set=databases.shop-db.access.fromNamespaces={ingress}"
    helm(isv, "upgrade", "cloud", CHART, *where, "--values", VALUES, opened, driver=driver)
    assert database(charted)["spec"]["access"] == {"fromNamespaces": ["ingress"]}
    helm(isv, "rollback", "cloud", "1", *where, driver=driver)
    assert database(charted)["spec"].get("access", {}).get("fromNamespaces", []) == []
    assert database(charted)["metadata"]["uid"] == made["metadata"]["uid"]

    kept = data_of_the_database(charted, f"{driver}-data")
    helm(isv, "uninstall", "cloud", "--namespace", SELLER, driver=driver)
    until(lambda: charted.admin.get(f"{CAIRN}/sellerrdses/shop-db"), lambda a: a.status == 404)
    assert charted.admin.get(f"{CAIRN}/pushsubscriptions/orders").status == 404
    for path in kept:
        found = charted.admin.get(path)
        assert found.ok
        assert "deletionTimestamp" not in found.body["metadata"]


def test_machines_and_promotions_are_installed_and_kept_on_upgrade(charted: Charted, isv: Path, driver: str) -> None:
    where = ("--namespace", SELLER, "--wait=hookOnly")
    helm(isv, "install", "peak", CHART, *where, "--values", PEAK, driver=driver)
    machine = charted.admin.get(f"{CAIRN}/sellervms/shop-web").body
    assert machine["spec"]["promotions"][0]["replicas"] == {"min": 20, "max": 40}
    assert database(charted)["spec"]["promotions"] == [{"name": "double-11", "planRef": {"name": "db.xlarge"}}]
    # who may only run things has stopped it meanwhile: the chart says nothing of it, and leaves it
    stop = {"spec": {"powerState": "Stopped"}}
    assert charted.operator.merge(f"{CAIRN}/sellervms/shop-web?fieldManager=cairn-operation", stop).ok
    fewer = "--set-json=machines.shop-web.promotions=[]"
    helm(isv, "upgrade", "peak", CHART, *where, "--values", PEAK, fewer, driver=driver)
    machine = charted.admin.get(f"{CAIRN}/sellervms/shop-web").body
    assert machine["spec"]["promotions"] == []
    assert machine["spec"]["powerState"] == "Stopped"
    helm(isv, "uninstall", "peak", "--namespace", SELLER, driver=driver)
    until(lambda: charted.admin.get(f"{CAIRN}/sellervms/shop-web"), lambda a: a.status == 404)


def data_of_the_database(charted: Charted, name: str) -> list[str]:
    """What the operator has kept for it: a claim and a password, with its labels and no owner; their paths."""
    labels = {"cairn.dev/retain": "true", "cairn.dev/owner-kind": "SellerRDS", "cairn.dev/owner-name": "shop-db"}
    paths = []
    for plural in ("persistentvolumeclaims", "secrets"):
        body = sample(plural, name, SELLER)
        body["metadata"]["labels"] = labels
        assert charted.operator.create(f"/api/v1/namespaces/{SELLER}/{plural}", body).ok
        paths.append(f"/api/v1/namespaces/{SELLER}/{plural}/{name}")
    return paths


def test_install_into_another_namespace_is_refused(charted: Charted, isv: Path, driver: str, other: str) -> None:
    refused = helm(isv, "install", "cloud", CHART, "--namespace", other, "--values", VALUES, check=False, driver=driver)
    assert refused.returncode != 0
    assert f'in the namespace "{OTHER}"' in refused.stderr


def test_install_with_a_value_that_only_the_api_server_knows_is_refused_by_field(
    isv: Path, driver: str, tmp_path: Path
) -> None:
    """Two sizes at once: Helm's schema takes it, the CRD's rule does not, and nothing is left behind."""
    both = "--set=databases.shop-db.resources.cpu=1,databases.shop-db.resources.memory=1Gi"
    args = ("--namespace", SELLER, "--values", VALUES, both)
    refused = helm(isv, "install", "both", CHART, *args, check=False, driver=driver)
    assert refused.returncode != 0
    assert "planRef" in refused.stderr
    helm(isv, "uninstall", "both", "--namespace", SELLER, driver=driver)

# SPDX-License-Identifier: Apache-2.0
"""A vendor's developer installs an app with Helm, by a token of the platform's provider, in its namespace alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from cairn_devcluster.oidc import Person, Provider
from cluster.caller import Caller
from cluster.charted import APP, SELLER, SYSTEM, Charted, helm, until
from cluster.people import CONSOLE, person, token
from cluster.staff import GROUPS

CHART = Path(__file__).resolve().parents[3] / "examples" / "tenant" / "apps" / "chart"
VALUES = ("--set", "app=erp-bolt,vendor.name=Bolt", "--set-string", "vendor.appKey=23456789")
REQUEST = f"/apis/cairn.dev/v1alpha1/namespaces/{APP}/integrationapps/erp-bolt"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{APP}/deployments/erp"


@pytest.fixture
def developer(charted: Charted, provider: Provider, people: dict[str, Caller], tmp_path: Path) -> Path:
    """The developer's kubeconfig."""
    provider.write([Person("li", "li", groups=(GROUPS["developer"],))], [CONSOLE])
    caller = person(charted, provider, "li")
    until(lambda: caller.get(f"/apis/apps/v1/namespaces/{APP}/deployments"), lambda a: a.ok)
    return charted.kubeconfig(tmp_path / "li.conf", token(provider, "li"), APP)


def test_developer_installs_upgrades_and_uninstalls(charted: Charted, developer: Path) -> None:
    where = ("--namespace", APP, *VALUES)
    helm(developer, "install", "erp", CHART, *where)
    assert charted.admin.get(DEPLOYMENT).body["spec"]["replicas"] == 1
    assert charted.admin.get(REQUEST).body["spec"]["vendor"] == {"name": "Bolt", "appKey": "23456789"}
    helm(developer, "upgrade", "erp", CHART, *where, "--set", "replicas=2")
    assert charted.admin.get(DEPLOYMENT).body["spec"]["replicas"] == 2
    # The namespace's level admits the pods that the chart asks for.
    pods = f"/api/v1/namespaces/{APP}/pods"
    found = until(lambda: charted.admin.get(pods).body["items"], lambda items: len(items) == 2)
    assert {pod["spec"]["containers"][0]["image"] for pod in found} == {"registry.example.com/acme/crm:1.0.0"}
    helm(developer, "uninstall", "erp", "--namespace", APP)
    assert charted.admin.get(DEPLOYMENT).status == 404
    assert charted.admin.get(REQUEST).status == 404


@pytest.mark.parametrize("namespace", [SELLER, SYSTEM, "default"])
def test_developer_installs_nowhere_else(developer: Path, namespace: str) -> None:
    refused = helm(developer, "install", "erp", CHART, "--namespace", namespace, *VALUES, check=False)
    assert refused.returncode
    assert "forbidden" in refused.stderr

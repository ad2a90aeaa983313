# SPDX-License-Identifier: Apache-2.0
"""An app as a vendor installs it: it reads its view by its Secret, reaches its seller's database, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from cairn_devcluster.workbench import Namespace, pod
from cluster.charted import CHARTS, SELLER, Charted, helm, until
from devcluster import POSTGRES_REF, Cluster, StepError
from pods.conftest import fresh_cluster
from pods.installed import MINUTES, chart, explained, ready, refused

pytestmark = pytest.mark.pods

EXAMPLES = CHARTS.parent / "examples"
APP = "cairn-2088-erp-bolt"
STRANGERS = "strangers"
CAIRN = f"/apis/cairn.dev/v1alpha1/namespaces/{SELLER}"
SECRET = f"/api/v1/namespaces/{APP}/secrets/cairn-db"
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: trade
name: trade
version: 1.0.0
status: active
schema:
- name: trade
  physicalName: platform.trades
  properties:
  - {name: tid, logicalType: integer, physicalType: bigint, customProperties: [{property: mask, value: plain}]}
"""
PIN = {"name": "trade", "sha256": sha256(CONTRACT.encode()).hexdigest()}
PLAN: dict[str, Any] = {
    "apiVersion": "cairn.dev/v1alpha1",
    "kind": "ServicePlan",
    "metadata": {"name": "app.small"},
    "spec": {
        "for": "IntegrationApp",
        "size": {"cpu": "1", "memory": "1Gi", "storage": "1Gi", "pods": 5},
        "prices": [{"name": "2026-11", "from": "2026-11-01", "monthly": "10"}],
    },
}
TENANT: dict[str, Any] = {
    "apiVersion": "cairn.dev/v1alpha1",
    "kind": "IntegrationTenant",
    "metadata": {"name": "main", "namespace": SELLER},
    "spec": {
        "databaseRef": {"name": "shop-db"},
        "databaseName": "shop",
        "shops": ["55501"],
        "apps": [{"name": "erp-bolt", "vendorAppKey": "23456789", "planRef": {"name": "app.small"}}],
        "grants": [
            {
                "name": "trades",
                "app": "erp-bolt",
                "contract": PIN,
                "tables": [{"from": "platform.trades", "columns": [{"name": "tid", "mask": "plain"}]}],
                "rows": {"shops": ["55501"]},
                "purpose": "fulfilment",
                "expiresAt": "2027-05-31T00:00:00Z",
            }
        ],
    },
}
REQUEST = {"name": "trades", "contract": PIN, "purpose": "fulfilment", "required": ["tid"]}
_LISTEN = (
    "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 5432, Listen => 9) or die; 1 while $s->accept"
)


@pytest.fixture(scope="module")
def installed() -> Iterator[Charted]:
    """A seller with a database that orders are pushed into, and the operator of this tree."""
    with fresh_cluster("tests-tenant") as cluster:
        cluster.up()
        with chart(cluster, "--set=identity.issuer=https://sign-on.example.com") as running:
            for file in ("plans", "seller"):
                cluster.kubectl("apply", "-f", str(EXAMPLES / "first-order" / f"{file}.yaml"))
            ready(running, "/apis/cairn.dev/v1alpha1/sellers/acme")
            for file in ("database", "subscription"):
                cluster.kubectl("apply", "-f", str(EXAMPLES / "first-order" / f"{file}.yaml"))
            yield running


@pytest.fixture(scope="module")
def app(installed: Charted, tmp_path_factory: pytest.TempPathFactory) -> Namespace:
    """The app runs, admitted and granted."""
    contract = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "trade", "namespace": SELLER}}
    items = [PLAN, contract | {"data": {"contract.yaml": CONTRACT}}, TENANT]
    installed.plane.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    ready(installed, f"{CAIRN}/pushsubscriptions/orders")
    with explained(installed):
        until(lambda: installed.admin.get(f"/api/v1/namespaces/{APP}"), lambda a: a.ok, seconds=MINUTES)
        policies = f"/apis/networking.k8s.io/v1/namespaces/{APP}/networkpolicies/cairn-default-deny"
        until(lambda: installed.admin.get(policies), lambda a: a.ok, seconds=MINUTES)
    values = tmp_path_factory.mktemp("app") / "values.yaml"
    body = {"app": "erp-bolt", "vendor": {"name": "Bolt", "appKey": "23456789"}, "requests": [REQUEST]}
    body |= {"image": POSTGRES_REF, "command": ["bash", "-c", "exec sleep infinity"]}
    values.write_text(yaml.safe_dump(body))
    _install(installed, values)
    with explained(installed):
        until(lambda: installed.admin.get(SECRET), lambda a: a.ok, seconds=2 * MINUTES)
    namespace = _namespace(installed, APP)
    namespace.kubectl("rollout", "status", "deployment/erp", "--timeout=90s", timeout=100)
    return namespace


def _install(installed: Charted, values: Path) -> None:
    chart_of_app = EXAMPLES / "tenant" / "apps" / "chart"
    helm(installed.plane.kubeconfig, "install", "erp", chart_of_app, "--namespace", APP, "--values", values)


def _namespace(installed: Charted, name: str) -> Namespace:
    assert isinstance(installed.plane, Cluster)
    return Namespace(installed.plane, name)


def sql(app: Namespace, statement: str) -> str:
    """As the app itself: all it has is the mounted Secret."""
    where = "host=$(cat host) port=$(cat port) user=$(cat username) dbname=$(cat database) sslmode=verify-full"
    script = (
        f'cd /bindings/cairn-db; PGPASSWORD=$(cat password) psql "{where} sslrootcert=$PWD/ca.crt" -Atc "{statement}"'
    )
    return app.exec("deployment/erp", "bash", "-c", script).strip()


def reaches(namespace: Namespace, client: str, host: str, port: int) -> bool:
    try:
        namespace.exec(client, "timeout", "2", "bash", "-c", f"exec 3<>/dev/tcp/{host}/{port}")
    except StepError:
        return False
    return True


def test_app_reads_its_view_by_its_secret_alone(installed: Charted, app: Namespace) -> None:
    ready(installed, f"{CAIRN}/integrationtenants/main")
    columns = (
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = '$(cat share-schema)'"
    )
    assert sql(app, columns) == "trade|tid"
    with pytest.raises(StepError, match="permission denied"):
        sql(app, "SELECT * FROM platform.trades")
    assert app.exec("deployment/erp", "cat", "/bindings/cairn-db/oidc-client-id") == APP


def test_app_reaches_its_sellers_database_and_no_more(installed: Charted, app: Namespace) -> None:
    """A pod that no policy binds shows that all but that database can be reached."""
    installed.make_namespace(STRANGERS)
    strangers = _namespace(installed, STRANGERS)
    probe = {"readinessProbe": {"tcpSocket": {"port": 5432}, "periodSeconds": 1}}
    strangers.run(pod("database", "perl", "-e", _LISTEN, container=probe), pod("stranger"))
    listening = strangers.get("pod", "database")["status"]["podIP"]
    own = app.exec("deployment/erp", "cat", "/bindings/cairn-db/host")
    elsewhere = [(listening, 5432), ("10.96.0.1", 443)]

    assert reaches(app, "deployment/erp", own, 5432)
    for host, port in elsewhere:
        assert reaches(strangers, "stranger", host, port), host
        assert not reaches(app, "deployment/erp", host, port), host
    assert not reaches(strangers, "stranger", f"shop-db.{SELLER}.svc", 5432)


def test_app_that_is_no_longer_admitted_has_no_way_left(installed: Charted, app: Namespace) -> None:
    """The Secret is gone and so is the way to the database; what runs there, runs on."""
    own = app.exec("deployment/erp", "cat", "/bindings/cairn-db/host")
    tenant = f"{CAIRN}/integrationtenants/main"
    assert installed.admin.merge(tenant, {"spec": {"apps": [], "grants": []}}).ok
    with explained(installed):
        until(lambda: installed.admin.get(SECRET), lambda a: a.status == 404, seconds=MINUTES)
        until(lambda: reaches(app, "deployment/erp", own, 5432), lambda reached: not reached, seconds=MINUTES)
    ready(installed, tenant)
    pods = installed.admin.get(f"/api/v1/namespaces/{APP}/pods").body["items"]
    assert [pod["status"]["phase"] for pod in pods] == ["Running"]


def test_operator_was_refused_nothing(installed: Charted, app: Namespace) -> None:
    assert refused(installed) == {}

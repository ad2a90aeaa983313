# SPDX-License-Identifier: Apache-2.0
"""The operator's chart by Helm: lint, what it renders, what the API server says to it, upgrade and uninstall."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cairn.api.platform import Platform
from cairn.cli.declared import declared
from cluster.caller import Caller
from cluster.charted import BUS, CHARTS, SYSTEM, Charted, helm, until
from cluster.samples import sample
from devcluster import ControlPlane

CHART = CHARTS / "cairn"
EVERYTHING = ("--set=nats.enabled=true", "--set=gateway.service.type=NodePort", "--set=gateway.service.nodePort=30080")
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
OUTSIDE = ("--values", str(BUS))


def rendered(tmp_path: Path, *args: str) -> list[dict[str, Any]]:
    out = helm(tmp_path / "none", "template", "cairn", CHART, "--namespace", SYSTEM, *args).stdout
    return [one for one in yaml.safe_load_all(out) if one]


def named(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """In the release's namespace, or in none."""
    found = (one for one in objects if one["kind"] == kind and one["metadata"]["name"] == name)
    return next(one for one in found if one["metadata"].get("namespace", SYSTEM) == SYSTEM)


@pytest.mark.parametrize("args", [EVERYTHING, OUTSIDE], ids=["everything", "outside-bus"])
def test_lint_finds_nothing(tmp_path: Path, args: tuple[str, ...]) -> None:
    said = helm(tmp_path / "none", "lint", "--strict", CHART, *args).stdout
    assert "0 chart(s) failed" in said
    assert "[WARNING]" not in said


def test_platform_settings_are_what_the_program_reads(tmp_path: Path) -> None:
    platform = tmp_path / "platform.yaml"
    config = named(rendered(tmp_path, *EVERYTHING, "--set=currency=EUR"), "ConfigMap", "cairn-platform")
    platform.write_text(config["data"]["platform.yaml"])
    read = Platform.load(platform)
    assert read.namespace == SYSTEM
    assert read.currency == "EUR"
    assert read.images.cairn == "cairn.local/cairn:0.1.0"
    assert read.bus.replicas == 1
    assert read.bus.url == f"nats://cairn-nats.{SYSTEM}.svc:4222"
    assert [peer.namespace_labels for peer in read.bus.peers] == [{"kubernetes.io/metadata.name": SYSTEM}]
    config = named(rendered(tmp_path, *OUTSIDE), "ConfigMap", "cairn-platform")
    platform.write_text(config["data"]["platform.yaml"])
    assert Platform.load(platform).bus.url == "nats://bus.example:4222"
    assert Platform.load(platform).bus.replicas == 3
    assert keys(yaml.safe_load(platform.read_text())) == keys(Platform().model_dump(by_alias=True)), (
        "a setting is left out"
    )


def test_operator_may_read_the_key_of_the_platforms_records_only_where_it_is_named(tmp_path: Path) -> None:
    named_source = ("--set=push.source.url=https://records.example", "--set=push.source.keySecret=records")
    objects = rendered(tmp_path, *OUTSIDE, *named_source)
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["records"], "verbs": ["get"]}
    assert rule in named(objects, "Role", "cairn-operator")["rules"]
    platform = tmp_path / "platform.yaml"
    platform.write_text(named(objects, "ConfigMap", "cairn-platform")["data"]["platform.yaml"])
    source = Platform.load(platform).push.source
    assert source is not None
    assert (source.url, source.key_secret) == ("https://records.example", "records")
    without = named(rendered(tmp_path, *OUTSIDE), "Role", "cairn-operator")["rules"]
    assert [one["resourceNames"] for one in without if one["resources"] == ["secrets"]] == [["cairn-bus-account"]]


def test_alert_rules_come_as_asked_and_not_unasked(tmp_path: Path) -> None:
    rules = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())
    assert not [one for one in rendered(tmp_path, *OUTSIDE) if one["metadata"]["name"] == "cairn-alerts"]
    asked = ("--set=alerts.as=PrometheusRule", "--set=alerts.labels.release=prometheus")
    one = named(rendered(tmp_path, *OUTSIDE, *asked), "PrometheusRule", "cairn-alerts")
    assert one["spec"] == rules
    assert one["metadata"]["labels"]["release"] == "prometheus"
    plain = named(rendered(tmp_path, *OUTSIDE, "--set=alerts.as=ConfigMap"), "ConfigMap", "cairn-alerts")
    assert yaml.safe_load(plain["data"]["cairn.rules.yaml"]) == rules


def test_declared_datasets_are_what_operator_and_gateway_read(tmp_path: Path) -> None:
    example = CHARTS.parent / "examples" / "helm" / "datasets.yaml"
    objects = rendered(tmp_path, *EVERYTHING, "--values", str(example))
    file = tmp_path / "read.yaml"
    for name, key in (("cairn-platform", "platform.yaml"), ("cairn-gateway", "datasets.yaml")):
        file.write_text(named(objects, "ConfigMap", name)["data"][key])
        assert declared(file) == declared(example)
    refused = helm(
        tmp_path / "none", "template", "cairn", CHART, *EVERYTHING, "--set=datasets[0].name=Wrong", check=False
    )
    assert refused.returncode != 0
    assert "datasets" in refused.stderr


def keys(node: Any, path: str = "") -> set[str]:
    if not isinstance(node, dict):
        return {path}
    return {leaf for key, value in node.items() for leaf in keys(value, f"{path}/{key}")}


@pytest.mark.parametrize(
    ("args", "told"),
    [
        pytest.param((), "bus.url", id="no-bus"),
        pytest.param(("--set=bus.url=nats://b",), "bus.peers", id="no-peers"),
        pytest.param((*EVERYTHING, "--set=operator.replica=2"), "replica", id="unknown-value"),
        pytest.param((*EVERYTHING, "--kube-version=1.34.9"), ">=1.35.0", id="old-kubernetes"),
    ],
)
def test_values_that_cannot_work_are_refused_by_name(tmp_path: Path, args: tuple[str, ...], told: str) -> None:
    refused = helm(tmp_path / "none", "template", "cairn", CHART, *args, check=False)
    assert refused.returncode != 0
    assert told in refused.stderr


def test_containers_have_no_right_on_their_node(tmp_path: Path) -> None:
    workloads = [o for o in rendered(tmp_path, *EVERYTHING) if o["kind"] in ("Deployment", "StatefulSet")]
    assert {o["metadata"]["name"] for o in workloads} == {"cairn-operator", "cairn-gateway", "cairn-nats", "cairn-pool"}
    for workload in workloads:
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 65532
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is (workload["metadata"]["name"] in ("cairn-operator", "cairn-pool"))
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert {"livenessProbe", "readinessProbe"} <= container.keys()


def test_two_operators_and_a_budget_for_them(tmp_path: Path) -> None:
    objects = rendered(tmp_path, *OUTSIDE)
    operator = named(objects, "Deployment", "cairn-operator")
    assert operator["spec"]["replicas"] == 2
    budget = named(objects, "PodDisruptionBudget", "cairn-operator")
    assert budget["spec"]["selector"] == operator["spec"]["selector"]
    assert not [o for o in objects if o["metadata"]["name"] == "cairn-nats"]


def test_operator_reaches_databases_of_sellers_and_no_other_pod(tmp_path: Path) -> None:
    policy = named(rendered(tmp_path, *EVERYTHING), "NetworkPolicy", "cairn-operator")["spec"]
    pods = [peer for rule in policy["egress"] for peer in rule["to"] if "ipBlock" not in peer]
    seller = {"matchExpressions": [{"key": "cairn.dev/seller-id", "operator": "Exists"}]}
    assert {"namespaceSelector": seller} in pods
    (database,) = [rule for rule in policy["egress"] if {"namespaceSelector": seller} in rule["to"]]
    assert [port["port"] for port in database["ports"]] == [5432]
    assert policy["policyTypes"] == ["Ingress", "Egress"]


@pytest.mark.parametrize("args", [EVERYTHING, OUTSIDE], ids=["everything", "outside-bus"])
def test_every_object_is_taken_by_the_api_server_and_by_restricted_pod_security(
    charted: Charted, tmp_path: Path, args: tuple[str, ...]
) -> None:
    """Server-side dry run with strict field validation, Pod Security told to refuse in the namespace."""
    labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    assert charted.admin.merge(f"/api/v1/namespaces/{SYSTEM}", labels).ok
    text = yaml.safe_dump_all(rendered(tmp_path, *args))
    said = charted.plane.kubectl(
        "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-", input=text
    )
    assert len(said.splitlines()) == len(rendered(tmp_path, *args))
    for workload in (o for o in rendered(tmp_path, *args) if o["kind"] in ("Deployment", "StatefulSet")):
        template = workload["spec"]["template"]
        template["metadata"]["name"] = "probe"
        # what the claim templates give a StatefulSet's pods
        for claim in workload["spec"].get("volumeClaimTemplates", []):
            volume = {"name": claim["metadata"]["name"], "emptyDir": {}}
            template["spec"]["volumes"].append(volume)
        pod = charted.admin.create(f"/api/v1/namespaces/{SYSTEM}/pods?dryRun=All", {**template, "kind": "Pod"})
        assert pod.ok or "serviceaccount" in pod.message, str(pod)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One to install on and uninstall from."""
    with ControlPlane.start(tmp_path_factory.mktemp("releases"), name="releases", audit=False) as plane:
        yield plane


def previous_chart(where: Path) -> tuple[Path, str]:
    """The chart of the previous commit that has one, else (a shallow clone) this one under a lower version."""
    listed = subprocess.run(
        ["git", "log", "--format=%H", "--max-count=2", "--", "charts/cairn"],
        cwd=CHARTS, check=False, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    for commit in listed[1:]:
        archive = subprocess.run(
            ["git", "archive", commit, "charts/cairn"], cwd=CHARTS.parent, check=False, capture_output=True
        )
        if archive.returncode == 0:
            subprocess.run(["tar", "-x", "-C", where], input=archive.stdout, check=True)
            return where / "charts" / "cairn", f"commit {commit[:12]}"
    helm(where / "none", "package", CHART, "--version", "0.0.1", "--destination", where)
    return where / "cairn-0.0.1.tgz", "this chart as version 0.0.1 (the clone has no earlier commit of it)"


def test_upgrade_from_the_previous_commit_then_uninstall_keeps_what_users_made(
    plane: ControlPlane, tmp_path: Path, record_property: Any
) -> None:
    admin = Caller(plane.server, plane.directory / "pki")
    before, whence = previous_chart(tmp_path)
    record_property("upgraded-from", whence)
    print(f"upgrade from {whence}")
    release = ("--namespace", SYSTEM, "--wait=hookOnly")
    helm(plane.kubeconfig, "install", "cairn", before, *release, "--create-namespace", *EVERYTHING)
    kept = sample("serviceplans", "kept", "")
    made = until(lambda: admin.create("/apis/cairn.dev/v1alpha1/serviceplans", kept), lambda a: a.status != 404)
    assert made.ok, str(made)

    helm(plane.kubeconfig, "upgrade", "cairn", CHART, *release, *EVERYTHING)
    history = json.loads(helm(plane.kubeconfig, "history", "cairn", "-n", SYSTEM, "-o", "json").stdout)
    assert [one["status"] for one in history] == ["superseded", "deployed"]
    assert_crds_are_those_of_the_tree(admin)

    helm(plane.kubeconfig, "uninstall", "cairn", "--namespace", SYSTEM)
    assert_crds_are_those_of_the_tree(admin)
    after = admin.get("/apis/cairn.dev/v1alpha1/serviceplans/kept")
    assert after.body["metadata"]["uid"] == made.body["metadata"]["uid"]
    for path in ("validatingadmissionpolicies", "validatingadmissionpolicybindings"):
        listed = admin.get(f"/apis/admissionregistration.k8s.io/v1/{path}?labelSelector=app.kubernetes.io/name=cairn")
        assert listed.body["items"] == []
    assert admin.get(f"/apis/apps/v1/namespaces/{SYSTEM}/deployments").body["items"] == []

    helm(plane.kubeconfig, "install", "cairn", CHART, *release, *EVERYTHING)
    again = admin.get("/apis/cairn.dev/v1alpha1/serviceplans/kept")
    assert again.body["metadata"]["uid"] == made.body["metadata"]["uid"]


def assert_crds_are_those_of_the_tree(admin: Caller) -> None:
    for path in sorted((CHARTS.parent / "crds").glob("*.yaml")):
        wanted = yaml.safe_load(path.read_text())
        live = admin.get(f"{CRDS}/{wanted['metadata']['name']}").body
        schema = wanted["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        assert live["spec"]["versions"][0]["schema"]["openAPIV3Schema"] == schema, path.name

# SPDX-License-Identifier: Apache-2.0
"""The operator's chart on a cluster with pods, installed by Helm and waited for by Helm."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Iterator
from typing import Any

from cairn.cli.main import main as cairn
from cluster.caller import Caller
from cluster.charted import CHARTS, SYSTEM, Charted, helm, until
from devcluster import NATS_REF, OPERATOR_REF, POSTGRES_REF, Cluster, operator_image

REPOSITORY, TAG = OPERATOR_REF.split(":")
VALUES = (
    f"--set=image.repository={REPOSITORY},image.tag={TAG}",
    f"--set=images.postgresql={POSTGRES_REF.replace(':17', ':{version}')}",
    f"--set=nats.enabled=true,nats.image={NATS_REF},nats.storage.size=2Gi,bus.streamSize=1Gi,gateway.replicas=1",
)
MINUTES = 60
OPERATOR = f"system:serviceaccount:{SYSTEM}:cairn-operator"


@contextlib.contextmanager
def chart(devcluster: Cluster, *further: str) -> Iterator[Charted]:
    """further: arguments of Helm's beside VALUES"""
    devcluster.import_image(operator_image())
    cluster = Charted(devcluster, Caller(f"https://{devcluster.address}:6443", devcluster.directory / "pki"))
    cluster.make_namespace(SYSTEM, {"pod-security.kubernetes.io/enforce": "restricted"})
    devcluster.kubectl("apply", "-n", SYSTEM, "-f", "-", input=bus_secrets())
    with explained(cluster):
        args = ("--namespace", SYSTEM, "--wait", "--timeout", "4m")
        helm(devcluster.kubeconfig, "install", "cairn", CHARTS / "cairn", *args, *VALUES, *further)
    yield cluster
    helm(devcluster.kubeconfig, "uninstall", "cairn", "--namespace", SYSTEM, "--ignore-not-found")


def bus_secrets() -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert cairn(["bus", "init", "--namespace", SYSTEM]) == 0
    return out.getvalue()


@contextlib.contextmanager
def explained(cluster: Charted) -> Iterator[None]:
    """Adds to a failure what the cluster says about it."""
    try:
        yield
    except AssertionError as failed:
        said = cluster.plane.kubectl("get", "cairn,pods,pvc,events", "-A", check=False)
        for name in ("deployment/cairn-gateway", "statefulset/cairn-nats"):
            said += cluster.plane.kubectl("logs", "-n", SYSTEM, name, "--tail=30", check=False)
        label = "app.kubernetes.io/component=operator"
        said += cluster.plane.kubectl("logs", "-n", SYSTEM, "-l", label, "--tail=40", check=False)
        raise AssertionError(f"{failed}\n{said}") from None


def ready(cluster: Charted, path: str) -> dict[str, Any]:
    """The object, once its Ready condition is True for its present generation."""

    def stands(body: dict[str, Any]) -> bool:
        status = body.get("status", {})
        conditions = {c["type"]: c["status"] for c in status.get("conditions", [])}
        return conditions.get("Ready") == "True" and status["observedGeneration"] == body["metadata"]["generation"]

    with explained(cluster):
        return until(lambda: cluster.admin.get(path).body, stands, seconds=4 * MINUTES)


def refused(cluster: Charted) -> dict[str, int]:
    """What the operator asked for and was not allowed, by the audit log of the cluster's whole life."""
    found = Counter[str]()
    for event in cluster.plane.audit_events():
        if event["user"]["username"] == OPERATOR and event.get("responseStatus", {}).get("code") in (403, 422):
            ref = event.get("objectRef", {})
            found[f"{event['verb']} {ref.get('resource')} {ref.get('namespace', '')}/{ref.get('name', '')}"] += 1
    return dict(found)

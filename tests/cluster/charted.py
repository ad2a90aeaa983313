# SPDX-License-Identifier: Apache-2.0
"""A control plane of its own with the chart installed by Helm, and the identities that meet there.

Not the shared one: the chart's admission policies would judge other tests' requests.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from cluster import foreign
from cluster.caller import Answer, Caller
from devcluster import Cluster, ControlPlane, binary

CHARTS = Path(__file__).resolve().parents[2] / "charts"
BUS = Path(__file__).resolve().parent / "bus.values.yaml"
"""An outside bus: the values that have no default."""
SYSTEM = "cairn-system"
SELLER = "seller-2088"
LABELS = {
    "cairn.dev/seller": "acme",
    "cairn.dev/seller-id": "2088",
    "pod-security.kubernetes.io/enforce": "restricted",
}
APP = "cairn-2088-erp-bolt"
APP_LABELS = LABELS | {"cairn.dev/app": "erp-bolt", "cairn.dev/tenant": "main"}
T = TypeVar("T")
ROLES = "/apis/rbac.authorization.k8s.io/v1"


def helm(
    kubeconfig: Path, *args: str | Path, check: bool = True, driver: str = "secret"
) -> subprocess.CompletedProcess[str]:
    """Run Helm against one cluster, with a home of its own beside the kubeconfig. `driver` stores its releases."""
    home = kubeconfig.parent / "helm"
    env = {k: v for k, v in os.environ.items() if k != "KUBECONFIG" and not k.startswith("HELM_")}
    env |= {"HELM_CACHE_HOME": f"{home}/cache", "HELM_CONFIG_HOME": f"{home}/config", "HELM_DATA_HOME": f"{home}/data"}
    env["HELM_DRIVER"] = driver
    command = [str(binary("helm")), *map(str, args), "--kubeconfig", str(kubeconfig)]
    done = subprocess.run(command, env=env, text=True, capture_output=True, check=False, timeout=300)
    if check and done.returncode:
        raise AssertionError(f"helm {' '.join(map(str, args))}: {done.stderr.strip()}")
    return done


@dataclass
class Charted:
    """The cluster, `admin` (of system:masters) and `operator` (Cairn's ServiceAccount, by token)."""

    plane: ControlPlane | Cluster
    admin: Caller

    @functools.cached_property
    def operator(self) -> Caller:
        return Caller(self.admin.server, self.admin.pki, token=self.token(SYSTEM, "cairn-operator"))

    def person(self, *groups: str) -> Caller:
        """Somebody in these groups, as the platform's single sign-on would say."""
        return Caller(self.admin.server, self.admin.pki, groups=groups)

    def account(self, namespace: str, name: str, *roles: str) -> Caller:
        """A ServiceAccount, made if need be, with these ClusterRoles in its namespace."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        self.admin.create(path, {"metadata": {"name": name}})
        for role in roles:
            subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
            body = binding(f"{name}-{role}", role, subject)
            made = self.admin.create(f"{ROLES}/namespaces/{namespace}/rolebindings", body)
            assert made.ok or made.status == 409, made
        return Caller(self.admin.server, self.admin.pki, token=self.token(namespace, name))

    def token(self, namespace: str, name: str) -> str:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        return str(until(lambda: self.admin.create(path, body), lambda a: a.ok).body["status"]["token"])

    def kubeconfig(self, path: Path, token: str, namespace: str) -> Path:
        """A kubeconfig for the bearer of this token, written there."""
        authority = base64.b64encode((self.admin.pki / "ca.crt").read_bytes()).decode()
        cluster = {"server": self.admin.server, "certificate-authority-data": authority}
        context = {"cluster": "cairn-isv", "user": "isv", "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "cairn-isv", "cluster": cluster}],
            "users": [{"name": "isv", "user": {"token": token}}],
            "contexts": [{"name": "cairn-isv", "context": context}],
            "current-context": "cairn-isv",
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))
        return path

    def make_namespace(self, name: str, labels: dict[str, str] | None = None) -> None:
        """A namespace, made as admin and ready for pods."""
        made = self.admin.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels or {}}})
        assert made.ok or made.status == 409, made
        until(lambda: self.admin.get(f"/api/v1/namespaces/{name}/serviceaccounts/default"), lambda a: a.ok)

    def make_seller(self, namespace: str) -> None:
        """A Seller's namespace, made by the operator as the product does."""
        self._make(namespace, LABELS, "cairn-seller-namespace")

    def make_app(self, namespace: str) -> None:
        """An app's namespace, made by the operator as the product does."""
        labels = APP_LABELS | {
            "cairn.dev/app": namespace.split("-", 2)[2],
            "cairn.dev/seller-id": namespace.split("-")[1],
        }
        self._make(namespace, labels, "cairn-app-namespace")

    def _make(self, namespace: str, labels: dict[str, str], role: str) -> None:
        made = self.operator.create("/api/v1/namespaces", {"metadata": {"name": namespace, "labels": labels}})
        assert made.ok, made
        path = f"{ROLES}/namespaces/{namespace}/rolebindings"
        body = binding("cairn-operator", role, OPERATOR_SUBJECT)
        # The policy's view of namespaces is a watch: for a moment the new one is not in it.
        until(lambda: self.operator.create(path, body), lambda a: a.ok)
        until(lambda: self.admin.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/default"), lambda a: a.ok)


def binding(name: str, role: str, subject: dict[str, str], kind: str = "ClusterRole") -> dict[str, Any]:
    group = "rbac.authorization.k8s.io"
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": kind, "name": role},
        "subjects": [subject],
    }


OTHER = "elsewhere"
IMAGES = "cairn-images"
POOL = "cairn-push"
OPERATOR_SUBJECT = {"kind": "ServiceAccount", "name": "cairn-operator", "namespace": SYSTEM}


def until(ask: Callable[[], T], good: Callable[[T], object], seconds: float = 20) -> T:
    """Ask until the answer is good; authorizer and admission learn of changes by watching."""
    deadline = time.monotonic() + seconds
    while not good(answer := ask()):
        assert time.monotonic() < deadline, f"not in {seconds} s; the last answer: {answer}"
        time.sleep(0.02)
    return answer


@contextmanager
def charted_cluster(directory: Path, authentication: str = "") -> Iterator[Charted]:
    """Start it, install the chart, and let the operator make one Seller's namespace as the product does."""
    # This plugin is off by default and on in some distributions: what works with it works without it.
    plugins = ["OwnerReferencesPermissionEnforcement"]
    with ControlPlane.start(
        directory, name="charts", audit=False, admission=plugins, authentication=authentication
    ) as plane:
        admin = Caller(plane.server, plane.directory / "pki")
        plane.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(foreign.crds()))
        helm(
            plane.kubeconfig, "install", "cairn", CHARTS / "cairn", "--namespace", SYSTEM, "--create-namespace",
            "--values", BUS, "--wait=hookOnly",
        )  # fmt: skip
        cluster = Charted(plane, admin)
        cluster.make_seller(SELLER)
        cluster.make_app(APP)
        _policies_in_force(cluster)
        yield cluster


def _policies_in_force(cluster: Charted) -> None:
    """A policy is in force when it refuses: the last one of the chart's to arrive is not known, so ask each kind."""
    probe = {"metadata": {"name": "probe", "labels": {"cairn.dev/seller-id": "1"}}}
    tenant = cluster.account(SELLER, "probe", "edit")
    forged = {"metadata": {"name": "probe", "labels": {"cairn.dev/owner-name": "x"}}}
    path = f"/api/v1/namespaces/{SELLER}/configmaps?dryRun=All"
    until(lambda: tenant.create(path, forged), lambda a: "cairn.dev/" in a.message)
    until(lambda: cluster.operator.create("/api/v1/namespaces?dryRun=All", probe), lambda a: a.status in (403, 422))


def refused_by(policy: str, answer: Answer) -> None:
    assert answer.status in (403, 422), f"not refused: {answer}"
    assert f"'{policy}'" in answer.message, str(answer)

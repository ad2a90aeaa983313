# SPDX-License-Identifier: Apache-2.0
"""roles.yaml is what the API server says: every cell of role x place x resource x verb."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from cairn.api.crd import CRDS
from cluster.caller import Caller
from cluster.charted import APP, SELLER, Charted
from cluster.staff import GROUPS

WORDS = {"read": "get list watch", "write": "create update patch delete"}
VERBS = (
    *("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"),
    *("consent", "delegate", "bind", "impersonate"),
)
_NAMES = {
    "": "configmaps secrets services serviceaccounts serviceaccounts/token persistentvolumeclaims events endpoints pods"
    " pods/log pods/exec pods/attach pods/portforward pods/ephemeralcontainers pods/eviction resourcequotas limitranges"
    " namespaces namespaces/status namespaces/finalize nodes persistentvolumes",
    "apps": "deployments statefulsets daemonsets replicasets deployments/scale statefulsets/scale",
    "batch": "jobs cronjobs",
    "autoscaling": "horizontalpodautoscalers",
    "policy": "poddisruptionbudgets",
    "networking.k8s.io": "networkpolicies ingresses",
    "rbac.authorization.k8s.io": "roles rolebindings clusterroles clusterrolebindings",
    "gateway.networking.k8s.io": "httproutes",
    "snapshot.storage.k8s.io": "volumesnapshots",
    "kubevirt.io": "virtualmachines",
    "admissionregistration.k8s.io": "validatingwebhookconfigurations validatingadmissionpolicies",
    "apiextensions.k8s.io": "customresourcedefinitions",
    "certificates.k8s.io": "certificatesigningrequests",
    "cairn.dev": " ".join(f"{crd.resource.plural} {crd.resource.plural}/status" for crd in CRDS),
}
RESOURCES = [f"{group}/{name}".lstrip("/") for group, names in _NAMES.items() for name in names.split()]
MATRIX = yaml.safe_load((Path(__file__).parent / "roles.yaml").read_text())
Cell = tuple[str, str]


def split(resource: str) -> tuple[str, str, str]:
    """Group, plural and subresource."""
    group = next((group for group in _NAMES if group and resource.startswith(f"{group}/")), "")
    plural, _, sub = resource.removeprefix(f"{group}/").partition("/")
    return group, plural, sub


def wanted(role: str, place: str) -> set[Cell]:
    """What roles.yaml says."""
    said = MATRIX[role][place].items()
    return {
        (resource, verb) for resource, verbs in said for word in verbs.split() for verb in WORDS.get(word, word).split()
    }


class Reviews:
    """SubjectAccessReviews of one group in one namespace, on one connection: there are thousands."""

    def __init__(self, admin: Caller, group: str, namespace: str) -> None:
        url = urlsplit(admin.server)
        self._connection = http.client.HTTPSConnection(url.hostname or "", url.port, timeout=20, context=admin._tls)
        self._who = {"user": "somebody", "groups": ["system:authenticated", group]}
        self._namespace = namespace

    def allowed(self) -> Iterator[Cell]:
        for resource in RESOURCES:
            for verb in VERBS:
                if self._ask(resource, verb):
                    yield resource, verb

    def _ask(self, resource: str, verb: str) -> bool:
        group, plural, sub = split(resource)
        attributes = {"verb": verb, "group": group, "resource": plural, "subresource": sub, "version": "*"}
        spec = {**self._who, "resourceAttributes": {**attributes, "namespace": self._namespace, "name": "x"}}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        self._connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        with self._connection.getresponse() as response:
            return bool(json.loads(response.read())["status"]["allowed"])

    def close(self) -> None:
        self._connection.close()


def allowed(charted: Charted, role: str, namespace: str) -> set[Cell]:
    reviews = Reviews(charted.admin, GROUPS[role], namespace)
    try:
        return set(reviews.allowed())
    finally:
        reviews.close()


@pytest.mark.parametrize("place", ["seller", "app"])
@pytest.mark.parametrize("role", sorted(GROUPS))
def test_role_may_exactly_what_the_matrix_says(
    charted: Charted, people: dict[str, Caller], role: str, place: str
) -> None:
    found = allowed(charted, role, {"seller": SELLER, "app": APP}[place])
    assert found == wanted(role, place)


@pytest.mark.parametrize("role", sorted(GROUPS))
def test_role_may_nothing_in_a_neighbours_namespace(
    charted: Charted, people: dict[str, Caller], neighbour: str, role: str
) -> None:
    for namespace in (neighbour, "kube-system", "default", "cairn-system", ""):
        assert allowed(charted, role, namespace) == set(), namespace


def test_matrix_names_no_resource_that_is_not_asked_about() -> None:
    named = {resource for places in MATRIX.values() for cells in places.values() for resource in cells}
    assert named - set(RESOURCES) == set()
    assert {word for places in MATRIX.values() for cells in places.values() for text in cells.values()
            for word in text.split()} <= {*WORDS, *VERBS}  # fmt: skip


def test_matrix_is_what_kubectl_says(charted: Charted, people: dict[str, Caller]) -> None:
    """The same question by the command that people type, for a few cells that must never turn."""
    for role, verb, resource, said in (
        ("owner", "consent", "integrationtenants.cairn.dev", "yes"),
        ("owner", "get", "secrets", "no"),
        ("operator", "create", "operations.cairn.dev", "yes"),
        ("operator", "patch", "sellerrdses.cairn.dev", "no"),
        ("finance", "get", "pods/log", "no"),
        ("viewer", "delegate", "integrationtenants.cairn.dev", "no"),
    ):
        who = ("--as=somebody", f"--as-group={GROUPS[role]}", "-n", SELLER)
        plural, _, sub = resource.partition("/")
        more = (f"--subresource={sub}",) if sub else ()
        out = charted.plane.kubectl("auth", "can-i", verb, plural, *more, *who, check=False)
        assert said in out.split(), (role, verb, resource, out)

# SPDX-License-Identifier: Apache-2.0
"""The CRDs against the real API server: it takes them, and it agrees with `cairn check` about every object."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cairn.api.crd import BY_KIND
from cairn.api.resources import NAMESPACE, SELLERRDS
from cairn.api.validate import dotted
from cairn.cli.loader import parse
from cluster.caller import Answer, Caller
from devcluster import ControlPlane
from objects.cases import Case, cases


@pytest.fixture(scope="module", autouse=True)
def _namespace(admin: Caller) -> None:
    obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "objects"}}
    assert admin.create(NAMESPACE.path(), obj).ok


def causes(answer: Answer) -> list[tuple[str, str]]:
    """Field and message of every complaint."""
    found = answer.body["details"]["causes"]
    return [(cause["field"], cause["message"].partition(": ")[2]) for cause in found]


@pytest.fixture
def put(admin: Caller, case: Case) -> Iterator[Answer]:
    """The server's answer to the object, or to the change from the first to the second."""
    *before, new = case.objects
    resource = BY_KIND[case.kind].resource
    name, path = new["metadata"].get("name"), resource.path(new["metadata"].get("namespace"))
    if not before:
        yield admin.create(f"{path}?dryRun=All&fieldValidation=Strict", new)
        return
    created = admin.create(path, before[0])
    assert created.ok, created.message
    try:
        version = created.body["metadata"]["resourceVersion"]
        changed = {**new, "metadata": {**new["metadata"], "resourceVersion": version}}
        yield admin("PUT", f"{path}/{name}?fieldValidation=Strict", changed)
    finally:
        assert admin.delete(f"{path}/{name}").ok


@pytest.mark.parametrize("case", cases("rules"), ids=lambda case: case.id)
def test_server_judges_a_rules_example_as_its_twin_does_in_the_same_words(case: Case, put: Answer) -> None:
    if case.passes:
        assert put.ok, put.message
        return
    (finding,) = case.findings()
    assert put.status == 422
    assert causes(put) == [(dotted(finding.path), finding.message)]


@pytest.mark.parametrize("case", cases("schema", "valid"), ids=lambda case: case.id)
def test_server_judges_types_and_patterns_as_check_does(case: Case, put: Answer) -> None:
    assert put.ok == case.passes, put.message
    assert put.ok == (not case.findings())


def test_server_defaults_what_a_user_leaves_out(admin: Caller) -> None:
    spec = {"version": "17", "planRef": {"name": "db.small"}}
    meta = {"name": "defaults", "namespace": "objects"}
    obj = {"apiVersion": "cairn.dev/v1alpha1", "kind": "SellerRDS", "metadata": meta, "spec": spec}
    answer = admin.create(f"{SELLERRDS.path('objects')}?dryRun=All", obj)
    assert answer.body["spec"] == {
        **spec,
        "engine": "postgresql",
        "databases": [],
        "powerState": "Running",
        "promotions": [],
        "access": {"fromNamespaces": []},
        "deletionPolicy": "Retain",
        "adopt": False,
        "suspend": False,
    }


def test_kubectl_explains_fields_and_knows_short_names(control_plane: ControlPlane) -> None:
    for name in ("seller", "splan", "srds", "push", "svm", "promo", "op", "cairn"):
        assert control_plane.kubectl("get", name, "-n", "objects", "-o", "name") == ""
    control_plane.kubectl("api-resources", "--cached=false")  # explain trusts what kubectl remembers from before
    assert "What becomes of volume and passwords" in control_plane.kubectl("explain", "srds.spec.deletionPolicy")


def test_kubectl_reads_yaml_as_check_does(control_plane: ControlPlane) -> None:
    text = """\
apiVersion: cairn.dev/v1alpha1
kind: Seller
metadata: {name: words}
data: {a: 2026-11-01, b: 2026-11-01T10:00:00Z, c: 03:00, d: 1e3, e: 1.5e+3, f: y, g: On, h: 0x1F, i: 0o17, j: 017,
  k: 1_000, l: ~, m: , n: "1", o: !!str 5, p: .5, q: 5., r: 1.0, s: -1, t: 0b11, u: nO, v: 09, w: +5, x: =, on: off,
  5: five, yy: 1:30, z: 16Gi, aa: "\\u00e9", ab: <<}
"""
    command = ("create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-")
    assert parse(text)[0].obj["data"] == json.loads(control_plane.kubectl(*command, input=text))["data"]

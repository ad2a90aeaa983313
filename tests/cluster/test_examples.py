# SPDX-License-Identifier: Apache-2.0
"""The examples are right: offline, by kustomize, on a real API server, and the same by Helm."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cairn.cli.main import main
from devcluster import ControlPlane, binary

TREE = Path(__file__).resolve().parents[2]
EXAMPLES: dict[str, tuple[str | None, set[tuple[str, str]]]] = {
    "first-order": ("values.yaml", {("SellerRDS", "shop-db"), ("PushSubscription", "orders")}),
    "peak": (
        "values-peak.yaml",
        {("SellerVM", "shop-web"), ("SellerRDS", "shop-db"), ("PushSubscription", "orders")},
    ),
    "tenant": (None, set()),
    "mysql": (None, set()),
}
"""Folder: the same as values of charts/seller-cloud if that chart can make it, and what it makes of it."""
NAMESPACES = ("seller-2088", "cairn-2088-crm-acme", "cairn-2088-erp-bolt")


@pytest.fixture(scope="module")
def namespaced(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """With the namespaces that Cairn would have made for the examples' Seller and its apps."""
    for name in NAMESPACES:
        control_plane.kubectl("create", "namespace", name)
    yield control_plane
    control_plane.kubectl("delete", "namespace", *NAMESPACES, "--wait=false")


@pytest.fixture(params=EXAMPLES)
def example(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def folder(example: str) -> str:
    return str(TREE / "examples" / example)


def test_examples_are_all_tested() -> None:
    assert {path.parent.name for path in (TREE / "examples").glob("*/kustomization.yaml")} == set(EXAMPLES)


def test_examples_pass_the_offline_check(example: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", folder(example)]) == 0, capsys.readouterr()
    assert "note" not in capsys.readouterr().err


def test_examples_are_rendered(example: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", folder(example)]) == 0, capsys.readouterr()
    out = capsys.readouterr().out
    assert ("kind: StatefulSet" in out) == (example != "mysql"), "whose server is not Cairn's to run"
    assert ("kind: VirtualMachine" in out) == (example == "peak")


def test_example_of_a_peak_has_a_price_and_a_calendar(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "--cost", "--at", "2026-11-01", folder("peak")]) == 0
    assert "1089.84" in capsys.readouterr().out
    window = ("--from", "2026-11-10", "--to", "2026-11-13")
    assert main(["calendar", folder("peak"), *window]) == 0
    assert "20..40" in capsys.readouterr().out


def test_examples_by_kustomize_are_taken_by_the_api_server(example: str, namespaced: ControlPlane) -> None:
    manifests = namespaced.kubectl("kustomize", folder(example))
    taken = namespaced.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=manifests)
    assert len(taken.splitlines()) == len(list(yaml.safe_load_all(manifests))) >= 4


@pytest.mark.parametrize("example", [name for name, (values, _) in EXAMPLES.items() if values])
def test_examples_for_helm_are_the_same_as_the_manifests(example: str, namespaced: ControlPlane) -> None:
    values, made = EXAMPLES[example]
    assert values
    command = [str(binary("helm")), "template", "cloud", str(TREE / "charts" / "seller-cloud")]
    command += ["--namespace", "seller-2088", "--values", str(TREE / "examples" / "helm" / values)]
    rendered = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    by_helm = stored(namespaced, rendered)
    by_hand = stored(namespaced, namespaced.kubectl("kustomize", folder(example)))
    assert set(by_helm) == made
    assert by_helm == {key: spec for key, spec in by_hand.items() if key in by_helm}


def stored(plane: ControlPlane, manifests: str) -> dict[tuple[str, str], Any]:
    """Specs as the API server would keep them, defaults included."""
    answer = plane.kubectl("apply", "--dry-run=server", "-o", "yaml", "-f", "-", input=manifests)
    listed = yaml.safe_load(answer)
    objects = listed["items"] if listed["kind"] == "List" else [listed]
    return {(obj["kind"], obj["metadata"]["name"]): obj["spec"] for obj in objects}

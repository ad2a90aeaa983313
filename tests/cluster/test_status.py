# SPDX-License-Identifier: Apache-2.0
"""`cairn status` against a real API server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cairn.cli.main import main
from devcluster import ControlPlane

HOME = "seller-8811"
DATABASE = """
apiVersion: cairn.dev/v1alpha1
kind: SellerRDS
metadata: {name: shop-db, namespace: seller-8811}
spec: {engine: postgresql, version: "17", planRef: {name: db.small}, databases: [{name: shop}]}
---
apiVersion: cairn.dev/v1alpha1
kind: PushSubscription
metadata: {name: orders, namespace: seller-8811}
spec: {databaseRef: {name: shop-db}, databaseName: shop, shops: ["55501"]}
"""


@pytest.fixture
def plane(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    control_plane.kubectl("create", "namespace", HOME)
    control_plane.kubectl("apply", "-f", "-", input=DATABASE)
    yield control_plane
    control_plane.kubectl("delete", "--wait=false", "-f", "-", input=DATABASE)
    control_plane.kubectl("delete", "--wait=false", "namespace", HOME)


def conditions(plane: ControlPlane, target: str, reason: str, *, ready: bool, **status: Any) -> None:
    one = {"type": "Ready", "status": str(ready), "reason": reason, "message": "as the test says"}
    patch = {"status": {"conditions": [one | {"lastTransitionTime": "2026-11-10T19:00:00Z"}], **status}}
    plane.kubectl("patch", target, "-n", HOME, "--subresource=status", "--type=merge", "-p", json.dumps(patch))


def said(plane: ControlPlane, capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = main(["status", "--kubeconfig", str(plane.kubeconfig), *args])
    return code, *capsys.readouterr()


def test_status_of_a_seller_follows_its_objects(plane: ControlPlane, capsys: pytest.CaptureFixture[str]) -> None:
    proof = {"total": {"sent": 10, "stood": 10}}
    conditions(plane, "sellerrds/shop-db", "Ready", ready=True)
    conditions(plane, "pushsubscription/orders", "Ready", ready=True, proof=proof, lag={"pending": 0})
    code, out, err = said(plane, capsys, "-n", HOME)
    assert (code, err) == (0, "")
    assert out.endswith("Nothing to do.\n")
    conditions(plane, "sellerrds/shop-db", "CrashLooping", ready=False)
    conditions(plane, "pushsubscription/orders", "DatabaseNotReady", ready=False)
    code, out, _ = said(plane, capsys, "-n", HOME)
    assert code == 1
    assert out.index("shop-db") < out.index("orders")
    assert f"1. kubectl describe sellerrds -n {HOME} shop-db" in out
    code, out, _ = said(plane, capsys, "-o", "json")
    found = json.loads(out)
    assert code == 1
    mine = [one for one in found["objects"] if one["namespace"] == HOME]
    assert [(one["kind"], one["state"], one["findings"][0]["reason"]) for one in mine] == [
        ("SellerRDS", "wrong", "CrashLooping"),
        ("PushSubscription", "wrong", "DatabaseNotReady"),
    ]
    assert {"subscription": f"{HOME}/orders", "lost": 0, "waiting": 0, "wrong": 0, "fetched": False} in found["levels"]


def test_status_without_an_answer_is_no_finding(
    control_plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--kubeconfig", str(control_plane.kubeconfig), "--context", "none"]) == 2
    assert capsys.readouterr().err.startswith("cairn status: ")

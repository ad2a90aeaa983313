# SPDX-License-Identifier: Apache-2.0
"""`cairn uninstall` on a real API server: it lets go of everything and deletes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cairn.cli.main import main
from cairn.cli.uninstall import leader
from cluster.charted import SELLER, SYSTEM, Charted
from cluster.samples import sample

CAIRN = "/apis/cairn.dev/v1alpha1"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases"
SUBSCRIPTIONS = f"{CAIRN}/namespaces/{SELLER}/pushsubscriptions"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def held_subscription(charted: Charted, name: str) -> str:
    """One that the operator and somebody else hold; its path."""
    body = sample("pushsubscriptions", name, SELLER)
    body["metadata"]["finalizers"] = ["cairn.dev/teardown", "example.com/other"]
    made = charted.admin.create(SUBSCRIPTIONS, body)
    assert made.ok, str(made)
    return f"{SUBSCRIPTIONS}/{name}"


def uninstall(charted: Charted, *args: str) -> int:
    return main(["uninstall", "--kubeconfig", str(charted.plane.kubeconfig), "--namespace", SYSTEM, *args])


def lease(renewed: datetime, holder: str = "pod-a") -> dict[str, Any]:
    times = {"renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "leaseDurationSeconds": 12}
    return {"metadata": {"name": "cairn-operator"}, "spec": {"holderIdentity": holder, **times}}


def hold_lease(charted: Charted, renewed: datetime) -> None:
    charted.admin.delete(f"{LEASES}/cairn-operator")
    assert charted.admin.create(LEASES, lease(renewed)).ok


def test_uninstall_takes_its_own_finalizer_off_and_keeps_the_object(
    charted: Charted, capsys: pytest.CaptureFixture[str]
) -> None:
    hold_lease(charted, datetime.now(UTC) - timedelta(hours=1))
    path = held_subscription(charted, "release-me")
    assert uninstall(charted) == 0
    assert "would release PushSubscription seller-2088/release-me" in capsys.readouterr().out
    assert "cairn.dev/teardown" in charted.admin.get(path).body["metadata"]["finalizers"]
    assert uninstall(charted, "--yes") == 0
    assert "Nothing was deleted" in capsys.readouterr().out
    assert charted.admin.get(path).body["metadata"]["finalizers"] == ["example.com/other"]
    assert uninstall(charted, "--yes") == 0
    assert "no object carries" in capsys.readouterr().out


def test_uninstall_while_an_operator_leads_is_refused(charted: Charted, capsys: pytest.CaptureFixture[str]) -> None:
    hold_lease(charted, datetime.now(UTC) + timedelta(hours=1))
    path = held_subscription(charted, "still-led")
    assert uninstall(charted, "--yes") == 1
    assert "helm uninstall cairn" in capsys.readouterr().err
    assert "cairn.dev/teardown" in charted.admin.get(path).body["metadata"]["finalizers"]
    charted.admin.delete(f"{LEASES}/cairn-operator")


@pytest.mark.parametrize(
    ("found", "holder"),
    [
        pytest.param(None, "", id="no-lease"),
        pytest.param(lease(NOW - timedelta(seconds=11)), "pod-a", id="held"),
        pytest.param(lease(NOW - timedelta(seconds=13)), "", id="run-out"),
        pytest.param(lease(NOW, holder=""), "", id="given-back"),
    ],
)
def test_leader_is_told_by_the_lease(found: dict[str, Any] | None, holder: str) -> None:
    assert leader(found, NOW) == holder

# SPDX-License-Identifier: Apache-2.0
"""`cairn diff` against a real API server: new, the same, drifted, pruned, somebody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cairn.api.platform import Platform
from cairn.api.resources import Obj
from cairn.cli.kinds import kinds
from cairn.cli.loader import parse
from cairn.cli.main import main
from cairn.cli.rehearsal import Outcome
from cairn.cli.render import rehearse_all
from cairn.cli.world import World
from cairn.engine import render
from cairn.engine.cluster import Cluster, KubernetesTransport, load_configuration
from devcluster import ControlPlane

PLANS = """apiVersion: cairn.dev/v1alpha1
kind: ServicePlan
metadata: {name: diff.small}
spec:
  for: Seller
  size: {cpu: "8", memory: 32Gi, storage: 500Gi}
---
apiVersion: cairn.dev/v1alpha1
kind: ServicePlan
metadata: {name: diff.large}
spec:
  for: Seller
  size: {cpu: "16", memory: 32Gi, storage: 500Gi}
---
"""
SELLER = """apiVersion: cairn.dev/v1alpha1
kind: Seller
metadata: {name: differing}
spec:
  id: "4711"
  namespace: seller-4711
  planRef: {name: diff.small}
"""


async def _apply_children(kubeconfig: Path, objects: Sequence[Obj]) -> list[tuple[Obj, Outcome]]:
    """What the operator would do: apply the objects' children."""
    cluster = Cluster(KubernetesTransport(await load_configuration(str(kubeconfig), None)))
    try:
        outcomes = await rehearse_all(objects, World(cluster), kinds(Platform()), datetime.now(UTC))
        for obj, outcome in outcomes:
            for child in outcome.plan.children:
                await cluster.apply(render.finish(child, obj))
    finally:
        await cluster.close()
    return outcomes


@pytest.fixture(scope="module")
def standing(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """A Seller with everything that is made of it."""
    control_plane.kubectl("apply", "-f", "-", input=PLANS + SELLER)
    asyncio.run(_apply_children(control_plane.kubeconfig, [one.obj for one in parse(PLANS + SELLER)]))
    yield control_plane
    control_plane.kubectl("delete", "--wait=false", "-f", "-", input=PLANS + SELLER)
    control_plane.kubectl("delete", "--wait=false", "namespace", "seller-4711")


def diff(plane: ControlPlane, folder: Path, text: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    file = folder / "seller.yaml"
    file.write_text(text)
    code = main(["diff", "--kubeconfig", str(plane.kubeconfig), str(file)])
    out, err = capsys.readouterr()
    assert err == ""
    return code, out


def changed(text: str) -> list[str]:
    return [line for line in text.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def test_diff_of_what_is_new_shows_all_of_it(
    control_plane: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PLANS + SELLER.replace("differing", "another").replace("4711", "4712")
    code, out = diff(control_plane, tmp_path, text, capsys)
    assert code == 1
    assert "+++ planned Namespace seller-4712" in out
    assert "+++ planned ResourceQuota seller-4712/cairn" in out
    assert not [line for line in changed(out) if line.startswith("-")]


def test_diff_of_what_stands_is_empty(
    standing: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert diff(standing, tmp_path, PLANS + SELLER, capsys) == (0, "")


def test_diff_of_a_changed_spec_shows_the_changed_lines_only(
    standing: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = diff(standing, tmp_path, PLANS + SELLER.replace("diff.small", "diff.large"), capsys)
    assert code == 1
    wanted = [f"{sign}    {key}.cpu: '{n}'" for key in ("limits", "requests") for sign, n in (("-", 8), ("+", 16))]
    assert changed(out) == wanted


def test_diff_reads_plans_that_only_the_cluster_has(
    standing: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert diff(standing, tmp_path, SELLER, capsys) == (0, "")


def test_diff_of_a_drifted_child_shows_what_would_be_undone(
    standing: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patch = '{"spec": {"policyTypes": ["Ingress"]}}'
    standing.kubectl("patch", "networkpolicy", "cairn-default-deny", "-n", "seller-4711", "--type=merge", "-p", patch)
    try:
        code, out = diff(standing, tmp_path, PLANS + SELLER, capsys)
        assert (code, changed(out)) == (1, ["+  - Egress"])
    finally:
        asyncio.run(_apply_children(standing.kubeconfig, [one.obj for one in parse(PLANS + SELLER)]))


def test_diff_of_a_child_no_longer_planned_shows_its_end(
    standing: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = ("app.kubernetes.io/managed-by=cairn", "cairn.dev/owner-kind=Seller", "cairn.dev/owner-name=differing")
    standing.kubectl("create", "quota", "stray", "-n", "seller-4711", "--hard=pods=5")
    standing.kubectl("label", "quota", "stray", "-n", "seller-4711", *labels)
    standing.kubectl("annotate", "quota", "stray", "-n", "seller-4711", "cairn.dev/applied=0123")
    try:
        code, out = diff(standing, tmp_path, PLANS + SELLER, capsys)
        assert code == 1
        assert out.startswith("--- live ResourceQuota seller-4711/stray\n+++ nothing\n")
    finally:
        standing.kubectl("delete", "quota", "stray", "-n", "seller-4711")


def test_diff_of_a_name_that_somebody_else_has_is_a_conflict(
    standing: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    standing.kubectl("label", "quota", "cairn", "-n", "seller-4711", "cairn.dev/owner-name=other", "--overwrite")
    try:
        code, out = diff(standing, tmp_path, PLANS + SELLER, capsys)
        assert code == 1
        assert out == (
            "# ResourceQuota seller-4711/cairn exists and was not made for Seller differing: it would be left alone"
            " (Conflict)\n"
        )
    finally:
        standing.kubectl(
            "label", "quota", "cairn", "-n", "seller-4711", "cairn.dev/owner-name=differing", "--overwrite"
        )


def test_diff_writes_nothing(standing: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = standing.kubectl("get", "namespace,quota,networkpolicy,rolebinding", "-A", "-o", "yaml")
    diff(standing, tmp_path, PLANS + SELLER.replace("diff.small", "diff.large"), capsys)
    assert standing.kubectl("get", "namespace,quota,networkpolicy,rolebinding", "-A", "-o", "yaml") == before


def test_diff_without_a_named_cluster_reads_no_ambient_one(
    control_plane: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    monkeypatch.delenv("CAIRN_KUBECONFIG", raising=False)
    (tmp_path / "seller.yaml").write_text(SELLER)
    assert main(["diff", str(tmp_path / "seller.yaml")]) == 2
    assert "name the cluster with --kubeconfig FILE or CAIRN_KUBECONFIG" in capsys.readouterr().err


def test_diff_of_a_server_that_does_not_answer_exits_2(
    tmp_path: Path, control_plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = tmp_path / "kubeconfig"
    elsewhere.write_text(control_plane.kubeconfig.read_text().replace(control_plane.server, "https://127.0.0.1:9"))
    (tmp_path / "seller.yaml").write_text(SELLER)
    assert main(["diff", "--kubeconfig", str(elsewhere), str(tmp_path / "seller.yaml")]) == 2
    assert "no answer from the API server" in capsys.readouterr().err

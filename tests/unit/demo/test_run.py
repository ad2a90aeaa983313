# SPDX-License-Identifier: Apache-2.0
"""The demo's own decisions: which cluster, when a fault is due, what is still missing."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from demo import install, target
from demo.faults import Faults, _missing
from demo.steps import DemoError, awaited
from demo.target import DevCluster, Target, chosen


def kubeconfig(tmp_path: Path, context: str) -> str:
    path = tmp_path / "config"
    path.write_text(f"current-context: {context}\n")
    return str(path)


def test_chosen_nothing_named_is_the_dev_cluster_whatever_the_ambient_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAIRN_KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBECONFIG", "/etc/production.conf")

    found = chosen()

    assert isinstance(found, DevCluster)
    assert found.kubeconfig.parent.name == "demo"
    assert "KUBECONFIG=" not in target.run(["env"])


@pytest.mark.parametrize("context", ["prod", "gke_shop_1", ""])
def test_chosen_context_that_may_be_production_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, context: str
) -> None:
    monkeypatch.setenv("CAIRN_KUBECONFIG", kubeconfig(tmp_path, context))
    monkeypatch.delenv("CAIRN_CONTEXT", raising=False)

    with pytest.raises(DemoError, match="may be a production cluster"):
        chosen()


@pytest.mark.parametrize(("context", "named"), [("kind-one", None), ("cairn-demo", None), ("prod", "prod")])
def test_chosen_context_that_is_known_or_named_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, context: str, named: str | None
) -> None:
    monkeypatch.setenv("CAIRN_KUBECONFIG", kubeconfig(tmp_path, context))
    monkeypatch.delenv("CAIRN_CONTEXT", raising=False)
    if named:
        monkeypatch.setenv("CAIRN_CONTEXT", named)
    monkeypatch.setattr(target, "_program", lambda name: name)

    assert isinstance(chosen(), target.Kind)


def test_chosen_kubeconfig_that_is_not_there_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CAIRN_KUBECONFIG", str(tmp_path / "none"))

    with pytest.raises(DemoError, match="no such file"):
        chosen()


class Broken(Faults):
    """Counts its faults; one of them is held until it is released."""

    def __post_init__(self) -> None:
        self.seen: list[str] = []
        self.gate = threading.Event()
        self._due = [(0.2, self._one), (0.5, self._two)]

    def _one(self) -> None:
        self.seen.append("one")
        self.gate.wait(10)

    def _two(self) -> None:
        self.seen.append("two")
        raise DemoError("it did not come back")


def test_faults_start_when_due_one_at_a_time_and_all_in_the_end() -> None:
    faults = Broken(Target())
    faults.at(0.1)
    assert faults.seen == []
    faults.at(0.3)
    faults.at(0.9)
    assert faults.seen == ["one"]
    faults.gate.set()

    with pytest.raises(DemoError, match="did not come back"):
        faults.finish()

    assert faults.seen == ["one", "two"]


def pod(uid: str, restarts: int, ready: str) -> dict[str, Any]:
    return {
        "metadata": {"uid": uid, "name": "w"},
        "status": {
            "containerStatuses": [{"restartCount": restarts}],
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        pytest.param({}, "no pod", id="gone"),
        pytest.param(pod("a", 0, "True"), "the old one is still there", id="untouched"),
        pytest.param(pod("a", 1, "False"), "w is not ready", id="restarting"),
        pytest.param(pod("a", 1, "True"), "", id="restarted"),
        pytest.param(pod("b", 0, "True"), "", id="another"),
    ],
)
def test_missing_pod_is_back_when_it_is_another_one_and_ready(found: dict[str, Any], missing: str) -> None:
    assert _missing(found, ("a", 0)) == missing


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        pytest.param({}, "Seller/acme (not seen yet)", id="no-status"),
        pytest.param({"observedGeneration": 1, "conditions": []}, "Seller/acme (not seen yet)", id="older-generation"),
        pytest.param(
            {"observedGeneration": 2, "conditions": [{"type": "Ready", "status": "False", "reason": "R"}]},
            "Seller/acme (R: )",
            id="not-ready",
        ),
        pytest.param({"observedGeneration": 2, "conditions": [{"type": "Ready", "status": "True"}]}, "", id="ready"),
    ],
)  # fmt: skip
def test_reason_names_what_an_object_waits_for(status: dict[str, Any], shown: str) -> None:
    found = {"kind": "Seller", "metadata": {"name": "acme", "generation": 2}, "status": status}

    assert install._reason(found) == shown


def test_awaited_shows_each_change_once_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    states = iter(["a", "a", "b", ""])

    awaited("it", lambda: next(states), seconds=5, every=0)

    assert [line.split("] ")[1] for line in capsys.readouterr().err.splitlines()] == [
        "  waiting for it: a",
        "  waiting for it: b",
    ]


def test_awaited_too_long_says_what_was_missing() -> None:
    with pytest.raises(DemoError, match="last seen: never"):
        awaited("it", lambda: "never", seconds=0, every=0)


def test_tree_tag_changes_with_the_code_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "operator" / "__pycache__").mkdir(parents=True)
    (tmp_path / "requirements.lock").write_text("a")
    (tmp_path / "operator" / "x.py").write_text("one")
    monkeypatch.setattr(install, "TREE", tmp_path)
    before = install.tree_tag()

    (tmp_path / "operator" / "__pycache__" / "x.pyc").write_text("compiled")
    assert install.tree_tag() == before

    (tmp_path / "operator" / "x.py").write_text("two")
    assert install.tree_tag() != before

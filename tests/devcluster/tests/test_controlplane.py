# SPDX-License-Identifier: Apache-2.0
"""The control plane without nodes: serves, keeps its state, and never outlives whoever started it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devcluster import ControlPlane, StepError

ENTRY = Path(__file__).resolve().parent.parent / "devcluster.py"


def wait(what: str, ready: Callable[[], object], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, what
        time.sleep(0.05)


def gone(pids: list[int]) -> bool:
    return not any(Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane.start(tmp_path_factory.mktemp("plane")) as running:
        yield running


def test_kubeconfig_names_its_context_cairn(plane: ControlPlane) -> None:
    assert plane.kubectl("config", "current-context").strip() == "cairn-test"


def test_controllers_run_as_a_namespace_gets_its_service_account(plane: ControlPlane) -> None:
    plane.kubectl("create", "namespace", "with-account")
    plane.kubectl("-n", "with-account", "wait", "--for=create", "serviceaccount/default", "--timeout=30s")


def test_rbac_refuses_who_has_no_role(plane: ControlPlane) -> None:
    with pytest.raises(StepError, match="forbidden"):
        plane.kubectl("get", "secrets", "--as=somebody")


def test_validating_admission_policy_refuses(plane: ControlPlane) -> None:
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "no-bad"},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
                ]
            },
            "validations": [{"expression": "object.metadata.name != 'bad'", "message": "not that name"}],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "no-bad"},
        "spec": {"policyName": "no-bad", "validationActions": ["Deny"]},
    }
    plane.kubectl("apply", "-f", "-", input=json.dumps(policy))
    plane.kubectl("apply", "-f", "-", input=json.dumps(binding))

    def refused() -> bool:
        try:
            plane.kubectl("create", "configmap", "bad", "--dry-run=server")
        except StepError as failed:
            return "not that name" in str(failed)
        return False

    wait("the policy takes effect", refused)
    plane.kubectl("create", "configmap", "good")


def test_audit_log_has_one_entry_per_request(plane: ControlPlane) -> None:
    plane.kubectl("create", "configmap", "audited")

    def entries() -> list[dict[str, Any]]:
        return [
            event
            for event in plane.audit_events()
            if event["verb"] == "create" and event.get("objectRef", {}).get("name") == "audited"
        ]

    wait("an audit entry", entries)
    assert [event["stage"] for event in entries()] == ["ResponseComplete"]


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "orderly"])
def test_restarted_apiserver_has_the_same_address_and_objects(plane: ControlPlane, signum: signal.Signals) -> None:
    name = f"kept-{signum.name.lower()}"
    plane.kubectl("create", "configmap", name)
    server = plane.server
    plane.stop_apiserver(signum=signum)
    with pytest.raises(StepError, match="refused"):
        plane.kubectl("get", "configmap", name)
    plane.start_apiserver()
    assert plane.server == server
    assert plane.kubectl("get", "configmap", name, "-o", "name").strip() == f"configmap/{name}"


def test_paused_apiserver_answers_nobody_until_resumed(plane: ControlPlane) -> None:
    plane.pause_apiserver()
    with pytest.raises(StepError, match=r"[Tt]imeout|deadline"):
        plane.kubectl("get", "namespaces", "--request-timeout=1s")
    plane.resume_apiserver()
    wait("an answer", lambda: plane.kubectl("get", "namespaces", check=False))


def test_two_run_side_by_side_and_start_again_from_their_state(plane: ControlPlane, tmp_path: Path) -> None:
    with ControlPlane.start(tmp_path, name="second") as second:
        second.kubectl("create", "configmap", "mine")
        assert "mine" not in plane.kubectl("get", "configmaps")
        pids = list(second.pids.values())
    assert gone(pids)
    with ControlPlane.start(tmp_path, name="second") as second:
        second.kubectl("get", "configmap", "mine")


def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time, threading; sys.path.insert(0, sys.argv[1]);"
        "from devcluster import ControlPlane;"
        # from a thread that ends: a parent-death signal would fire then
        "t = threading.Thread(target=lambda: globals().update(p=ControlPlane.start(sys.argv[2])));"
        "t.start(); t.join(); print(*p.pids.values(), flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(ENTRY.parent), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 3
    assert not gone(pids)
    parent.kill()
    parent.communicate()
    wait("the end of its children", lambda: gone(pids), seconds=10)


def test_detached_one_stays_until_down_also_after_a_kill(tmp_path: Path) -> None:
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    env.pop("CAIRN_CACHE", None)
    (tmp_path / "cairn").mkdir()
    from devcluster import cache

    (tmp_path / "cairn" / "bin").symlink_to(cache() / "bin")

    def run(*args: str) -> str:
        return subprocess.run(
            [sys.executable, ENTRY, *args], env=env, check=True, capture_output=True, text=True
        ).stdout

    directory = tmp_path / "cairn" / "run" / "spare"
    try:
        run("up", "--control-plane", "--name", "spare")
        assert "spare: up" in run("status")
        config = run("kubeconfig", "--name", "spare").strip()
        assert config == str(directory / "admin.conf")
        first = [pid for pid, _ in json.loads((directory / "pids.json").read_text()).values()]
        os.kill(first[1], signal.SIGKILL)
        run("down", "--name", "spare")
        assert gone(first)
        run("up", "--control-plane", "--name", "spare")
        assert "spare: up" in run("status")
    finally:
        run("wipe", "--name", "spare")
    assert not directory.exists()

# SPDX-License-Identifier: Apache-2.0
"""KubeVirt beside the control plane without nodes: its webhooks refuse, its controllers make instances and pods."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cairn_devcluster import base, build
from cairn_devcluster.kubevirt_plane import machine
from devcluster import ControlPlane, MissingError, StepError


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    try:
        running = ControlPlane.start(tmp_path_factory.mktemp("kubevirt-plane"), kubevirt=True)
    except MissingError as missing:
        pytest.skip(str(missing))
    with running:
        yield running


def apply(plane: ControlPlane, body: dict[str, Any]) -> None:
    plane.kubectl("apply", "--filename=-", input=json.dumps(body))


def found(plane: ControlPlane, *query: str) -> Callable[[], bool]:
    return lambda: bool(plane.kubectl("get", *query, "--output=name").strip())


def test_machine_becomes_an_instance_and_a_launcher_pod(plane: ControlPlane) -> None:
    apply(plane, machine("started"))
    base.wait_for("an instance", found(plane, "vmi", "started", "--ignore-not-found"), seconds=90)
    pods = ("pod", "--selector=vm.kubevirt.io/name=started")
    base.wait_for("a launcher pod", found(plane, *pods), seconds=90)
    plane.kubectl("delete", "vm", "started", "--timeout=60s", timeout=70)


def test_machine_with_a_disk_that_is_no_volume_is_refused(plane: ControlPlane) -> None:
    with pytest.raises(StepError, match="'other' not found"):
        apply(plane, machine("bad", disk="other"))


def test_kubevirt_says_that_it_is_deployed_and_changes_machines_live(plane: ControlPlane) -> None:
    kubevirt = json.loads(plane.kubectl("--namespace=kubevirt", "get", "kubevirt", "kubevirt", "--output=json"))
    assert kubevirt["status"]["phase"] == "Deployed"
    assert kubevirt["status"]["observedKubeVirtVersion"] == "v1.8.0"
    assert kubevirt["spec"]["configuration"]["vmRolloutStrategy"] == "LiveUpdate"
    assert kubevirt["spec"]["workloadUpdateStrategy"]["workloadUpdateMethods"] == ["LiveMigrate"]


def test_pool_makes_its_machines_by_ordinal(plane: ControlPlane) -> None:
    template = {"metadata": {"labels": {"pool": "peak"}}, "spec": machine("any")["spec"]}
    pool = {
        "apiVersion": "pool.kubevirt.io/v1beta1",
        "kind": "VirtualMachinePool",
        "metadata": {"name": "peak", "namespace": "default"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"pool": "peak"}},
            "virtualMachineTemplate": template,
        },
    }
    apply(plane, pool)
    for name in ("peak-0", "peak-1"):
        base.wait_for(name, found(plane, "vm", name, "--ignore-not-found"), seconds=90)
    plane.kubectl("delete", "virtualmachinepool", "peak", "--cascade=foreground", "--timeout=60s", timeout=70)


@pytest.mark.parametrize(
    "name",
    [
        "datavolumes.cdi.kubevirt.io",
        "datasources.cdi.kubevirt.io",
        "volumesnapshots.snapshot.storage.k8s.io",
        "httproutes.gateway.networking.k8s.io",
    ],
)
def test_definitions_of_what_kubevirt_is_used_with_are_there(plane: ControlPlane, name: str) -> None:
    plane.kubectl("get", name, "--all-namespaces")


def test_default_storage_class_grows_and_has_a_snapshot_class(plane: ControlPlane) -> None:
    storage = json.loads(plane.kubectl("get", "storageclass", "csi-dev", "--output=json"))
    assert storage["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    assert storage["allowVolumeExpansion"] is True
    snapshots = json.loads(plane.kubectl("get", "volumesnapshotclass", "csi-dev", "--output=json"))
    assert snapshots["driver"] == storage["provisioner"]


@pytest.mark.skipif(not shutil.which("ss"), reason="needs ss")
def test_everything_listens_on_loopback_only(plane: ControlPlane) -> None:
    pids = {plane.pids[name] for name in ("virt-api", "virt-controller")}
    threads = [thread for pid in pids for thread in Path(f"/proc/{pid}/task").iterdir()]  # any of them may have forked
    children = {int(child) for thread in threads for child in (thread / "children").read_text().split()}
    lines = subprocess.run(["ss", "-Hltnp"], check=True, capture_output=True, text=True).stdout.splitlines()
    own = [line.split()[3] for line in lines if any(f"pid={child}," in line for child in children)]
    assert own
    assert all(address.startswith("127.0.0.1:") for address in own)


def test_guarded_process_ends_when_its_parent_is_killed() -> None:
    line = f'CAIRN_PARENT=$$ "{build.binary("guard")}" sh -c "echo \\$\\$; exec sleep 600" & wait'
    parent = subprocess.Popen(["sh", "-c", line], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert parent.stdout
    child = int(parent.stdout.readline())
    assert base.alive(child)
    parent.kill()
    parent.communicate()
    base.wait_for("the end of the child", lambda: not base.alive(child), seconds=10)

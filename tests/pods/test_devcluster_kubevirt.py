# SPDX-License-Identifier: Apache-2.0
"""Machines on the dev cluster are real: they boot, keep an identity, are cloned without it, and move while they run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest

from cairn_devcluster.workbench import Namespace, until
from devcluster import Cluster
from pods.conftest import fresh_namespace
from pods.guests import CLOUD_INIT, answers, disk, info, machine, run, spec

pytestmark = pytest.mark.pods

IMAGE = {"sourceRef": {"kind": "DataSource", "name": "guest", "namespace": "cairn-images"}}
SCALE_IN = {"proactive": {"selectionPolicy": {"sortPolicy": "DescendingOrder"}}}


@pytest.fixture(scope="module")
def machines(kubevirt_cluster: Cluster) -> Iterator[Namespace]:
    with fresh_namespace(kubevirt_cluster) as namespace:
        yield namespace


@pytest.fixture(scope="module")
def base(machines: Namespace) -> str:
    """A machine with a disk of its own from the image."""
    body = spec(data_volume="base") | {"dataVolumeTemplates": [disk("base", IMAGE)]}
    machines.apply(machine("base", body))
    answers(machines, "base")
    return "base"


def test_machine_boots_from_its_disk_and_takes_its_seed(machines: Namespace, base: str) -> None:
    said = info(machines, base)
    assert said["hostname"] == base
    assert said["seed"] is True
    assert said["userData"] == hashlib.sha256(CLOUD_INIT.encode()).hexdigest()
    assert said["boots"] == 1
    assert said["cpus"] == 1
    assert said["diskBytes"] > 64 << 20


def test_clones_of_a_snapshot_have_its_data_but_identities_of_their_own(machines: Namespace, base: str) -> None:
    run(machines, base, "echo kept >/state/note; sync")
    claim = {"persistentVolumeClaimName": base}
    machines.apply({
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {"name": "taken"},
        "spec": {"volumeSnapshotClassName": "csi-dev", "source": claim},
    })  # fmt: skip
    machines.kubectl("wait", "volumesnapshot/taken", "--for=jsonpath={.status.readyToUse}=true", "--timeout=30s")

    labels = {"pool": "peak"}
    source = {"source": {"snapshot": {"namespace": machines.name, "name": "taken"}}}
    body = spec(data_volume="peak", labels=labels) | {"dataVolumeTemplates": [disk("peak", source)]}
    machines.apply({
        "apiVersion": "pool.kubevirt.io/v1beta1",
        "kind": "VirtualMachinePool",
        "metadata": {"name": "peak"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "scaleInStrategy": SCALE_IN,
            "virtualMachineTemplate": {"metadata": {"labels": labels}, "spec": body},
        },
    })  # fmt: skip
    everyone = [info(machines, base), answers(machines, "peak-0"), answers(machines, "peak-1")]
    for what in ("hostname", "instanceId", "machineId", "hostKey"):
        assert len({said[what] for said in everyone}) == 3, what
    assert [run(machines, name, "cat /state/note").strip() for name in ("peak-0", "peak-1")] == ["kept", "kept"]

    machines.kubectl("scale", "virtualmachinepool", "peak", "--replicas=1")
    machines.kubectl("wait", "vm/peak-1", "--for=delete", "--timeout=180s", timeout=190)
    assert machines.get("vm", "peak-0")["status"]["ready"] is True
    machines.kubectl("delete", "virtualmachinepool", "peak", "--cascade=foreground", "--timeout=180s", timeout=190)


def test_machine_moves_to_another_node_while_it_runs(kubevirt_cluster: Cluster, machines: Namespace) -> None:
    kubevirt_cluster.addnode(2)
    machines.apply(machine("mover", spec()))
    before = answers(machines, "mover")
    started_on = machines.get("vmi", "mover")["status"]["nodeName"]
    migration = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstanceMigration",
        "metadata": {"name": "away"},
        "spec": {"vmiName": "mover"},
    }
    machines.kubectl("create", "--filename=-", input=json.dumps(migration))
    done = "--for=jsonpath={.status.phase}=Succeeded"
    machines.kubectl("wait", "virtualmachineinstancemigration/away", done, "--timeout=300s", timeout=310)
    assert machines.get("vmi", "mover")["status"]["nodeName"] != started_on
    after = until("an answer from there", lambda: info(machines, "mover"), seconds=120)
    assert after["uptime"] > before["uptime"]
    assert after["boots"] == before["boots"] == 1
    assert after["machineId"] == before["machineId"]

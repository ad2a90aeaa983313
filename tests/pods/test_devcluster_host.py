# SPDX-License-Identifier: Apache-2.0
"""The dev cluster and the machine: further nodes, power loss, two side by side, and nothing left behind."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from cairn_devcluster.workbench import Namespace, Obj, claim, mounting, pod, sysctls, until
from devcluster import Cluster

pytestmark = pytest.mark.pods

_PLACES = (
    "/etc/cni",
    "/etc/kubernetes",
    "/opt/cni",
    "/run/flannel",
    "/run/kubernetes",
    "/run/netns",
    "/usr/libexec/kubernetes",
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
)


def lines(*command: str) -> set[str]:
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {line for line in printed.splitlines() if not line.startswith("#")}


def processes(cluster: Cluster) -> set[str]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if f"{cluster.directory}/".encode() in words:
            found.add(process.name)
    return found


def host_state(cluster: Cluster) -> dict[str, set[str]]:
    """What a cluster may leave on the machine. Other clusters come and go meanwhile, known by their numbers."""
    others = re.compile(rf"cairn-?(?!{cluster.slot}\b)\d{{3}}\b|10\.(?!{cluster.slot}\b)2[1-5]\d\.0\.")

    def own(found: set[str]) -> set[str]:
        return {line for line in found if not others.search(line)}

    mounts = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    cgroups = Path("/sys/fs/cgroup")
    return {
        "processes": processes(cluster),
        "links": own({p.name for p in Path("/sys/class/net").iterdir()}),
        "routes": own(lines("ip", "route", "show", "table", "all")),
        "rules": own(lines("iptables-save")),
        "mounts": {m for m in mounts if not m.startswith("/tmp/")},  # where others make root file systems
        "cgroups": own({str(p) for pattern in ("*/", "*/*/") for p in cgroups.glob(pattern)}),
        "places": {place for place in _PLACES if Path(place).exists()},
        "loops": {line for line in lines("losetup", "--list", "--noheadings") if str(cluster.directory) in line},
        "sysctls": sysctls(),
    }


def on(node: str) -> Obj:
    return {"nodeSelector": {"kubernetes.io/hostname": node}}


def test_pod_and_its_volume_move_to_a_second_node(namespace: Namespace, devcluster: Cluster) -> None:
    namespace.apply(claim("travels", "320Mi"))
    devcluster.addnode(2)
    try:
        namespace.run(pod("here", **mounting("travels"), **on("node1")))
        namespace.exec("here", "bash", "-c", "echo luggage >/data/file")
        namespace.kubectl("delete", "pod", "here")
        namespace.run(pod("there", **mounting("travels"), **on("node2")))
        assert namespace.exec("there", "cat", "/data/file") == "luggage\n"
        namespace.kubectl("delete", "pod", "there")
    finally:
        devcluster.downnode(2)
        devcluster.kubectl("delete", "node", "node2")


def test_power_loss_keeps_objects_and_volumes(namespace: Namespace, devcluster: Cluster) -> None:
    namespace.apply(claim("kept", "320Mi"))
    namespace.run(pod("survivor", **mounting("kept")))
    namespace.exec("survivor", "bash", "-c", "echo still here >/data/file; sync /data/file")
    devcluster.down()
    devcluster.up()
    answer = until("the pod again", lambda: namespace.exec("survivor", "cat", "/data/file"))
    assert answer == "still here\n"


def test_component_is_started_again_after_a_kill(devcluster: Cluster) -> None:
    before = devcluster.component_pid("kube-apiserver")
    devcluster.signal("kube-apiserver")
    until("the API server again", lambda: devcluster.kubectl("get", "--raw", "/readyz", check=False) == "ok")
    assert devcluster.component_pid("kube-apiserver") != before


def test_second_cluster_runs_beside_and_leaves_nothing(
    namespace: Namespace, second_devcluster: Cluster, sysctls_at_first: set[str]
) -> None:
    second = second_devcluster
    before = host_state(second)
    second.up()
    assert host_state(second) != before
    assert second.slot != namespace.cluster.slot
    beside = Namespace(second, "default")
    beside.apply(claim("disk", "320Mi"))
    beside.run(pod("same-name", **mounting("disk")))
    namespace.run(pod("same-name"))
    assert beside.get("pod", "same-name")["metadata"]["uid"] != namespace.get("pod", "same-name")["metadata"]["uid"]

    second.down()
    assert host_state(second) == before
    assert sysctls() == sysctls_at_first


def test_up_clears_what_an_unclean_end_left(second_devcluster: Cluster) -> None:
    second = second_devcluster
    before = host_state(second)
    second.up()
    # The nodes' processes go, the rest stays: files, bridge, cgroups.
    pid = int((second.directory / "node1" / "init.pid").read_text().split()[0])
    os.kill(pid, 9)
    until("the end of the node", lambda: not second.running())
    second.up()
    assert second.kubectl("get", "--raw", "/readyz") == "ok"

    # As when `up` is killed half way: the node runs, and nobody says that it is ready.
    first = second.node(1).directory / "init.pid"
    pid_before = first.read_text()
    (second.node(1).directory / "ready").unlink()
    second.up()
    assert first.read_text() != pid_before
    second.down()
    assert host_state(second) == before

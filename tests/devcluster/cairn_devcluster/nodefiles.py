# SPDX-License-Identifier: Apache-2.0
"""The files a node starts from: configuration of containerd, CNI and the kubelet, and its command lines."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from . import flags, host, images

PODS = "10.244.0.0/16"
DNS = "10.96.0.10"
CSI_STORE = "/var/lib/kubelet/csi-dev"
_CSI_SOCKET = "/var/lib/kubelet/plugins/csi-dev/csi.sock"


@dataclass(frozen=True)
class Node:
    """One node: `cluster` is the cluster's directory, `slot` its network, `number` from 1, the control plane."""

    cluster: Path
    slot: int
    number: int

    @property
    def name(self) -> str:
        return f"node{self.number}"

    @property
    def address(self) -> str:
        return host.node_address(self.slot, self.number)

    @property
    def directory(self) -> Path:
        return self.cluster / self.name


def _containerd() -> str:
    # Root may lack CAP_SYS_RESOURCE; then a negative oom_score_adj is refused and no container starts.
    return f"""\
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{images.PAUSE_REF}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/run/cairn/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"""


def _cni(node: Node) -> str:
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": f"10.244.{node.number}.0/24"}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True, "ipam": ipam}
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "0.4.0", "name": "bridge", "plugins": [bridge, portmap]})


def _kubelet(node: Node) -> str:
    return json.dumps({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{host.cgroup_name(node.slot, node.number)}",
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": ["pods"],
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",  # the default would be made on the host
        "clusterDNS": [DNS],
        "clusterDomain": "cluster.local",
        "resolvConf": str(node.directory / "etc" / "resolv.conf"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(node.cluster / "pki" / "ca.crt")},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "failSwapOn": False,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "nodeStatusUpdateFrequency": "5s",
        "nodeLeaseDurationSeconds": 12,
        "serializeImagePulls": False,
        "maxPods": 110,
        "syncFrequency": "10s",
        "volumeStatsAggPeriod": "10s",
    }, indent=1)  # fmt: skip


def _commands(node: Node, *, audit: bool, node_grace: str) -> dict[str, list[str]]:
    cluster, pki = node.cluster, node.cluster / "pki"
    admin = str(cluster / "admin.conf")
    rates = ["--kube-api-qps=200", "--kube-api-burst=400"]
    sidecar = [*rates, f"--kubeconfig={admin}", "--leader-election=false"]
    scheduler = str(cluster / "scheduler.conf")
    apiserver = flags.apiserver(
        pki,
        "http://127.0.0.1:2379",
        audit_policy=cluster / "audit-policy.yaml" if audit else None,
        audit_log=cluster / "audit.log" if audit else None,
    )
    control_plane = {
        "etcd": flags.etcd(cluster / "etcd", "http://127.0.0.1:2379", "http://127.0.0.1:2380"),
        "kube_apiserver": [
            *apiserver, "--bind-address=0.0.0.0", f"--advertise-address={node.address}", "--secure-port=6443",
        ],
        "kube_controller_manager": [
            *flags.controller_manager(pki, cluster / "kcm.conf"),
            "--node-monitor-period=2s", f"--node-monitor-grace-period={node_grace}",
        ],
        "kube_scheduler": [
            "kube-scheduler", f"--kubeconfig={scheduler}", f"--authentication-kubeconfig={scheduler}",
            f"--authorization-kubeconfig={scheduler}", "--leader-elect=false",
        ],
        # v8 crash-loops without the group snapshots' CRDs unless told so.
        "snapshot_controller": ["snapshot-controller", *sidecar, "--feature-gates=CSIVolumeGroupSnapshot=false"],
        "csi_snapshotter": ["csi-snapshotter", *sidecar, f"--csi-address={_CSI_SOCKET}"],
        "csi_resizer": ["csi-resizer", *sidecar, f"--csi-address={_CSI_SOCKET}"],
        "csi_dev": ["csi-dev", "-node", node.name, "-kubeconfig", admin],
    }  # fmt: skip
    every_node = {
        "containerd": ["containerd", "-c", str(node.directory / "etc" / "containerd.toml")],
        "kubelet": [
            "kubelet", f"--config={node.directory}/etc/kubelet.json", f"--kubeconfig={node.directory}/kubelet.conf",
            f"--hostname-override={node.name}", f"--node-ip={node.address}",
            "--node-labels=devcluster.cairn.dev/node=true",
        ],
        # Conntrack's sizes are the machine's, and no namespace may set them.
        "kube_proxy": [
            "kube-proxy", f"--kubeconfig={cluster}/proxy.conf", "--proxy-mode=iptables",
            f"--hostname-override={node.name}", f"--cluster-cidr={PODS}", "--conntrack-max-per-core=0",
            "--conntrack-min=0", "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0",
        ],
        "csi_dev": ["csi-dev", "-node", node.name],
        "netpol_dev": ["netpol-dev", "-kubeconfig", admin],
    }  # fmt: skip
    return every_node | control_plane if node.number == 1 else every_node


def write(node: Node, image_tars: list[Path], *, audit: bool, node_grace: str) -> None:
    etc = node.directory / "etc"
    for directory in (etc, node.directory / "log", node.directory / "fs", node.cluster / "csi"):
        directory.mkdir(parents=True, exist_ok=True)
    (etc / "containerd.toml").write_text(_containerd())
    (etc / "10-bridge.conflist").write_text(_cni(node))
    (etc / "kubelet.json").write_text(_kubelet(node))
    (etc / "resolv.conf").write_text("")
    (etc / "images").write_text("".join(f"{tar}\n" for tar in image_tars))
    commands = _commands(node, audit=audit, node_grace=node_grace)
    (etc / "commands.sh").write_text("".join(f"{name}=({shlex.join(c)})\n" for name, c in commands.items()))

# SPDX-License-Identifier: Apache-2.0
"""What a cluster with nodes takes from the host while it runs: packages, a bridge, veth pairs, a route, cgroups."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from . import base

_SLOTS = range(211, 251)
_CGROUPS = Path("/sys/fs/cgroup")

# command or file that must be there: the Debian package that has it
NODE_PACKAGES = {
    "containerd": "containerd", "runc": "runc", "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables", "ipset": "ipset", "conntrack": "conntrack", "ebtables": "ebtables", "socat": "socat",
    "ip": "iproute2", "unshare": "util-linux", "sysctl": "procps", "mkfs.xfs": "xfsprogs", "mount": "mount",
}  # fmt: skip
# All pods weigh as one of the host's processes unless told so, and on a busy machine their probes kill them.
_WEIGHTS = {"cpu.shares": "32768", "cpu.weight": "3000"}
_INOTIFY_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
_INSTANCES_NEEDED = 1024  # a node with KubeVirt takes about 40 of the 128 that root has by default
_KERNEL_MODULES = ("overlay", "br_netfilter", "loop", "xfs", "iptable_nat", "xt_comment")
_WAY_ON = "run as root on Debian, or, for the demo, set CAIRN_KUBECONFIG to the kubeconfig of a kind cluster"


def require_packages(why: str, needed: dict[str, str]) -> None:
    """Install what is missing, or say so. Goes by commands: a machine may have them from elsewhere than Debian."""
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    missing = sorted({
        package for what, package in needed.items()
        if not (Path(what).exists() if what.startswith("/") else shutil.which(what, path=path))
    })  # fmt: skip
    if not missing:
        return
    done = subprocess.run([base.SCRIPTS / "ensure-debian-packages.sh", "--why", why, *missing], check=False)
    if done.returncode == 3:
        raise base.MissingError(f"no {', '.join(missing)} here ({why}): {_WAY_ON}")
    if done.returncode:
        raise base.StepError(f"could not install {' '.join(missing)}, see above")


def require_nodes() -> None:
    """A machine that can run nodes, or MissingError."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        raise base.MissingError(f"pods need root on Linux, for namespaces, mounts and cgroups: {_WAY_ON}")
    require_packages("to run nodes of the dev cluster", NODE_PACKAGES)
    if modprobe := shutil.which("modprobe", path="/usr/sbin:/sbin"):  # those not built in; a failure shows at use
        subprocess.run([modprobe, "-qa", *_KERNEL_MODULES], check=False, stderr=subprocess.DEVNULL)
    _raise_inotify_limit()


def _raise_inotify_limit() -> None:
    """For a few clusters at once; a machine that allows more keeps it, and one that can't be changed says so later."""
    if int(_INOTIFY_INSTANCES.read_text()) < _INSTANCES_NEEDED:
        with suppress(OSError):
            _INOTIFY_INSTANCES.write_text(f"{_INSTANCES_NEEDED}\n")


def _ip(*args: str, check: bool = True) -> bool:
    done = subprocess.run(["ip", *args], check=False, capture_output=True, text=True)
    if check and done.returncode:
        raise base.StepError(f"ip {' '.join(args)}: {done.stderr.strip()}")
    return done.returncode == 0


def _bridge(slot: int) -> str:
    return f"cairn{slot}"


def slot(directory: Path) -> int:
    """The number that tells a cluster's network and cgroups from others'; chosen once, kept in its directory."""
    file = directory / "slot"
    if file.exists():
        return int(file.read_text())
    runs = directory.parent
    with base.locked(runs / ".slots.lock"):
        taken = {int(f.read_text()) for f in runs.glob("*/slot")}
        for number in _SLOTS:
            if number not in taken and not Path("/sys/class/net", _bridge(number)).exists():
                directory.mkdir(parents=True, exist_ok=True)
                file.write_text(str(number))
                return number
    raise base.StepError(f"all {len(_SLOTS)} networks for clusters are taken; see {runs}")


def node_address(number: int, node: int) -> str:
    return f"10.{number}.0.{node + 1}"


def add_network(number: int) -> None:
    # Nothing meant for the cluster leaves the machine while the bridge is away.
    _ip("route", "replace", "unreachable", f"10.{number}.0.0/24", "metric", "4096")
    if not Path("/sys/class/net", _bridge(number)).exists():
        _ip("link", "add", _bridge(number), "type", "bridge")
        _ip("address", "add", f"10.{number}.0.1/24", "dev", _bridge(number))
        _ip("link", "set", _bridge(number), "up")


def remove_network(number: int) -> None:
    _ip("link", "delete", _bridge(number), check=False)
    _ip("route", "delete", "unreachable", f"10.{number}.0.0/24", "metric", "4096", check=False)


def plug(number: int, node: int, pid: int) -> None:
    """A cable between the bridge and the network namespace of a process, where it is eth0."""
    unplug(number, node)
    outer = f"cairn{number}-{node}"
    _ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    _ip("link", "set", outer, "master", _bridge(number), "up")


def unplug(number: int, node: int) -> None:
    _ip("link", "delete", f"cairn{number}-{node}", check=False)


def cgroup_name(number: int, node: int) -> str:
    return f"cairn-{number}-{node}"


def _hierarchies() -> list[Path]:
    """Where cgroups are made: one place with cgroup v2; with v1 one per controller, and the unified one of hybrids."""
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS]
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return [Path(m[1]) for m in mounts if m[2] in ("cgroup", "cgroup2")]


def add_cgroups(number: int, node: int) -> None:
    """The kubelet's root cgroup. v1 (and hybrid) is what was tested; v2 follows the kernel's documentation."""
    for hierarchy in _hierarchies():
        directory = hierarchy / cgroup_name(number, node)
        directory.mkdir(exist_ok=True)
        if (hierarchy / "cgroup.controllers").exists():
            wanted = " ".join(f"+{c}" for c in (hierarchy / "cgroup.controllers").read_text().split())
            for where in (hierarchy, directory) if wanted else ():
                (where / "cgroup.subtree_control").write_text(wanted)
        for name in ("cpuset.cpus", "cpuset.mems"):
            if (hierarchy / name).exists():  # v1: empty ones admit no process
                (directory / name).write_text((hierarchy / name).read_text())
        for name, weight in _WEIGHTS.items():
            if (directory / name).exists():
                (directory / name).write_text(weight)


def remove_cgroups(number: int, node: int) -> None:
    """Needs every process in them to be gone, which follows the end of a node's pid 1 within moments."""
    until = time.monotonic() + 15
    for top in [h / cgroup_name(number, node) for h in _hierarchies()]:
        while top.exists():
            for directory, _, _ in os.walk(top, topdown=False):
                try:
                    Path(directory).rmdir()
                except OSError:
                    if time.monotonic() > until:
                        raise
            if top.exists():
                time.sleep(0.05)

# SPDX-License-Identifier: Apache-2.0
"""A cluster with nodes: each node is a set of namespaces on this machine, and pods run in them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from . import base, build, client, controlplane, flags, host, images, kubevirt_cluster, modules, nodefiles, pki
from .api import Api
from .nodefiles import Node

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_started: list[subprocess.Popen[bytes]] = []  # kept so that an ended one is reaped, and none warns at its collection


class Cluster:
    """The cluster of a name. Its state stays in `directory` between `down` and `up`; `wipe` deletes it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.directory = base.run_dir(name)
        self.kubeconfig = self.directory / "admin.conf"
        self.audit_log = self.directory / "audit.log"
        self._pki = self.directory / "pki"

    @property
    def slot(self) -> int:
        return host.slot(self.directory)

    @property
    def address(self) -> str:
        """Where the host reaches node 1: the API server at 6443, and node ports."""
        return host.node_address(self.slot, 1)

    @property
    def api(self) -> Api:
        return Api(f"https://{self.address}:6443", self._pki)

    def node(self, number: int) -> Node:
        return Node(self.directory, self.slot, number)

    def nodes(self) -> list[Node]:
        """Every node that was ever added."""
        found = [int(p.name.removeprefix("node")) for p in self.directory.glob("node[0-9]")]
        return [self.node(number) for number in sorted(found)]

    def running(self) -> list[Node]:
        return [n for n in self.nodes() if _pid(n)]

    def up(self, *, audit: bool = True, node_grace: str = "50s", kubevirt: bool = False) -> None:
        """Start it and wait until pods, DNS and volumes work. What an unclean end left is cleared first.

        kubevirt: with KubeVirt and CDI, and guests that boot under emulation
        """
        host.require_nodes()
        build.build(*modules.ALL)
        tars = [*images.build_all(), *(kubevirt_cluster.images() if kubevirt else [])]
        with base.locked(self.directory.parent / f".{self.name}.lock"):
            if controlplane.running(self.directory):
                raise base.StepError(
                    f"{self.name} runs as a control plane without nodes: down first, or another --name"
                )
            if _pid(self.node(1)) and self._ready_mark(self.node(1)).exists():
                base.say(f"{self.name} is up already")
                if kubevirt and not self._settings()["kubevirt"]:
                    raise base.StepError(f"{self.name} runs without KubeVirt: down first, or another --name")
                return
            self._clear()
            self.directory.mkdir(parents=True, exist_ok=True)
            settings = {
                "audit": audit, "node_grace": node_grace, "images": [str(t) for t in tars], "kubevirt": kubevirt,
            }  # fmt: skip
            (self.directory / "settings.json").write_text(json.dumps(settings))
            (self.directory / "audit-policy.yaml").write_text(flags.AUDIT_POLICY)
            host.add_network(self.slot)
            try:
                self._start(1)
            except BaseException:
                self._clear()
                raise

    def addnode(self, number: int) -> None:
        """Start node 2 to 8 and wait until it is ready."""
        if not 2 <= number <= 8:
            raise base.StepError("nodes are numbered 2 to 8; node 1 is the control plane")
        if not _pid(self.node(1)):
            raise base.MissingError(f"{self.name} is not up: devcluster.py up --name {self.name}")
        if _pid(self.node(number)) and self._ready_mark(self.node(number)).exists():
            base.say(f"node{number} is up already")
            return
        self._stop(self.node(number))
        self._start(number)
        if self._settings()["kubevirt"]:
            kubevirt_cluster.schedulable(self, self.node(number).name)

    def downnode(self, number: int) -> None:
        """Power loss of one node."""
        self._stop(self.node(number))

    def down(self) -> None:
        """Power loss of all nodes. Nothing of it is left on the host but its directory."""
        if (self.directory / "slot").exists():
            self._clear()

    def wipe(self) -> None:
        self.down()
        shutil.rmtree(self.directory, ignore_errors=True)

    def exec_command(self, *command: str, node: int = 1) -> list[str]:
        """The command line that runs a command in a node's namespaces."""
        pid = _pid(self.node(node))
        if not pid:
            raise base.MissingError(f"node{node} of {self.name} is not up")
        return ["nsenter", "-t", str(pid), "-m", "-p", "-n", "-i", "-u", "--", *command]

    def environment(self) -> dict[str, str]:
        return {**client.environment(), "PATH": f"{build.search_path()}:{_SYSTEM_PATH}"}

    def exec(self, *command: str, node: int = 1, input: str | None = None, check: bool = True) -> str:  # noqa: A002  as subprocess.run
        """Run a command in a node's namespaces and return what it prints."""
        line = self.exec_command(*command, node=node)
        done = subprocess.run(
            line, check=False, input=input, text=True, capture_output=True, env=self.environment(), timeout=300
        )
        if check and done.returncode:
            raise base.StepError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def component_pid(self, component: str, *, node: int = 1) -> int:
        """The pid, inside the node, of etcd, kube-apiserver, kubelet, containerd, csi-dev and so on."""
        return int((self.node(node).directory / "log" / f"{component}.pid").read_text())

    def signal(self, component: str, signum: signal.Signals = signal.SIGKILL, *, node: int = 1) -> None:
        """Send a component a signal. One that ends is started again after half a second."""
        self.exec("kill", f"-{signum.value}", str(self.component_pid(component, node=node)), node=node)

    def import_image(self, tar: Path) -> None:
        """Make an archive's images known on every running node."""
        for node in self.running():
            self.exec("ctr", "-n", "k8s.io", "images", "import", str(tar.absolute()), node=node.number)

    def kubectl(self, *args: str, input: str | None = None, check: bool = True, timeout: float = 60) -> str:  # noqa: A002  as subprocess.run
        """Run kubectl against it and return what it prints."""
        return client.kubectl(self.kubeconfig, *args, input=input, check=check, timeout=timeout)

    def audit_events(self) -> Iterator[dict[str, Any]]:
        """The audit log's entries so far. An entry appears shortly after the client has its answer."""
        return client.audit_events(self.audit_log)

    def logs(self) -> str:
        paths = [p for node in self.nodes() for p in sorted((node.directory / "log").glob("*.log"))]
        return "\n".join(f"--- {p.parent.parent.name}/{p.name}\n{base.tail(p, 5)}" for p in paths)

    # --- starting

    def _settings(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads((self.directory / "settings.json").read_text())
        return parsed

    def _start(self, number: int) -> None:
        node, settings = self.node(number), self._settings()
        self._credentials(node)
        tars = [Path(t) for t in settings["images"]]
        nodefiles.write(node, tars, audit=settings["audit"], node_grace=settings["node_grace"])
        host.add_cgroups(self.slot, number)
        pid = self._spawn(node)
        host.plug(self.slot, number, pid)
        (node.directory / "plugged").touch()
        try:
            if number == 1:
                with base.step(f"{self.name}: API server"):
                    self._wait_path(node, "/readyz", seconds=120)
            (node.directory / "api.ok").touch()
            with base.step(f"{self.name}: {node.name}"):
                if number == 1:
                    self._apply()
                self._wait_node(node, tars)
            if number == 1 and settings["kubevirt"]:
                kubevirt_cluster.install(self)
            self._ready_mark(node).touch()
        except base.StepError as failed:
            raise base.StepError(f"{failed}\n{self.logs()}") from None

    def _ready_mark(self, node: Node) -> Path:
        """Without it a node that runs is one whose `up` was killed half way."""
        return node.directory / "ready"

    def _credentials(self, node: Node) -> None:
        pki.certificates(self._pki, sans=[self.address], nodes=[node.name])
        server, context = f"https://{self.address}:6443", f"cairn-{self.name}"
        for user in ("admin", "kcm", "scheduler", "proxy"):
            pki.kubeconfig(self.directory / f"{user}.conf", self._pki, user, server=server, context=context)
        node.directory.mkdir(parents=True, exist_ok=True)
        login = f"kubelet-{node.name}"
        pki.kubeconfig(node.directory / "kubelet.conf", self._pki, login, server=server, context=context)

    def _spawn(self, node: Node) -> int:
        """Start a node's pid 1 and return its pid on the host."""
        for mark in (node.directory / "plugged", node.directory / "api.ok", self._ready_mark(node)):
            mark.unlink(missing_ok=True)
        own = {
            "R": str(self.directory), "D": str(node.directory), "I": str(node.number), "N": str(self.slot),
            "CACHE": str(base.cache()),
        }  # fmt: skip
        with (node.directory / "log" / "init.log").open("wb") as out:
            process = subprocess.Popen(
                [
                    "unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--mount-proc", "--kill-child",
                    "--propagation", "private", "bash", base.HERE / "node-init.sh",
                ],
                env=self.environment() | own, cwd="/", stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip
        _started.append(process)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        base.wait_for("a process in the namespaces", lambda: bool(children.read_text()), seconds=10, every=0.02)
        pid = int(children.read_text())
        (node.directory / "init.pid").write_text(f"{pid} {_start_time(pid)}")
        return pid

    def _apply(self) -> None:
        """CRDs, storage classes and DNS; once, since etcd keeps them."""
        crds = sorted(modules.CRDS.directory().iterdir())
        manifests = sorted((base.HERE / "manifests").iterdir())
        content = b"".join(p.read_bytes() for p in [*crds, *manifests])
        mark = self.directory / f"applied-{hashlib.sha256(content).hexdigest()[:12]}"
        if not mark.exists():
            apply = ("apply", "--server-side", "--force-conflicts")
            self.kubectl(*apply, f"--filename={base.HERE / 'manifests' / 'dns.yaml'}")
            self.kubectl(*apply, *(f"--filename={p}" for p in crds))
            self.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
            self.kubectl(*apply, *(f"--filename={p}" for p in manifests))
            mark.touch()
        (self.directory / "crds.ok").touch()
        self._wait_path(self.node(1), "/api/v1/namespaces/default/serviceaccounts/default", seconds=30)

    def _wait(self, node: Node, what: str, ready: Callable[[], bool], *, seconds: float) -> None:
        def probe() -> bool:
            if not _pid(node):
                raise base.StepError(f"{node.name} ended")
            return ready()

        base.wait_for(what, probe, seconds=seconds)

    def _wait_path(self, node: Node, path: str, *, seconds: float) -> None:
        self._wait(node, path, lambda: self.api.ok(path), seconds=seconds)

    def _wait_node(self, node: Node, tars: Sequence[Path]) -> None:
        """Its kubelet answers, it is Ready, it has the images, and a DNS server answers."""
        self._wait_path(node, f"/api/v1/nodes/{node.name}/proxy/healthz", seconds=60)

        def ready() -> bool:
            conditions = self.api.object(f"/api/v1/nodes/{node.name}").get("status", {}).get("conditions", [])
            return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

        def serving() -> bool:
            # Not the pod's status, which after a power loss is that from before it.
            here = "/api/v1/namespaces/kube-system/pods"
            pods = self.api.object(f"{here}?labelSelector=k8s-app%3Dkube-dns").get("items", [])
            return any(self.api.ok(f"{here}/{p['metadata']['name']}:8181/proxy/ready") for p in pods)

        self._wait(node, f"{node.name} ready", ready, seconds=60)
        marks = [node.directory / "fs" / f"imported.{t.name}" for t in tars]
        self._wait(node, f"images on {node.name}", lambda: all(m.exists() for m in marks), seconds=120)
        self._wait(node, "DNS", serving, seconds=60)

    # --- stopping

    def _stop(self, node: Node) -> None:
        if pid := _pid(node):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            base.wait_for(f"the end of {node.name}", lambda: not _pid(node), seconds=30)
        for process in list(_started):
            if process.poll() is not None:
                _started.remove(process)
        (node.directory / "init.pid").unlink(missing_ok=True)
        host.unplug(self.slot, node.number)
        host.remove_cgroups(self.slot, node.number)

    def _clear(self) -> None:
        for node in self.nodes():
            self._stop(node)
        host.remove_network(self.slot)


def _start_time(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def _pid(node: Node) -> int | None:
    """The host's pid of a node's pid 1 while it runs. Its start time tells it from a later process of that pid."""
    try:
        pid, started = (node.directory / "init.pid").read_text().split()
        same = _start_time(int(pid)) == started
    except (OSError, ValueError, IndexError):
        return None
    return int(pid) if same and base.alive(int(pid)) else None

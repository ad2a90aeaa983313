# SPDX-License-Identifier: Apache-2.0
"""etcd, kube-apiserver and kube-controller-manager as plain processes on loopback: no root, no namespaces, no nodes."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from . import base, build, client, flags, kubevirt_plane, modules, pki
from .api import Api

# Below the ephemeral range: a client that keeps dialling a stopped server's ephemeral port may end up
# connected to itself and so hold the port that the server needs when it comes back.
_PORTS = range(20000, 30000)


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        ports: list[int] = []
        for port in random.sample(_PORTS, 500):
            s = held.enter_context(socket.socket())
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            ports.append(port)
            if len(ports) == count:
                return ports
    raise base.StepError("no free port on 127.0.0.1")


class ControlPlane:
    """A running control plane. `start` it as a context manager; its processes end with this one, however that ends.

    `detached` ones outlive it and are found again by `attach`.
    """

    def __init__(
        self,
        directory: Path,
        name: str,
        *,
        detached: bool,
        audit: bool,
        admission: Sequence[str] = (),
        kubevirt: bool = False,
        authentication: str = "",
    ) -> None:
        self.directory = directory.absolute()
        self.name = name
        self.kubeconfig = self.directory / "admin.conf"
        self.audit_log = self.directory / "audit.log"
        self._pki = self.directory / "pki"
        self._detached = detached
        self._audit = audit
        self._admission = tuple(admission)
        self._kubevirt = kubevirt
        self._authentication = authentication
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ports: list[int] = []

    @classmethod
    def start(
        cls,
        directory: Path | str,
        *,
        name: str = "test",
        detached: bool = False,
        audit: bool = True,
        admission: Sequence[str] = (),
        kubevirt: bool = False,
        authentication: str = "",
    ) -> ControlPlane:
        """Start in a directory of its own, which keeps its state. Returns when it serves.

        admission: plugins to switch on that are off by default
        kubevirt: with KubeVirt's webhooks and controllers, and the CRDs of CDI, snapshots and HTTPRoute
        authentication: an AuthenticationConfiguration: whose tokens the API server takes beside its own
        """
        self = cls(
            Path(directory), name,
            detached=detached, audit=audit, admission=admission, kubevirt=kubevirt, authentication=authentication,
        )  # fmt: skip
        self.directory.mkdir(parents=True, exist_ok=True)
        build.build(*modules.CONTROL_PLANE, *(modules.KUBEVIRT_PLANE if kubevirt else ()))
        self._forget_processes()
        for attempt in range(3):  # a port may be taken between choice and use
            try:
                self._start()
            except base.StepError:
                self.kill()
                if attempt == 2 or "address already in use" not in self.logs():
                    raise
            except BaseException:
                self.kill()
                raise
            else:
                return self
        raise AssertionError("unreachable")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self._ports[2]}"

    @property
    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self._processes.items()}

    @property
    def kubectl_path(self) -> Path:
        return modules.KUBEONE.directory() / "kubectl"

    def kubectl(self, *args: str, input: str | None = None, check: bool = True, timeout: float = 60) -> str:  # noqa: A002  as subprocess.run
        """Run kubectl against it and return what it prints."""
        return client.kubectl(self.kubeconfig, *args, input=input, check=check, timeout=timeout)

    def audit_events(self) -> Iterator[dict[str, Any]]:
        """The audit log's entries so far. An entry appears shortly after the client has its answer."""
        return client.audit_events(self.audit_log)

    def stop_apiserver(self, *, signum: signal.Signals = signal.SIGKILL) -> None:
        """Stop it; SIGTERM is the orderly way, which waits for open requests."""
        self._stop("kube-apiserver", signum)

    def start_apiserver(self) -> None:
        """Start it again at the same address and wait until it serves."""
        self._start_apiserver()

    def restart_apiserver(self, *, signum: signal.Signals = signal.SIGKILL) -> None:
        self.stop_apiserver(signum=signum)
        self.start_apiserver()

    def pause_apiserver(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        self._processes["kube-apiserver"].send_signal(signal.SIGSTOP)

    def resume_apiserver(self) -> None:
        self._processes["kube-apiserver"].send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End everything at once. The directory stays, and `start` in it goes on with its state."""
        for process in self._processes.values():
            kill_group(process.pid)
        for process in self._processes.values():
            process.wait()
        self._processes.clear()
        self._pid_file.unlink(missing_ok=True)

    def logs(self) -> str:
        """The end of every log, for a message."""
        return "\n".join(f"--- {p.name}\n{base.tail(p)}" for p in sorted((self.directory / "log").glob("*.log")))

    @property
    def _pid_file(self) -> Path:
        return self.directory / "pids.json"

    def _start(self) -> None:
        self._ports = free_ports(3 + kubevirt_plane.PORTS)
        pki.certificates(self._pki)
        for user, file in (("admin", "admin"), ("kcm", "kcm")):
            pki.kubeconfig(
                self.directory / f"{file}.conf", self._pki, user, server=self.server, context=f"cairn-{self.name}"
            )
        (self.directory / "audit-policy.yaml").write_text(flags.AUDIT_POLICY)
        own, peer, *_ = self._ports
        etcd = flags.etcd(self.directory / "etcd", f"http://127.0.0.1:{own}", f"http://127.0.0.1:{peer}")
        self.spawn("etcd", etcd)
        self._start_apiserver()
        self.spawn(
            "kube-controller-manager",
            [*flags.controller_manager(self._pki, self.directory / "kcm.conf"), "--secure-port=0"],
        )
        self.await_path("/api/v1/namespaces/default/serviceaccounts/default")
        if self._kubevirt:
            kubevirt_plane.start(self, self._ports[3:])

    def _start_apiserver(self) -> None:
        etcd, _, port, *_ = self._ports
        command = flags.apiserver(
            self._pki,
            f"http://127.0.0.1:{etcd}",
            audit_policy=self.directory / "audit-policy.yaml" if self._audit else None,
            audit_log=self.audit_log,
            admission=self._admission,
        )
        if self._authentication:
            (self.directory / "authentication.yaml").write_text(self._authentication)
            command.append(f"--authentication-config={self.directory / 'authentication.yaml'}")
        # Nobody reaches the `kubernetes` Service without nodes, and a loopback address may not stand in its endpoints.
        here = ["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"]
        self.spawn("kube-apiserver", [*command, *here, f"--secure-port={port}"])
        # The controller manager exits or backs off when RBAC's first objects are missing; /readyz waits for them.
        self.await_path("/readyz")

    def spawn(self, name: str, command: list[str]) -> None:
        """Start a process that ends with this control plane: one of kubeone's names, or a path."""
        log = self.directory / "log" / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        env = client.environment()
        if not self._detached:
            env["CAIRN_PARENT"] = str(os.getpid())
        with log.open("ab") as out:
            self._processes[name] = subprocess.Popen(
                [modules.KUBEONE.directory() / command[0], *command[1:]],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, cwd=self.directory,
                start_new_session=True,  # a Ctrl-C in the terminal is the parent's to handle
            )  # fmt: skip
        self._pid_file.write_text(json.dumps({n: [p.pid, str(self.directory)] for n, p in self._processes.items()}))

    def _stop(self, name: str, signum: signal.Signals) -> None:
        process = self._processes.pop(name)
        process.send_signal(signum)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def await_path(self, path: str, api: Api | None = None) -> None:
        """Wait for a good answer, of the API server unless told otherwise, while every process runs."""
        api = api or Api(self.server, self._pki)

        def ready() -> bool:
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise base.StepError(f"{name} ended with {process.returncode}\n{self.logs()}")
            return api.ok(path)

        try:
            base.wait_for(path, ready, seconds=90, every=0.05)
        except base.StepError as failed:
            raise base.StepError(f"{failed}\n{self.logs()}") from None

    def _forget_processes(self) -> None:
        """End what an earlier run left in this directory; its processes are known by directory as well as by pid."""
        end_left_over(self.directory)


def kill_group(pid: int) -> None:
    """Each process leads a group of its own, in which are its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def running(directory: Path) -> dict[str, int]:
    """The processes of a control plane in this directory, as far as they still run."""
    try:
        recorded: dict[str, list[str | int]] = json.loads((directory / "pids.json").read_text())
    except (OSError, ValueError):
        return {}
    found: dict[str, int] = {}
    for name, (pid, _) in recorded.items():
        with contextlib.suppress(OSError):
            if base.alive(int(pid)) and Path(f"/proc/{pid}/cwd").readlink() == directory.absolute():
                found[name] = int(pid)
    return found


def end_left_over(directory: Path) -> None:
    pids = running(directory).values()
    for pid in pids:
        kill_group(pid)
    base.wait_for("the end of earlier processes", lambda: not any(map(base.alive, pids)), seconds=10)
    (directory / "pids.json").unlink(missing_ok=True)

# SPDX-License-Identifier: Apache-2.0
"""A worker in a network namespace of its own, joined by one cable to another, in which its servers are found.

Everything between worker and servers crosses that cable, as packets that the kernel can drop, lose or slow down, on
either end and without telling anybody. Needs root on Linux.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from faults.proxy import Proxy

CLONE_NEWNET = 0x40000000
NEAR, FAR = "10.77.0.2", "10.77.0.1"
"""Addresses of the worker's end and of the servers': both in namespaces that this run made."""


class Cable:
    """Two namespaces and what joins them. The names hold this process' id."""

    def __init__(self, home: Path) -> None:
        self.near, self.far = f"cairn-near-{os.getpid()}", f"cairn-far-{os.getpid()}"
        self._gates: list[Proxy] = []
        self._hosts = home / "hosts"
        self._hosts.write_text(f"{FAR} localhost\n")
        for name in (self.near, self.far):
            _ip("netns", "add", name)
        _ip("-n", self.near, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", self.far)
        for name, address in ((self.near, NEAR), (self.far, FAR)):
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", "cable")
            for device in ("cable", "lo"):
                _ip("-n", name, "link", "set", device, "up")

    def to_server(self, port: int) -> int:
        """A way from the far end to a server on this machine's loopback; the port it is found at there."""
        listener = within(self.far, lambda: socket.create_server((FAR, 0)))
        self._gates.append(Proxy(port, listener=listener))
        return self._gates[-1].port

    def from_here(self, port: int) -> None:
        """A way from this machine's loopback to the same port of the worker's own."""
        connect = lambda: within(self.near, lambda: socket.create_connection(("127.0.0.1", port), timeout=5))  # noqa: E731
        self._gates.append(Proxy(port, listener=socket.create_server(("127.0.0.1", port)), connect=connect))

    def entering(self) -> list[str]:
        """A command's beginning: it runs at the near end, where `localhost` is the far one."""
        mount = 'mount --bind "$0" /etc/hosts && exec "$@"'
        enter = ["nsenter", f"--net=/run/netns/{self.near}", "unshare", "--mount", "--propagation=private"]
        return [*enter, "sh", "-c", mount, str(self._hosts)]

    def drop(self) -> None:
        """What the worker sends, it sends for nothing; what was on its way to it still arrives."""
        _inside(self.far, "iptables", "-I", "INPUT", "-i", "cable", "-j", "DROP")

    def crawl(self) -> None:
        """Both ends send 256 kbit/s, and lose two packets of a hundred."""
        for name in (self.near, self.far):
            _inside(name, "tc", "qdisc", "replace", "dev", "cable", "root", "tbf", "rate", "256kbit", "burst", "8kb",
                    "latency", "200ms")  # fmt: skip
            _inside(name, "iptables", "-I", "INPUT", "-i", "cable", "-m", "statistic", "--mode", "random",
                    "--probability", "0.02", "-j", "DROP")  # fmt: skip

    def mend(self) -> None:
        for name in (self.near, self.far):
            _inside(name, "iptables", "-F", "INPUT")
            subprocess.run(["tc", "-n", name, "qdisc", "del", "dev", "cable", "root"], check=False, capture_output=True)

    def close(self) -> None:
        for gate in self._gates:
            gate.close()
        for name in (self.near, self.far):
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip("netns", "del", name)


def within(name: str, make: Callable[[], socket.socket]) -> socket.socket:
    """A socket of that namespace. Made by a thread that went there, and which ends with it."""
    made: list[socket.socket | BaseException] = []

    def work() -> None:
        try:
            _enter(name)
            made.append(make())
        except BaseException as error:  # raised again by whoever asked
            made.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(made[0], BaseException):
        raise made[0]
    return made[0]


def _enter(name: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/run/netns/{name}").open("rb") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {name}")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _inside(name: str, *command: str) -> None:
    subprocess.run(["ip", "netns", "exec", name, *command], check=True, capture_output=True)

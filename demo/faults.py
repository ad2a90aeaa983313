# SPDX-License-Identifier: Apache-2.0
"""What goes wrong on purpose while records flow: the worker dies twice, the database is restarted, its disk is full."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from demo.steps import DemoError, awaited, say
from demo.target import Obj, Target

NAMESPACE = "seller-2088"
DATABASE_POD = "shop-db-0"
SUBSCRIPTION = "orders"
FILLER = "/var/lib/cairn/data/filler"
FULL_SECONDS = 5
"""For how long the disk stays full at least: long enough for the worker to meet it more than once."""


@dataclass
class Faults:
    """Faults by how much of the stream was accepted. Each is over when what died stands again."""

    target: Target
    kills: int = 0
    errors: list[BaseException] = field(default_factory=list)
    _running: threading.Thread | None = None

    def __post_init__(self) -> None:
        self._due: list[tuple[float, Callable[[], None]]] = [
            (0.15, self.kill_worker),
            (0.3, self.fill_disk),
            (0.5, self.restart_database),
            (0.75, self.delete_worker),
        ]

    def at(self, share: float) -> None:
        """Start the next fault when its time has come and the one before is over."""
        if self._due and share >= self._due[0][0] and not (self._running and self._running.is_alive()):
            self._running = threading.Thread(target=self._guarded, args=(self._due.pop(0)[1],))
            self._running.start()

    def finish(self) -> None:
        """Wait for the fault under way; carry out those whose time never came."""
        while self._due or (self._running and self._running.is_alive()):
            self.at(1.0)
            if self._running:
                self._running.join()
        if self.errors:
            raise self.errors[0]

    def _guarded(self, fault: Callable[[], None]) -> None:
        try:
            fault()
        except BaseException as error:  # raised again by `finish`, in the main thread
            self.errors.append(error)

    def kill_worker(self) -> None:
        """The process dies; the kubelet starts it again in the same pod."""
        self._end_worker(self.target.kill)

    def delete_worker(self) -> None:
        """The pod goes without grace; its successor may run before the old process has ended."""
        self._end_worker(self.target.delete_now)

    def _end_worker(self, end: Callable[[str, Obj], str]) -> None:
        pod = self._worker()
        if not pod:
            raise DemoError(f"there is no worker of PushSubscription {SUBSCRIPTION} to kill")
        before = _incarnation(pod)
        how = end(NAMESPACE, pod)
        self.kills += 1
        began = time.monotonic()
        say(f"  worker {pod['metadata']['name']}: {how}")
        awaited("the worker", lambda: _missing(self._worker(), before), seconds=180, every=0.5)
        say(f"  worker back after {time.monotonic() - began:.1f} s")

    def restart_database(self) -> None:
        """A graceful delete: the StatefulSet makes the pod anew, on the same volume. Never a forced one."""
        before = _incarnation(self._database())
        began = time.monotonic()
        self.target.kubectl("delete", "pod", "-n", NAMESPACE, DATABASE_POD, "--wait=false")
        self.kills += 1
        say(f"  database pod {DATABASE_POD}: deleted")
        awaited("the database", lambda: _missing(self._database(), before), seconds=180, every=0.5)
        say(f"  database back after {time.monotonic() - began:.1f} s")

    def fill_disk(self) -> None:
        """Not a byte is left on the database's volume. The server may end over it, and starts again by itself."""
        began = time.monotonic()
        self._in_database(f"dd if=/dev/zero of={FILLER} bs=1M 2>/dev/null; sync")
        self.kills += 1
        say(f"  disk of {DATABASE_POD}: full")
        time.sleep(FULL_SECONDS)
        awaited("room on the disk", self._emptied, seconds=180, every=0.3)
        awaited("the database", lambda: _not_ready(self._database()), seconds=180, every=0.5)
        say(f"  room on the disk again, and the database stands, after {time.monotonic() - began:.1f} s")

    def _emptied(self) -> str:
        """A server that ended over it is between two starts for a while, and nobody can be asked to make room."""
        done = self._in_database(f"rm -f {FILLER}; test -e {FILLER} || echo gone")
        return "" if done.strip() == "gone" else "the server is down"

    def _in_database(self, script: str) -> str:
        command = ("exec", "-n", NAMESPACE, DATABASE_POD, "-c", "postgresql", "--", "sh", "-c", script)
        return self.target.kubectl(*command, check=False)

    def _database(self) -> Obj:
        return self.target.get("pod", "-n", NAMESPACE, DATABASE_POD) or {}

    def _worker(self) -> Obj:
        labels = f"app.kubernetes.io/name=cairn-worker,app.kubernetes.io/instance={SUBSCRIPTION}"
        pods = (self.target.get("pod", "-n", NAMESPACE, "-l", labels) or {}).get("items", [])
        alive = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        return alive[-1] if alive else {}


def _incarnation(pod: Obj) -> tuple[str, int]:
    statuses = pod.get("status", {}).get("containerStatuses", [])
    return pod["metadata"]["uid"], sum(int(one["restartCount"]) for one in statuses)


def _missing(pod: Obj, before: tuple[str, int]) -> str:
    """Empty when the pod is another one, or restarted, and ready."""
    if not pod:
        return "no pod"
    if _incarnation(pod) == before:
        return "the old one is still there"
    return _not_ready(pod)


def _not_ready(pod: Obj) -> str:
    if not pod:
        return "no pod"
    conditions = {one["type"]: one["status"] for one in pod["status"].get("conditions", [])}
    return "" if conditions.get("Ready") == "True" else f"{pod['metadata']['name']} is not ready"

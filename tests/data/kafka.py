# SPDX-License-Identifier: Apache-2.0
"""A Kafka broker on loopback: KRaft, one node, which is also its own controller. It dies with whoever started it."""

from __future__ import annotations

import base64
import subprocess
import uuid
from pathlib import Path

from cairn_devcluster import kafka
from data.servers import answers, free_port, until

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={store}
auto.create.topics.enable=false
broker.heartbeat.interval.ms=300
broker.session.timeout.ms=1500
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
log.cleaner.dedupe.buffer.size=2097152
num.network.threads=1
num.io.threads=2
"""
_META = "version=1\ncluster.id={cluster}\nnode.id=1\ndirectory.id={directory}\n"


def _name() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


class KafkaBroker:
    """Formatted in a directory, not started."""

    def __init__(self, home: Path) -> None:
        self.port, self._home = free_port(), home
        self._process: subprocess.Popen[bytes] | None = None
        store = home / "store"
        store.mkdir()
        (store / "meta.properties").write_text(_META.format(cluster=_name(), directory=_name()))
        text = _PROPERTIES.format(port=self.port, controller=free_port(), store=store)
        (home / "server.properties").write_text(text)

    @property
    def url(self) -> str:
        return f"kafka://127.0.0.1:{self.port}"

    def start(self) -> None:
        """It answers. One that runs goes on."""
        if self._process is not None:
            return
        command = ["setpriv", "--pdeathsig", "KILL", kafka.java(), "-Xmx192m", "-XX:+UseSerialGC"]
        command += ["-XX:TieredStopAtLevel=1", "-cp", f"{kafka.jars()}/*"]
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "kafka.Kafka", str(self._home / "server.properties")],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self._home,
            )  # fmt: skip
        until("Kafka answers", self._ready, 60)

    def _ready(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"Kafka ended: {(self._home / 'log').read_text()[-2000:]}")
        return answers(self.port)

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

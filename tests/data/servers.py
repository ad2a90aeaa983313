# SPDX-License-Identifier: Apache-2.0
"""Throw-away servers on loopback: a real PostgreSQL, a real nats-server. They die with whoever started them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from cairn_devcluster import jail
from cairn_devcluster.build import binary
from cairn_devcluster.databases import ALL
from data.certificates import Authority


def scratch(name: str) -> Path:
    """A new directory that other users may enter. Those of runs that were killed are removed first."""
    base = Path(tempfile.gettempdir())
    for old in base.glob("cairn-data-*"):
        pid = old.name.split("-")[2]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(old, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=f"cairn-data-{os.getpid()}-{name}-", dir=base))
    path.chmod(0o755)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(what: str, condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


class PostgreSQL:
    """A cluster of its own, with TLS, fsync on and SCRAM logins. Superuser `postgres` with password `secret`.

    version: 15, 17 or 18, unpacked for it; without one, and without CAIRN_TEST_POSTGRESQL, the one that is installed
    """

    def __init__(self, version: str = os.environ.get("CAIRN_TEST_POSTGRESQL", "")) -> None:
        self.port = free_port()
        self.home = scratch("postgresql")
        self.data = self.home / "data"
        self.seen = self.home
        """The home as the server sees it."""
        self.owner: str | int = "postgres"
        if version:
            root = next(server for server in ALL if server.name == f"postgresql-{version}").build()
            self.bin, self.seen, self.owner = Path(f"/usr/lib/postgresql/{version}/bin"), Path("/srv"), jail.UID
            self.as_user = [sys.executable, jail.__file__, str(root), str(self.home)]
        else:
            self.bin = self.binaries()
            self.as_user = ["setpriv", "--pdeathsig", "QUIT"]
            if os.getuid() == 0:
                self.as_user += ["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
        if os.getuid() == 0:
            shutil.chown(self.home, self.owner, self.owner)
        self.process: subprocess.Popen[bytes] | None = None
        self._initialise()

    @staticmethod
    def binaries() -> Path:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
        if not found:
            raise FileNotFoundError("no PostgreSQL in /usr/lib/postgresql: apt-get install postgresql")
        return found[-1].parent

    def _initialise(self) -> None:
        (self.home / "password").write_text("secret")
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--username=postgres"]
        where = ["-D", str(self.seen / "data"), f"--pwfile={self.seen / 'password'}"]
        command = [str(self.bin / "initdb"), *where, *options]
        subprocess.run([*self.as_user, *command], check=True, capture_output=True, cwd=self.home)
        authority = Authority()
        self.ca = authority.certificate
        certificate, key = authority.issue("localhost")
        for name, content in (("server.crt", certificate), ("server.key", key)):
            (self.data / name).write_bytes(content)
            (self.data / name).chmod(0o600)
            if os.getuid() == 0:
                shutil.chown(self.data / name, self.owner, self.owner)
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = ''\nssl = on\n"
                "ssl_min_protocol_version = 'TLSv1.2'\nfsync = on\nmax_connections = 60\nshared_buffers = 256MB\n"
                "max_wal_size = 2GB\nlog_statement = 'ddl'\nmax_prepared_transactions = 5\n"
            )
        access = ("hostssl all all 127.0.0.1/32 scram-sha-256", "hostssl replication all 127.0.0.1/32 scram-sha-256")
        (self.data / "pg_hba.conf").write_text("\n".join(access) + "\n")

    def start(self) -> None:
        command = [*self.as_user, str(self.bin / "postgres"), "-D", str(self.seen / "data")]
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.home)
        until("PostgreSQL answers", self._ready)

    def _ready(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended: {self.log()[-2000:]}")
        ready = [str(self.bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        command = ready if self.seen == self.home else [*self.as_user, *ready]
        return subprocess.run(command, check=False).returncode == 0

    def copy(self) -> Path:
        """A standby that has heard everything up to now, and nothing afterwards. Of the server that is installed."""
        path = self.home / "standby"
        place = f"host=127.0.0.1 port={self.port} user=postgres sslmode=require"
        command = [str(self.bin / "pg_basebackup"), "-d", place, "-D", str(path), "-X", "stream", "-c", "fast"]
        environment = os.environ | {"PGPASSWORD": "secret", "HOME": str(self.home)}
        subprocess.run([*self.as_user, *command], check=True, capture_output=True, cwd=self.home, env=environment)
        return path

    def fail_over(self, standby: Path) -> None:
        """This server is gone for good; the standby takes its place, with what it has."""
        self.stop()
        shutil.rmtree(self.data)
        standby.rename(self.data)
        (self.data / "standby.signal").touch()
        self.start()
        promote = [str(self.bin / "pg_ctl"), "promote", "-w", "-D", str(self.data)]
        subprocess.run([*self.as_user, *promote], check=True, capture_output=True, cwd=self.home)

    def log(self) -> str:
        return (self.home / "log").read_text()

    def stop(self, how: int = signal.SIGQUIT) -> None:
        """SIGQUIT: as after a crash."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)


class NatsServer:
    """A nats-server with a given configuration file."""

    def __init__(self, config: Path, port: int) -> None:
        self.config, self.port = config, port
        self.process: subprocess.Popen[bytes] | None = None
        self.log = config.with_suffix(".log")

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = ["setpriv", "--pdeathsig", "KILL", str(binary("nats-server")), "-c", str(self.config)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        until("nats-server answers", self._ready)

    def _ready(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError(f"nats-server ended: {self.log.read_text()[-2000:]}")
        return answers(self.port)

    def health(self) -> int:
        """What its monitor answers the kubelet."""
        found = re.findall(r"http monitor on (\S+)", self.log.read_text())
        try:
            with urllib.request.urlopen(f"http://{found[-1]}/healthz", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

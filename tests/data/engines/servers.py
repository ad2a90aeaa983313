# SPDX-License-Identifier: Apache-2.0
"""MySQL and MariaDB of several versions on loopback, with TLS. They die with whoever started them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pymysql

from cairn.sql.postgresql import Target
from cairn_devcluster import jail
from cairn_devcluster.databases import Server
from data.certificates import Authority
from data.servers import free_port, scratch, until

SMALL = (
    "--innodb-buffer-pool-size=64M",
    "--innodb-flush-log-at-trx-commit=2",
    "--max-connections=60",
    "--performance-schema=OFF",
)


class MySQL:
    """A server of its own; `admin` with password `secret` may do anything."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.root = server.directory()
        self.home = scratch(server.name)
        self.port = free_port()
        self.mariadb = server.name.startswith("mariadb")
        self.process: subprocess.Popen[bytes] | None = None
        (self.home / "data").mkdir()
        authority = Authority()
        self.ca = authority.certificate
        certificate, key = authority.issue("localhost")
        (self.home / "cert.pem").write_bytes(certificate)
        (self.home / "key.pem").write_bytes(key)
        (self.home / "ca.pem").write_bytes(self.ca)
        (self.home / "init.sql").write_text(
            "CREATE USER IF NOT EXISTS admin@'%' IDENTIFIED BY 'secret';\n"
            "GRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION;\n"
        )
        for path in (self.home, *self.home.iterdir()):
            os.chown(path, jail.UID, jail.UID)
        self._initialise()

    def _jailed(self, *command: str) -> list[str]:
        return [sys.executable, jail.__file__, str(self.root), str(self.home), *command]

    def _command(self, *options: str) -> list[str]:
        program = "/usr/sbin/mariadbd" if self.mariadb else "/usr/sbin/mysqld"
        return self._jailed(program, "--no-defaults", "--datadir=/srv/data", "--tmpdir=/srv", *options)

    def _initialise(self) -> None:
        if self.mariadb:
            scripts = self.root / (
                "usr/share/mariadb" if (self.root / "usr/share/mariadb").exists() else "usr/share/mysql"
            )
            prefix = "mariadb" if (scripts / "mariadb_system_tables.sql").exists() else "mysql"
            names = [
                f"{prefix}_system_tables.sql",
                f"{prefix}_performance_tables.sql",
                f"{prefix}_system_tables_data.sql",
            ]
            script = "CREATE DATABASE mysql;\nUSE mysql;\n" + "\n".join((scripts / name).read_text() for name in names)
            self._run("--bootstrap", given=script.encode())
        else:
            self._run("--initialize-insecure")

    def _run(self, *options: str, given: bytes = b"") -> None:
        done = subprocess.run(self._command(*options), input=given, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{self.server.name}: {done.stderr.decode()[-2000:]}")

    def start(self) -> None:
        options = (
            f"--port={self.port}", "--bind-address=127.0.0.1", "--socket=/srv/sock", "--skip-name-resolve",
            "--init-file=/srv/init.sql", "--ssl-cert=/srv/cert.pem", "--ssl-key=/srv/key.pem", "--ssl-ca=/srv/ca.pem",
            *SMALL, *(() if self.mariadb else ("--mysqlx=OFF", "--disable-log-bin", "--secure-file-priv=NULL")),
        )  # fmt: skip
        with (self.home / "log").open("ab") as log:
            command = self._command(*options)
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        until(f"{self.server.name} answers", self._ready, seconds=60)

    def _ready(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError(f"{self.server.name} ended: {(self.home / 'log').read_text()[-2000:]}")
        with contextlib.suppress(pymysql.err.MySQLError):
            pymysql.connect(
                host="127.0.0.1", port=self.port, user="admin", password="secret", ssl_ca=str(self.home / "ca.pem")
            ).close()
            return True
        return False

    def remove(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def admin(self) -> Target:
        return Target("localhost", self.port, "", "admin", "secret", self.ca, address="127.0.0.1")


def present(server: Server) -> bool:
    """Whether it can run here: unpacked, and by root."""
    return server.built() and os.geteuid() == 0 and Path("/proc/self/ns/mnt").exists()

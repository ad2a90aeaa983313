# SPDX-License-Identifier: Apache-2.0
"""Database servers of several versions for tests: what Debian packages unpack to, with nothing installed or set up."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import base, host, jail

_POSTGRES_EXCLUDES = ("/usr/lib/*/libLLVM*", "/usr/lib/llvm-*", "/usr/lib/postgresql/*/lib/llvmjit*")
# Packages are unpacked in any order, and some still ship /lib: all of it has to end up under /usr.
_MERGED_USR = 'for d in bin sbin lib lib64; do mkdir -p "$1"/usr/$d; ln -s usr/$d "$1"/$d; done'


@dataclass(frozen=True)
class Server:
    """One version of a server. It runs with the directory as its root, on data that lies elsewhere."""

    name: str
    suite: str
    packages: tuple[str, ...]
    excludes: tuple[str, ...] = ()

    def directory(self) -> Path:
        return base.cache() / "rootfs" / f"{self.name}-{hashlib.sha256(repr(self).encode()).hexdigest()[:12]}"

    def built(self) -> bool:
        return self.directory().exists()

    def build(self) -> Path:
        """The directory, made if the cache lacks it. Needs root."""
        out = self.directory()
        with base.locked(base.cache() / "rootfs.lock"):
            if not out.exists():
                with base.step(f"server {self.name}"):
                    self._make(out)
        return out

    def _make(self, out: Path) -> None:
        if os.geteuid() != 0:
            raise base.MissingError(f"{self.name} needs root, to unpack and to run it: run as root on Debian")
        host.require_packages("to unpack database servers", {"mmdebstrap": "mmdebstrap"})
        scratch = out.with_name(out.name + ".tmp")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.parent.mkdir(parents=True, exist_ok=True)
        excludes = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", *self.excludes)
        base.call(
            [
                "mmdebstrap", "--mode=root", "--variant=extract", "--format=directory",
                '--aptopt=Acquire::Languages "none"', '--aptopt=APT::Install-Recommends "false"',
                '--aptopt=Acquire::Check-Valid-Until "false"',  # a mirror may stand still; what it has is signed
                *(f"--dpkgopt=path-exclude={e}" for e in excludes),
                f"--setup-hook={_MERGED_USR}",
                '--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*',
                f"--include={','.join(('dash', *self.packages))}", self.suite, scratch,
            ],
            log=base.cache() / "log" / f"rootfs-{self.name}.log",
        )  # fmt: skip
        (scratch / "etc/passwd").write_text(f"cairn:x:{jail.UID}:{jail.UID}::/srv:/bin/sh\n")
        for mount_point in ("dev", "proc", "srv"):
            (scratch / mount_point).mkdir(exist_ok=True)
        scratch.chmod(0o755)
        scratch.rename(out)


POSTGRESQL_15 = Server("postgresql-15", "bookworm", ("postgresql-15",), _POSTGRES_EXCLUDES)
POSTGRESQL_17 = Server("postgresql-17", "trixie", ("postgresql-17",), _POSTGRES_EXCLUDES)
POSTGRESQL_18 = Server("postgresql-18", "sid", ("postgresql-18",), _POSTGRES_EXCLUDES)
MARIADB_BOOKWORM = Server("mariadb-bookworm", "bookworm", ("mariadb-server-core", "mariadb-server"))
MARIADB_TRIXIE = Server("mariadb-trixie", "trixie", ("mariadb-server-core", "mariadb-server"))
MYSQL = Server("mysql", "sid", ("mysql-server-core",))
ALL = (POSTGRESQL_15, POSTGRESQL_17, POSTGRESQL_18, MARIADB_BOOKWORM, MARIADB_TRIXIE, MYSQL)


def build_all() -> None:
    for server in ALL:
        server.build()

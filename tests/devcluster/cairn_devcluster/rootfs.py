# SPDX-License-Identifier: Apache-2.0
"""Root file systems of Debian packages. No mirror is named: mmdebstrap takes the suite's default."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from . import base, host


@dataclass(frozen=True)
class Rootfs:
    """What is in it, and what is changed in it before and after its packages are installed."""

    suite: str
    packages: tuple[str, ...]
    excludes: tuple[str, ...] = ()
    essential_hooks: tuple[str, ...] = ()
    customize_hooks: tuple[str, ...] = ()

    def write(self, out: Path) -> None:
        self._make(out.stem, "--format=tar", out)

    def run(self, name: str, *hooks: str) -> None:
        """Make it for what hooks take out of it, and throw it away."""
        self._make(name, "--format=null", hooks=hooks)

    def layer(self, name: str) -> Path:
        """It as a layer of images, kept in the cache."""
        key = hashlib.sha256(repr(self).encode()).hexdigest()[:12]
        out = base.cache() / "img" / f"layer-{name}-{key}"
        if not out.exists():
            out.parent.mkdir(parents=True, exist_ok=True)
            scratch = out.with_name(f"{name}-{os.getpid()}.tar")
            with base.step(f"root file system {name}"):
                self.write(scratch)
            scratch.rename(out)
        return out

    def _make(self, name: str, form: str, out: Path | None = None, *, hooks: tuple[str, ...] = ()) -> None:
        host.require_packages("to make images from Debian packages", {"mmdebstrap": "mmdebstrap"})
        excludes = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", *self.excludes)
        base.call(
            [
                "mmdebstrap", "--mode=root", "--variant=essential", form,
                '--aptopt=Acquire::Languages "none"', '--aptopt=APT::Install-Recommends "false"',
                *(f"--dpkgopt=path-exclude={e}" for e in excludes),
                *(f"--essential-hook={h}" for h in self.essential_hooks),
                *(f"--customize-hook={h}" for h in (*self.customize_hooks, *hooks)),
                '--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*',
                '--customize-hook=find "$1"/var/log -type f -delete',
                f"--include={','.join(self.packages)}", self.suite, *([out] if out else []),
            ],
            env={**os.environ, "SOURCE_DATE_EPOCH": "1"},
            log=base.cache() / "log" / f"rootfs-{name}.log",
        )  # fmt: skip

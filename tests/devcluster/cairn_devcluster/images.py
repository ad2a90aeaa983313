# SPDX-License-Identifier: Apache-2.0
"""The images of the cluster and its tests, made from Debian packages and our binaries, cached by their recipe.

No tag is `latest`, or the kubelet would try to pull.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import base, build, modules, oci
from .rootfs import Rootfs

PAUSE_REF = "cairn.local/pause:1"
COREDNS_REF = "cairn.local/coredns:1"
NATS_REF = "cairn.local/nats:2.15"
POSTGRES_REF = "cairn.local/postgres:17"
OPERATOR_REF = "cairn.local/cairn:dev"


# The numbers must be the same in every version of the image, since they own files on volumes;
# Debian's scripts take a user that is there. Without LLVM (no JIT) the image is half as big.
_POSTGRES_USER = (
    'echo "postgres:x:999:" >>"$1"/etc/group;'
    'echo "postgres:x:999:999::/var/lib/postgresql:/bin/bash" >>"$1"/etc/passwd;'
    'echo "postgres:!:20000::::::" >>"$1"/etc/shadow'
)
POSTGRES_ROOTFS = Rootfs(
    "trixie",
    ("postgresql-17", "postgresql-client-17", "procps"),
    excludes=(
        "/usr/lib/*/libLLVM*",
        "/usr/lib/llvm-*",
        "/usr/lib/postgresql/17/lib/llvmjit*",
        "/usr/lib/postgresql/17/lib/bitcode/*",
    ),
    essential_hooks=(_POSTGRES_USER,),
    customize_hooks=(
        'rm -rf "$1"/var/lib/postgresql/17 "$1"/etc/postgresql/17',
        'install -d -o 999 -g 999 -m 2775 "$1"/run/postgresql',
        'install -d -o 999 -g 999 -m 700 "$1"/var/lib/postgresql/data',
    ),
)
PYTHON_ROOTFS = Rootfs("bookworm", ("python3-minimal", "libpython3.11-stdlib", "ca-certificates", "tzdata"))


def archive(name: str, recipe: object) -> Path:
    """Where the archive of a recipe is kept."""
    return base.cache() / "img" / f"{name}-{hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]}.tar"


def cached(out: Path, write: Callable[[Path, Path], None]) -> Path:
    """The archive, written with a directory for scratch files if the cache lacks it."""
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".layers-") as scratch:
            write(out, Path(scratch))
        # Several worktrees may share the cache, so the newest few of an image stay.
        name = out.stem.rpartition("-")[0]
        kept = sorted(out.parent.glob(f"{name}-{'[0-9a-f]' * 12}.tar"), key=lambda p: p.stat().st_mtime)
        for old in kept[:-3]:
            old.unlink()
    return out


@dataclass(frozen=True)
class Image:
    name: str
    ref: str
    recipe: Callable[[], tuple[object, ...]]
    layers: Callable[[Path], list[Path]]
    config: oci.Config

    def path(self) -> Path:
        return archive(self.name, (self.ref, self.recipe(), self.config))

    def build(self) -> Path:
        return cached(self.path(), lambda out, scratch: oci.write(out, self.ref, self.layers(scratch), self.config))


def _of_binary(module: modules.Module, name: str, place: str = "") -> Callable[[Path], list[Path]]:
    return lambda scratch: [oci.layer(scratch / "0.tar", [(build.binary(name), place + name)])]


def _postgres_layers(scratch: Path) -> list[Path]:
    POSTGRES_ROOTFS.write(scratch / "postgres.tar")
    return [scratch / "postgres.tar"]


PAUSE = Image(
    "pause", PAUSE_REF, lambda: (modules.PAUSE.key(),), _of_binary(modules.PAUSE, "pause"),
    oci.Config(("/pause",), user="65535:65535"),
)  # fmt: skip
COREDNS = Image(
    "coredns", COREDNS_REF, lambda: (modules.COREDNS.key(),), _of_binary(modules.COREDNS, "coredns"),
    oci.Config(("/coredns",)),
)  # fmt: skip
NATS = Image(
    "nats", NATS_REF, lambda: (modules.TOOLS.key(),), _of_binary(modules.TOOLS, "nats-server", "usr/bin/"),
    oci.Config(("/usr/bin/nats-server",), user="65532:65532"),
)  # fmt: skip
POSTGRES = Image(
    "postgres", POSTGRES_REF, lambda: (POSTGRES_ROOTFS,), _postgres_layers,
    oci.Config(
        command=("bash",),
        user="999:999",
        env=(("PATH", "/usr/lib/postgresql/17/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("LANG", "C.UTF-8")),
    ),
)  # fmt: skip
ALL = (PAUSE, COREDNS, NATS, POSTGRES)


def build_all() -> list[Path]:
    """Build what the cache lacks, and the base of the operator's image."""
    if not all(image.path().exists() for image in ALL):
        with base.locked(base.cache() / "images.lock"):
            for image in ALL:
                if not image.path().exists():
                    with base.step(f"image {image.ref}"):
                        image.build()
    return [image.path() for image in ALL]


def _compile(directory: Path) -> None:
    """Byte code by content: the root file system is read-only, and a layer keeps no times."""
    if sys.version_info[:2] == (3, 11):
        options = ["-q", "-j", "2", "--invalidation-mode", "unchecked-hash", "-s", str(directory)]
        subprocess.run([sys.executable, "-m", "compileall", *options, str(directory)], check=True)


def site_packages(lock: Path) -> Path:
    """The layer of dependencies, as the lock file names them, for Python 3.11 on Linux."""
    key = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    out = base.cache() / "img" / f"layer-site-packages-{key}"
    if out.exists():
        return out
    machine = os.uname().machine
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(36, 16, -1)] + [f"manylinux2014_{machine}"]
    with (
        base.step("dependencies of the operator's image"),
        tempfile.TemporaryDirectory(dir=out.parent, prefix=".site-") as scratch,
    ):
        target = Path(scratch) / "site-packages"
        base.call(
            [
                sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--no-compile",
                "--only-binary=:all:", "--implementation=cp", "--python-version=3.11",
                *(f"--platform={p}" for p in platforms), "--target", target, "-r", lock,
            ],
            log=base.cache() / "log" / "site-packages.log",
        )  # fmt: skip
        shutil.rmtree(target / "bin", ignore_errors=True)
        _compile(target)
        oci.layer(Path(scratch) / "layer", [(target, "opt/cairn/site-packages")]).rename(out)
    return out


def python_image(out: Path, ref: str, site_packages_layer: Path, source: Path) -> Path:
    """An image that runs a package's `__main__` from a source directory, as nobody in particular."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".source-") as scratch:
        copy = Path(scratch) / source.name
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        _compile(copy)
        layer = oci.layer(Path(scratch) / "layer", [(copy, f"opt/cairn/src/{source.name}")])
        config = oci.Config(
            ("python3", "-m", source.name),
            user="65532:65532",
            env=(("PYTHONPATH", "/opt/cairn/src:/opt/cairn/site-packages"), ("PYTHONUNBUFFERED", "1")),
        )
        oci.write(out, ref, [PYTHON_ROOTFS.layer("python"), site_packages_layer, layer], config)
    return out


def operator_image(ref: str = OPERATOR_REF) -> Path:
    """The operator's image from this tree."""
    with base.locked(base.cache() / "images.lock"):
        dependencies = site_packages(base.TREE / "requirements.lock")
        return python_image(base.cache() / "img" / "operator.tar", ref, dependencies, base.TREE / "operator" / "cairn")

# SPDX-License-Identifier: Apache-2.0
"""OCI archives without any tool: what `ctr images import` reads, written from tar layers."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


@dataclass(frozen=True)
class Config:
    """How a container of the image starts."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    env: tuple[tuple[str, str], ...] = ()
    workdir: str = "/"

    def body(self) -> dict[str, Any]:
        env = {"PATH": _PATH, **dict(self.env)}
        body: dict[str, Any] = {"Env": [f"{k}={v}" for k, v in env.items()], "WorkingDir": self.workdir}
        named = {"Entrypoint": list(self.entrypoint), "Cmd": list(self.command), "User": self.user}
        return body | {k: v for k, v in named.items() if v}


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Owned by root and without times, so that equal contents make an equal layer."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = 0
    return info


def layer(out: Path, contents: Iterable[tuple[Path, str]]) -> Path:
    """A layer of (file or directory, place in the image) pairs."""
    with tarfile.open(out, "w") as tar:
        for source, place in contents:
            paths = [source, *sorted(source.rglob("*"))] if source.is_dir() else [source]
            for path in paths:
                name = place.strip("/") + str(path)[len(str(source)) :]
                tar.add(path, name, recursive=False, filter=_plain)
    return out


def _digest(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def write(out: Path, ref: str, layers: Sequence[Path], config: Config) -> None:
    """Write the archive. Layers stay uncompressed: that imports fastest."""
    digests = [_digest(path) for path in layers]
    blobs: dict[str, bytes] = {}

    def described(kind: str, body: object) -> dict[str, Any]:
        data = json.dumps(body).encode()
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {
            "mediaType": f"application/vnd.oci.image.{kind}.v1+json",
            "digest": f"sha256:{digest}",
            "size": len(data),
        }

    image = {
        "architecture": ARCHITECTURE,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": config.body(),
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{d}" for d in digests]},
        "history": [{"created_by": "devcluster"} for _ in digests],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described("config", image),
        "layers": [
            {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": f"sha256:{d}", "size": p.stat().st_size}
            for d, p in zip(digests, layers, strict=True)
        ],
    }
    entry = described("manifest", manifest) | {
        "annotations": {"io.containerd.image.name": ref, "org.opencontainers.image.ref.name": ref},
        "platform": {"architecture": ARCHITECTURE, "os": "linux"},
    }
    scratch = out.with_name(f"{out.name}.{os.getpid()}.tmp")
    with tarfile.open(scratch, "w") as tar:

        def add(name: str, data: bytes) -> None:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))

        add("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        add("index.json", json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode())
        for digest, data in blobs.items():
            add(f"blobs/sha256/{digest}", data)
        for digest, path in dict(zip(digests, layers, strict=True)).items():
            tar.add(path, f"blobs/sha256/{digest}", filter=_plain)
    scratch.rename(out)

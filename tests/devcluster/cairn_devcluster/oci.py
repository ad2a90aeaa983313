# SPDX-License-Identifier: Apache-2.0
"""OCI archives without any tool: what `ctr images import` reads, written from tar layers."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import tarfile
from collections.abc import Iterable, Mapping, Sequence
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


def layer(
    out: Path, contents: Iterable[tuple[Path, str]], *, owner: int = 0, capabilities: Mapping[str, bytes] | None = None
) -> Path:
    """A layer of (file or directory, place in the image) pairs.

    capabilities: of files, by their name in the image
    """

    def entry(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info = _plain(info)
        info.uid = info.gid = owner
        if capability := (capabilities or {}).get(info.name):
            info.pax_headers = {"SCHILY.xattr.security.capability": capability.decode("ascii")}
        return info

    with tarfile.open(out, "w") as tar:
        for source, place in contents:
            paths = [source, *sorted(source.rglob("*"))] if source.is_dir() else [source]
            for path in paths:
                name = place.strip("/") + str(path)[len(str(source)) :]
                tar.add(path, name, recursive=False, filter=entry)
    return out


def _digest(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


@dataclass(frozen=True)
class Image:
    ref: str
    layers: tuple[Path, ...]
    config: Config


def write(out: Path, ref: str, layers: Sequence[Path], config: Config) -> None:
    """Write an archive of one image. Layers stay uncompressed: that imports fastest."""
    write_all(out, [Image(ref, tuple(layers), config)])


def write_all(out: Path, images: Sequence[Image]) -> None:
    """Write an archive of several images; layers that they share are in it once."""
    digests = {path: _digest(path) for path in dict.fromkeys(p for image in images for p in image.layers)}
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

    def entry(image: Image) -> dict[str, Any]:
        own = [digests[path] for path in image.layers]
        config = {
            "architecture": ARCHITECTURE,
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": image.config.body(),
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{d}" for d in own]},
            "history": [{"created_by": "devcluster"} for _ in own],
        }
        kind = "application/vnd.oci.image.layer.v1.tar"
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": described("config", config),
            "layers": [
                {"mediaType": kind, "digest": f"sha256:{d}", "size": p.stat().st_size}
                for d, p in zip(own, image.layers, strict=True)
            ],
        }
        return described("manifest", manifest) | {
            "annotations": {"io.containerd.image.name": image.ref, "org.opencontainers.image.ref.name": image.ref},
            "platform": {"architecture": ARCHITECTURE, "os": "linux"},
        }

    index = {"schemaVersion": 2, "manifests": [entry(image) for image in images]}
    scratch = out.with_name(f"{out.name}.{os.getpid()}.tmp")
    with tarfile.open(scratch, "w") as tar:

        def add(name: str, data: bytes) -> None:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))

        add("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        add("index.json", json.dumps(index).encode())
        for digest, data in blobs.items():
            add(f"blobs/sha256/{digest}", data)
        for digest, path in {d: p for p, d in digests.items()}.items():
            tar.add(path, f"blobs/sha256/{digest}", filter=_plain)
    scratch.rename(out)

# SPDX-License-Identifier: Apache-2.0
"""The guest: a small system that boots from one disk, and the images that carry it.

`GUEST_REF` is a container disk; `WEB_REF` serves the same disk over HTTP with its checksum, and as a registry.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import zlib
from pathlib import Path

from . import base, build, images, modules, oci
from .rootfs import Rootfs

GUEST_IMAGE_REF = "cairn.local/guest:1"
WEB_REF = "cairn.local/web:1"
# Kernel 6.1: CPUs that are added while it runs come up in an emulated machine.
ROOTFS = Rootfs(
    "bookworm",
    (
        "linux-image-cloud-amd64", "tiny-initramfs", "busybox-static", "kmod", "cpio", "syslinux", "syslinux-common",
        "mtools", "dosfstools", "e2fsprogs", "fdisk",
    ),
)  # fmt: skip


def _sources() -> tuple[object, ...]:
    files = sorted((base.HERE / "guest").iterdir())
    return (ROOTFS, GUEST_IMAGE_REF, *((f.name, f.read_bytes()) for f in files))


def path() -> Path:
    return images.archive("guest", _sources())


def web_path() -> Path:
    return images.archive("web", (_sources(), WEB_REF, modules.WEB.key()))


def archive() -> Path:
    """The container disk, built if the cache lacks it."""
    return images.cached(path(), _write)


def web_archive() -> Path:
    return images.cached(web_path(), _write_web)


def _write(out: Path, scratch: Path) -> None:
    ROOTFS.run(
        "guest",
        f"copy-in {base.HERE / 'guest'} /",
        'chroot "$1" sh /guest/build.sh',
        f"copy-out /guest/disk.img {scratch}",
    )
    disk = scratch / "disk.img"
    _pad(disk)
    # KubeVirt gives guests' disks to user 107.
    oci.write(out, GUEST_IMAGE_REF, [oci.layer(scratch / "0.tar", [(disk, "disk/disk.img")], owner=107)], oci.Config())


def _pad(disk: Path) -> None:
    """KubeVirt v1.8.0 stores a disk's CRC-32 as uint32 where its CRD, and so the API server, wants int32."""
    content = disk.read_bytes()
    while zlib.crc32(content) >= 1 << 31:
        content += bytes(1 << 20)
    disk.write_bytes(content)


def _write_web(out: Path, scratch: Path) -> None:
    layout, served = scratch / "oci", scratch / "srv"
    served.mkdir()
    with tarfile.open(archive()) as tar:
        tar.extractall(layout, filter="data")
    layer = max((layout / "blobs" / "sha256").iterdir(), key=lambda blob: blob.stat().st_size)
    with tarfile.open(layer) as tar, (served / "guest.img").open("wb") as disk:
        member = tar.extractfile("disk/disk.img")
        if member is None:
            raise base.StepError(f"no disk in {archive()}")
        shutil.copyfileobj(member, disk)
    digest = hashlib.sha256((served / "guest.img").read_bytes()).hexdigest()
    (served / "guest.img.sha256").write_text(f"{digest}  guest.img\n")
    contents = [(build.binary("web"), "web"), (served, "srv"), (layout, "oci")]
    oci.write(out, WEB_REF, [oci.layer(scratch / "0.tar", contents)], oci.Config(("/web",), user="65532:65532"))

# SPDX-License-Identifier: Apache-2.0
"""The images of KubeVirt and CDI: one root file system of Debian packages, and layers of binaries on it."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

from . import base, build, images, modules, oci
from .modules import CDI_VERSION, KUBEVIRT_VERSION
from .rootfs import Rootfs

NODE_REF = f"cairn.local/kubevirt:{KUBEVIRT_VERSION}"
OPERATOR_REF = f"cairn.local/virt-operator:{KUBEVIRT_VERSION}"
CDI_PARTS = {
    "operator": ("cdi-operator",),
    "controller": ("cdi-controller",),
    "apiserver": ("cdi-apiserver",),
    "uploadproxy": ("cdi-uploadproxy",),
    "uploadserver": ("cdi-uploadserver",),
    "cloner": ("cdi-cloner",),
    "importer": (
        "cdi-importer", "cdi-containerimage-server", "cdi-image-size-detection", "cdi-source-update-poller",
    ),
}  # fmt: skip
_CLONER = "cloner_startup.sh"

# KubeVirt runs guests as user 107, and both operators' images must have a user other than root.
_USERS = (
    'printf "qemu:x:107:\\nkubevirt:x:1001:\\n" >>"$1"/etc/group;'
    'echo "qemu:x:107:107::/home/qemu:/bin/bash" >>"$1"/etc/passwd;'
    'echo "kubevirt:x:1001:1001::/tmp:/bin/false" >>"$1"/etc/passwd;'
    'install -d -o 107 -g 107 "$1"/home/qemu'
)
ROOTFS = Rootfs(
    "trixie",
    (
        "libvirt-daemon-driver-qemu", "libvirt-daemon", "libvirt-daemon-log", "libvirt-clients", "qemu-system-x86",
        "qemu-utils", "nbdkit", "nftables", "iproute2", "procps", "xorriso", "passt", "swtpm", "swtpm-tools", "ovmf",
        "e2fsprogs", "xfsprogs", "netcat-openbsd", "socat", "util-linux", "mount", "kmod", "tar", "xz-utils",
        "ca-certificates",
    ),
    essential_hooks=(_USERS,),
    customize_hooks=(
        'chmod -R a+rX "$1"/etc/libvirt; touch "$1"/etc/libvirt/virtlogd.conf',  # virt-launcher is not root
        'install -D "$1"/usr/sbin/libvirtd "$1"/usr/lib/kubevirt/virtqemud',
        # virt-handler follows it below /proc/PID/root, where an absolute link leads elsewhere
        'rm -rf "$1"/var/run; ln -s ../run "$1"/var/run',
        'mkdir -p "$1"/usr/libexec "$1"/usr/share/OVMF; ln -sfn ../bin/qemu-system-x86_64 "$1"/usr/libexec/qemu-kvm',
        'rm -rf "$1"/usr/lib/python3*',
    ),
)  # fmt: skip

_REVISION_2_EFFECTIVE, _NET_BIND_SERVICE = 0x02000001, 1 << 10
_MONITOR = "usr/bin/virt-launcher-monitor"
_CAPABILITIES = {_MONITOR: struct.pack("<5I", _REVISION_2_EFFECTIVE, _NET_BIND_SERVICE, 0, 0, 0)}


def path() -> Path:
    made_of = (modules.KUBEVIRT.key(), modules.KUBEVIRT_NODE.key(), modules.CDI.key())
    start = (base.HERE / "kubevirt" / "virtqemud").read_text()
    return images.archive("kubevirt", (ROOTFS, *made_of, CDI_PARTS, start))


def bundle() -> Path:
    """The archive of all images, built if the cache lacks it."""
    return images.cached(path(), _write)


def _write(out: Path, scratch: Path) -> None:
    rootfs = ROOTFS.layer("kubevirt")
    controllers = [(build.binary(b), f"usr/bin/{b}") for b in ("virt-operator", "virt-api", "virt-controller")]
    all_images = [
        oci.Image(NODE_REF, (rootfs, _node_layer(scratch)), oci.Config()),
        oci.Image(OPERATOR_REF, (rootfs, oci.layer(scratch / "plane.tar", controllers)), oci.Config(user="1001")),
    ]
    for part, binaries in CDI_PARTS.items():
        layer = oci.layer(scratch / f"cdi-{part}.tar", [*_cdi(scratch, part, binaries)])
        entry: tuple[str, ...] = (f"/usr/bin/{_CLONER if part == 'cloner' else binaries[0]}",)
        if part not in ("cloner", "operator"):
            entry = (*entry, "-alsologtostderr")
        all_images.append(
            oci.Image(f"cairn.local/cdi-{part}:{CDI_VERSION}", (rootfs, layer), oci.Config(entry, user="1001"))
        )
    oci.write_all(out, all_images)


def _cdi(scratch: Path, part: str, binaries: tuple[str, ...]) -> list[tuple[Path, str]]:
    contents = [(build.binary(b), f"usr/bin/{b}") for b in binaries]
    if part == "cloner":
        start = build.source(modules.CDI, "kubevirt.io/containerized-data-importer") / "cmd" / "cdi-cloner" / _CLONER
        shutil.copyfile(start, scratch / _CLONER)
        (scratch / _CLONER).chmod(0o755)
        contents.append((scratch / _CLONER, f"usr/bin/{_CLONER}"))
    return contents


def _node_layer(scratch: Path) -> Path:
    """virt-handler and virt-launcher, with libvirt's configuration as KubeVirt's own image has it."""
    source = build.source(modules.KUBEVIRT, "kubevirt.io/kubevirt") / "cmd"
    launcher = source / "virt-launcher"
    stage = scratch / "node"
    stage.mkdir()
    base.call(
        ["gcc", "-static", "-O2", "-o", stage / "container-disk", source / "container-disk-v2alpha" / "main.c"],
        log=base.cache() / "log" / "build-container-disk.log",
    )
    labeller = (launcher / "node-labeller" / "node-labeller.sh").read_text()
    found = "VIRTTYPE=${PREFERRED_VIRTTYPE}"
    if found not in labeller:
        raise base.StepError(f"node-labeller.sh has no {found}")
    # Guests are emulated, so nodes get labels of what the emulator can do.
    (stage / "node-labeller.sh").write_text(labeller.replace(found, "VIRTTYPE=qemu"))
    for file in (launcher / "qemu", base.HERE / "kubevirt" / "virtqemud"):
        shutil.copyfile(file, stage / file.name)
    for file in stage.iterdir():
        file.chmod(0o755)
    for name in ("qemu.conf", "virtqemud.conf", "nsswitch.conf"):
        shutil.copyfile(launcher / name, stage / name)
        (stage / name).chmod(0o644)
    contents = [(build.binary(b), f"usr/bin/{b}") for _, b in modules.KUBEVIRT_NODE.targets]
    contents += [
        (stage / "container-disk", "usr/bin/container-disk"),
        (stage / "node-labeller.sh", "usr/bin/node-labeller.sh"),
        (stage / "virtqemud", "usr/sbin/virtqemud"),
        (stage / "qemu", "etc/libvirt/hooks/qemu"),
        (stage / "qemu.conf", "etc/libvirt/qemu.conf"),
        (stage / "virtqemud.conf", "etc/libvirt/virtqemud.conf"),
        (stage / "nsswitch.conf", "etc/nsswitch.conf"),
    ]
    return oci.layer(scratch / "node.tar", contents, capabilities=_CAPABILITIES)

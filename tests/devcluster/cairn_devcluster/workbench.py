# SPDX-License-Identifier: Apache-2.0
"""What tests on a cluster with nodes use: a namespace of their own, plain pods, and waiting."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from . import images
from .base import StepError
from .cluster import Cluster

Obj = dict[str, Any]
T = TypeVar("T")

_SYSCTLS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "net/ipv4/ip_forward",
)


def until(what: str, probe: Callable[[], T], *, seconds: float = 60, every: float = 0.2) -> T:
    """The first true value of a probe; a StepError inside counts as not yet."""
    end = time.monotonic() + seconds
    last = ""
    while True:
        try:
            if value := probe():
                return value
        except StepError as failed:
            last = f": {failed}"
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds:g} s{last}")
        time.sleep(every)


def sysctls() -> set[str]:
    """Settings of the whole machine that a node must not touch."""
    return {f"{name}={Path('/proc/sys', name).read_text().strip()}" for name in _SYSCTLS}


def pod(name: str, *command: str, image: str = images.POSTGRES_REF, **spec: Any) -> Obj:
    """A pod of one container `main`; further keywords go into its spec, `container` into the container."""
    container = {"name": "main", "image": image, "command": list(command or ("sleep", "infinity"))}
    body = {
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"fsGroup": 999},
        "containers": [container | spec.pop("container", {})],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": body | spec,
    }


def claim(name: str, size: str, *, storage_class: str = "csi-dev", **spec: Any) -> Obj:
    body = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": storage_class,
        "resources": {"requests": {"storage": size}},
    }
    metadata = {"name": name}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": body | spec}


def mounting(claim_name: str, path: str = "/data") -> Obj:
    """Keywords for `pod` that mount a claim."""
    return {
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim_name}}],
        "container": {"volumeMounts": [{"name": "data", "mountPath": path}]},
    }


class Namespace:
    """A namespace of a cluster, with kubectl in it."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name

    def kubectl(self, *args: str, input: str | None = None, check: bool = True, timeout: float = 60) -> str:  # noqa: A002  as subprocess.run
        return self.cluster.kubectl("--namespace", self.name, *args, input=input, check=check, timeout=timeout)

    def apply(self, *objects: Obj) -> None:
        body = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "-f", "-", input=json.dumps(body))

    def get(self, kind: str, name: str) -> Obj:
        parsed: Obj = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return parsed

    def run(self, *pods: Obj, seconds: int = 60) -> None:
        """Start pods and wait until they are ready."""
        self.apply(*pods)
        for each in pods:
            self.ready(each["metadata"]["name"], seconds=seconds)

    def ready(self, name: str, *, seconds: int = 60) -> None:
        self.kubectl("wait", "--for=condition=Ready", f"pod/{name}", f"--timeout={seconds}s", timeout=seconds + 10)

    def exec(self, pod_name: str, *command: str, check: bool = True, timeout: float = 60) -> str:
        return self.kubectl("exec", pod_name, "--", *command, check=check, timeout=timeout)

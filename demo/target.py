# SPDX-License-Identifier: Apache-2.0
"""The cluster the demo runs on: the dev cluster `demo`, or what CAIRN_KUBECONFIG names. Never the ambient one."""

from __future__ import annotations

import base64
import contextlib
import fnmatch
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from demo.steps import DemoError

TREE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TREE / "tests" / "devcluster"))

import devcluster  # noqa: E402  it is a script's neighbour, not a package that is installed

MissingError, StepError = devcluster.MissingError, devcluster.StepError

Obj = dict[str, Any]
CONTEXTS = ("kind-*", "k3d-*", "minikube", "cairn-*")
"""Contexts that are no production cluster by their name; any other one must stand in CAIRN_CONTEXT."""


class Target:
    """kubectl and helm against one named kubeconfig."""

    kubeconfig: Path
    kubectl_path: Path | str
    helm_path: Path | str
    service_type = "ClusterIP"
    has_images = False
    """Whether the namespace of images is there before Cairn."""
    snapshot_class = ""
    """VolumeSnapshotClass, where the cluster has no default."""
    postgresql_image = "postgres:{version}"
    nats_image = "nats:2.15.2"

    def up(self) -> None:
        """Make it stand."""

    def load(self, reference: str) -> None:
        """Build the operator's image from the tree and make it known to the nodes."""
        raise NotImplementedError

    def down(self) -> None:
        """Take away what `up` and the demo made."""
        raise NotImplementedError

    def kill(self, namespace: str, pod: Obj) -> str:
        """End the pod's process without any warning; says how."""
        return self.delete_now(namespace, pod)

    def delete_now(self, namespace: str, pod: Obj) -> str:
        """Delete the pod without grace. For workers: never for a database."""
        name = pod["metadata"]["name"]
        self.kubectl("delete", "pod", "-n", namespace, name, "--grace-period=0", "--force", "--wait=false")
        return "deleted without grace"

    def gateway(self) -> contextlib.AbstractContextManager[str]:
        """The gateway's URL, as long as the block runs."""
        return self.reach("cairn-system", "cairn-gateway", 80)

    @contextlib.contextmanager
    def reach(self, namespace: str, service: str, port: int) -> Iterator[str]:
        """The URL of a Service's port, as long as the block runs."""
        command = self.command("port-forward", "-n", namespace, f"service/{service}", f":{port}")
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                line = process.stdout.readline()
                if "->" not in line:
                    raise DemoError(f"kubectl port-forward to {service} ended at once")
                yield f"http://127.0.0.1:{line.split('->')[0].rpartition(':')[2].strip()}"
            finally:
                process.terminate()

    def command(self, *args: str) -> list[str]:
        return [str(self.kubectl_path), "--kubeconfig", str(self.kubeconfig), *args]

    def kubectl(self, *args: str, stdin: str | None = None, check: bool = True, timeout: float = 120) -> str:
        """What kubectl prints. DemoError with its message when it fails."""
        return run(self.command(*args), stdin=stdin, check=check, timeout=timeout)

    def helm(self, *args: str) -> str:
        return run([str(self.helm_path), "--kubeconfig", str(self.kubeconfig), *args], timeout=600)

    def get(self, *args: str) -> Obj | None:
        """The object or list, or None."""
        text = self.kubectl("get", "-o", "json", "--ignore-not-found", *args, check=False)
        found: Obj | None = json.loads(text) if text.strip() else None
        return found

    def secret(self, namespace: str, name: str) -> dict[str, str]:
        """The keys of a Secret, decoded."""
        found = self.get("secret", "-n", namespace, name)
        if found is None:
            raise DemoError(f"there is no Secret {namespace}/{name}")
        return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


def run(command: list[str], *, stdin: str | None = None, check: bool = True, timeout: float = 120) -> str:
    """A command's output, without the ambient kubeconfig in its environment."""
    environment = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
    what = " ".join([Path(command[0]).name, *command[3:]])
    try:
        done = subprocess.run(
            command, check=False, input=stdin, text=True, capture_output=True, timeout=timeout, env=environment
        )
    except subprocess.TimeoutExpired:
        raise DemoError(f"{what}: no answer within {timeout:g} s") from None
    if check and done.returncode:
        raise DemoError(f"{what}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


@dataclass
class DevCluster(Target):
    """The project's own cluster; needs root on Linux."""

    name = "demo"
    service_type = "NodePort"
    postgresql_image = devcluster.POSTGRES_REF.replace(":17", ":{version}")
    nats_image = devcluster.NATS_REF

    def __post_init__(self) -> None:
        self.cluster = devcluster.Cluster(self.name)
        self.kubeconfig = self.cluster.kubeconfig

    def up(self) -> None:
        self.cluster.up(audit=False)
        self.programs()

    def programs(self) -> None:
        """kubectl and helm, of the dev cluster's own making."""
        self.kubectl_path, self.helm_path = devcluster.binary("kubectl"), devcluster.binary("helm")

    def load(self, reference: str) -> None:
        self.cluster.import_image(devcluster.operator_image(reference))

    def down(self) -> None:
        self.cluster.wipe()

    def kill(self, namespace: str, pod: Obj) -> str:
        container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
        self.cluster.exec("ctr", "-n", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", container)
        return "kill -9"

    @contextlib.contextmanager
    def reach(self, namespace: str, service: str, port: int) -> Iterator[str]:
        ports = (self.get("service", "-n", namespace, service) or {})["spec"]["ports"]
        yield f"http://{self.cluster.address}:{next(one['nodePort'] for one in ports if one['port'] == port)}"


@dataclass
class Kind(Target):
    """A kind cluster that CAIRN_KUBECONFIG names. Its nodes pull PostgreSQL and NATS; Cairn's image is loaded."""

    kubeconfig: Path
    context: str

    def __post_init__(self) -> None:
        self.kubectl_path, self.helm_path = _program("kubectl"), _program("helm")

    def load(self, reference: str) -> None:
        if not self.context.startswith("kind-"):
            raise DemoError(f"context {self.context} is no kind cluster: the demo can load its image into kind only")
        archive = devcluster.operator_image(reference)
        name = self.context.removeprefix("kind-")
        run([_program("kind"), "load", "image-archive", str(archive), "--name", name], timeout=600)

    def down(self) -> None:
        self.kubectl("delete", "--ignore-not-found", "-k", str(TREE / "examples" / "first-order"), check=False)
        self.helm("uninstall", "cairn", "--namespace", "cairn-system", "--ignore-not-found")


def _program(name: str) -> str:
    if path := shutil.which(name):
        return path
    raise DemoError(f"no {name} on PATH: the demo on a cluster of yours needs kubectl, helm and kind")


def chosen() -> Target:
    """CAIRN_KUBECONFIG's cluster if it is set, else the dev cluster."""
    named = os.environ.get("CAIRN_KUBECONFIG")
    if not named:
        return DevCluster()
    path = Path(named).absolute()
    if not path.is_file():
        raise DemoError(f"CAIRN_KUBECONFIG names {path}, and there is no such file")
    context = str((yaml.safe_load(path.read_text()) or {}).get("current-context", ""))
    if context != os.environ.get("CAIRN_CONTEXT") and not any(fnmatch.fnmatch(context, one) for one in CONTEXTS):
        raise DemoError(
            f"context {context} of {path} may be a production cluster: it is none of {', '.join(CONTEXTS)};"
            f" set CAIRN_CONTEXT={context} if it is meant"
        )
    return Kind(path, context)

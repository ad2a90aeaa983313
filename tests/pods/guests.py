# SPDX-License-Identifier: Apache-2.0
"""Machines of the dev cluster's KubeVirt, and what the guest in them says of itself."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from cairn_devcluster.workbench import Namespace, Obj, until
from devcluster import GUEST_IMAGE_REF

CLOUD_INIT = "#cloud-config\nfqdn: test\n"


def spec(*, data_volume: str | None = None, labels: dict[str, str] | None = None) -> Obj:
    """A machine's spec: its root disk is a DataVolume, or else the container disk, which may migrate live."""
    root: Obj = {"containerDisk": {"image": GUEST_IMAGE_REF, "imagePullPolicy": "IfNotPresent"}}
    if data_volume:
        root = {"dataVolume": {"name": data_volume}}
    seed = {"cloudInitNoCloud": {"userData": CLOUD_INIT}}
    disks = [{"name": name, "disk": {"bus": "virtio"}} for name in ("root", "seed")]
    devices = {"disks": disks, "interfaces": [{"name": "default", "masquerade": {}}]}
    domain = {"cpu": {"cores": 1}, "memory": {"guest": "192Mi"}, "devices": devices}
    body = {
        "domain": domain,
        "networks": [{"name": "default", "pod": {}}],
        "volumes": [{"name": "root"} | root, {"name": "seed"} | seed],
        "terminationGracePeriodSeconds": 5,
    }
    return {"runStrategy": "Always", "template": {"metadata": {"labels": labels or {}}, "spec": body}}


def disk(name: str, source: Obj) -> Obj:
    """A dataVolumeTemplate: `source` is `sourceRef` or `source` of a DataVolume."""
    return {"metadata": {"name": name}, "spec": {"storage": {"storageClassName": "csi-dev-immediate"}} | source}


def machine(name: str, body: Obj) -> Obj:
    return {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": name}, "spec": body}


def path(namespace: Namespace, name: str, path: str) -> str:
    """The guest's HTTP server behind the API server's proxy."""
    pods = json.loads(namespace.kubectl("get", "pods", f"--selector=vm.kubevirt.io/name={name}", "--output=json"))[
        "items"
    ]
    running = [p["metadata"]["name"] for p in pods if p["status"]["phase"] == "Running"]
    return f"/api/v1/namespaces/{namespace.name}/pods/{running[-1]}:8080/proxy/{path}" if running else ""


def info(namespace: Namespace, name: str) -> dict[str, Any]:
    """What the guest says of itself, or nothing while it does not answer."""
    where = path(namespace, name, "cgi-bin/info")
    said = namespace.kubectl("get", "--raw", where, "--request-timeout=10s") if where else "{}"
    parsed: dict[str, Any] = json.loads(said)
    return parsed


def answers(namespace: Namespace, name: str, *, seconds: float = 300) -> dict[str, Any]:
    return until(f"an answer of {name}", lambda: info(namespace, name), seconds=seconds, every=0.5)


def run(namespace: Namespace, name: str, script: str) -> str:
    """Run a script in the guest."""
    where = path(namespace, name, f"cgi-bin/run?script={quote(script, safe='')}")
    return namespace.kubectl("get", "--raw", where)

# SPDX-License-Identifier: Apache-2.0
"""KubeVirt's admission and controllers beside a control plane without nodes: virt-api and virt-controller as processes.

CRDs, roles, webhooks and the KubeVirt object are KubeVirt's own. Machines become instances and launcher pods, which
stay pending, as there are no nodes. Of CDI, snapshots and the Gateway API there are the CRDs.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import base, build, kubevirt_config, modules, oci, pki
from .api import Api

if TYPE_CHECKING:
    from .controlplane import ControlPlane

NAMESPACE = "kubevirt"
PORTS = 3
_APPLY = ("apply", "--server-side", "--force-conflicts", "--filename=-")


def install(plane: ControlPlane) -> None:
    """CRDs and objects only: nothing admits and nothing acts."""
    _definitions(plane)
    _objects(plane)


def start(plane: ControlPlane, ports: list[int]) -> None:
    """Install what virt-operator would, start both processes, and return when the webhooks decide."""
    api_port, console_port, controller_port = ports
    install(plane)
    certificate = plane.directory / "pki" / "apiserver"
    own = [f"{certificate}.crt", f"{certificate}.key"]
    listen = ["--listen=127.0.0.1", "-v=2"]
    plane.spawn("virt-api", [
        *_command(plane, "virt-api", "kubevirt-apiserver"), *listen,
        f"--port={api_port}", f"--console-server-port={console_port}",
        f"--tls-cert-file={own[0]}", f"--tls-key-file={own[1]}",
        f"--handler-cert-file={own[0]}", f"--handler-key-file={own[1]}",
    ])  # fmt: skip
    plane.spawn("virt-controller", [
        *_command(plane, "virt-controller", "kubevirt-controller"), *listen, f"--port={controller_port}",
        "--launcher-image=cairn.local/kubevirt:none", "--exporter-image=cairn.local/kubevirt:none",
        f"--prom-cert-file={own[0]}", f"--prom-key-file={own[1]}",
    ])  # fmt: skip
    server = f"https://127.0.0.1:{api_port}"
    # Without a client certificate: virt-api trusts only those of the aggregation layer.
    plane.await_path("/apis/subresources.kubevirt.io/v1/healthz", Api(server, plane.directory / "pki", user=None))
    webhooks = _generated("kvgen", "webhooks", "-url", server, "-ca", str(plane.directory / "pki" / "ca.crt"))
    plane.kubectl(*_APPLY, input=webhooks)
    base.wait_for("KubeVirt's webhooks", lambda: _decides(plane), seconds=120)


def machine(name: str, *, disk: str = "root", volume: str = "root") -> dict[str, Any]:
    """A VirtualMachine with one disk, which is valid when that disk is also a volume."""
    domain = {"devices": {"disks": [{"name": disk, "disk": {"bus": "virtio"}}]}, "memory": {"guest": "256Mi"}}
    volumes = [{"name": volume, "containerDisk": {"image": "cairn.local/none:1"}}]
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"runStrategy": "Always", "template": {"spec": {"domain": domain, "volumes": volumes}}},
    }


def _generated(*command: str) -> str:
    return subprocess.run(
        [build.binary(command[0]), *command[1:]], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def _definitions(plane: ControlPlane) -> None:
    # virt-api and virt-controller start anew when CDI's CRDs appear after them.
    crds = [_generated("kvgen", "crds"), _generated("cdigen")]
    crds += [path.read_text() for path in sorted(modules.CRDS.directory().iterdir())]
    plane.kubectl(*_APPLY, input="\n---\n".join(crds), timeout=180)
    api = Api(plane.server, plane.directory / "pki")
    base.wait_for("CRDs", lambda: _established(api), seconds=120)


def _established(api: Api) -> bool:
    crds = api.object("/apis/apiextensions.k8s.io/v1/customresourcedefinitions").get("items", [])
    conditions = [{c["type"]: c["status"] for c in (crd.get("status") or {}).get("conditions") or ()} for crd in crds]
    return bool(crds) and all(c.get("Established") == "True" for c in conditions)


def _objects(plane: ControlPlane) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    authority = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "kubevirt-ca", "namespace": NAMESPACE},
        "data": {"ca-bundle": (plane.directory / "pki" / "ca.crt").read_text()},
    }
    storage = (base.HERE / "manifests" / "storage.yaml").read_text()
    documents = [json.dumps(namespace), json.dumps(authority), storage]
    documents += [_generated("kvgen", "roles"), kubevirt_config.kubevirt()]
    plane.kubectl(*_APPLY, input="\n---\n".join(documents))
    version = modules.KUBEVIRT_VERSION
    condition = {"type": "Available", "status": "True", "reason": "AllComponentsReady", "message": "devcluster"}
    status = {
        "phase": "Deployed", "operatorVersion": version, "targetKubeVirtVersion": version,
        "observedKubeVirtVersion": version, "defaultArchitecture": oci.ARCHITECTURE, "conditions": [condition],
    }  # fmt: skip
    patch = ("--subresource=status", "--type=merge", f"--patch={json.dumps({'status': status})}")
    plane.kubectl("--namespace", NAMESPACE, "patch", "kubevirt", "kubevirt", *patch)


def _command(plane: ControlPlane, name: str, account: str) -> list[str]:
    """The command line up to its own flags. It is known to the API server, and to its own webhooks, by its account."""
    config: Path = plane.directory / f"{name}.conf"
    pki.kubeconfig(
        config, plane.directory / "pki", "admin", server=plane.server, context=f"cairn-{plane.name}",
        impersonate=f"system:serviceaccount:{NAMESPACE}:{account}",
    )  # fmt: skip
    return [str(build.binary("guard")), str(build.binary(name)), f"--kubeconfig={config}"]


def _decides(plane: ControlPlane) -> bool:
    create = ("create", "--dry-run=server", "--filename=-", "--output=jsonpath={.spec.template.spec.architecture}")
    try:
        completed = plane.kubectl(*create, input=json.dumps(machine("good")))
    except base.StepError:
        return False
    try:
        plane.kubectl(*create, input=json.dumps(machine("bad", disk="other")))
    except base.StepError as refused:
        return bool(completed) and "not found" in str(refused)
    return False

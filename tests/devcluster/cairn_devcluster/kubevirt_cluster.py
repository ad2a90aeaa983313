# SPDX-License-Identifier: Apache-2.0
"""KubeVirt and CDI on a cluster with nodes, by their own operators, and an image that machines clone."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from . import base, build, guest, kubevirt_config, kubevirt_images, modules, oci
from .modules import CDI_VERSION, KUBEVIRT_VERSION

if TYPE_CHECKING:
    from .cluster import Cluster

IMAGES_NAMESPACE = "cairn-images"
_MANIFESTS = base.HERE / "kubevirt" / "manifests"
_APPLY = ("apply", "--server-side", "--force-conflicts", "--filename")
_PROBES = {
    "cdi.kubevirt.io/v1beta1 DataVolume": {
        "source": {"blank": {}},
        "pvc": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    },
    "kubevirt.io/v1 VirtualMachine": {"runStrategy": "Halted", "template": {"spec": {"domain": {"devices": {}}}}},
}


def supported() -> bool:
    return oci.ARCHITECTURE == "amd64"


def images() -> list[Path]:
    """Build what the cache lacks."""
    if not supported():
        raise base.MissingError(f"the dev cluster's KubeVirt and its guests are for amd64, not {oci.ARCHITECTURE}")
    build.build(*modules.KUBEVIRT_ALL)
    tars = [kubevirt_images.path(), guest.path(), guest.web_path()]
    if not all(tar.exists() for tar in tars):
        with base.locked(base.cache() / "images.lock"):
            for title, make in (
                ("KubeVirt and CDI", kubevirt_images.bundle),
                (guest.GUEST_IMAGE_REF, guest.archive),
                (guest.WEB_REF, guest.web_archive),
            ):
                with base.step(f"image {title}"):
                    make()
    return tars


def install(cluster: Cluster) -> None:
    """Deploy both, or wait for both to work again, and import the guest's disk."""
    with base.step(f"{cluster.name}: KubeVirt and CDI"):
        # virt-operator deploys onto nodes with this label only.
        cluster.kubectl("label", "node", "node1", "node-role.kubernetes.io/control-plane=", "--overwrite")
        cluster.kubectl(*_APPLY, "-", input=_cdi_operator())
        cluster.kubectl(*_APPLY, "-", input=_kubevirt_operator())
        _established(cluster, "cdis.cdi.kubevirt.io", "kubevirts.kubevirt.io")
        _wait_for_command(cluster, *_APPLY, str(_MANIFESTS / "cdi.yaml"), seconds=60)
        # virt-api and virt-controller start anew when CDI's CRDs appear after them.
        cluster.kubectl("wait", "--for=create", "crd/datavolumes.cdi.kubevirt.io", "--timeout=120s", timeout=130)
        cluster.kubectl(*_APPLY, "-", input=kubevirt_config.kubevirt())
        cluster.kubectl("wait", "cdi/cdi", "--for=condition=Available", "--timeout=240s", timeout=250)
        deployed = "--for=jsonpath={.status.phase}=Deployed"
        cluster.kubectl("--namespace=kubevirt", "wait", "kubevirt/kubevirt", deployed, "--timeout=300s", timeout=310)
    with base.step(f"{cluster.name}: guests"):
        # Not the pods' readiness: after a power loss that is from before it.
        base.wait_for("the webhooks of KubeVirt and CDI", lambda: _answers(cluster), seconds=240, every=0.5)
        _wait_for_command(cluster, *_APPLY, str(_MANIFESTS / "profiles.yaml"), seconds=60)
        cluster.kubectl(*_APPLY, str(_MANIFESTS / "images.yaml"))
        for node in cluster.running():
            schedulable(cluster, node.name)
        done = "--for=jsonpath={.status.phase}=Succeeded"
        image = f"--namespace={IMAGES_NAMESPACE}"
        cluster.kubectl(image, "wait", "datavolume/guest", done, "--timeout=180s", timeout=190)
        cluster.kubectl(*_APPLY, str(_MANIFESTS / "source.yaml"))
        cluster.kubectl(image, "wait", "datasource/guest", "--for=condition=Ready", "--timeout=60s", timeout=70)


def schedulable(cluster: Cluster, node: str) -> None:
    """Wait until virt-handler on a node takes guests."""
    label = "--for=jsonpath={.metadata.labels.kubevirt\\.io/schedulable}=true"
    cluster.kubectl("wait", f"node/{node}", label, "--timeout=180s", timeout=190)


def _output(name: str, *args: str) -> str:
    line: list[str | Path] = [build.binary(name), *args]
    return subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout


def _kubevirt_operator() -> str:
    images = ("-image", kubevirt_images.OPERATOR_REF, "-node-image", kubevirt_images.NODE_REF)
    return _output("kvgen", "operator", *images, "-version", KUBEVIRT_VERSION)


def _cdi_operator() -> str:
    """By CDI's own generator."""
    parts = {part: part for part in kubevirt_images.CDI_PARTS} | {"ovirt-populator": "importer"}
    flags = [f"-{part}-image=cairn.local/cdi-{image}:{CDI_VERSION}" for part, image in parts.items()]
    manifests = _output(
        "manifest-generator", "-resource-type=operator", "-resource-group=everything", "-namespace=cdi",
        "-cr-name=cdi", "-deploy-cluster-resources=true", "-pull-policy=IfNotPresent", "-verbosity=2",
        f"-docker-tag={CDI_VERSION}", f"-operator-version={CDI_VERSION}", *flags,
    )  # fmt: skip
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "cdi", "labels": {"cdi.kubevirt.io": ""}},
    }
    return f"{json.dumps(namespace)}\n---\n{manifests}"


def _established(cluster: Cluster, *names: str) -> None:
    crds = [f"crd/{name}" for name in names]
    cluster.kubectl("wait", "--for=condition=Established", *crds, "--timeout=30s")


def _wait_for_command(cluster: Cluster, *args: str, seconds: float) -> None:
    """Until it works: what it is about appears, and its webhook answers, in their own time."""

    def works() -> bool:
        try:
            cluster.kubectl(*args)
        except base.StepError:
            return False
        return True

    base.wait_for(f"kubectl {' '.join(args)}", works, seconds=seconds, every=0.5)


def _answers(cluster: Cluster) -> bool:
    for kind, spec in _PROBES.items():
        version, _, name = kind.partition(" ")
        body = {
            "apiVersion": version,
            "kind": name,
            "metadata": {"name": "probe", "namespace": "default"},
            "spec": spec,
        }
        try:
            cluster.kubectl("create", "--dry-run=server", "--filename=-", input=json.dumps(body))
        except base.StepError:
            return False
    return True

# SPDX-License-Identifier: Apache-2.0
"""The pool of clones, and the snapshot that their disks are made from. Builders only."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from cairn.api.resources import VMPOOL, VOLUMESNAPSHOT, Obj
from cairn.vm.case import BY, CLONE, CONSISTENCY, DISK_OF, NAME, ROLE
from cairn.vm.userdata import IDENTITY

INIT = "cloudinit"
"""Name of the cloud-init volume that is added where the base has none."""


@dataclass(frozen=True, slots=True)
class Clone:
    """What the clones of one machine are like.

    template: of the guest, as the machine's own is built, its disk named as `pool_name` says
    source: the VolumeSnapshot; claim: of the base, whose class and modes the copies have
    init: Secret with the clones' user data; None where the base has none
    """

    name: str
    namespace: str
    template: Obj
    source: str
    claim: Obj
    init: str | None = None


def pool_name(name: str) -> str:
    return f"{name}-peak"


def labels(name: str) -> dict[str, str]:
    return {NAME: name, ROLE: CLONE}


def init_name(name: str) -> str:
    """Secret with the clones' user data. Not `<name>-init`: that is what people call the Secret of their own."""
    return f"{name}-peak-init"


def pool(clone: Clone, replicas: int | None = None) -> Obj:
    """The pool of clones.

    Without `replicas` for applying: it belongs to whoever raised or lowered it last, and a field that was applied once
    and then is not would be taken away, which to KubeVirt means one.

    No autohealing: KubeVirt 1.8 judges every VirtualMachine of the namespace by it, the base and other people's too.
    """
    name = pool_name(clone.name)
    return {
        "apiVersion": VMPOOL.api_version,
        "kind": VMPOOL.kind,
        "metadata": {"name": name, "namespace": clone.namespace},
        "spec": {
            **({} if replicas is None else {"replicas": replicas}),
            "selector": {"matchLabels": labels(clone.name)},
            "nameGeneration": {"appendIndexToConfigMapRefs": False, "appendIndexToSecretRefs": False},
            "scaleInStrategy": {
                "proactive": {
                    "selectionPolicy": {"sortPolicy": "DescendingOrder"},
                    "statePreservation": "Disabled",
                }
            },
            "updateStrategy": {"unmanaged": {}},
            "virtualMachineTemplate": {
                "metadata": {"labels": labels(clone.name)},
                "spec": {
                    "runStrategy": "Always",
                    "dataVolumeTemplates": [_disk(clone)],
                    "template": {"metadata": clone.template["metadata"], "spec": _guest(clone)},
                },
            },
        },
    }


def snapshot(name: str, namespace: str, *, of: str, claim: str, by: str, snapshot_class: str | None) -> Obj:
    """A snapshot of a machine's disk. Nothing tells the guest: it is as after a power loss."""
    source = {"source": {"persistentVolumeClaimName": claim}}
    return {
        "apiVersion": VOLUMESNAPSHOT.api_version,
        "kind": VOLUMESNAPSHOT.kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {DISK_OF: of},
            "annotations": {BY: by, CONSISTENCY: "Crash"},
        },
        "spec": source | ({"volumeSnapshotClassName": snapshot_class} if snapshot_class else {}),
    }


def _disk(clone: Clone) -> Obj:
    """Without a size CDI takes the snapshot's own, so that no copy is too small for what is on it."""
    spec = clone.claim.get("spec") or {}
    storage = {key: spec[key] for key in ("accessModes", "storageClassName", "volumeMode") if spec.get(key)}
    return {
        "metadata": {"name": pool_name(clone.name)},
        "spec": {
            "source": {"snapshot": {"namespace": clone.namespace, "name": clone.source}},
            "storage": storage,
        },
    }


def _guest(clone: Clone) -> Obj:
    """Nothing of what makes the base itself: no host name, address or serial number, and its disk is a copy."""
    spec: Obj = copy.deepcopy(clone.template["spec"])
    data = {"secretRef": {"name": clone.init}} if clone.init else {"userData": IDENTITY}
    volumes, told = [], False
    for volume in spec["volumes"]:
        if (volume.get("persistentVolumeClaim") or {}).get("claimName") == pool_name(clone.name):
            # as a DataVolume, so that KubeVirt waits for the copy to be whole
            volumes.append({"name": volume["name"], "dataVolume": {"name": pool_name(clone.name)}})
        elif "cloudInitNoCloud" in volume:
            told = True
            volumes.append({"name": volume["name"], "cloudInitNoCloud": data})
        else:
            volumes.append(volume)
    if not told:
        volumes.append({"name": INIT, "cloudInitNoCloud": data})
        spec["domain"]["devices"]["disks"].append({"name": INIT, "disk": {"bus": "virtio"}})
    spec["volumes"] = volumes
    return spec

# SPDX-License-Identifier: Apache-2.0
"""The VirtualMachine: how a machine is built, and what of it a running one has. Pure builders, plain dicts.

Whatever KubeVirt can't change while the guest runs is a field of `Blueprint`: a running machine keeps the blueprint
that it was started with, read back from the live object, until it may restart. Otherwise KubeVirt would stop at
RestartRequired and take no live change any more, such as a promotion's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from cairn.api.quantity import canonical
from cairn.api.resources import Obj
from cairn.api.sellervm import SellerVM
from cairn.api.vm_size import HOTPLUG_MEMORY, Size
from cairn.vm.case import BASE, NAME, ROLE, TRAFFIC

DISK, CLOUD_INIT = "disk", "cloudinit"
"""Names of the volumes, as KubeVirt's conditions show them."""
EMPTY_USERDATA = "#cloud-config\n"
"""Keys travel by a cloud-init volume, which must hold something."""
STOP_SECONDS = 120
"""Time for the guest to shut down by itself before it is switched off."""


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a guest is started with. ceiling: the most it may get while it runs; probe: port that tells readiness"""

    size: Size
    ceiling: Size
    disk: str
    keys: str | None = None
    init: str | None = None
    probe: int | None = None


def blueprint(vm: SellerVM, size: Size, ceiling: Size, disk: str) -> Blueprint:
    """As the spec says. A guest that is too small for it gets no room for more memory."""
    spec = vm.spec
    if size.bytes < HOTPLUG_MEMORY:
        ceiling = Size(ceiling.cpu, size.memory)
    return Blueprint(
        size=size,
        ceiling=ceiling,
        disk=disk,
        keys=spec.ssh.keys_secret_ref.name if spec.ssh else None,
        init=spec.cloud_init.secret_ref.name if spec.cloud_init else None,
        probe=spec.ports[0].port if spec.ports else None,
    )


def labels(name: str) -> dict[str, str]:
    """Of the objects around a machine."""
    return {
        "app.kubernetes.io/name": "virtual-machine",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/component": "machine",
    }


def pod_labels(name: str, role: str) -> dict[str, str]:
    """Of the launcher pod. managed-by is what Cairn watches by."""
    return {"app.kubernetes.io/managed-by": "cairn", NAME: name, ROLE: role, TRAFFIC: "true"}


def virtual_machine(name: str, namespace: str, made: Blueprint, *, running: bool) -> Obj:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name, "namespace": namespace, "labels": labels(name)},
        "spec": {"runStrategy": "Always" if running else "Halted", "template": template(name, made, role=BASE)},
    }


def template(name: str, made: Blueprint, *, role: str) -> Obj:
    """Of the VirtualMachine or, with another role and disk, of the pool's."""
    disks: list[Obj] = [{"name": DISK, "bootOrder": 1, "disk": {"bus": "virtio"}}]
    volumes: list[Obj] = [{"name": DISK, "persistentVolumeClaim": {"claimName": made.disk}}]
    if made.keys or made.init:
        disks.append({"name": CLOUD_INIT, "disk": {"bus": "virtio"}})
        data: Obj = {"secretRef": {"name": made.init}} if made.init else {"userData": EMPTY_USERDATA}
        volumes.append({"name": CLOUD_INIT, "cloudInitNoCloud": data})
    spec: Obj = {
        "domain": {
            "cpu": {"cores": 1, "threads": 1, "sockets": made.size.cpu, "maxSockets": made.ceiling.cpu},
            "memory": _memory(made.size, made.ceiling),
            "devices": {
                "disks": disks,
                "interfaces": [{"name": "default", "masquerade": {}}],
                "rng": {},
                # else a container that reads it comes into every launcher pod, and what guests print into the logs
                "logSerialConsole": False,
            },
        },
        "networks": [{"name": "default", "pod": {}}],
        "volumes": volumes,
        "evictionStrategy": "LiveMigrateIfPossible",
        "terminationGracePeriodSeconds": STOP_SECONDS,
    }
    if made.keys:
        source = {"secret": {"secretName": made.keys}}
        spec["accessCredentials"] = [{"sshPublicKey": {"source": source, "propagationMethod": {"noCloud": {}}}}]
    if made.probe:
        spec["readinessProbe"] = {
            "tcpSocket": {"port": made.probe},
            "periodSeconds": 5,
            "timeoutSeconds": 3,
            "successThreshold": 1,
            "failureThreshold": 3,
        }
    return {"metadata": {"labels": pod_labels(name, role)}, "spec": spec}


def _memory(size: Size, ceiling: Size) -> Obj:
    found: Obj = {"guest": size.memory}
    if size.bytes >= HOTPLUG_MEMORY:
        found["maxGuest"] = ceiling.memory
    return found


def read_back(live: Obj | None) -> Blueprint | None:
    """The blueprint that a live VirtualMachine has; None where there is none that can be read."""
    spec = _at(live, "spec", "template", "spec")
    cpu, memory = _at(spec, "domain", "cpu"), _at(spec, "domain", "memory")
    volumes = {volume.get("name"): volume for volume in (spec or {}).get("volumes") or ()}
    disk = _at(volumes.get(DISK), "persistentVolumeClaim", "claimName")
    if not (cpu and memory and disk and memory.get("guest")):
        return None
    size = Size(int(cpu.get("sockets") or 1), canonical(memory["guest"]))
    ceiling = Size(int(cpu.get("maxSockets") or size.cpu), canonical(memory.get("maxGuest") or size.memory))
    credentials = (spec or {}).get("accessCredentials") or [{}]
    return Blueprint(
        size=size,
        ceiling=ceiling,
        disk=str(disk),
        keys=_at(credentials[0], "sshPublicKey", "source", "secret", "secretName"),
        init=_at(volumes.get(CLOUD_INIT), "cloudInitNoCloud", "secretRef", "name"),
        probe=_at(spec, "readinessProbe", "tcpSocket", "port"),
    )


def differences(now: Blueprint, wanted: Blueprint) -> tuple[str, ...]:
    """What of `wanted` a guest started as `now` has not, sizes excepted, in words."""
    even = replace(now, size=wanted.size, ceiling=wanted.ceiling)
    names = {"disk": "the disk", "keys": "SSH keys", "init": "cloud-init", "probe": "the port that tells readiness"}
    return tuple(text for field, text in names.items() if getattr(even, field) != getattr(wanted, field))


def _at(obj: Any, *path: str) -> Any:
    for key in path:
        obj = obj.get(key) if isinstance(obj, dict) else None
    return obj

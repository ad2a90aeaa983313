# SPDX-License-Identifier: Apache-2.0
"""The clones as they stand: read from the pool, its machines and their launcher pods. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cairn.api import pods
from cairn.api.resources import VIRTUALMACHINE, VMPOOL, VOLUMESNAPSHOT, Obj
from cairn.api.sellervm import SellerVM
from cairn.vm import decide
from cairn.vm.case import BY, CLONE, DISK_OF, TRAFFIC, Case
from cairn.vm.moments import parse_moment
from cairn.vm.pool import pool_name
from cairn.vm.scalein import Launcher, Member

DRAINING_SINCE = "vm.cairn.dev/draining-since"
"""On a launcher pod: when its traffic was taken off."""
PEAK = "peak"
"""Value of the annotation `by` of snapshots that clones are made from."""


@dataclass(frozen=True, slots=True)
class Clones:
    """pool: live, None where absent; replicas: what it is told; leaving: machines on their way out; source: the
    snapshot that new members are made from; pods: names of the members' running launchers"""

    pool: Obj | None = None
    replicas: int = 0
    members: tuple[Member, ...] = ()
    leaving: int = 0
    source: str | None = None

    @property
    def ready(self) -> int:
        return sum(member.ready for member in self.members)

    @property
    def pods(self) -> tuple[str, ...]:
        return tuple(launcher.name for member in self.members for launcher in member.launchers)


def takes_part(vm: SellerVM) -> bool:
    """Whether it may ever have clones."""
    return vm.spec.autoscale is not None or any(entry.replicas for entry in vm.spec.promotions)


def clones(case: Case) -> Clones:
    pool = case.child(VMPOOL, pool_name(case.name))
    if pool is None:
        return Clones()
    spec = pool.get("spec") or {}
    children = case.observed.children.items()
    machines = [one for ref, one in children if ref.resource == VIRTUALMACHINE and _owned(one, pool)]
    launchers = _launchers(case)
    standing = [one for one in machines if not pods.terminating(one)]
    return Clones(
        pool=pool,
        replicas=int(spec.get("replicas", 1)),
        members=tuple(
            Member(number, _ready(launchers.get(one["metadata"]["name"], ())), _running(launchers, one))
            for one in standing
            if (number := _ordinal(one, pool)) is not None
        ),
        leaving=len(machines) - len(standing),
        source=_source(pool),
    )


def sources(case: Case) -> tuple[Obj, ...]:
    """Snapshots for clones, newest first."""
    found = [
        obj
        for ref, obj in case.observed.children.items()
        if ref.resource == VOLUMESNAPSHOT and taken_by(obj) == PEAK and disk_of(obj) == case.name
    ]
    return tuple(sorted(found, key=lambda obj: str(obj["metadata"]["name"]), reverse=True))


def taken_by(snapshot: Obj) -> str:
    return str((snapshot["metadata"].get("annotations") or {}).get(BY, ""))


def disk_of(snapshot: Obj) -> str:
    return str((snapshot["metadata"].get("labels") or {}).get(DISK_OF, ""))


def _owned(machine: Obj, pool: Obj) -> bool:
    return any(
        owner.get("uid") == pool["metadata"]["uid"] for owner in machine["metadata"].get("ownerReferences") or ()
    )


def _ordinal(machine: Obj, pool: Obj) -> int | None:
    """The number that KubeVirt orders members by; None for a name that the pool does not give."""
    prefix, _, number = str(machine["metadata"]["name"]).rpartition("-")
    return int(number) if prefix == pool["metadata"]["name"] and number.isdecimal() else None


def _source(pool: Obj) -> str | None:
    template = ((pool.get("spec") or {}).get("virtualMachineTemplate") or {}).get("spec") or {}
    for disk in template.get("dataVolumeTemplates") or ():
        if snapshot := ((disk.get("spec") or {}).get("source") or {}).get("snapshot"):
            return str(snapshot["name"])
    return None


def _launchers(case: Case) -> dict[str, list[Obj]]:
    """Launcher pods of clones that may run or come to run, by the machine's name."""
    found: dict[str, list[Obj]] = {}
    for pod in decide.launchers(case.name, case.observed, role=CLONE):
        if pods.terminating(pod) or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            continue
        for owner in pod["metadata"].get("ownerReferences") or ():
            if owner.get("kind") == "VirtualMachineInstance":
                found.setdefault(str(owner["name"]), []).append(pod)
    return found


def _ready(launchers: Iterable[Obj]) -> bool:
    return any(pods.is_ready(pod) and _traffic(pod) for pod in launchers)


def _running(launchers: dict[str, list[Obj]], machine: Obj) -> tuple[Launcher, ...]:
    return tuple(
        Launcher(str(pod["metadata"]["name"]), _traffic(pod), _since(pod))
        for pod in launchers.get(machine["metadata"]["name"], ())
    )


def _traffic(pod: Obj) -> bool:
    return (pod["metadata"].get("labels") or {}).get(TRAFFIC) == "true"


def _since(pod: Obj) -> datetime | None:
    return parse_moment((pod["metadata"].get("annotations") or {}).get(DRAINING_SINCE))

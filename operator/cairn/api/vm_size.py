# SPDX-License-Identifier: Apache-2.0
"""The size of a machine, and what the pod that runs it takes of nodes and quota. Pure arithmetic.

KubeVirt runs a guest in a pod, the launcher, which needs more memory than its guest. The figures are those of
`GetMemoryOverhead` in KubeVirt 1.8 (pkg/hypervisor/kvm/hypervisorbackend.go) for a machine as `cairn.vm.machine`
builds it; a test compares them with a pod of the real virt-controller.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal

from cairn.api.quantity import canonical, parse, show

MI = 1024 * 1024
_FIXED = 25 + 100 + 25 + 40 + 30 + 8 + 32
"""Mi: launcher's monitor, launcher, virtlogd, virtqemud, QEMU, an I/O thread, video memory."""
_PER_CPU = 8
"""Mi of QEMU's own for each vCPU."""
CPU_RATIO = 10
"""vCPU that share a core as far as requests go: KubeVirt's cpuAllocationRatio, as it is unless somebody set it."""
HOTPLUG_MEMORY = 1024 * MI
"""Guests smaller than this can't get more memory while they run (KubeVirt, pkg/liveupdate/memory)."""
MEMORY_STEP = 2 * MI


@dataclass(frozen=True, slots=True)
class Size:
    """vCPU and memory of a guest; memory is a canonical quantity."""

    cpu: int
    memory: str

    @property
    def bytes(self) -> int:
        return int(parse(self.memory))

    def __str__(self) -> str:
        return f"{self.cpu} vCPU, {self.memory}"


def size(cpu: str | int, memory: str) -> Size:
    """From what a spec or a plan says. Rules keep both whole; what slipped through is rounded up."""
    whole = int(parse(cpu).to_integral_value(rounding=ROUND_UP))
    steps = -(-int(parse(memory).to_integral_value(rounding=ROUND_UP)) // MEMORY_STEP) * MEMORY_STEP
    spelled = (
        canonical(memory) if steps == parse(memory) and canonical(memory).endswith("i") else show(steps, binary=True)
    )
    return Size(whole, spelled)


def largest(*sizes: Size) -> Size:
    """The most of each."""
    return Size(max(one.cpu for one in sizes), max((one.memory for one in sizes), key=parse))


def launcher(cpu: str | int, memory: str) -> dict[str, str]:
    """What the launcher pod of such a guest takes of a ResourceQuota, in a namespace as a Seller's is.

    KubeVirt sets the limits itself, since the quota has some: one core for each vCPU, and memory by the namespace's
    label alpha.kubevirt.io/auto-memory-limits-ratio, which is 1 there.
    """
    guest = size(cpu, memory)
    taken = show(Decimal(guest.bytes + (_FIXED + _PER_CPU * guest.cpu) * MI), binary=True)
    cores = show(Decimal(guest.cpu))
    return {
        "requests.cpu": show(Decimal(guest.cpu) / CPU_RATIO),
        "limits.cpu": cores,
        "requests.memory": taken,
        "limits.memory": taken,
    }


IMPORTER = {"requests.cpu": "100m", "limits.cpu": "750m", "requests.memory": "60M", "limits.memory": "600M"}
"""What CDI's pod takes of the quota while a disk is downloaded or copied, unless the platform set CDI otherwise."""
_FILESYSTEM = Decimal("0.94")
"""Of a claim with a file system so much is for the disk image (CDI's filesystemOverhead, as it is by default)."""


def claim(disk: str, *, block: bool = False) -> str:
    """What the claim for a disk of this size asks of requests.storage. Without a file system it is the same."""
    whole = parse(disk)
    if not block:
        whole = Decimal(-(-int(whole / _FILESYSTEM) // MI) * MI)
    return show(whole, binary=True)

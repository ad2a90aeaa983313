# SPDX-License-Identifier: Apache-2.0
"""What of a wanted size takes effect while the guest runs, and what waits for a restart. Pure.

KubeVirt adds sockets and memory live, up to what the guest was started with room for, by a live migration (vm.go,
handleCPUChangeRequest and handleMemoryHotplugRequest). Fewer sockets, other room, or anything else needs a restart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cairn.api import pods, vm_size
from cairn.api.conditions import Reason
from cairn.api.quantity import canonical, compare, parse, show
from cairn.api.resources import Obj
from cairn.api.vm_size import HOTPLUG_MEMORY, Size, largest
from cairn.vm.case import Base
from cairn.vm.machine import Blueprint, differences, read_back


@dataclass(frozen=True, slots=True)
class Change:
    """made: what the VirtualMachine is applied with; waits: what a restart would bring, in words, the reason first;
    anew: the instance has not started yet and is of an older make: a new one interrupts nobody"""

    made: Blueprint
    waits: tuple[str, ...] = ()
    reason: Reason = Reason.RESTART_REQUIRED
    anew: bool = False


UNSTARTED = (None, "", "Pending", "Scheduling")
"""Phases of an instance whose guest no node has begun to run."""


def started(instance: Obj | None) -> bool:
    """Whether a guest runs that keeps what it was started with. One that ends takes nothing along."""
    phase = ((instance or {}).get("status") or {}).get("phase")
    return instance is not None and not pods.terminating(instance) and phase not in ("Succeeded", "Failed")


def change(wanted: Blueprint, base: Base, quota: Obj | None, *, frozen: bool = False) -> Change:
    """What can be had of `wanted`, given what the machine's object and its running instance are."""
    live, instance = read_back(base.machine), base.instance
    if live is None:
        return Change(wanted)
    if not started(instance):
        return _at_a_start(wanted, live, frozen=frozen)
    if ((instance or {}).get("status") or {}).get("phase") in UNSTARTED:
        starts, first = _at_a_start(wanted, live, frozen=frozen), read_back({"spec": {"template": instance}})
        old = first is not None and (first.size != starts.made.size or bool(differences(first, wanted)))
        return replace(starts, anew=old)
    has, room = running(instance, live), _room(instance, live)
    waits = list(differences(live, wanted))
    to = Size(
        wanted.size.cpu if has.cpu <= wanted.size.cpu <= room.cpu else has.cpu,
        wanted.size.memory if _memory_is_live(has, wanted.size, room) else has.memory,
    )
    reason = Reason.RESTART_REQUIRED
    if to != has and not pods.condition(instance, "LiveMigratable"):
        return Change(replace(live, size=has), tuple(waits))  # KubeVirt finds out first; it tells soon after the start
    if to != has and (blocked := _blocked(instance, quota, to)):
        to, reason = has, Reason.MIGRATION_BLOCKED
        waits.insert(0, f"from {has} to {wanted.size}: {blocked}")
    elif to != wanted.size:
        why = "less" if _less(wanted.size, has) else f"not within the {room} that the guest was started with room for"
        waits.insert(0, f"from {has} to {wanted.size}: {why}, which takes a restart")
    elif wanted.ceiling.cpu > room.cpu or compare(wanted.ceiling.memory, room.memory) > 0:
        waits.append(f"room for {wanted.ceiling} while it runs, the guest was started with room for {room}")
    if refused := _refused(base.machine):
        waits.append(f"KubeVirt: {refused}")
    return Change(replace(live, size=to), tuple(waits), reason)


def _at_a_start(wanted: Blueprint, live: Blueprint, *, frozen: bool) -> Change:
    """A guest that ended by itself inside a freeze, or with its node, comes up no smaller than it was."""
    size = largest(live.size, wanted.size)
    if not frozen or size == wanted.size:
        return Change(wanted)
    waits = f"from {size} to {wanted.size}: less, which takes a restart"
    return Change(replace(wanted, size=size, ceiling=largest(size, wanted.ceiling)), (waits,))


def _refused(machine: Obj | None) -> str:
    """What KubeVirt itself does not do live, such as everything where its rollout strategy is Stage."""
    found = pods.condition(machine, "RestartRequired")
    return str(found.get("message") or "a restart is required") if found.get("status") == "True" else ""


def running(instance: Obj | None, live: Blueprint) -> Size:
    """The size that the instance has or is getting."""
    domain = ((instance or {}).get("spec") or {}).get("domain") or {}
    cpu = int((domain.get("cpu") or {}).get("sockets") or live.size.cpu)
    return Size(cpu, canonical((domain.get("memory") or {}).get("guest") or live.size.memory))


def in_guest(instance: Obj | None) -> Size | None:
    """The size that the guest really has by now; None where none runs."""
    status = (instance or {}).get("status") or {}
    cpu = (status.get("currentCPUTopology") or {}).get("sockets")
    memory = (status.get("memory") or {}).get("guestCurrent")
    domain = ((instance or {}).get("spec") or {}).get("domain") or {}
    cpu = cpu or (domain.get("cpu") or {}).get("sockets")
    memory = memory or (domain.get("memory") or {}).get("guest")
    return Size(int(cpu), canonical(memory)) if cpu and memory else None


def _room(instance: Obj | None, live: Blueprint) -> Size:
    """The most that the instance can get. KubeVirt gives room of its own where the machine names none."""
    domain = ((instance or {}).get("spec") or {}).get("domain") or {}
    cpu = (domain.get("cpu") or {}).get("maxSockets") or live.ceiling.cpu
    memory = (domain.get("memory") or {}).get("maxGuest") or running(instance, live).memory
    # the machine's own object must allow it too: the webhook refuses sockets above its maxSockets
    least = memory if compare(memory, live.ceiling.memory) < 0 else live.ceiling.memory
    return Size(min(int(cpu), live.ceiling.cpu), canonical(least))


def _memory_is_live(has: Size, wanted: Size, room: Size) -> bool:
    if has.memory == wanted.memory:
        return True
    hotplug = has.bytes >= HOTPLUG_MEMORY
    return hotplug and compare(has.memory, wanted.memory) < 0 and compare(wanted.memory, room.memory) <= 0


def _blocked(instance: Obj | None, quota: Obj | None, to: Size) -> str:
    """Why the guest can't migrate, which growing takes; empty where nothing is known to be in its way."""
    migratable = pods.condition(instance, "LiveMigratable")
    if migratable.get("status") == "False":
        return f"the guest can't migrate: {migratable.get('message') or migratable.get('reason')}"
    return pods.over_quota(quota, vm_size.launcher(to.cpu, to.memory))


def _less(wanted: Size, has: Size) -> bool:
    return wanted.cpu <= has.cpu and parse(wanted.memory) <= parse(has.memory)


def pending(instance: Obj | None) -> Size | None:
    """The size that a running guest is on its way to; None where it has what it should."""
    domain = ((instance or {}).get("spec") or {}).get("domain") or {}
    cpu, memory = (domain.get("cpu") or {}).get("sockets"), (domain.get("memory") or {}).get("guest")
    has = in_guest(instance)
    if has is None or not cpu or not memory or not started(instance):
        return None
    to = Size(int(cpu), canonical(memory))
    return None if to == has else to


def spelled(size: Size) -> dict[str, str]:
    return {"cpu": show(size.cpu), "memory": size.memory}

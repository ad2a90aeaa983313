# SPDX-License-Identifier: Apache-2.0
"""The size that a server should have at this moment: its plan, raised by a promotion, never less inside a freeze. Pure.

A promotion changes cpu, memory and the parameters that a reload takes over. What the server reads only when it starts
follows the plan of the spec, and its connections the largest of all plans that it may come to have: so no window needs
a restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cairn.api import pods
from cairn.api.quantity import compare, for_container, parse
from cairn.api.resize import Less, Limits, Step, limits
from cairn.api.resources import Obj
from cairn.api.serviceplan import ServicePlan
from cairn.calendar.asked import Asked
from cairn.rds import config, objects
from cairn.rds.decide import Size, Storage

KIND = "SellerRDS"


@dataclass(frozen=True, slots=True)
class Force:
    """cpu, memory: canonical; plan: whose size it is; connections: the most that may come to be granted; wanted: the
    size without the freeze, where that holds a larger one"""

    cpu: str
    memory: str
    plan: str | None
    connections: int
    wanted: Limits | None = None

    @property
    def size(self) -> Limits:
        return (self.cpu, self.memory)


def in_force(size: Size, asked: Asked, pod: Obj | None, template: Obj) -> Force:
    """`template` is the live controller's container; its size stands where there is no pod."""
    live = limits(pods.spec_container(pod)) or limits(template)
    plan, wanted = size.plan, (size.cpu, size.memory)
    if asked.capacity.plan not in (None, size.plan):
        plan = asked.capacity.plan
        wanted = _plan_size(asked.plans.get(plan or "")) or wanted
    connections = max([size.connections, *_granted(asked)])
    if asked.frozen and live:
        held = (_larger(live[0], wanted[0]), _larger(live[1], wanted[1]))
        if held != wanted:
            return Force(*held, plan, connections, wanted)
    return Force(*wanted, plan, connections)


def _granted(asked: Asked) -> list[int]:
    """Connections by the plans of every promotion that the spec names, whether it is over or to come."""
    named = (asked.plans.get(one.plan_ref.name) for one in asked.who.promotions if one.plan_ref)
    return [plan.spec.size.connections or 0 for plan in named if plan is not None and plan.spec.for_ == KIND]


def _plan_size(plan: ServicePlan | None) -> Limits | None:
    if plan is None or plan.spec.size.cpu is None or plan.spec.size.memory is None:
        return None
    return for_container(plan.spec.size.cpu), for_container(plan.spec.size.memory)


def _larger(one: str, other: str) -> str:
    return one if compare(one, other) > 0 else other


def parameters(size: Size, force: Force, storage: Storage, pod: Obj | None) -> dict[str, str]:
    """Memory in the engine grows after the pod did, and is lowered before."""
    running = limits(pods.container_status(pod))
    memory = running[1] if running and compare(running[1], force.memory) < 0 else force.memory
    volume = int(parse(storage.size))
    live = config.sized(int(parse(memory)), volume, force.connections)
    start = config.sized(int(parse(size.memory)), volume, force.connections)
    return live | {name: start[name] for name in config.AT_START}


def less_memory(force: Force, wanted: Mapping[str, str], facts: Mapping[str, str], pod: Obj | None) -> Less | None:
    """Why the pod is not asked to have less memory (yet). wanted: parameters for the smaller size; facts: those that
    the server has"""
    has = limits(pods.spec_container(pod))
    if has is None or compare(force.memory, has[1]) >= 0:
        return None
    running = dict(objects.parameters_of(pod)) | dict(facts)
    buffers = config.kilobytes(running.get("shared_buffers", ""))
    fits = config.kilobytes(config.sized(int(parse(force.memory)), 0, 1)["shared_buffers"])
    if not isinstance(buffers, int) or not isinstance(fits, int) or buffers > fits:
        # it reserved them when it started, and gives none back
        return Less(Step.RESTART, f"less memory ({has[1]} to {force.memory})")
    if not facts:
        return Less(Step.WAIT, "less memory, once the server can be told to use less of it")
    if differing(wanted, facts):
        return Less(Step.WAIT, "less memory, once the server uses less of it")
    return None


def differing(wanted: Mapping[str, str], live: Mapping[str, str]) -> bool:
    """Whether the server has other values of what it takes over in a reload."""
    return any(
        name in live and not config.same(live[name], value)
        for name, value in wanted.items()
        if name not in config.AT_START
    )

# SPDX-License-Identifier: Apache-2.0
"""From the size that runs to the size that is wanted: what can be done live, and what waits. Pure.

Cpu and more memory go through the pod's `resize`, and into the template once the pod shows them: a pod that restarts
in between comes back as it was. Less memory waits for a restart, since the server holds what it reserved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from cairn.api import pods
from cairn.api.quantity import canonical, compare, parse, show
from cairn.api.resources import Obj


class Step(Enum):
    DONE = "done"
    PATCH = "patch"
    """The pod's resize has to be asked for."""
    WAIT = "wait"
    """It was asked for, and the node has not done it yet."""
    RESTART = "restart"
    """It takes effect when the pod is made anew."""


@dataclass(frozen=True, slots=True)
class Resize:
    """step, the size that the template should hold meanwhile, and why it waits"""

    step: Step
    cpu: str
    memory: str
    message: str = ""


def resize(pod: Obj | None, template: Obj | None, cpu: str, memory: str) -> Resize:
    """`template` is the live StatefulSet's container; quantities are canonical."""
    wanted = (cpu, memory)
    spec = limits(pods.spec_container(pod))
    running = pod is not None and not pods.terminating(pod) and (pod.get("status") or {}).get("phase") == "Running"
    if spec is None:
        return Resize(Step.DONE, *wanted)
    if not running:
        # A pod that does not run can't be resized; the next one is made from the template.
        waits = spec != wanted
        return Resize(Step.RESTART if waits else Step.DONE, *wanted, "the pod does not run" if waits else "")
    if compare(memory, spec[1]) < 0:
        return Resize(Step.RESTART, *wanted, f"less memory ({spec[1]} to {memory})")
    before = limits(template or {}) or wanted
    if spec != wanted:
        return Resize(Step.PATCH, *before)
    actual = limits(pods.container_status(pod))
    if actual is None or actual == wanted:
        return Resize(Step.DONE, *wanted)
    pending = pods.condition(pod, "PodResizePending")
    if pending.get("reason") == "Infeasible":
        return Resize(Step.RESTART, *wanted, f"its node can't hold it: {pending.get('message', '')}")
    return Resize(Step.WAIT, *before, str(pending.get("message") or "the node is at it"))


def within_quota(change: Resize, pod: Obj | None, quota: Obj | None, cpu: str, memory: str) -> Resize:
    """A resize that the seller's quota refuses is not asked for: the server goes on as it is, and says why."""
    running = limits(pods.spec_container(pod))
    if change.step is not Step.PATCH or running is None:
        return change
    more = {
        f"{scope}.{key}": show(parse(wanted) - parse(has))
        for scope in ("requests", "limits")
        for key, wanted, has in (("cpu", cpu, running[0]), ("memory", memory, running[1]))
        if compare(wanted, has) > 0
    }
    missing = pods.over_quota(quota, more)
    return replace(change, step=Step.WAIT, message=missing) if missing else change


def limits(container: Obj) -> tuple[str, str] | None:
    """Cpu and memory of a container or of its status, canonical."""
    found = ((container.get("resources") or {}).get("limits")) or {}
    if "cpu" not in found or "memory" not in found:
        return None
    try:
        return canonical(found["cpu"]), canonical(found["memory"])
    except ValueError:
        return None

# SPDX-License-Identifier: Apache-2.0
"""From the size that a pod runs with to the size that is wanted: what can be done live, and what waits. Pure.

A pod is resized through its `resize`, and the template of its controller follows once the pod shows it: a pod that
restarts in between comes back as it was. Cpu is given back before memory, which the node takes only when it is free.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from cairn.api import pods
from cairn.api.quantity import canonical, compare, parse, show
from cairn.api.resources import Obj

Limits = tuple[str, str]
"""Cpu and memory, canonical."""


class Step(Enum):
    DONE = "done"
    PATCH = "patch"
    """The pod's resize has to be asked for."""
    WAIT = "wait"
    """It was asked for, and the node has not done it yet; or it can't be asked for yet."""
    RESTART = "restart"
    """It takes effect when the pod is made anew."""


@dataclass(frozen=True, slots=True)
class Less:
    """Why less memory is not asked for: RESTART where that takes a new pod, WAIT where it is a matter of time."""

    step: Step
    message: str


@dataclass(frozen=True, slots=True)
class Resize:
    """cpu, memory: the size that the template should hold meanwhile; message: why it waits; ask: what to ask the pod
    for, where `step` is PATCH; stuck: the pod was asked and its node can't do it"""

    step: Step
    cpu: str
    memory: str
    message: str = ""
    ask: Limits = ("", "")
    stuck: bool = False


def resize(pod: Obj | None, template: Obj | None, cpu: str, memory: str, less: Less | None = None) -> Resize:
    """`template` is the live controller's container; quantities are canonical."""
    wanted = (cpu, memory)
    spec = limits(pods.spec_container(pod))
    running = pod is not None and not pods.terminating(pod) and (pod.get("status") or {}).get("phase") == "Running"
    if spec is None:
        return Resize(Step.DONE, *wanted)
    if not running:
        # A pod that does not run can't be resized; the next one is made from the template.
        waits = spec != wanted
        return Resize(Step.RESTART if waits else Step.DONE, *wanted, "the pod does not run" if waits else "")
    before = limits(template or {}) or wanted
    actual = limits(pods.container_status(pod))
    if compare(memory, spec[1]) < 0:
        return _less(spec, actual, before, wanted, less)
    if spec != wanted:
        return Resize(Step.PATCH, *before, ask=wanted)
    if actual is None or actual == wanted:
        return Resize(Step.DONE, *wanted)
    return _asked(pod, actual, before, wanted)


def _less(spec: Limits, actual: Limits | None, before: Limits, wanted: Limits, less: Less | None) -> Resize:
    if spec[0] != wanted[0]:
        return Resize(Step.PATCH, *before, ask=(wanted[0], spec[1]))
    if less is not None and less.step is Step.RESTART:
        return Resize(Step.RESTART, *wanted, less.message)
    if actual is not None and actual != spec:
        # a node that can't lower the memory yet lowers nothing of what is asked together with it
        return Resize(Step.WAIT, *before, "the node is at it")
    if less is not None:
        return Resize(Step.WAIT, *before, less.message)
    return Resize(Step.PATCH, *before, ask=wanted)


def _asked(pod: Obj | None, actual: Limits, before: Limits, wanted: Limits) -> Resize:
    pending, under_way = pods.condition(pod, "PodResizePending"), pods.condition(pod, "PodResizeInProgress")
    if pending.get("reason") == "Infeasible":
        message = f"its node can't hold it: {pending.get('message', '')}"
        return Resize(Step.RESTART, *wanted, message, stuck=True)
    if under_way.get("reason") == "Error" and compare(wanted[1], actual[1]) < 0:
        # the kubelet refuses a limit below what is in use, files in memory counted, and goes on trying
        message = f"less memory ({actual[1]} to {wanted[1]}), which is still in use: {under_way.get('message', '')}"
        return Resize(Step.RESTART, *wanted, message)
    message = pending.get("message") or under_way.get("message") or "the node is at it"
    return Resize(Step.WAIT, *before, str(message))


def within_quota(change: Resize, pod: Obj | None, quota: Obj | None) -> Resize:
    """A resize that the seller's quota refuses is not asked for: the program goes on as it is, and says why."""
    running = limits(pods.spec_container(pod))
    if change.step is not Step.PATCH or running is None:
        return change
    more = {
        f"{scope}.{key}": show(parse(wanted) - parse(has))
        for scope in ("requests", "limits")
        for key, wanted, has in zip(("cpu", "memory"), change.ask, running, strict=True)
        if compare(wanted, has) > 0
    }
    missing = pods.over_quota(quota, more)
    return replace(change, step=Step.WAIT, message=missing) if missing else change


def body(pod: Obj | None, container: str, asked: Limits) -> Obj | None:
    """What the pod's `resize` is patched with; None where there is no pod to resize."""
    if pod is None or pods.terminating(pod):
        return None
    size = dict(zip(("cpu", "memory"), asked, strict=True))
    # The whole list goes back: a merge patch replaces lists, and the server takes over the resources only.
    containers = [
        {**entry, "resources": {**(entry.get("resources") or {}), "requests": size, "limits": size}}
        if entry["name"] == container
        else entry
        for entry in pod["spec"]["containers"]
    ]
    return {"spec": {"containers": containers}}


def limits(container: Obj) -> Limits | None:
    """Cpu and memory of a container or of its status, canonical."""
    found = ((container.get("resources") or {}).get("limits")) or {}
    if "cpu" not in found or "memory" not in found:
        return None
    try:
        return canonical(found["cpu"]), canonical(found["memory"])
    except ValueError:
        return None

# SPDX-License-Identifier: Apache-2.0
"""What a server of our own says about itself: conditions and status, from the real pod and server. Pure."""

from __future__ import annotations

from cairn.api import pods
from cairn.api.conditions import Condition, Reason, progressing, ready
from cairn.api.resize import Step, limits
from cairn.api.resources import Obj
from cairn.api.sellerrds import SellerRDS
from cairn.calendar.asked import next_status, plan_status
from cairn.rds import config, credentials, databases, objects
from cairn.rds.case import Case


def conditions(case: Case, upkeep: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """`upkeep`: what is said of what waits."""
    extra = [*case.storage.conditions, *upkeep]
    if case.change.step in (Step.PATCH, Step.WAIT):
        cpu, memory = case.force.size
        message = f"the pod is resized to cpu {cpu}, memory {memory}: {case.change.message or 'asked for'}"
        extra.append(Condition("PodResized", False, Reason.PROGRESSING, message))
    return (*_state(case), *extra, *case.asked.conditions, *databases.durability(case.observed))


def _state(case: Case) -> tuple[Condition, ...]:
    if case.stopped and case.pod is None:
        return ready("stopped as asked, the data stays; start it with spec.powerState: Running", Reason.STOPPED)
    if case.stopped:
        return progressing(Reason.STOPPED, "the server is being stopped")
    cpu, memory = case.force.size
    needs = {"requests.cpu": cpu, "limits.cpu": cpu, "requests.memory": memory, "limits.memory": memory}
    return pods.trouble(case.pod, case.claim, case.quota, needs) or databases.state(
        case.logins, case.observed, case.rds.spec.traits
    )


def status(case: Case, cost: Obj) -> Obj:
    rds, name = case.rds, case.name
    found = kept(rds, case.pod)
    for key in ("version", "systemIdentifier"):
        if fact := case.facts.get(key):
            found[key] = str(fact)
    if "databases" in case.facts:
        found["databases"] = databases.standing(case.logins, case.observed)
    found["endpoint"] = {"host": objects.host(name, case.namespace), "port": config.PORT}
    found["secrets"] = databases.secrets_status(name, case.logins, credentials.admin_login(name).secret)
    found["rendering"] = case.rendering
    running = _running_size(case)
    found["size"] = running
    found["plan"] = plan_status(case.asked, case.size.plan, _current(case, running))
    found["next"] = next_status(case.asked)
    found["cost"] = cost or None
    return {key: value for key, value in found.items() if value is not None}


def _current(case: Case, running: Obj) -> str | None:
    """The plan whose size runs; while another is on its way, the old one."""
    if (running.get("cpu"), running.get("memory")) == (case.force.wanted or case.force.size):
        return case.force.plan
    plan = case.rds.status.plan
    return plan.current if plan else None


def kept(rds: SellerRDS, live: Obj | None) -> Obj:
    """What was said before and can't be seen at the moment stays said; the pod is always as it is now."""
    unsaid = {"conditions", "observed_generation", "pod"}
    found: Obj = rds.status.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=unsaid)
    if seen := pods.status(live):
        found["pod"] = seen
    return found


def _running_size(case: Case) -> Obj:
    size: Obj = {}
    if running := limits(pods.container_status(case.pod)) or limits(pods.spec_container(case.pod)):
        size["cpu"], size["memory"] = running
    if capacity := (((case.claim or {}).get("status") or {}).get("capacity") or {}).get("storage"):
        size["storage"] = capacity
    return size

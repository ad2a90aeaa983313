# SPDX-License-Identifier: Apache-2.0
"""What a server of our own says about itself: conditions and status, from the real pod and server. Pure."""

from __future__ import annotations

from cairn.api import pods
from cairn.api.conditions import Condition, Reason
from cairn.api.resources import Obj
from cairn.api.sellerrds import SellerRDS
from cairn.rds import config, credentials, databases, objects
from cairn.rds.case import Case
from cairn.rds.resize import Step, limits
from cairn.rds.restart import restart_pending


def conditions(case: Case, wanted: Obj) -> tuple[Condition, ...]:
    """`wanted` is the StatefulSet as it is applied in this pass."""
    cpu, memory = case.size.cpu, case.size.memory
    needs = {"requests.cpu": cpu, "limits.cpu": cpu, "requests.memory": memory, "limits.memory": memory}
    state = pods.trouble(case.pod, case.claim, case.quota, needs) or databases.state(case.logins, case.observed)
    extra = list(case.storage.conditions)
    if waits := restart_pending(case.pod, wanted, case.change):
        message = f"{waits}; takes effect with kubectl delete pod {case.pod_name} -n {case.namespace}"
        extra.append(Condition("RestartPending", True, Reason.RESTART_PENDING, message))
    if case.change.step in (Step.PATCH, Step.WAIT):
        message = f"the pod is resized to cpu {cpu}, memory {memory}: {case.change.message or 'asked for'}"
        extra.append(Condition("PodResized", False, Reason.PROGRESSING, message))
    return (*state, *extra, *databases.durability(case.observed))


def status(case: Case, currency: str) -> Obj:
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
    # The plan in force is the one whose size runs; while another is on its way, the old one is.
    found.pop("plan", None)
    if case.size.plan and (running.get("cpu"), running.get("memory")) == (case.size.cpu, case.size.memory):
        found["plan"] = {"current": case.size.plan}
    elif case.size.plan and rds.status.plan:
        found["plan"] = {"current": rds.status.plan.current}
    found.pop("cost", None)
    if case.size.price:
        found["cost"] = {"currency": currency, "month": case.size.price.monthly}
    return found


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

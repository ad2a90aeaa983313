# SPDX-License-Identifier: Apache-2.0
"""start, stop, restart. Pure.

start and stop set spec.powerState and mark the target in the same write: whoever sets it back afterwards wins, and
the Operation ends. A restart ends what runs, by its uid, and is done when something else runs.
"""

from __future__ import annotations

from cairn.api.conditions import Reason
from cairn.api.resources import POD, VMI, Obj, Ref
from cairn.engine.kind import Action
from cairn.operation.case import MARK, Begins, Case, Done, Fails, Runs, Step, Waits, condition, says, settled

STATES = {"start": "Running", "stop": "Stopped"}


def running_ref(kind: str, name: str, namespace: str) -> Ref:
    """What runs of a target."""
    return Ref(VMI, namespace, name) if kind == "SellerVM" else Ref(POD, namespace, f"{name}-0")


def begin_power(case: Case) -> Step:
    return _elsewhere(case) or Begins(case.target["metadata"]["uid"], f"{case.op.spec.action} of {case.title}")


def pursue_power(case: Case) -> Step:
    wanted = STATES[case.op.spec.action]
    if case.target["metadata"]["uid"] != case.op.status.before:
        return Fails(Reason.FAILED, f"{case.title} was deleted and made anew meanwhile")
    if case.model.spec.power_state != wanted:
        if case.mine(case.target):
            message = (
                f"spec.powerState of {case.title} was set to {case.model.spec.power_state} by somebody else meanwhile"
            )
            return Fails(Reason.FAILED, message)
        return Runs(f"sets spec.powerState of {case.title} to {wanted}", (Action("power", {"state": wanted}),))
    if settled(case.target, stopped=wanted == "Stopped"):
        return Done(f"{case.title} is {wanted.lower()}")
    if condition(case.target, "Stalled").get("status") == "True":
        return Fails(Reason.FAILED, f"{case.title} can't be brought up or down: {says(case.target)}")
    return Runs(f"waits for {case.title}, which says {says(case.target)}")


def begin_restart(case: Case) -> Step:
    if wrong := _elsewhere(case):
        return wrong
    if case.model.spec.power_state == "Stopped":
        return Fails(Reason.FAILED, f"{case.title} is stopped: there is nothing to restart, start it instead")
    live = _running(case)
    if live is None:
        return Waits(Reason.WAITING, f"nothing of {case.title} runs yet, it says {says(case.target)}")
    return Begins(live["metadata"]["uid"], f"restart of {case.title}")


def pursue_restart(case: Case) -> Step:
    live = _running(case)
    if live is None:
        return Runs(f"{case.title} is down and comes up again: {says(case.target)}")
    if live["metadata"]["uid"] == case.op.status.before:
        if "deletionTimestamp" in live["metadata"]:
            return Runs(f"{case.title} is going down")
        return Runs(f"ends what runs of {case.title}", (Action("restart", {"uid": live["metadata"]["uid"]}),))
    if condition(live, "Ready").get("status") == "True" and settled(case.target, stopped=False):
        return Done(f"{case.title} was restarted")
    return Runs(f"{case.title} comes up: {says(case.target)}")


def _running(case: Case) -> Obj | None:
    return case.observed.refs.get(running_ref(case.op.spec.target.kind, case.name, case.namespace))


def _elsewhere(case: Case) -> Fails | None:
    """A server that Cairn doesn't run."""
    if case.model.kind == "SellerRDS" and case.model.spec.external:
        message = f"{case.title} is an external server, which Cairn doesn't run: {case.op.spec.action} it where it runs"
        return Fails(Reason.FAILED, message)
    return None


def power_patch(target: Obj, state: str, uid: str) -> Obj:
    """The write of start and stop: on this very object, and told apart from later writes by the mark."""
    return {
        "metadata": {"uid": target["metadata"]["uid"], "annotations": {MARK: uid}},
        "spec": {"powerState": state},
    }

# SPDX-License-Identifier: Apache-2.0
"""The life of an Operation: it waits, is written down as begun, runs, ends, and is removed a while after. Pure.

Nothing is done before `phase: Running` and `before` stand in the status, so that a pass that was cut off at any call is
taken up by the next one and no deed is done twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cairn.api.conditions import Condition, Reason, progressing, ready, stalled
from cairn.api.lookup import parsed
from cairn.api.operation import Operation
from cairn.api.platform import Platform
from cairn.api.resources import Obj
from cairn.calendar.freeze import BREAK_FREEZE, show
from cairn.engine.kind import Action, Observed, Plan
from cairn.operation import disks, erase, power, pushed
from cairn.operation.case import LOOK_AGAIN, Begins, Case, Done, Fails, Runs, Step, Waits, case_of, others

Deed = Callable[[Case], Step]
BEGIN: Mapping[str, Deed] = {
    "start": power.begin_power,
    "stop": power.begin_power,
    "restart": power.begin_restart,
    "snapshot": disks.begin_snapshot,
    "restore": disks.begin_restore,
    "clone": disks.begin_clone,
}
PURSUE: Mapping[str, Deed] = {
    "start": power.pursue_power,
    "stop": power.pursue_power,
    "restart": power.pursue_restart,
    "snapshot": disks.pursue_snapshot,
    "restore": disks.pursue_restore,
    "clone": disks.pursue_clone,
}
FROZEN = ("stop", "restart", "restore")
"""What a freeze holds up. Starting, snapshots and clones take nothing away."""
LIMIT = dict.fromkeys(("restore", "clone", "erase", "replay", "discard", "audit"), timedelta(hours=24))
LIMIT["backfill"] = timedelta(days=7)
"""How long a deed may take that copies a disk or waits for a database. One that hangs must hold up none after it."""
USUAL_LIMIT = timedelta(minutes=15)


def plan_operation(obj: Obj, observed: Observed, now: datetime, platform: Platform) -> Plan:
    op = parsed(Operation, obj)
    deleting = "deletionTimestamp" in obj["metadata"]
    if isinstance(op, tuple):
        return Plan(conditions=op, hold=True, released=deleting)
    if deleting:
        return _going(op, observed, now, platform)
    if op.status.ended_at:
        return _ended(op, observed, now, platform)
    return _written(op, _step(op, observed, now, platform), now)


def _step(op: Operation, observed: Observed, now: datetime, platform: Platform) -> Step:
    if op.spec.action == "erase":
        return _in_time(op, erase.step(op, observed), now)
    if op.spec.target.kind == "PushSubscription":
        return _in_time(op, pushed.step(op, observed, now, platform), now)
    case = case_of(op, observed, now, platform)
    if isinstance(case, Fails):
        return case
    if op.status.phase != "Running":
        return _blocked(case) or BEGIN[op.spec.action](case)
    return _in_time(op, PURSUE[op.spec.action](case), now)


def _in_time(op: Operation, step: Step, now: datetime) -> Step:
    limit = LIMIT.get(op.spec.action, USUAL_LIMIT)
    if isinstance(step, Runs) and (begun := _moment(op.status.started_at)) and now >= begun + limit:
        return Fails(Reason.FAILED, f"not done within {_hours(limit)}: {step.message}")
    return step


def _blocked(case: Case) -> Waits | None:
    """Why it may not begin, whatever the deed."""
    mine = _age(case.op)
    for other in sorted(others(case.op, case.observed), key=_age):
        if other.status.phase == "Running" or _age(other) < mine:
            name, action = other.metadata.name, other.spec.action
            return Waits(Reason.WAITING, f"Operation {name} ({action}) on {case.title} goes first")
    if case.model.spec.suspend:
        return Waits(Reason.SUSPENDED, f"{case.title} is suspended: set its spec.suspend to false")
    if case.frozen and case.op.spec.action in FROZEN:
        message = (
            f"{case.title} is frozen for a promotion until {show(case.frozen)}: it waits until then. To do it now,"
            f" annotate {case.title} with {BREAK_FREEZE} and a time at most 2 h ahead"
        )
        return Waits(Reason.FROZEN, message, case.frozen)
    return None


def _age(op: Operation) -> tuple[str, str]:
    """The older one first; within a second any order does, as long as all see the same."""
    return op.metadata.creation_timestamp or "", op.metadata.uid


def _written(op: Operation, step: Step, now: datetime) -> Plan:
    """A step as the plan that shows it."""
    status = op.status
    fields: dict[str, Any] = {"phase": "Running", "startedAt": status.started_at, "before": status.before}
    match step:
        case Waits():
            conditions = progressing(step.reason, step.message)
            soon = now + LOOK_AGAIN
            return Plan(status={"phase": "Waiting"}, conditions=conditions, next=min(soon, step.until or soon))
        case Begins():
            fields |= {"startedAt": show(now), "before": step.before}
            return Plan(status=fields, conditions=progressing(Reason.PROGRESSING, step.message), next=now)
        case Runs():
            conditions = progressing(Reason.PROGRESSING, step.message)
            return Plan(status=fields, conditions=conditions, actions=step.actions, next=now + step.again)
        case Done():
            ended = {"phase": "Succeeded", "endedAt": show(now), "result": dict(step.result)}
            return Plan(status=fields | ended, conditions=ready(step.message, Reason.SUCCEEDED), next=now)
        case Fails():
            ended = {"phase": "Failed", "endedAt": show(now)}
            return Plan(status=fields | ended, conditions=stalled(step.reason, step.message), next=now)


def _ended(op: Operation, observed: Observed, now: datetime, platform: Platform) -> Plan:
    """It stays as it is, takes back what is half done, and goes when its time is over. That it has failed is written
    down before: else a pass in between would do anew what another takes back."""
    status = op.status.model_dump(by_alias=True, exclude_none=True, exclude={"conditions", "observed_generation"})
    conditions = tuple(_condition(one.type, one.status, one.reason, one.message) for one in op.status.conditions)
    if half := _half_made(op, observed, now, platform):
        return Plan(status=status, conditions=conditions, actions=(disks.undo(half),), next=now + LOOK_AGAIN)
    if pushed.still_asked(op, observed):
        return Plan(status=status, conditions=conditions, actions=(pushed.WITHDRAW,), next=now + LOOK_AGAIN)
    over = (_moment(op.status.ended_at) or now) + timedelta(days=platform.operation_days)
    if now >= over:
        return Plan(status=status, conditions=conditions, actions=(Action("expire"),))
    return Plan(status=status, conditions=conditions, next=over)


def _condition(kind: str, status: str, reason: str, message: str) -> Condition:
    known = Reason(reason) if reason in set(Reason) else Reason.FAILED
    return Condition(kind, {"True": True, "False": False}.get(status), known, message)


def _going(op: Operation, observed: Observed, now: datetime, platform: Platform) -> Plan:
    """It is no longer followed. What is whole stays, a disk that is only half made is taken away."""
    status = op.status.model_dump(by_alias=True, exclude_none=True, exclude={"conditions", "observed_generation"})
    if pushed.still_asked(op, observed):
        conditions = progressing(Reason.DELETING, "tells the worker that nobody asks for it any more")
        return Plan(status=status, conditions=conditions, actions=(pushed.WITHDRAW,), next=now + LOOK_AGAIN)
    half = _half_made(op, observed, now, platform)
    if half is None:
        conditions = progressing(Reason.DELETING, "nothing is left to do")
        return Plan(status=status, conditions=conditions, released=True)
    conditions = progressing(Reason.DELETING, f"takes away disk {half}, which is only half made")
    return Plan(status=status, conditions=conditions, actions=(disks.undo(half),), next=now + LOOK_AGAIN)


def _half_made(op: Operation, observed: Observed, now: datetime, platform: Platform) -> str | None:
    case = case_of(op, observed, now, platform)
    return None if isinstance(case, Fails) else disks.half_made(case)


def _moment(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _hours(limit: timedelta) -> str:
    minutes = int(limit.total_seconds()) // 60
    return f"{minutes // 60} h" if minutes >= 60 else f"{minutes} min"

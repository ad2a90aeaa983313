# SPDX-License-Identifier: Apache-2.0
"""What waits, for what and until when: the end of a freeze, a maintenance window, or a restart by the user. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cairn.api import pods
from cairn.api.conditions import Condition, Reason
from cairn.api.resources import Obj
from cairn.calendar.freeze import deferred
from cairn.calendar.maintenance import maintenance_problem, next_window, window_now
from cairn.engine.kind import Action
from cairn.rds.case import Case
from cairn.rds.credentials import parse_time
from cairn.rds.restart import restart_pending

SETTLED = timedelta(minutes=15)
"""A server that was started less long ago is not restarted: whatever makes it differ again must not drive it round."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """restart: the deed, if it is to be done now; next: when to look again"""

    conditions: tuple[Condition, ...] = ()
    restart: tuple[Action, ...] = ()
    next: datetime | None = None


def upkeep(case: Case, free: Obj, now: datetime) -> Upkeep:
    """`free` is the StatefulSet as it would be applied without a freeze."""
    pending = restart_pending(case.pod, free, case.change)
    if case.asked.frozen:
        return Upkeep(_frozen(case, pending, case.asked.frozen))
    if not pending:
        return Upkeep()
    by_hand = f"{pending}; takes effect with kubectl delete pod {case.pod_name} -n {case.namespace}"
    said = Condition("RestartPending", True, Reason.RESTART_PENDING, by_hand)
    maintenance = case.rds.spec.maintenance
    if maintenance is None or case.change.stuck:
        # a pod that its node can't hold might find no other one: nobody is put out of work for that
        return Upkeep((said, deferred(Reason.RESTART_REQUIRED, by_hand)))
    if window_now(maintenance, now):
        now_due = deferred(Reason.MAINTENANCE_WINDOW, f"{pending}: the server is restarted in this maintenance window")
        due = _started(case, now) + SETTLED
        if pods.is_ready(case.pod) and due <= now:
            return Upkeep((said, now_due), (_restart(case),))
        return Upkeep((said, now_due), next=due)
    coming = next_window(maintenance, now)
    if coming is None:
        why = maintenance_problem(maintenance) or "there is no maintenance window to come"
        return Upkeep((said, deferred(Reason.RESTART_REQUIRED, f"{by_hand}; {why}")))
    waits = deferred(Reason.MAINTENANCE_WINDOW, f"a restart for {pending}", coming[0])
    return Upkeep((said, waits), next=coming[0])


def _restart(case: Case) -> Action:
    """Gracefully, and this pod alone."""
    return Action("restart", {"pod": case.pod_name, "uid": ((case.pod or {}).get("metadata") or {}).get("uid", "")})


def _started(case: Case, now: datetime) -> datetime:
    return parse_time(((case.pod or {}).get("status") or {}).get("startTime")) or now


def _frozen(case: Case, pending: str, until: datetime) -> tuple[Condition, ...]:
    waits = []
    if case.force.wanted:
        waits.append(f"cpu {case.force.wanted[0]}, memory {case.force.wanted[1]}")
    if case.stays_up:
        waits.append("spec.powerState Stopped")
    if pending:
        waits.append(f"a restart for {pending}")
    if not waits:
        return ()
    waiting = deferred(Reason.FROZEN, "; ".join(waits), until)
    found = [Condition("RestartPending", True, Reason.RESTART_PENDING, waiting.message)] if pending else []
    return (*found, waiting)

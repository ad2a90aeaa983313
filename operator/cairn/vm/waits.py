# SPDX-License-Identifier: Apache-2.0
"""What waits for a restart of the guest, until when, and what its user can do. Pure."""

from __future__ import annotations

from datetime import datetime

from cairn.api.conditions import Condition, Reason
from cairn.calendar import freeze
from cairn.calendar.maintenance import maintenance_problem, next_window
from cairn.vm.case import Case


def told(case: Case) -> tuple[tuple[Condition, ...], datetime | None]:
    """The condition Deferred, and when to look again. Ready keeps its value."""
    annotations, now = case.vm.metadata.annotations, case.now
    what = "; ".join(case.change.waits)
    frozen = freeze.conditions(case.capacity.frozen_until, annotations, now, waits=what)
    window = next_window(case.vm.spec.maintenance, now)
    if not what or case.restart:
        return frozen, None
    if case.frozen:
        return frozen, case.frozen
    if window:
        return (*_other(frozen), freeze.deferred(Reason.MAINTENANCE_WINDOW, what, window[0])), window[0]
    remedy = maintenance_problem(case.vm.spec.maintenance) or (
        f"restart it with kubectl cairn restart svm/{case.name} -n {case.namespace}, or name spec.maintenance.windows"
    )
    return (*_other(frozen), freeze.deferred(case.change.reason, f"{what}: {remedy}")), None


def _other(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    return tuple(condition for condition in conditions if condition.type != "Deferred")

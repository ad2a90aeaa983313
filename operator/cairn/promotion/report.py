# SPDX-License-Identifier: Apache-2.0
"""Where a promotion stands: phase, the window that is on, those to come, and what happens next. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cairn.api.conditions import Condition, Reason, ready
from cairn.api.resources import Obj
from cairn.calendar.freeze import show
from cairn.calendar.windows import Interval
from cairn.promotion.case import Case


def phase(case: Case) -> str:
    """Of several windows what is on counts before what begins, and that before what ends."""
    if case.promotion.spec.suspend:
        return "Suspended"
    if any(one.start <= case.now < one.end for one in case.raised):
        return "Active"
    if any(case.now < one.start for one in case.raised):
        return "WarmingUp"
    if case.raised:
        return "CoolingDown"
    return "Waiting" if case.upcoming else "Over"


def status(case: Case) -> Obj:
    current = min(case.raised, key=lambda one: one.cool_down_until, default=None)
    found: Obj = {
        "phase": phase(case),
        "participants": len(case.participants),
        "upcoming": [_shown(one) for one in case.upcoming],
    }
    if current:
        found["current"] = _shown(current)
    if coming := min(_edges(case), default=None):
        found["next"] = {"at": show(coming[0]), "what": coming[2]}
    return found


def conditions(case: Case) -> tuple[Condition, ...]:
    """Ready means that its spec makes sense; one whose windows are all over is not wrong."""
    if case.promotion.spec.suspend:
        message = "spec.suspend is true: no window begins, and who is in one already is held to its end"
        return (*ready(message), Condition("Suspended", True, Reason.SUSPENDED, message))
    if phase(case) == "Over":
        return ready("its last window is over: add one, or delete the promotion", Reason.NO_WINDOW_AHEAD)
    return ready()


def look_again(case: Case) -> datetime | None:
    """When something about it changes by the calendar."""
    begins = (one.warm_up_from - case.preflight for one in case.upcoming)
    return min((at for at in (*(at for at, _, _ in _edges(case)), *begins) if at > case.now), default=None)


def _edges(case: Case) -> Iterator[tuple[datetime, int, str]]:
    """What is to come, with words for it, and what counts first of two at a moment."""
    for one in (*case.raised, *case.upcoming):
        moments = (
            (one.start, "the window begins"),
            (one.warm_up_from, "the warm-up begins"),
            (one.end, "the window ends"),
            (one.cool_down_until, "the cool-down ends"),
        )
        yield from ((at, order, what) for order, (at, what) in enumerate(moments) if at > case.now)


def _shown(one: Interval) -> Obj:
    return {
        "start": show(one.start),
        "end": show(one.end),
        "warmUpFrom": show(one.warm_up_from),
        "coolDownUntil": show(one.cool_down_until),
    }

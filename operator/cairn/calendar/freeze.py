# SPDX-License-Identifier: Apache-2.0
"""Freezes: inside one nothing restarts or shrinks, unless its user lets a change through for at most two hours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from cairn.api.conditions import Condition, Reason

BREAK_FREEZE = "cairn.dev/break-freeze"
LONGEST = timedelta(hours=2)


def show(moment: datetime) -> str:
    """A moment as status shows it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def break_freeze(annotations: Mapping[str, str], now: datetime) -> datetime | None:
    """Until when the annotation lets changes through; None without one, once its time has passed, or if it is wrong."""
    until = _until(annotations)
    return until if until and now < until <= now + LONGEST else None


def break_freeze_problem(annotations: Mapping[str, str], now: datetime) -> str:
    """What is wrong with the annotation, or nothing. A time that has passed is not: it was right once."""
    text = annotations.get(BREAK_FREEZE)
    if text is None:
        return ""
    until = _until(annotations)
    if until is None:
        return f"{BREAK_FREEZE} {text} is no moment: write one such as {show(now + LONGEST / 2)}"
    if until > now + LONGEST:
        return f"{BREAK_FREEZE} {text} is more than 2 h ahead: write {show(now + LONGEST)} or earlier"
    return ""


def frozen(until: datetime | None, annotations: Mapping[str, str], now: datetime) -> datetime | None:
    """Until when nothing may restart or shrink, given Capacity.frozen_until; None outside of a freeze or if broken."""
    return None if until is None or now >= until or break_freeze(annotations, now) else until


def deferred(reason: Reason, what: str, until: datetime | None = None) -> Condition:
    """A change that waits. It has no influence on Ready."""
    return Condition("Deferred", True, reason, f"{what}, which waits until {show(until)}" if until else what)


def conditions(
    until: datetime | None, annotations: Mapping[str, str], now: datetime, waits: str = ""
) -> tuple[Condition, ...]:
    """What there is to say about a freeze: what `waits` for its end, that it is broken, or a wrong annotation.

    until: Capacity.frozen_until
    waits: the change that would be made now if it were not for the freeze, such as "cpu goes from 4 to 2"
    """
    complaint = break_freeze_problem(annotations, now)
    if frozen(until, annotations, now) and waits:
        hint = complaint or f"to make it now, annotate with {BREAK_FREEZE} and a time at most 2 h ahead"
        found = deferred(Reason.FROZEN, waits, until)
        return (Condition(found.type, True, found.reason, f"{found.message}: {hint}"),)
    if complaint:
        return (Condition("Deferred", False, Reason.FREEZE_BROKEN, complaint),)
    if until is not None and (broken := break_freeze(annotations, now)):
        message = f"{BREAK_FREEZE} lets changes through until {show(broken)}: remove it when they are made"
        return (Condition("Deferred", False, Reason.FREEZE_BROKEN, message),)
    return ()


def _until(annotations: Mapping[str, str]) -> datetime | None:
    try:
        found = datetime.fromisoformat(annotations.get(BREAK_FREEZE, ""))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None

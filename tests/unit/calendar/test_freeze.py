# SPDX-License-Identifier: Apache-2.0
"""Freezes and how they are broken: for at most two hours, and never by mistake."""

from __future__ import annotations

import pytest

from cairn.api.conditions import Reason
from cairn.calendar.freeze import BREAK_FREEZE, break_freeze, break_freeze_problem, conditions, frozen
from unit.calendar.world import utc

NOW, END = utc("2026-11-11T06:00"), utc("2026-11-11T16:00")


def note(value: str) -> dict[str, str]:
    return {BREAK_FREEZE: value}


@pytest.mark.parametrize(
    ("value", "until", "problem"),
    [
        pytest.param("2026-11-11T07:00:00Z", "2026-11-11T07:00", "", id="an hour ahead"),
        pytest.param("2026-11-11T16:00:00+08:00", "2026-11-11T08:00", "", id="two hours ahead, elsewhere"),
        pytest.param(
            "2026-11-11T08:00:01Z", None, "is more than 2 h ahead: write 2026-11-11T08:00:00Z or earlier", id="far"
        ),
        pytest.param("2026-11-11T06:00:00Z", None, "", id="just over"),
        pytest.param("2020-01-01T00:00:00Z", None, "", id="long over"),
        pytest.param("2026-11-11T07:00:00", None, "is no moment: write one such as 2026-11-11T07:00:00Z", id="no zone"),
        pytest.param("true", None, "is no moment", id="no time"),
        pytest.param("", None, "is no moment", id="empty"),
    ],
)
def test_break_freeze_is_a_moment_at_most_two_hours_ahead(value: str, until: str | None, problem: str) -> None:
    assert break_freeze(note(value), NOW) == (utc(until) if until else None)
    said = break_freeze_problem(note(value), NOW)
    assert problem in said
    assert bool(said) == bool(problem)
    assert frozen(END, note(value), NOW) == (None if until else END)


def test_freeze_ends_at_its_end() -> None:
    assert frozen(END, {}, NOW) == END
    assert frozen(END, {}, END) is None
    assert frozen(None, {}, NOW) is None


def test_what_waits_is_said_with_the_way_out() -> None:
    (found,) = conditions(END, {}, NOW, "cpu goes from 4 to 2")
    assert (found.type, found.status, found.reason) == ("Deferred", True, Reason.FROZEN)
    assert found.message.startswith("cpu goes from 4 to 2, which waits until 2026-11-11T16:00:00Z: to make it now,")


def test_wrong_annotation_is_said_whether_something_waits_or_not() -> None:
    (waiting,) = conditions(END, note("soon"), NOW, "cpu goes from 4 to 2")
    assert waiting.status
    assert "cairn.dev/break-freeze soon is no moment" in waiting.message
    (idle,) = conditions(END, note("soon"), NOW)
    assert (idle.status, idle.reason) == (False, Reason.FREEZE_BROKEN)


def test_broken_freeze_is_said_while_it_is_and_outside_there_is_nothing_to_say() -> None:
    (found,) = conditions(END, note("2026-11-11T07:00:00Z"), NOW, "cpu goes from 4 to 2")
    assert (found.status, found.reason) == (False, Reason.FREEZE_BROKEN)
    assert "until 2026-11-11T07:00:00Z" in found.message
    assert conditions(None, note("2026-11-11T07:00:00Z"), NOW) == ()
    assert conditions(END, {}, NOW) == ()

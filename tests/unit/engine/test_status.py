# SPDX-License-Identifier: Apache-2.0
"""Conditions over time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cairn.api.conditions import Condition, Reason, progressing, ready, stalled
from cairn.api.resources import Obj
from cairn.engine.status import MESSAGE_LIMIT, status_of, suspended_status, transitions

NOW = datetime(2026, 11, 11, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def obj(status: dict[str, Any] | None = None, generation: int = 3) -> Obj:
    return {"kind": "Toy", "metadata": {"name": "x", "generation": generation}, "status": status or {}}


def test_status_same_condition_later_keeps_its_time() -> None:
    first = status_of(obj(), {}, ready("up"), NOW)
    assert status_of(obj(first), {}, ready("up"), LATER) == first


def test_status_flip_moves_the_time_and_a_new_message_does_not() -> None:
    first = status_of(obj(), {}, ready("up"), NOW)
    told = status_of(obj(first), {}, ready("still up"), LATER)["conditions"][0]
    assert (told["message"], told["lastTransitionTime"]) == ("still up", "2026-11-11T00:00:00Z")
    fell = status_of(obj(first), {}, stalled(Reason.INVALID_SPEC, "no"), LATER)["conditions"][0]
    assert (fell["status"], fell["lastTransitionTime"]) == ("False", "2026-11-11T01:00:00Z")


def test_status_reconciling_is_listed_only_while_true() -> None:
    first = status_of(obj(), {}, progressing(Reason.PROGRESSING, "on the way"), NOW)
    assert [c["type"] for c in first["conditions"]] == ["Ready", "Reconciling"]
    second = status_of(obj(first), {}, ready(), LATER)
    assert [c["type"] for c in second["conditions"]] == ["Ready"]
    assert {c["type"]: c["status"] for c in transitions(obj(first), second)} == {
        "Ready": "True",
        "Reconciling": "False",
    }


def test_status_observes_the_generation_and_leaves_empty_fields_out() -> None:
    status = status_of(obj(), {"endpoint": None, "shops": [], "lag": 0}, ready(), NOW)
    assert status["observedGeneration"] == 3
    assert "endpoint" not in status
    assert "shops" not in status
    assert status["lag"] == 0


def test_status_long_message_is_cut() -> None:
    message = status_of(obj(), {}, ready("x" * 5000), NOW)["conditions"][0]["message"]
    assert len(message) == MESSAGE_LIMIT


def test_suspended_keeps_everything_and_says_so() -> None:
    first = status_of(obj(), {"size": 2}, ready("up"), NOW)
    paused = suspended_status(obj(first, 4), Condition("Suspended", True, Reason.SUSPENDED, "hands off"), LATER)
    assert paused["size"] == 2
    assert paused["observedGeneration"] == 4
    assert paused["conditions"][0] == first["conditions"][0]
    assert paused["conditions"][1]["type"] == "Suspended"


def test_transitions_unchanged_are_none() -> None:
    first = status_of(obj(), {}, ready("up"), NOW)
    assert transitions(obj(first), status_of(obj(first), {}, ready("up, still"), LATER)) == []

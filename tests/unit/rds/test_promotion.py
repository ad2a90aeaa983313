# SPDX-License-Identifier: Apache-2.0
"""A database through a promotion: up before it, down after it, never restarted, and nothing lost by looking away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from cairn.api.conditions import Condition, Reason
from cairn.api.resources import Obj
from cairn.engine.kind import Plan
from unit.rds import world
from unit.rds.lived import Life, plan_of, promotion
from unit.rds.world import NOW

SMALL, LARGE = ("500m", "512Mi"), ("2", "2Gi")
PLANS = (plan_of("db.large", "2", "2Gi", 200, rank=10), plan_of("db.tiny", "250m", "256Mi", 20))
STARTS = timedelta(hours=10)
WARM_UP, START = NOW + timedelta(hours=4), NOW + STARTS
END, DOWN = START + timedelta(hours=28), START + timedelta(hours=40)
A_MOMENT = timedelta(minutes=2)


def taking_part(*, freeze: bool = False, plan: str | None = "db.large", **spec: Any) -> Life:
    entry: Obj = {"name": "double-11"} | ({"planRef": {"name": plan}} if plan else {})
    refs = (promotion(starts_in=STARTS, freeze=freeze), *PLANS)
    return Life(world.rds(promotions=[entry], **spec), refs)


def said(of: Plan, kind: str) -> Condition | None:
    return next((entry for entry in of.conditions if entry.type == kind), None)


def stood(life: Life) -> Life:
    life.settle(NOW)
    life.done.clear()
    return life


def edges() -> Iterator[datetime]:
    for moment in (WARM_UP, START, END, DOWN):
        yield from (moment - A_MOMENT, moment, moment + A_MOMENT)


def test_database_is_raised_from_warm_up_to_the_end_of_cool_down_and_never_restarted() -> None:
    life = stood(taking_part())
    for now in edges():
        got = life.settle(now)
        raised = WARM_UP <= now < DOWN
        assert life.size == (LARGE if raised else SMALL), now
        assert life.template == life.size, "a pod that dies comes back as it was"
        assert got.conditions[0].reason is Reason.READY
        assert said(got, "RestartPending") is None
        plan = got.status["plan"]
        assert plan["current"] == ("db.large" if raised else "db.small")
        assert (plan.get("target"), plan.get("reason")) == (
            ("db.large", "Promotion/double-11") if raised else (None, None)
        )
        assert plan.get("until") == (DOWN.strftime("%Y-%m-%dT%H:%M:%SZ") if raised else None)
    assert life.restarts == 1


def test_next_is_the_first_edge_to_come() -> None:
    life = stood(taking_part())
    now, seen = NOW, []
    while coming := life.settle(now).status.get("next"):
        now = datetime.fromisoformat(coming["at"])
        seen.append(now)
    assert seen == [WARM_UP, START, END, DOWN]


def test_operator_that_was_down_across_every_edge_catches_up_at_once() -> None:
    life = stood(taking_part())
    life.settle(START + timedelta(hours=1))
    assert life.size == LARGE
    life.settle(DOWN + timedelta(days=30))
    assert life.size == SMALL
    slept = stood(taking_part())
    slept.settle(DOWN + timedelta(hours=1))
    assert slept.size == SMALL
    assert slept.done == []


def test_connections_are_the_largest_of_all_plans_so_that_no_window_needs_a_restart() -> None:
    life = stood(taking_part())
    assert life.parameters["max_connections"] == "203"
    assert life.parameters["shared_buffers"] == "128MB", "of the plan of the spec"
    life.settle(START)
    assert life.parameters["max_connections"] == "203"
    assert life.parameters["shared_buffers"] == "128MB"
    assert life.parameters["effective_cache_size"] == "1280MB", "follows the size in a reload"


def test_promotion_added_to_a_running_server_says_that_its_connections_wait_for_a_restart() -> None:
    life = stood(Life(world.rds(), (promotion(starts_in=STARTS), *PLANS)))
    life.obj["spec"]["promotions"] = [{"name": "double-11", "planRef": {"name": "db.large"}}]
    got = life.settle(NOW)
    assert "max_connections 203" in (said(got, "RestartPending") or Condition("", None, Reason.READY)).message
    deferred = said(got, "Deferred")
    assert deferred
    assert (deferred.status, deferred.reason) == (True, Reason.RESTART_REQUIRED)
    life.settle(START)
    assert life.size == LARGE
    assert life.restarts == 1


def test_engine_uses_less_memory_before_its_pod_has_less() -> None:
    life = stood(taking_part())
    life.settle(START)
    life.done.clear()
    life.settle(DOWN)
    assert life.done == ["resize", "reload", "resize"], "cpu at once, memory when the server needs less of it"
    assert life.parameters["effective_cache_size"] == "320MB"


def test_memory_that_is_still_in_use_is_said_and_the_rest_is_given_back() -> None:
    life = stood(taking_part())
    life.settle(START)
    life.keeps_memory = True
    got = life.settle(DOWN)
    assert life.size == ("500m", "2Gi")
    assert life.template == SMALL
    pending = said(got, "RestartPending")
    assert pending
    assert "less memory (2Gi to 512Mi), which is still in use: below usage" in pending.message
    assert got.conditions[0].reason is Reason.READY
    assert got.status["plan"] == {
        "current": "db.large",
        "target": "db.small",
        "promotions": [{"name": "double-11", "plan": "db.large"}],
    }


def test_pod_that_dies_in_the_window_comes_back_raised_and_shrinks_without_a_restart() -> None:
    life = stood(taking_part())
    life.settle(START)
    life.crash()
    life.settle(START + A_MOMENT)
    assert life.size == LARGE
    assert life.parameters["shared_buffers"] == "128MB"
    life.settle(DOWN)
    assert life.size == SMALL
    assert life.restarts == 2


def test_promotion_never_lowers() -> None:
    life = stood(taking_part(plan="db.tiny"))
    life.settle(START)
    assert life.size == SMALL


def test_promotion_never_touches_storage() -> None:
    big = plan_of("db.large", "2", "2Gi", 200, rank=10)
    big["spec"]["size"]["storage"] = "500Gi"
    life = stood(Life(taking_part().obj, (promotion(starts_in=STARTS), big)))
    got = life.settle(START)
    claim = world.child(got, "PersistentVolumeClaim")
    assert claim["spec"]["resources"]["requests"]["storage"] == "1Gi"


def test_promotion_deleted_in_the_middle_holds_until_status_says() -> None:
    life = stood(taking_part())
    life.settle(START)
    life.refs = [one for one in life.refs if one["kind"] != "Promotion"]
    got = life.settle(START + timedelta(hours=1))
    assert life.size == LARGE
    unresolved = said(got, "PromotionsResolved")
    assert unresolved
    assert (unresolved.status, unresolved.reason) == (False, Reason.PROMOTION_NOT_FOUND)
    assert got.conditions[0].reason is Reason.READY
    life.settle(DOWN - A_MOMENT)
    assert life.size == LARGE
    life.settle(DOWN)
    assert life.size == SMALL


def test_entry_taken_out_of_the_spec_ends_the_raise_at_once() -> None:
    life = stood(taking_part())
    life.settle(START)
    life.obj["spec"]["promotions"] = []
    life.settle(START + A_MOMENT)
    assert life.size == SMALL


def test_plan_that_takes_no_new_users_meanwhile_is_returned_to() -> None:
    life = stood(taking_part())
    life.settle(START)
    for one in life.refs:
        if one["metadata"]["name"] == "db.small":
            one["spec"] = one["spec"] | {"deprecated": True}
    assert life.settle(START + A_MOMENT).conditions[0].reason is Reason.READY
    assert life.settle(DOWN).conditions[0].reason is Reason.READY
    assert life.size == SMALL


@pytest.mark.parametrize("freeze", [False, True])
def test_quota_that_is_too_small_is_said_and_the_server_runs_on(freeze: bool) -> None:
    life = stood(taking_part(freeze=freeze))
    for one in life.refs:
        if one["kind"] == "ResourceQuota":
            one["status"]["used"] = {"limits.cpu": "3"}
    got = life.settle(START)
    assert life.size == SMALL
    resized = said(got, "PodResized")
    assert resized
    assert "limits.cpu: 3 of 4 are used and 1500m more are needed" in resized.message
    assert got.conditions[0].reason is Reason.READY

# SPDX-License-Identifier: Apache-2.0
"""Inside a freeze nothing of a database restarts or shrinks, and what waits is said."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cairn.api.conditions import Reason
from cairn.rds import credentials
from unit.rds import world
from unit.rds.lived import Life, promotion
from unit.rds.test_promotion import DOWN, END, LARGE, PLANS, SMALL, START, STARTS, WARM_UP, said, stood, taking_part
from unit.rds.world import NOW

A_MOMENT = timedelta(minutes=2)
ALWAYS = {"timeZone": "UTC", "windows": [{"name": "day", "days": ["Mon"], "start": "00:00", "duration": "7d"}]}


def frozen(**spec: Any) -> Life:
    """In the middle of a promotion that freezes."""
    life = stood(taking_part(freeze=True, **spec))
    life.settle(START)
    life.done.clear()
    return life


def deferred(life: Life, now: Any) -> tuple[Reason, str]:
    found = said(life.settle(now), "Deferred")
    assert found
    assert found.status is True
    return found.reason, found.message


def test_promotion_that_freezes_raises_all_the_same() -> None:
    assert frozen().size == LARGE


def test_entry_that_only_freezes_changes_no_size() -> None:
    life = stood(taking_part(freeze=True, plan=None))
    got = life.settle(START)
    assert life.size == SMALL
    assert "target" not in got.status["plan"]
    assert said(got, "PromotionsResolved") is not None


def test_smaller_plan_of_the_spec_waits_for_the_end_and_is_said() -> None:
    life = stood(taking_part(freeze=True, plan=None))
    life.settle(START)
    life.obj["spec"]["planRef"] = {"name": "db.tiny"}
    reason, message = deferred(life, START)
    assert reason is Reason.FROZEN
    assert "cpu 250m, memory 256Mi" in message
    assert END.strftime("%Y-%m-%dT%H:%M:%SZ") in message
    assert life.size == SMALL
    assert life.template == SMALL
    assert life.parameters["shared_buffers"] == "128MB"
    got = life.settle(END)
    assert "less memory (512Mi to 256Mi)" in (said(got, "RestartPending") or got.conditions[0]).message


def test_larger_plan_of_the_spec_is_let_in() -> None:
    life = stood(taking_part(freeze=True, plan=None))
    life.settle(START)
    life.obj["spec"]["planRef"] = {"name": "db.large"}
    life.settle(START)
    assert life.size == LARGE


def test_end_of_another_promotion_inside_a_freeze_shrinks_nothing() -> None:
    entries = [{"name": "double-11", "planRef": {"name": "db.large"}}, {"name": "freeze"}]
    until = DOWN + timedelta(hours=3)
    calm = promotion("freeze", starts_in=STARTS, lasts=until - START, freeze=True)
    life = stood(Life(world.rds(promotions=entries), (promotion(starts_in=STARTS), calm, *PLANS)))
    life.settle(START)
    assert deferred(life, DOWN)[0] is Reason.FROZEN
    assert life.size == LARGE
    life.settle(until - A_MOMENT)
    assert life.size == LARGE
    life.settle(until)
    assert life.size == SMALL


def test_pod_that_dies_comes_back_with_the_image_and_parameters_that_it_had() -> None:
    life = stood(taking_part(freeze=True, plan=None))
    life.settle(START)
    stateful_set = next(one for ref, one in life.children.items() if ref.resource.kind == "StatefulSet")
    for holder in (stateful_set["spec"]["template"], life.pod or {}):
        holder["spec"]["containers"][0]["image"] = "postgres:17.0"
    life.obj["spec"]["promotions"].append({"name": "other", "planRef": {"name": "db.large"}})
    reason, message = deferred(life, START)
    assert reason is Reason.FROZEN
    assert "image postgres:17, max_connections 203" in message
    life.crash()
    life.settle(START)
    assert life.pod
    assert life.pod["spec"]["containers"][0]["image"] == "postgres:17.0"
    assert life.parameters["max_connections"] == "53"
    got = life.settle(END)
    assert said(got, "RestartPending")


def test_stop_waits_for_the_end() -> None:
    life = frozen()
    life.obj["spec"]["powerState"] = "Stopped"
    reason, message = deferred(life, START)
    assert reason is Reason.FROZEN
    assert "powerState" in message
    assert life.pod
    life.settle(END)
    assert life.pod is None


def test_start_is_growth_and_let_in() -> None:
    life = stood(taking_part(freeze=True, powerState="Stopped"))
    life.settle(START)
    assert life.pod is None
    life.obj["spec"]["powerState"] = "Running"
    life.settle(START + A_MOMENT)
    assert life.size == LARGE


def test_maintenance_window_inside_a_freeze_restarts_nothing() -> None:
    life = stood(taking_part(freeze=True, plan=None, maintenance=ALWAYS))
    life.settle(START - timedelta(hours=1))
    life.obj["spec"]["promotions"].append({"name": "other", "planRef": {"name": "db.large"}})
    assert deferred(life, START)[0] is Reason.FROZEN
    assert life.restarts == 1
    life.settle(END)
    assert life.restarts == 2
    assert life.parameters["max_connections"] == "203"


def test_break_freeze_lets_changes_through_for_its_time_and_is_said() -> None:
    life = stood(taking_part(freeze=True, plan=None))
    life.settle(START)
    life.obj["spec"]["powerState"] = "Stopped"
    life.obj["metadata"]["annotations"] = {"cairn.dev/break-freeze": (START + timedelta(hours=1)).isoformat()}
    got = life.settle(START)
    broken = said(got, "FreezeBroken")
    assert broken
    assert (broken.status, broken.reason) == (True, Reason.FREEZE_BROKEN)
    assert life.pod is None
    assert said(life.settle(START + timedelta(hours=1)), "FreezeBroken") is None
    assert life.pod is None, "what was done is not undone"


def test_break_freeze_for_too_long_breaks_nothing_and_says_why() -> None:
    life = stood(taking_part(freeze=True, plan=None))
    life.obj["spec"]["powerState"] = "Stopped"
    life.obj["metadata"]["annotations"] = {"cairn.dev/break-freeze": (START + timedelta(hours=9)).isoformat()}
    got = life.settle(START)
    wrong = said(got, "FreezeBroken")
    assert wrong
    assert wrong.status is False
    assert "more than 2 h ahead" in wrong.message
    assert life.pod


def minting(life: Life, now: Any) -> list[str]:
    plan = world.KIND.plan(life.obj, life.observed(now), now)
    return [action.name for action in plan.actions if action.name.startswith("mint")]


def renewal() -> Any:
    secret = next(one for one in world.secrets() if one["metadata"]["name"] == "shop-db-tls")
    found = credentials.certificate(secret, "tls.crt")
    assert found
    return credentials.renew_at(found)


def due_inside() -> tuple[Life, Any]:
    """A freeze during which the server's certificate falls due, some weeks ahead."""
    begins = renewal() - timedelta(hours=10)
    calm = promotion("freeze", starts_in=begins - NOW, freeze=True)
    return stood(Life(world.rds(promotions=[{"name": "freeze"}]), (calm, *PLANS))), begins - timedelta(hours=6)


def test_certificate_that_falls_due_inside_a_freeze_is_renewed_before_it() -> None:
    life, freezes = due_inside()
    early = freezes - timedelta(hours=24)
    assert minting(life, early - A_MOMENT) == []
    got = world.KIND.plan(life.obj, life.observed(early), early)
    assert [action.name for action in got.actions] == ["mint-certificate"]
    assert got.actions[0].args["asOf"] == renewal().isoformat()


def test_certificate_that_was_missed_is_not_renewed_inside_a_freeze_but_after_it() -> None:
    life, freezes = due_inside()
    assert minting(life, freezes) == []
    assert minting(life, renewal() + timedelta(hours=1)) == []
    assert minting(life, freezes + timedelta(hours=6 + 28)) == ["mint-certificate"]


def test_certificate_is_renewed_when_due_outside_of_freezes() -> None:
    life = stood(Life(world.rds(), PLANS))
    assert minting(life, renewal() - A_MOMENT) == []
    assert minting(life, renewal()) == ["mint-certificate"]


@pytest.mark.parametrize("when", [WARM_UP - A_MOMENT, END])
def test_stop_outside_of_the_freeze_is_done_at_once(when: Any) -> None:
    life = stood(taking_part(freeze=True))
    life.settle(when - A_MOMENT)
    life.obj["spec"]["powerState"] = "Stopped"
    life.settle(when)
    assert life.pod is None

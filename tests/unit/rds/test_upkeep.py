# SPDX-License-Identifier: Apache-2.0
"""Stopped and started as asked, and restarts in the maintenance window."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from cairn.api.conditions import Reason
from cairn.api.resources import Obj
from unit.rds import world
from unit.rds.lived import Life
from unit.rds.test_promotion import PLANS, SMALL, said, stood
from unit.rds.world import NOW

SOON = NOW + timedelta(hours=5)


def window(**changes: Any) -> Obj:
    """A maintenance window of two hours that begins at SOON."""
    fields = {"name": "night", "days": [SOON.strftime("%a")], "start": SOON.strftime("%H:%M"), "duration": "2h"}
    return {"timeZone": "UTC", "windows": [fields | changes]}


def waiting(**spec: Any) -> Life:
    """A server whose connections wait for a restart."""
    life = stood(Life(world.rds(**spec), PLANS))
    life.obj["spec"]["promotions"] = [{"name": "some-day", "planRef": {"name": "db.large"}}]
    return life


def test_stopped_server_is_ready_keeps_what_it_said_and_comes_back() -> None:
    life = stood(Life(world.rds(), PLANS))
    life.obj["spec"]["powerState"] = "Stopped"
    got = life.settle(NOW)
    assert life.pod is None
    assert [(c.type, c.status, c.reason) for c in got.conditions] == [("Ready", True, Reason.STOPPED)]
    assert "powerState: Running" in got.conditions[0].message
    assert got.status["version"] == "17"
    assert got.status["databases"] == ["shop"]
    assert got.status["plan"] == {"current": "db.small"}
    assert "pod" not in got.status
    life.obj["spec"]["powerState"] = "Running"
    got = life.settle(NOW)
    assert life.size == SMALL
    assert got.conditions[0].reason is Reason.READY


def test_server_that_is_being_stopped_is_not_ready_yet() -> None:
    life = stood(Life(world.rds(), PLANS))
    life.obj["spec"]["powerState"] = "Stopped"
    got = world.KIND.plan(life.obj, life.observed(NOW), NOW)
    assert world.child(got, "StatefulSet")["spec"]["replicas"] == 0
    assert (got.conditions[0].status, got.conditions[0].reason) == (False, Reason.STOPPED)
    assert got.conditions[1].type == "Reconciling"


def test_server_that_was_never_started_stands_stopped_with_its_volume() -> None:
    life = Life(world.rds(powerState="Stopped"), PLANS)
    got = life.settle(NOW)
    assert life.restarts == 0
    assert got.conditions[0].reason is Reason.STOPPED
    assert world.child(got, "PersistentVolumeClaim")


def test_restart_waits_for_the_window_and_is_done_in_it_once() -> None:
    life = waiting(maintenance=window())
    got = life.settle(NOW)
    deferred = said(got, "Deferred")
    assert deferred
    assert deferred.reason is Reason.MAINTENANCE_WINDOW
    assert SOON.strftime("%Y-%m-%dT%H:%M:00Z") in deferred.message
    assert "max_connections 203" in deferred.message
    assert got.conditions[0].reason is Reason.READY
    assert got.next is not None
    assert got.next <= SOON
    begin = SOON.replace(second=0)
    life.settle(begin)
    assert life.restarts == 2
    assert life.parameters["max_connections"] == "203"
    got = life.settle(begin + timedelta(minutes=30))
    assert life.restarts == 2
    assert said(got, "Deferred") is None


def test_restart_waits_for_its_user_without_a_window() -> None:
    life = waiting()
    got = life.settle(NOW + timedelta(days=9))
    deferred = said(got, "Deferred")
    assert deferred
    assert deferred.reason is Reason.RESTART_REQUIRED
    assert "kubectl delete pod shop-db-0 -n seller-2088" in deferred.message
    assert life.restarts == 1


def test_server_that_was_just_started_is_not_restarted() -> None:
    life = waiting(maintenance=window())
    life.crash()
    begin = SOON.replace(second=0)
    life.obj["spec"]["promotions"] = []
    life.settle(begin - timedelta(minutes=5))
    life.obj["spec"]["promotions"] = [{"name": "some-day", "planRef": {"name": "db.large"}}]
    got = life.settle(begin)
    assert life.restarts == 2
    assert got.next == begin + timedelta(minutes=10)
    life.settle(begin + timedelta(minutes=10))
    assert life.restarts == 3


def test_server_that_does_not_answer_is_not_restarted_on_top() -> None:
    life = waiting(maintenance=window())
    assert life.pod
    life.pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    got = world.KIND.plan(life.obj, life.observed(NOW), SOON.replace(second=0))
    assert "restart" not in [action.name for action in got.actions]


def test_size_that_its_node_can_not_hold_puts_nobody_out_of_work() -> None:
    life = stood(Life(world.rds(maintenance=window()), PLANS))
    life.obj["spec"]["planRef"] = {"name": "db.large"}
    assert life.pod
    size = {"cpu": "2", "memory": "2Gi"}
    life.pod["spec"]["containers"][0]["resources"] = {"requests": size, "limits": size}
    infeasible = {"type": "PodResizePending", "status": "True", "reason": "Infeasible", "message": "too big"}
    life.pod["status"]["conditions"].append(infeasible)
    got = world.KIND.plan(life.obj, life.observed(NOW), SOON.replace(second=0))
    assert "restart" not in [action.name for action in got.actions]
    deferred = said(got, "Deferred")
    assert deferred
    assert deferred.reason is Reason.RESTART_REQUIRED


def test_unknown_zone_of_the_window_restarts_nothing() -> None:
    broken = window() | {"timeZone": "Mars/Olympus"}
    life = waiting(maintenance=broken)
    got = life.settle(SOON.replace(second=0))
    assert life.restarts == 1
    deferred = said(got, "Deferred")
    assert deferred
    assert deferred.reason is Reason.RESTART_REQUIRED
    assert "spec.maintenance.timeZone" in deferred.message

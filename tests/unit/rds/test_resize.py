# SPDX-License-Identifier: Apache-2.0
"""From the size that runs to the size that is wanted: live where it can be, and never by a restart of Cairn's."""

from __future__ import annotations

from typing import Any

import pytest

from cairn.api.conditions import Reason
from cairn.api.resources import Obj
from cairn.engine.kind import Plan
from unit.rds import world
from unit.rds.world import child, plan, rds, standing


def named(of: Plan) -> list[str]:
    return [action.name for action in of.actions]


def found(of: Plan, kind: str) -> str:
    """The message of a condition; empty where it is not listed."""
    return next((entry.message for entry in of.conditions if entry.type == kind), "")


def template_size(of: Plan) -> dict[str, str]:
    size: dict[str, str] = child(of, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    return size


def sized(cpu: str, memory: str) -> Obj:
    return rds(planRef=None, resources={"cpu": cpu, "memory": memory, "connections": 50}, storage={"size": "1Gi"})


def live(spec: tuple[str, str], actual: tuple[str, str], **status: Any) -> Obj:
    """A pod that was asked to be of one size and is of another."""
    template = child(world.first_children(rds()), "StatefulSet")["spec"]["template"]
    pod = world.pod(*spec, template=template)
    pod["status"]["containerStatuses"][0]["resources"] = {"limits": {"cpu": actual[0], "memory": actual[1]}}
    for kind, entry in status.items():
        pod["status"]["conditions"].append({"type": kind, "status": "True", **entry})
    return pod


SMALL, LARGE = ("500m", "512Mi"), ("1", "1Gi")


@pytest.mark.parametrize(
    ("pod", "actions", "template", "condition"),
    [
        pytest.param(live(SMALL, SMALL), ["resize"], SMALL, "PodResized", id="to-be-asked-for"),
        pytest.param(live(LARGE, SMALL), [], SMALL, "PodResized", id="on-its-way"),
        pytest.param(
            live(LARGE, SMALL, PodResizePending={"reason": "Deferred", "message": "no room now"}),
            [],
            SMALL,
            "PodResized",
            id="deferred",
        ),
        pytest.param(
            live(LARGE, SMALL, PodResizePending={"reason": "Infeasible", "message": "too big"}),
            [],
            LARGE,
            "RestartPending",
            id="infeasible",
        ),
        pytest.param(live(LARGE, LARGE), [], LARGE, "RestartPending", id="done-and-parameters-wait"),
    ],
)
def test_growing_goes_through_the_pod_before_the_template(
    pod: Obj, actions: list[str], template: tuple[str, str], condition: str
) -> None:
    got = plan(sized("1", "1Gi"), standing(pod=pod))
    assert named(got) == actions
    assert template_size(got) == {"cpu": template[0], "memory": template[1]}
    assert got.conditions[0].reason is Reason.READY
    assert found(got, condition)


def test_less_memory_waits_for_a_restart_and_says_how() -> None:
    got = plan(sized("1", "256Mi"), standing(pod=live(LARGE, LARGE)))
    assert named(got) == []
    assert template_size(got) == {"cpu": "1", "memory": "256Mi"}
    assert "less memory (1Gi to 256Mi)" in found(got, "RestartPending")
    assert "kubectl delete pod shop-db-0 -n seller-2088" in found(got, "RestartPending")


def test_less_cpu_is_live() -> None:
    assert named(plan(sized("200m", "512Mi"), standing())) == ["resize"]


def test_a_resize_beyond_the_quota_is_not_asked_for() -> None:
    refs = [obj for obj in world.REFS if obj["kind"] != "ResourceQuota"]
    refs += [world.quota(**{"limits.cpu": "3900m"}), world.volume()]
    got = plan(sized("1", "1Gi"), standing(refs=refs))
    assert named(got) == []
    assert "limits.cpu: 3900m of 4" in found(got, "PodResized")
    assert template_size(got) == {"cpu": "500m", "memory": "512Mi"}
    assert got.conditions[0].reason is Reason.READY


@pytest.mark.parametrize(
    ("change", "waits"),
    [
        pytest.param({"image": "postgres:17.0"}, "image postgres:17", id="image"),
        pytest.param({"env": []}, "a new rendering", id="rendering"),
    ],
)
def test_what_needs_a_restart_waits_and_is_named(change: Obj, waits: str) -> None:
    pod = live(SMALL, SMALL)
    pod["spec"]["containers"][0].update(change)
    got = plan(rds(), standing(pod=pod))
    assert found(got, "RestartPending").startswith(waits)
    assert named(got) == []


def test_changed_parameters_that_need_a_restart_are_named() -> None:
    pod = live(SMALL, SMALL)
    pod["metadata"]["annotations"] = {"cairn.dev/parameters": "max_connections=13 shared_buffers=128MB"}
    assert found(plan(rds(), standing(pod=pod)), "RestartPending").startswith("max_connections 53;")


@pytest.mark.parametrize(
    ("wanted", "expands", "asked", "reason"),
    [
        pytest.param("2Gi", True, "2Gi", Reason.PROGRESSING, id="grows"),
        pytest.param("2048Mi", True, "2Gi", Reason.PROGRESSING, id="grows-however-it-is-written"),
        pytest.param("2Gi", False, "1Gi", Reason.STORAGE_CLASS_CANNOT_GROW, id="class-can-not"),
        pytest.param("512Mi", True, "1Gi", Reason.STORAGE_SHRINK_REFUSED, id="never-shrinks"),
        pytest.param("200Gi", True, "1Gi", Reason.QUOTA_EXCEEDED, id="quota"),
        pytest.param("1024Mi", True, "1Gi", None, id="the-same"),
    ],
)
def test_storage_grows_where_it_can(wanted: str, expands: bool, asked: str, reason: Reason | None) -> None:
    refs = (*world.REFS, world.volume(), world.storage_class(expands=expands))
    got = plan(rds(storage={"size": wanted}), standing(refs=refs))
    assert child(got, "PersistentVolumeClaim")["spec"]["resources"]["requests"]["storage"] == asked
    assert next((entry.reason for entry in got.conditions if entry.type == "StorageResized"), None) is reason
    assert got.conditions[0].reason is Reason.READY


def test_a_plan_with_less_storage_leaves_the_volume_alone() -> None:
    smaller = world.service_plan(size={"cpu": "500m", "memory": "512Mi", "storage": "512Mi", "connections": 50})
    refs = (*(obj for obj in world.REFS if obj["kind"] != "ServicePlan"), smaller, world.volume())
    got = plan(rds(), standing(refs=refs))
    assert child(got, "PersistentVolumeClaim")["spec"]["resources"]["requests"]["storage"] == "1Gi"
    assert [entry.type for entry in got.conditions] == ["Ready"]

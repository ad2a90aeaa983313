# SPDX-License-Identifier: Apache-2.0
"""What keeps a guest from answering, told by the cause that is nearest to the truth."""

from __future__ import annotations

from typing import Any

import pytest

from cairn.api.resources import Obj
from cairn.engine.kind import Observed
from unit.vm import machine_world as world


def _without(observed: Observed, *kinds: str) -> Observed:
    kept = {ref: obj for ref, obj in observed.children.items() if ref.resource.kind not in kinds}
    return Observed(kept, observed.refs, missing=observed.missing)


def _with(observed: Observed, *objs: Obj) -> Observed:
    return world.seen(*observed.children.values(), *objs, refs=observed.refs.values())  # type: ignore[arg-type]


def _instance(phase: str = "Scheduling", *conditions: Obj, **status: Any) -> Obj:
    made = world.child(world.first(world.vm()), "VirtualMachine")
    found = world.instance(made, phase, ready=False, **status)
    found["status"]["conditions"] += list(conditions)
    return found


FAILED_CREATE = {"type": "Synchronized", "status": "False", "reason": "FailedCreate"}
PENDING: Obj = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}]}


@pytest.mark.parametrize(
    ("phase", "status", "reason", "words"),
    [
        pytest.param(
            "ImportInProgress", {"progress": "45.1%"}, "DiskPending", "ImportInProgress (45.1%)", id="importing"
        ),
        pytest.param("CloneScheduled", {"progress": "N/A"}, "DiskPending", "CloneScheduled", id="cloning"),
        pytest.param(
            "Pending",
            {"conditions": [{"type": "Bound", "status": "False", "message": "no default storage class"}]},
            "DiskPending",
            "no default storage class",
            id="unbound",
        ),
        pytest.param(
            "ImportInProgress",
            {"conditions": [{"type": "Running", "status": "False", "reason": "Error", "message": "got 404 from x"}]},
            "ImageUnavailable",
            "got 404 from x",
            id="not-found",
        ),
        pytest.param(
            "Failed",
            {"conditions": [{"type": "Running", "status": "False", "message": "checksum differs"}]},
            "ImageUnavailable",
            "checksum differs",
            id="checksum",
        ),
    ],
)
def test_disk_that_is_not_filled_is_the_cause(phase: str, status: Obj, reason: str, words: str) -> None:
    observed = _without(world.standing(datavolume=world.data_volume(phase=phase, **status)), "Pod")
    observed = _with(observed, _instance("Pending"))
    state = world.condition(world.plan(world.vm(), observed), "Ready")
    assert state is not None
    assert state[:2] == (False, reason)
    assert words in state[2]


@pytest.mark.parametrize("phase", ["WaitForFirstConsumer", "PendingPopulation"])
def test_disk_that_waits_for_its_machine_is_not_the_cause(phase: str) -> None:
    """The pod that cannot be placed is: the disk waits for that one."""
    message = "0/3 nodes are available: 3 Insufficient memory."
    pod = world.launcher(ready=False, node="")
    pod["status"] = {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "message": message}],
    }
    observed = world.standing(datavolume=world.data_volume(phase=phase), pod=pod)
    state = world.condition(world.plan(world.vm(), _with(observed, _instance())), "Ready")
    assert state == (False, "Unschedulable", message)


@pytest.mark.parametrize(
    ("message", "reason", "words"),
    [
        pytest.param(
            'pods "x" is forbidden: exceeded quota: cairn', "QuotaExceeded", "39500m of 40 are used", id="quota"
        ),
        pytest.param(
            'pods "x" is forbidden: violates PodSecurity "restricted:latest": seccompProfile',
            "ApiError",
            "runtimeDefaultProfile: true",
            id="pod-security",
        ),
        pytest.param("something else", "ApiError", "KubeVirt can't start the machine: something else", id="other"),
    ],
)
def test_pod_that_kubevirt_can_not_make_is_told(message: str, reason: str, words: str) -> None:
    refs = (world.quota(limits_cpu="39500m"),)
    observed = _without(world.standing(refs=refs), "Pod")
    observed = _with(observed, _instance("Pending", FAILED_CREATE | {"message": message}))
    state = world.condition(world.plan(world.vm(), observed), "Ready")
    assert state is not None
    assert state[:2] == (False, reason)
    assert words in state[2]


@pytest.mark.parametrize(
    ("pod", "reason", "words"),
    [
        pytest.param(
            {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]},
            "ImageUnavailable",
            "no such image",
            id="launcher-image",
        ),
        pytest.param({}, "Progressing", "starting", id="young"),
    ],
)
def test_pod_in_trouble_is_told(pod: Obj, reason: str, words: str) -> None:
    launcher = world.launcher(ready=False)
    launcher["status"] = PENDING | pod
    state = world.condition(world.plan(world.vm(), _with(world.standing(pod=launcher), _instance())), "Ready")
    assert state is not None
    assert state[:2] == (False, reason)
    assert words in state[2]


def test_guest_that_does_not_answer_on_its_first_port_is_told() -> None:
    obj = world.vm(ports=[{"name": "web", "port": 80}, {"name": "admin", "port": 8080}])
    observed = _with(world.standing(obj, pod=world.launcher(ready=False)), _instance("Running"))
    got = world.plan(obj, observed)
    state = world.condition(got, "Ready")
    assert state is not None
    assert state[:2] == (False, "GuestNotReady")
    assert "port 80 (web, the first of spec.ports)" in state[2]
    assert got.status["machine"]["ready"] is False


def test_paused_guest_and_one_that_ends_at_every_start_are_told() -> None:
    paused = _instance("Running", {"type": "Paused", "status": "True"})
    state = world.said(world.plan(world.vm(), _with(world.standing(), paused)), "Ready")
    assert "virtctl unpause" in state[2]
    made = world.child(world.first(world.vm()), "VirtualMachine")
    looping = world.machine(made, "CrashLoopBackOff")
    looping["status"]["startFailure"] = {"consecutiveFailCount": 3}
    observed = _without(world.standing(virtualmachine=looping), "Pod", "VirtualMachineInstance")
    state = world.said(world.plan(world.vm(), observed), "Ready")
    assert state[1] == "CrashLooping"
    assert "3 times" in state[2]


def test_migrating_guest_is_up_and_its_pod_is_the_one_it_runs_in() -> None:
    obj = world.vm()
    made = world.child(world.first(obj), "VirtualMachine")
    observed = world.standing(obj, virtualmachine=world.machine(made, "Migrating"))
    target = world.launcher("virt-launcher-shop-aaaaa", ready=False, node="node-2", phase="Running")
    got = world.plan(obj, _with(observed, target))
    assert world.condition(got, "Ready") == (True, "Ready", "")
    assert got.status["machine"]["phase"] == "Migrating"
    assert got.status["machine"]["node"] == "node-1"


def test_clone_that_became_a_copy_is_said() -> None:
    why = {"cdi.kubevirt.io/cloneFallbackReason": "The volume modes differ"}
    got = world.plan(world.vm(), world.standing(persistentvolumeclaim=world.claim(**why)))
    state = world.condition(got, "DiskCopied")
    assert state is not None
    assert state[:2] == (True, "DiskCopied")
    assert "The volume modes differ" in state[2]
    assert world.condition(got, "Ready") == (True, "Ready", "")


def test_route_that_the_gateway_refuses_is_told() -> None:
    from cairn.api.platform import Gateway, Platform, VirtualMachines

    platform = Platform(virtual_machines=VirtualMachines(gateway=Gateway(name="edge", namespace="edge-system")))
    obj = world.vm(ports=[{"name": "web", "port": 80}], expose={"host": "shop.example.com", "port": "web"})
    refs = (world.seller("shop.example.com"),)
    observed = world.standing(obj, refs=refs, platform=platform)
    route = next(live for ref, live in observed.children.items() if ref.resource.kind == "HTTPRoute")
    accepted = {"type": "Accepted", "status": "True"}
    route["status"] = {"parents": [{"conditions": [accepted]}]}
    assert world.plan(obj, observed, platform=platform).status["url"] == "http://shop.example.com/"
    refused = accepted | {"status": "False", "message": "namespace not allowed"}
    route["status"] = {"parents": [{"conditions": [refused]}]}
    got = world.plan(obj, observed, platform=platform)
    assert "namespace not allowed" in world.said(got, "Exposed")[2]
    assert "url" not in got.status

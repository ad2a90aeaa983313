# SPDX-License-Identifier: Apache-2.0
"""What a change of size does to a machine that runs: live where it can be, honest where not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cairn.api import vm_size
from cairn.api.resources import Obj
from unit.vm import machine_world as world

DOUBLE_11 = [{"name": "double-11", "planRef": {"name": "vm.huge"}}]
WINDOWS = {"timeZone": "UTC", "windows": [{"name": "night", "days": ["Sun"], "start": "03:00", "duration": "2h"}]}
IN_WINDOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
MEDIUM = world.domain(2, "4Gi", 4, "8Gi")


def _sizes(of: Any) -> tuple[int, int, str, str | None]:
    domain = world.child(of, "VirtualMachine")["spec"]["template"]["spec"]["domain"]
    cpu, memory = domain["cpu"], domain["memory"]
    return cpu["sockets"], cpu["maxSockets"], memory["guest"], memory.get("maxGuest")


def test_room_for_the_largest_plan_among_the_promotions_is_made_at_the_start() -> None:
    obj = world.vm(promotions=DOUBLE_11)
    assert _sizes(world.first(obj, refs=(world.promotion(start="2027-01-01T00:00:00"),))) == (2, 16, "4Gi", "64Gi")
    assert _sizes(world.first(world.vm())) == (2, 2, "4Gi", "4Gi")


@pytest.mark.parametrize("memory", ["512Mi", "1022Mi"])
def test_guest_too_small_for_more_memory_gets_no_room_for_it(memory: str) -> None:
    """KubeVirt refuses memory hotplug below 1Gi, and a machine that asks for it."""
    obj = world.vm(resources={"cpu": "1", "memory": memory})
    assert _sizes(world.first(obj)) == (1, 1, memory, None)
    observed = world.standing(obj)
    assert world.condition(world.plan(obj, observed), "Deferred") is None


def test_promotion_raises_the_running_guest_live_and_says_how_far_it_is() -> None:
    obj = world.vm(promotions=DOUBLE_11)
    refs = (world.promotion(),)
    observed = world.standing(obj, refs=refs, boot=world.domain(2, "4Gi", 16, "64Gi"))
    got = world.plan(obj, observed)
    assert _sizes(got) == (16, 16, "64Gi", "64Gi")
    assert got.actions == ()
    assert world.condition(got, "Deferred") is None
    assert got.status["plan"] == {
        "current": "vm.medium",
        "target": "vm.huge",
        "until": "2026-11-22T15:00:00Z",
        "reason": "Promotion/double-11",
        "promotions": [{"name": "double-11", "plan": "vm.huge", "until": "2026-11-22T15:00:00Z"}],
    }
    assert got.status["next"]["at"] == "2026-11-22T14:00:00Z"


def test_machine_with_resources_of_its_own_says_what_holds_its_clones() -> None:
    """Else they would be gone at once if somebody deleted the promotion."""
    clones = [{"name": "double-11", "replicas": {"min": 3, "max": 5}}]
    obj = world.vm(resources={"cpu": "2", "memory": "4Gi"}, disk={"size": "10Gi"}, promotions=clones)
    observed = world.standing(obj, refs=(world.promotion(),))
    got = world.plan(obj, observed)
    until = "2026-11-22T15:00:00Z"
    assert got.status["plan"] == {
        "until": until,
        "reason": "Promotion/double-11",
        "promotions": [{"name": "double-11", "floor": 3, "ceiling": 5, "until": until}],
    }
    obj["status"] = {**got.status, "conditions": []}
    later = world.plan(obj, world.standing(obj))
    assert (later.status["clones"]["floor"], later.status["clones"]["ceiling"]) == (3, 5)
    assert later.status["plan"] == got.status["plan"]


def test_migration_that_grows_the_guest_is_told_with_its_trouble() -> None:
    obj = world.vm(promotions=DOUBLE_11)
    refs = (world.promotion(),)
    made = world.child(world.first(obj, refs=refs), "VirtualMachine")
    topology = {"cores": 1, "threads": 1, "sockets": 2}
    growing = world.instance(made, currentCPUTopology=topology)
    observed = world.standing(obj, refs=refs, virtualmachineinstance=growing)
    state = world.condition(world.plan(obj, observed), "Resized")
    assert state == (False, "Progressing", "the guest goes from 2 vCPU, 64Gi to 16 vCPU, 64Gi by a live migration")
    assert world.condition(world.plan(obj, observed), "Ready") == (True, "Ready", "")
    target = world.launcher("virt-launcher-shop-zzzzz", ready=False, node="", phase="Pending")
    message = "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules."
    target["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", "message": message}]
    blocked = world.seen(*observed.children.values(), target, refs=refs)
    state = world.condition(world.plan(obj, blocked), "Resized")
    assert state is not None
    assert state[1] == "MigrationBlocked"
    assert message in state[2]
    full = world.quota({"limits.cpu": "17"}, limits_cpu="2")
    state = world.condition(world.plan(obj, world.seen(*observed.children.values(), refs=(*refs, full))), "Resized")
    assert state is not None
    assert state[1] == "MigrationBlocked"
    assert "limits.cpu: 2 of 17 are used and 16 more are needed" in state[2]


def test_quota_too_small_to_migrate_leaves_the_guest_as_it_is_with_numbers() -> None:
    obj = world.vm(promotions=DOUBLE_11)
    refs = (world.promotion(), world.quota({"limits.cpu": "17"}, limits_cpu="2"))
    observed = world.standing(obj, refs=refs, boot=world.domain(2, "4Gi", 16, "64Gi"))
    got = world.plan(obj, observed)
    assert _sizes(got) == (2, 16, "4Gi", "64Gi")
    state = world.condition(got, "Deferred")
    assert state is not None
    assert (state[0], state[1]) == (True, "MigrationBlocked")
    assert "from 2 vCPU, 4Gi to 16 vCPU, 64Gi" in state[2]
    assert "limits.cpu: 2 of 17 are used and 16 more are needed" in state[2]
    assert world.condition(got, "Ready") == (True, "Ready", "")


def test_guest_that_can_not_migrate_waits_for_a_restart() -> None:
    obj = world.vm(promotions=DOUBLE_11)
    refs = (world.promotion(),)
    observed = world.standing(obj, refs=refs, boot=world.domain(2, "4Gi", 16, "64Gi"))
    live = dict(observed.children)
    ref = next(ref for ref in live if ref.resource.kind == "VirtualMachineInstance")
    live[ref]["status"]["conditions"][1] = {
        "type": "LiveMigratable",
        "status": "False",
        "reason": "DisksNotLiveMigratable",
        "message": "PVC shop-disk is not shared",
    }
    state = world.condition(world.plan(obj, world.seen(*live.values(), refs=refs)), "Deferred")
    assert state is not None
    assert state[1] == "MigrationBlocked"
    assert "PVC shop-disk is not shared" in state[2]


SMALLER = world.vm(planRef={"name": "vm.small"})
BEYOND = world.vm(planRef={"name": "vm.huge"})


@pytest.mark.parametrize(
    ("obj", "words"),
    [
        pytest.param(SMALLER, "from 2 vCPU, 4Gi to 1 vCPU, 512Mi: less", id="smaller"),
        pytest.param(BEYOND, "from 2 vCPU, 4Gi to 16 vCPU, 64Gi: not within the 4 vCPU, 8Gi", id="beyond"),
        pytest.param(
            world.vm(promotions=DOUBLE_11), "room for 16 vCPU, 64Gi while it runs", id="a-promotion-that-came-later"
        ),
        pytest.param(world.vm(ports=[{"name": "web", "port": 80}]), "the port that tells readiness", id="probe"),
        pytest.param(world.vm(ssh={"keysSecretRef": {"name": "keys"}}), "SSH keys", id="keys"),
    ],
)
def test_what_needs_a_restart_waits_for_its_user_or_the_window(obj: Obj, words: str) -> None:
    refs = (world.promotion(start="2027-01-01T00:00:00"), world.secret("keys", a="eA=="))
    observed = world.standing(world.vm(), refs=refs, boot=MEDIUM)
    got = world.plan(obj, observed)
    assert _sizes(got) == (2, 4, "4Gi", "8Gi")
    assert world.child(got, "VirtualMachine") == _untouched(observed)
    assert got.actions == ()
    state = world.condition(got, "Deferred")
    assert state is not None
    assert state[:2] == (True, "RestartRequired")
    assert words in state[2]
    assert "kubectl cairn restart svm/shop -n " in state[2]
    assert world.condition(got, "Ready") == (True, "Ready", "")
    assert world.condition(got, "Reconciling") is None

    obj = obj | {"spec": obj["spec"] | {"maintenance": WINDOWS}}
    waiting = world.plan(obj, observed)
    assert world.said(waiting, "Deferred")[1] == "MaintenanceWindow"
    assert "2026-11-29T03:00:00Z" in world.said(waiting, "Deferred")[2]
    assert waiting.next is not None
    assert waiting.next <= datetime(2026, 11, 29, 3, tzinfo=UTC)
    assert waiting.actions == ()

    restarted = world.plan(obj, observed, IN_WINDOW)
    assert [(action.name, dict(action.args)) for action in restarted.actions] == [("restart", {"uid": "vmi-1"})]
    assert world.condition(restarted, "Deferred") is None
    wanted = world.child(world.first(obj, refs=refs), "VirtualMachine")
    assert world.child(restarted, "VirtualMachine")["spec"] == wanted["spec"]


def _untouched(observed: Any) -> Obj:
    live = observed.children[world.MACHINE_REF]
    kept = {key: live[key] for key in ("apiVersion", "kind", "spec")}
    meta = {key: live["metadata"][key] for key in ("name", "namespace")}
    labels = {k: v for k, v in live["metadata"]["labels"].items() if not k.startswith("cairn.dev/")}
    return kept | {"metadata": meta | {"labels": labels}}


@pytest.mark.parametrize("gone", ["terminating", "ended", "absent"])
def test_what_waited_takes_effect_whenever_the_guest_starts_anew(gone: str) -> None:
    observed = world.standing(world.vm(), boot=MEDIUM)
    live = {ref.resource.kind: obj for ref, obj in observed.children.items()}
    if gone == "terminating":
        live["VirtualMachineInstance"]["metadata"]["deletionTimestamp"] = "2026-11-22T12:00:00Z"
    elif gone == "ended":
        live["VirtualMachineInstance"]["status"]["phase"] = "Succeeded"
    else:
        del live["VirtualMachineInstance"]
    got = world.plan(SMALLER, world.seen(*live.values()))
    assert _sizes(got)[:1] + _sizes(got)[2:3] == (1, "512Mi")
    assert world.condition(got, "Deferred") is None


@pytest.mark.parametrize("phase", ["Pending", "Scheduling"])
def test_guest_that_never_started_is_made_anew_at_once(phase: str) -> None:
    """Such as one that no node has room for: its user makes it smaller, and need not wait for a window."""
    huge = world.standing(world.vm(planRef={"name": "vm.huge"}))
    live = {ref.resource.kind: obj for ref, obj in huge.children.items()}
    live["VirtualMachineInstance"]["status"]["phase"] = phase
    got = world.plan(SMALLER, world.seen(*live.values()))
    assert _sizes(got)[0] == 1
    assert [action.name for action in got.actions] == ["restart"]
    assert world.condition(got, "Deferred") is None
    same = world.plan(world.vm(planRef={"name": "vm.huge"}), world.seen(*live.values()))
    assert same.actions == ()


FREEZE = world.promotion(freeze=True)


def test_freeze_lets_the_guest_grow_and_never_shrink_or_restart() -> None:
    taking_part = [{"name": "double-11"}]
    smaller = world.vm(planRef={"name": "vm.small"}, promotions=taking_part, maintenance=WINDOWS)
    observed = world.standing(world.vm(), refs=(FREEZE,), boot=MEDIUM)
    in_both = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
    wide = {"timeZone": "UTC", "windows": [{"name": "day", "days": ["Sun"], "start": "00:00", "duration": "23h"}]}
    smaller["spec"]["maintenance"] = wide
    got = world.plan(smaller, observed, in_both)
    assert _sizes(got) == (2, 4, "4Gi", "8Gi")
    assert got.actions == ()
    state = world.condition(got, "Deferred")
    assert state is not None
    assert state[1] == "Frozen"
    assert "2026-11-22T14:00:00Z" in state[2]
    larger = world.vm(planRef={"name": "vm.large"}, promotions=taking_part, maintenance=wide)
    assert _sizes(world.plan(larger, observed, in_both))[0] == 4


@pytest.mark.parametrize("phase", ["gone", "Failed", "Scheduling"])
def test_guest_that_ends_by_itself_in_a_freeze_comes_up_no_smaller(phase: str) -> None:
    big, small = {"cpu": "4", "memory": "8Gi"}, {"cpu": "2", "memory": "4Gi"}
    promotions = [{"name": "double-11"}]
    disk = {"size": "10Gi"}
    before = world.vm(planRef=None, resources=big, disk=disk, promotions=promotions)
    after = world.vm(planRef=None, resources=small, disk=disk, promotions=promotions)
    made = world.child(world.first(before, refs=(FREEZE,)), "VirtualMachine")
    gone = ("virtualmachineinstance", "pod") if phase == "gone" else ()
    ended = world.instance(made, phase, ready=False)
    observed = world.standing(before, refs=(FREEZE,), gone=gone, virtualmachineinstance=ended)
    got = world.plan(after, observed)
    assert _sizes(got) == (4, 4, "8Gi", "8Gi")
    assert [action.name for action in got.actions if action.name == "restart"] == []
    assert world.said(got, "Deferred")[1] == "Frozen"
    later = world.plan(after, observed, now=datetime(2026, 11, 23, tzinfo=UTC))
    assert _sizes(later) == (2, 2, "4Gi", "4Gi")


def test_broken_freeze_lets_the_change_through() -> None:
    until = (world.NOW + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    obj = world.vm(
        meta={"annotations": {"cairn.dev/break-freeze": until}},
        planRef={"name": "vm.small"},
        promotions=[{"name": "double-11"}],
    )
    got = world.plan(obj, world.standing(world.vm(), refs=(FREEZE,), boot=MEDIUM))
    assert [action.name for action in got.actions] == ["restart"]
    assert _sizes(got)[0] == 1


def test_kubevirt_that_changes_nothing_live_is_told_and_restarted_in_the_window() -> None:
    """Where its rollout strategy is Stage, KubeVirt answers every change with RestartRequired."""
    obj = world.vm(planRef={"name": "vm.large"}, maintenance=WINDOWS)
    staged = world.child(world.first(world.vm()), "VirtualMachine")
    staged["spec"]["template"]["spec"]["domain"] |= MEDIUM
    machine = world.machine(staged, RestartRequired="a non-live-updatable field was changed in the template spec")
    observed = world.standing(world.vm(), boot=MEDIUM, virtualmachine=machine)
    got = world.plan(obj, observed)
    assert _sizes(got)[0] == 4
    assert "a non-live-updatable field was changed" in world.said(got, "Deferred")[2]
    assert "restart" in [action.name for action in world.plan(obj, observed, IN_WINDOW).actions]


def test_change_of_the_calendar_alone_restarts_nothing() -> None:
    """After a promotion the guest keeps its size until it may restart."""
    obj = world.vm(promotions=DOUBLE_11)
    refs = (world.promotion(),)
    after = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
    observed = world.standing(obj, refs=refs, boot=world.domain(16, "64Gi", 16, "64Gi"))
    got = world.plan(obj, observed, after)
    assert _sizes(got) == (16, 16, "64Gi", "64Gi")
    assert got.actions == ()
    assert world.said(got, "Deferred")[1] == "RestartRequired"
    assert world.said(got, "PromotionsResolved")[1] == "PromotionOver"


@pytest.mark.parametrize(
    ("cpu", "memory", "expected"),
    [
        pytest.param("1", "512Mi", ("100m", "1", "780Mi"), id="small"),
        pytest.param("2", "2Gi", ("200m", "2", "2324Mi"), id="as-measured"),
        pytest.param("40", "64Gi", ("4", "40", "66116Mi"), id="large"),
    ],
)
def test_launcher_pod_takes_its_guest_and_the_overhead(cpu: str, memory: str, expected: tuple[str, str, str]) -> None:
    requests, limits, taken = expected
    assert vm_size.launcher(cpu, memory) == {
        "requests.cpu": requests,
        "limits.cpu": limits,
        "requests.memory": taken,
        "limits.memory": taken,
    }


def test_claim_with_a_file_system_asks_for_more_than_the_disk() -> None:
    assert vm_size.claim("10Gi") == "10894Mi"
    assert vm_size.claim("10Gi", block=True) == "10Gi"

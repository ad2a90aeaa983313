# SPDX-License-Identifier: Apache-2.0
"""The clones of a machine, step by step: from nothing to a peak and back, by the calendar and by load."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cairn.api.resources import PODMETRICS, VMPOOL, VOLUMESNAPSHOT, Obj
from cairn.vm.case import Base, Part
from cairn.vm.peak import peak
from unit.vm import peaks
from unit.vm.peaks import AUTOSCALE, NOW

BY_LOAD = peaks.svm(autoscale=AUTOSCALE, promotions=None)
"""One core is what a machine of it should use: half of two."""
SOURCE = "shop-peak-20261111115800"


def kinds(part: Part) -> list[str]:
    return [child.obj["kind"] for child in part.children]


def cores(count: int, each: str, base: str | None = None) -> Obj:
    clones = {f"virt-launcher-shop-peak-{number}": each for number in range(count)}
    return {"virt-launcher-shop": base or each} | clones


def test_machine_that_takes_no_part_has_nothing() -> None:
    assert peak(peaks.case(vm=peaks.svm(promotions=None))) == Part()


def test_machine_before_its_promotion_shows_that_none_are_needed() -> None:
    part = peak(peaks.case())

    assert part == Part(status={"clones": {"floor": 0, "ceiling": 0, "replicas": 0, "ready": 0}})


def test_raise_begins_with_a_snapshot_of_the_disk_in_use() -> None:
    part = peak(peaks.case(floor=20, ceiling=40))

    (action,) = part.actions
    made = action.args["snapshot"]
    assert made["metadata"]["name"] == "shop-peak-20261111120000"
    assert made["metadata"]["labels"] == {"vm.cairn.dev/disk-of": "shop"}, "a copy: it is not retained"
    assert made["metadata"]["annotations"]["vm.cairn.dev/by"] == "peak"
    assert made["spec"]["source"] == {"persistentVolumeClaimName": "shop-disk"}
    assert peaks.conditions(part) == {"ClonesReady": (False, "Progressing")}


@pytest.mark.parametrize(
    ("base", "taken"),
    [
        pytest.param(Base(), False, id="no machine"),
        pytest.param(Base(instance=peaks.instance()), False, id="no disk"),
        pytest.param(Base(instance=peaks.instance(ready=False, minutes=2), claim=peaks.claim()), False, id="booting"),
        pytest.param(Base(instance=peaks.instance(ready=False), claim=peaks.claim()), True, id="too busy to answer"),
    ],
)
def test_snapshot_waits_for_a_base_that_has_booted(base: Base, taken: bool) -> None:
    part = peak(peaks.case(floor=20, ceiling=40, base=base))

    assert bool(part.actions) == taken
    assert peaks.conditions(part)["ClonesReady"][1] == ("Progressing" if taken else "SourceNotReady")


def test_base_that_stays_busy_is_looked_at_when_it_is_copied_all_the_same() -> None:
    busy = Base(instance=peaks.instance(ready=False, minutes=2), claim=peaks.claim())
    part = peak(peaks.case(floor=20, ceiling=40, base=busy))

    assert part.actions == ()
    assert part.next == NOW + timedelta(minutes=3)


def test_snapshot_that_is_not_ready_is_waited_for() -> None:
    part = peak(peaks.case(peaks.live_snapshot(readyToUse=False), floor=20, ceiling=40))

    assert (part.actions, part.delete) == ((), ())


def test_snapshot_that_failed_is_named() -> None:
    failed = peaks.live_snapshot(readyToUse=False, error={"message": "driver says no"})
    part = peak(peaks.case(failed, floor=20, ceiling=40))

    (condition,) = part.conditions
    assert condition.reason == "SnapshotsMissing"
    assert condition.message == f"VolumeSnapshot {SOURCE} can't be taken: driver says no"


def test_snapshot_that_is_too_old_is_taken_anew() -> None:
    part = peak(peaks.case(peaks.live_snapshot(), floor=20, ceiling=40, now=NOW + timedelta(hours=2)))

    assert [ref.name for ref in part.delete] == [SOURCE]
    assert "take-snapshot" in peaks.deeds(part)


def test_pool_begins_with_a_burst() -> None:
    part = peak(peaks.case(peaks.live_snapshot(), floor=60, ceiling=60))

    (action,) = part.actions
    assert action.name == "create-pool"
    assert action.args["pool"]["spec"]["replicas"] == 20
    assert action.args["init"] is None


def test_pool_of_a_base_with_user_data_says_which_secret_becomes_which() -> None:
    vm = peaks.svm(cloudInit={"secretRef": {"name": "shop-user-data"}})
    part = peak(peaks.case(peaks.live_snapshot(), vm=vm, floor=1, ceiling=1))

    args = peaks.deeds(part)["create-pool"].args
    volumes = args["pool"]["spec"]["virtualMachineTemplate"]["spec"]["template"]["spec"]["volumes"]
    assert args["init"] == {"of": "shop-user-data", "secret": "shop-peak-init"}
    assert {"name": "cloudinit", "cloudInitNoCloud": {"secretRef": {"name": "shop-peak-init"}}} in volumes


def test_clones_come_up_by_bursts() -> None:
    standing = [peaks.live_snapshot(), peaks.live_pool(20), *peaks.members(12), *peaks.member(12, ready=False)]
    part = peak(peaks.case(*standing, floor=40, ceiling=40))

    assert peaks.deeds(part)["scale-clones"].args == {"pool": "shop-peak", "before": 20, "replicas": 32}
    assert kinds(part) == ["VirtualMachinePool"]
    assert part.status["clones"] == {"floor": 40, "ceiling": 40, "replicas": 13, "ready": 12, "source": SOURCE}
    (condition,) = part.conditions
    assert condition.message == "12 of 40 clones get traffic"


def test_clones_that_stand_are_left_alone() -> None:
    standing = [peaks.live_snapshot(), peaks.live_pool(3), *peaks.members(3)]
    part = peak(peaks.case(*standing, floor=3, ceiling=3))

    assert part.actions == ()
    assert part.delete == ()
    assert peaks.conditions(part) == {"ClonesReady": (True, "Ready")}


def test_after_the_window_traffic_goes_first_and_the_base_is_not_touched() -> None:
    standing = [peaks.live_snapshot(), peaks.live_pool(3), *peaks.members(3), peaks.launcher("shop", role="base")]
    part = peak(peaks.case(*standing))

    assert peaks.deeds(part)["take-traffic"].args == {
        "pods": [f"virt-launcher-shop-peak-{number}" for number in (2, 1, 0)],
        "since": peaks.ago(),
    }
    assert "scale-clones" not in peaks.deeds(part)
    assert part.status["clones"]["draining"] == "shop-peak-2"


def test_drained_clones_are_removed() -> None:
    drained = peaks.members(3, traffic=False, since=peaks.ago(seconds=61))
    part = peak(peaks.case(peaks.live_snapshot(), peaks.live_pool(3), *drained))

    assert peaks.deeds(part)["scale-clones"].args == {"pool": "shop-peak", "before": 3, "replicas": 0}


def test_drain_time_is_the_spec_s() -> None:
    drained = peaks.members(1, traffic=False, since=peaks.ago(seconds=20))
    standing = [peaks.live_snapshot(), peaks.live_pool(1), *drained]

    assert peak(peaks.case(*standing)).next == NOW + timedelta(seconds=40)
    assert peak(peaks.case(*standing, vm=BY_LOAD, missing=peaks.NO_METRICS)).next == NOW + timedelta(seconds=10)


def test_pool_goes_when_nothing_of_it_stands_and_then_its_snapshot() -> None:
    last = peak(peaks.case(peaks.live_snapshot(), peaks.live_pool(0)))
    assert (kinds(last), [ref.resource for ref in last.delete]) == ([], [VMPOOL])

    going = peaks.live_pool(0)
    going["metadata"]["deletionTimestamp"] = peaks.ago()
    assert peak(peaks.case(peaks.live_snapshot(), going)).delete == ()

    after = peak(peaks.case(peaks.live_snapshot()))
    assert [(ref.resource, ref.name) for ref in after.delete] == [(VOLUMESNAPSHOT, SOURCE)]


def test_pool_waits_for_machines_that_are_still_going() -> None:
    machine, _ = peaks.member(0)
    machine["metadata"]["deletionTimestamp"] = peaks.ago()
    part = peak(peaks.case(peaks.live_snapshot(), peaks.live_pool(0), machine))

    assert part.delete == ()


def test_snapshots_of_the_calendar_are_left_alone() -> None:
    part = peak(peaks.case(peaks.live_snapshot("shop-202611101900", by="schedule")))

    assert part.delete == ()


def test_freeze_removes_nothing_and_gives_traffic_back() -> None:
    standing = [peaks.live_pool(2), *peaks.member(0), *peaks.member(1, traffic=False, since=peaks.ago(minutes=5))]
    part = peak(peaks.case(*standing, frozen=NOW + timedelta(hours=1)))

    assert [action.name for action in part.actions] == ["give-traffic"]
    assert part.actions[0].args["pods"] == ["virt-launcher-shop-peak-1"]


def test_stopped_base_has_no_clones() -> None:
    vm = peaks.svm(powerState="Stopped")

    assert peak(peaks.case(vm=vm, floor=20, ceiling=40)).actions == ()
    part = peak(peaks.case(peaks.live_pool(1), *peaks.members(1), vm=vm, floor=20, ceiling=40))
    assert "take-traffic" in peaks.deeds(part)


def test_without_snapshots_in_the_cluster_it_says_what_to_do() -> None:
    part = peak(peaks.case(floor=20, ceiling=40, missing=(VOLUMESNAPSHOT,)))

    assert part.actions == ()
    (condition,) = part.conditions
    assert condition.reason == "SnapshotsMissing"
    assert "install the snapshot controller" in condition.message


def test_without_a_class_it_names_it_before_the_window() -> None:
    part = peak(peaks.case(classes=()))

    assert peaks.conditions(part) == {"ClonesReady": (False, "SnapshotsMissing")}


@pytest.mark.parametrize(
    ("base", "begins"),
    [
        pytest.param("1001m", True, id="more than it should"),
        pytest.param("1", False, id="just what it should"),
        pytest.param(None, False, id="not known"),
    ],
)
def test_first_clone_is_raised_by_the_base_s_load(base: str | None, begins: bool) -> None:
    used = {"virt-launcher-shop": base} if base else {}
    part = peak(peaks.case(vm=BY_LOAD, ceiling=10, cores=used))

    assert bool(part.actions) == begins
    assert part.next == NOW + timedelta(seconds=30)


def test_first_clone_that_was_begun_is_brought_to_its_end() -> None:
    part = peak(peaks.case(peaks.live_snapshot(), vm=BY_LOAD, ceiling=10, cores=cores(0, "100m")))

    assert peaks.deeds(part)["create-pool"].args["pool"]["spec"]["replicas"] == 1


def test_load_raises_nothing_above_the_ceiling() -> None:
    assert peak(peaks.case(vm=BY_LOAD, ceiling=0, cores=cores(0, "2"))).actions == ()


def test_clones_of_load_have_an_autoscaler_with_the_window_as_floor_and_ceiling() -> None:
    standing = [peaks.live_pool(20), *peaks.members(20)]
    used = cores(20, "1")
    part = peak(peaks.case(*standing, vm=BY_LOAD, floor=20, ceiling=40, cores=used))

    (scaler,) = [child.obj for child in part.children if child.obj["kind"] == "HorizontalPodAutoscaler"]
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (20, 40)
    assert scaler["spec"]["metrics"][0]["containerResource"]["target"]["averageValue"] == "1"
    assert part.actions == ()


def test_after_the_window_an_autoscaler_never_cuts_what_is_too_many() -> None:
    standing = [peaks.live_pool(20), *peaks.members(20)]
    part = peak(peaks.case(*standing, vm=BY_LOAD, ceiling=10, cores=cores(20, "1")))

    (scaler,) = [child.obj for child in part.children if child.obj["kind"] == "HorizontalPodAutoscaler"]
    assert scaler["spec"]["maxReplicas"] == 20
    assert len(peaks.deeds(part)["take-traffic"].args["pods"]) == 10


@pytest.mark.parametrize(
    ("each", "note", "expected"),
    [
        pytest.param("100m", None, {"note-load": f"{peaks.ago()}/0"}, id="low load is noted"),
        pytest.param("100m", f"{peaks.ago(minutes=4)}/0", {}, id="and waited with"),
        pytest.param("900m", f"{peaks.ago(minutes=4)}/0", {"note-load": None}, id="a note is taken back"),
        pytest.param("100m", f"{peaks.ago(minutes=5)}/1", {"take-traffic": 2}, id="those not needed for minutes go"),
        pytest.param(
            "500m", f"{peaks.ago(minutes=5)}/1", {"note-load": f"{peaks.ago(minutes=5)}/2", "take-traffic": 1}
        ),
    ],
)
def test_clones_go_by_low_load(each: str, note: str | None, expected: dict[str, Any]) -> None:
    notes = {"vm.cairn.dev/low-load": note} if note else {}
    standing = [peaks.live_pool(3, **notes), *peaks.members(3)]
    part = peak(peaks.case(*standing, vm=BY_LOAD, ceiling=10, cores=cores(3, each)))

    found = {
        name: action.args.get("note", len(action.args.get("pods", ()))) for name, action in peaks.deeds(part).items()
    }
    assert found == expected


def test_clones_stay_while_metrics_are_not_to_be_had() -> None:
    notes = {"vm.cairn.dev/low-load": f"{peaks.ago(minutes=9)}/0"}
    standing = [peaks.live_pool(3, **notes), *peaks.members(3)]
    part = peak(peaks.case(*standing, vm=BY_LOAD, ceiling=10))

    assert [action.name for action in part.actions] == ["note-load"]
    assert peaks.conditions(part)["Autoscaling"] == (None, "Waiting")


def test_clones_stay_while_the_base_does_not_run() -> None:
    notes = {"vm.cairn.dev/low-load": f"{peaks.ago(minutes=9)}/0"}
    standing = [peaks.live_pool(3, **notes), *peaks.members(3)]
    part = peak(peaks.case(*standing, vm=BY_LOAD, ceiling=10, cores=cores(3, "10m"), base=Base(claim=peaks.claim())))

    assert "take-traffic" not in peaks.deeds(part)


def test_cluster_without_metrics_goes_by_the_calendar_alone_and_says_so() -> None:
    vm = peaks.svm(autoscale=AUTOSCALE)
    standing = [peaks.live_snapshot(), peaks.live_pool(20), *peaks.members(20)]
    inside = peak(peaks.case(*standing, vm=vm, floor=20, ceiling=40, missing=(PODMETRICS,)))
    outside = peak(peaks.case(*standing, vm=vm, ceiling=10, missing=(PODMETRICS,)))

    assert peaks.conditions(inside) == {"ClonesReady": (True, "Ready"), "Autoscaling": (False, "MetricsMissing")}
    assert kinds(inside) == ["VirtualMachinePool"]
    assert len(peaks.deeds(outside)["take-traffic"].args["pods"]) == 20


@pytest.mark.parametrize("gone", [True, False], ids=["served no more", "no answer"])
@pytest.mark.parametrize("promotion", ["", "Promotion/double-11"])
def test_clones_that_load_raised_stay_when_metrics_vanish(gone: bool, promotion: str) -> None:
    was = {"vm.cairn.dev/promotion": promotion} if promotion else {}
    standing = [peaks.live_scaler(**was), peaks.live_pool(7), *peaks.members(7)]
    away: dict[str, Any] = {"missing": peaks.NO_METRICS} if gone else {"unread": True}
    part = peak(peaks.case(*standing, vm=BY_LOAD, floor=2, ceiling=10, reason=promotion, **away))

    assert part.actions == ()
    assert kinds(part) == ["VirtualMachinePool", "HorizontalPodAutoscaler"]
    assert peaks.conditions(part)["Autoscaling"] == (False, "MetricsMissing")
    assert "stays" in part.conditions[-1].message


def test_clones_that_load_raised_go_with_the_promotion_when_metrics_are_served_no_more() -> None:
    standing = [peaks.live_scaler(**{"vm.cairn.dev/promotion": "Promotion/double-11"}), peaks.live_pool(7)]
    part = peak(peaks.case(*standing, *peaks.members(7), vm=BY_LOAD, ceiling=10, missing=peaks.NO_METRICS))

    assert len(peaks.deeds(part)["take-traffic"].args["pods"]) == 7
    assert kinds(part) == ["VirtualMachinePool"]


def test_autoscaler_notes_the_promotion_that_is_on() -> None:
    standing = [peaks.live_pool(7), *peaks.members(7)]
    part = peak(peaks.case(*standing, vm=BY_LOAD, ceiling=10, reason="Promotion/double-11", cores=cores(7, "1")))

    scaler = part.children[1].obj
    assert scaler["metadata"]["annotations"] == {"vm.cairn.dev/promotion": "Promotion/double-11"}


def test_pool_that_can_make_no_more_says_why() -> None:
    pool = peaks.live_pool(3)
    pool["status"] = {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]}
    part = peak(peaks.case(pool, *peaks.members(1), floor=3, ceiling=3))

    assert part.conditions[0].message == "1 of 3 clones get traffic; KubeVirt says: exceeded quota"


def test_autoscaler_is_dropped_with_autoscale() -> None:
    scaler = peaks.live_scaler()
    part = peak(peaks.case(scaler, peaks.live_pool(3), *peaks.members(3), floor=3, ceiling=3))

    assert kinds(part) == ["VirtualMachinePool"]

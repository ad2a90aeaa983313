# SPDX-License-Identifier: Apache-2.0
"""snapshot, restore and clone, from the first pass to the last."""

from __future__ import annotations

from typing import Any, cast

import pytest

from cairn.api.resources import DATAVOLUME, SELLERVM, VOLUMESNAPSHOT, Obj
from cairn.api.sellervm import SellerVM
from cairn.engine.kind import Io
from cairn.operation.disks import next_disk
from unit.operation.world import KIND, World, instance, machine, operation, ready, said, volume_snapshot


async def test_snapshot_is_the_machines_and_kept() -> None:
    world = World(operation("snapshot"), machine())
    await world.turns(many=2)
    made = world[VOLUMESNAPSHOT, "deed"]
    assert made["spec"] == {"source": {"persistentVolumeClaimName": "web-disk"}}
    assert made["metadata"]["labels"] == {"vm.cairn.dev/disk-of": "web", "cairn.dev/retain": "true"}
    assert made["metadata"]["annotations"] == {
        "vm.cairn.dev/by": "operation",
        "cairn.dev/operation": "uid-deed",
        "vm.cairn.dev/consistency": "Crash",
    }
    assert set(world.owners.values()) == {"SellerVM"}
    assert said(await world.turn())[0] == "Running"
    made["status"] = {"readyToUse": True}
    done = await world.turn()
    assert said(done)[0] == "Succeeded"
    assert done["status"]["result"] == {"snapshot": "deed"}
    assert world.writes == ["create VolumeSnapshot deed"]


async def test_snapshot_by_the_name_that_was_asked_for() -> None:
    world = World(operation("snapshot", args={"name": "before-sale"}), machine())
    await world.turns()
    assert world.writes == ["create VolumeSnapshot before-sale"]


async def test_snapshot_of_a_name_that_is_taken_fails_and_touches_nothing() -> None:
    world = World(operation("snapshot", args={"name": "web-1"}), machine(), volume_snapshot("web-1"))
    assert said(await world.turns())[:2] == ("Failed", "Conflict")
    assert world.writes == []


async def test_snapshot_that_is_never_ready_ends() -> None:
    world = World(operation("snapshot"), machine())
    await world.turns()
    world[VOLUMESNAPSHOT, "deed"]["status"] = {"error": {"message": "no room"}}
    world.after(minutes=15)
    phase, _, message = said(await world.turn())
    assert phase == "Failed"
    assert "15 min" in message
    assert "no room" in message


@pytest.mark.parametrize("action", ["snapshot", "restore", "clone"])
async def test_cluster_without_snapshots_is_named(action: str) -> None:
    args = {"restore": {"snapshot": "web-1"}, "clone": {"name": "web-2"}}.get(action, {})
    world = World(operation(action, args=args), machine(powerState="Stopped"), missing=(VOLUMESNAPSHOT,))
    assert said(await world.turn())[:2] == ("Failed", "SnapshotsMissing")


def restore(snapshot: str = "web-1") -> Obj:
    return operation("restore", args={"snapshot": snapshot}, confirm="web")


async def test_restore_makes_a_new_disk_beside_the_old_one() -> None:
    world = World(restore(), machine(powerState="Stopped"), volume_snapshot())
    await world.turns()
    made = world[DATAVOLUME, "web-disk-r1"]
    assert made["spec"]["source"] == {"snapshot": {"namespace": "seller-2088", "name": "web-1"}}
    assert made["metadata"]["labels"] == {"vm.cairn.dev/disk-of": "web", "cairn.dev/retain": "true"}
    assert set(world.owners.values()) == {"SellerVM"}
    made["status"] = {"phase": "Succeeded"}
    assert said(await world.turn())[0] == "Running"  # the machine has not taken it yet
    disks = [{"name": "web-disk", "inUse": False}, {"name": "web-disk-r1", "inUse": True}]
    world[SELLERVM, "web"]["status"]["disks"] = disks
    done = await world.turn()
    assert said(done) == ("Succeeded", "Succeeded", "SellerVM web has disk web-disk-r1 now; web-disk is kept")
    assert done["status"]["result"] == {"disk": "web-disk-r1", "replaced": "web-disk"}
    assert world.writes == ["create DataVolume web-disk-r1"]


async def test_restore_of_a_running_machine_says_stop_it_first() -> None:
    world = World(restore(), machine(), volume_snapshot(), instance())
    phase, reason, message = said(await world.turns())
    assert (phase, reason) == ("Failed", "Failed")
    assert "stop it first" in message
    assert world.writes == []


async def test_restore_waits_until_the_guest_is_down() -> None:
    world = World(restore(), machine(powerState="Stopped"), volume_snapshot(), instance())
    assert "going down" in said(await world.turn())[2]


@pytest.mark.parametrize(
    ("snapshot", "told"),
    [
        pytest.param(volume_snapshot("other"), "does not exist", id="missing"),
        pytest.param(volume_snapshot(of="shop"), "not of SellerVM web", id="of-another-machine"),
    ],
)
async def test_restore_from_a_wrong_snapshot_names_it(snapshot: Obj, told: str) -> None:
    world = World(restore(), machine(powerState="Stopped"), snapshot)
    phase, _, message = said(await world.turn())
    assert phase == "Failed"
    assert told in message


async def test_restore_waits_for_a_snapshot_that_is_not_ready() -> None:
    world = World(restore(), machine(powerState="Stopped"), volume_snapshot(whole=False))
    assert said(await world.turn())[:2] == ("Waiting", "SourceNotReady")


async def test_restore_of_a_machine_that_is_started_before_its_disk_is_begun_makes_none() -> None:
    """It would write on the old disk, and find itself on the new one after a restart."""
    world = World(restore(), machine(powerState="Stopped"), volume_snapshot())
    await world.turn()
    world[SELLERVM, "web"]["spec"]["powerState"] = "Running"
    phase, _, message = said(await world.turn())
    assert phase == "Failed"
    assert "keeps web-disk" in message
    assert world.writes == []


async def test_restore_that_fails_takes_its_disk_away() -> None:
    world = World(restore(), machine(powerState="Stopped"), volume_snapshot())
    await world.turns()
    world[DATAVOLUME, "web-disk-r1"]["status"] = {"phase": "Failed"}
    phase, _, message = said(await world.turn())
    assert phase == "Failed"
    assert "The machine keeps web-disk" in message
    failed = await world.turns()
    assert said(failed)[0] == "Failed"
    assert world.writes[1:] == ["patch DataVolume web-disk-r1", "delete DataVolume web-disk-r1"]


async def test_restore_deleted_in_the_middle_takes_its_disk_away_and_goes() -> None:
    world = World(restore(), machine(powerState="Stopped"), volume_snapshot())
    op = await world.turns()
    op["metadata"]["deletionTimestamp"] = "2026-11-22T12:00:00Z"
    assert not world.plan().released
    await world.turn()
    assert world.writes[-1] == "delete DataVolume web-disk-r1"
    assert world.plan().released


async def test_restore_deleted_when_its_disk_is_whole_leaves_it() -> None:
    world = World(restore(), machine(powerState="Stopped"), volume_snapshot())
    op = await world.turns()
    world[DATAVOLUME, "web-disk-r1"]["status"] = {"phase": "Succeeded"}
    op["metadata"]["deletionTimestamp"] = "2026-11-22T12:00:00Z"
    assert world.plan().released
    assert world.plan().actions == ()


async def test_disk_that_became_whole_after_the_plan_was_made_is_left() -> None:
    world = World(restore(), machine(powerState="Stopped"), volume_snapshot())
    op = await world.turns()
    op["metadata"]["deletionTimestamp"] = "2026-11-22T12:00:00Z"
    seen = world.observe(op)
    (undo,) = KIND.plan(op, seen, world.now).actions
    world[DATAVOLUME, "web-disk-r1"]["status"] = {"phase": "Succeeded"}
    await KIND.act(undo, op, seen, cast(Io, world))
    assert world[DATAVOLUME, "web-disk-r1"]
    assert not any(write.startswith("delete") for write in world.writes)


def test_next_disk_counts_restores() -> None:
    assert next_disk("web", "web-disk") == "web-disk-r1"
    assert next_disk("web", "web-disk-r9") == "web-disk-r10"


async def test_clone_is_a_machine_as_its_user_would_write_it() -> None:
    spec: dict[str, Any] = {
        "ports": [{"name": "web", "port": 80}],
        "expose": {"host": "shop.example.com", "port": "web"},
        "promotions": [{"name": "double-11"}],
        "autoscale": {"clones": {"max": 3}},
        "snapshots": {"schedule": "0 3 * * *", "keep": {"last": 2}},
        "disk": {"size": "40Gi"},
        "adopt": True,
    }
    world = World(operation("clone", args={"name": "web-2"}), machine(**spec))
    await world.turns(many=2)
    made = world[SELLERVM, "web-2"]
    assert made["spec"] == {
        "planRef": {"name": "vm.medium"},
        "image": {"fromVM": "web"},
        "disk": {"size": "40Gi"},
        "ports": [{"name": "web", "port": 80}],
    }
    assert "labels" not in made["metadata"]
    SellerVM.model_validate(made)
    assert said(await world.turn())[0] == "Running"
    world.put(ready(made))
    done = await world.turn()
    assert said(done) == ("Succeeded", "Succeeded", "SellerVM web-2 runs")
    assert done["status"]["result"] == {"machine": "web-2"}
    assert world.writes == ["create SellerVM web-2"]


async def test_clone_of_a_name_that_is_taken_fails_and_touches_nothing() -> None:
    world = World(operation("clone", args={"name": "web-2"}), machine(), machine("web-2"))
    assert said(await world.turns())[:2] == ("Failed", "Conflict")
    assert world.writes == []


async def test_clone_that_can_never_come_up_fails_with_its_words() -> None:
    world = World(operation("clone", args={"name": "web-2"}), machine())
    await world.turns()
    new = ready(world[SELLERVM, "web-2"], status="False", reason="InvalidSpec", message="no", stalled=True)
    world.put(new)
    assert said(await world.turn())[0] == "Failed"

# SPDX-License-Identifier: Apache-2.0
"""The machine's disk: grown, kept, taken over, given up only when asked for in so many words."""

from __future__ import annotations

from typing import Any

import pytest

from cairn.api.resources import PVC, VOLUMESNAPSHOT, Obj, Ref
from cairn.engine.kind import Observed
from cairn.vm.act import act
from cairn.vm.kind import SellerVMKind
from unit.vm import machine_world as world


def _actions(of: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(action.name, dict(action.args)) for action in of.actions]


def test_larger_disk_grows_its_claim_by_as_much_as_the_file_system_needs() -> None:
    got = world.plan(world.vm(disk={"size": "20Gi"}), world.standing())
    assert _actions(got) == [("grow-disk", {"claim": "shop-disk", "size": "21788Mi"})]
    assert world.child(got, "DataVolume")["spec"] == world.data_volume()["spec"]
    assert world.said(got, "DiskResized")[:2] == (False, "Progressing")
    grown = world.claim(size="21788Mi")
    assert world.plan(world.vm(disk={"size": "20Gi"}), world.standing(persistentvolumeclaim=grown)).actions == ()
    grown["status"]["capacity"]["storage"] = "10894Mi"
    resizing = world.plan(world.vm(disk={"size": "20Gi"}), world.standing(persistentvolumeclaim=grown))
    assert resizing.actions == ()
    assert "grows from 10894Mi to 21788Mi" in world.said(resizing, "DiskResized")[2]


def test_block_claim_grows_to_just_the_disk() -> None:
    block = world.claim(size="10Gi")
    block["spec"]["volumeMode"] = "Block"
    got = world.plan(world.vm(disk={"size": "20Gi"}), world.standing(persistentvolumeclaim=block))
    assert _actions(got) == [("grow-disk", {"claim": "shop-disk", "size": "20Gi"})]


def test_claim_that_cdi_made_larger_by_another_overhead_is_left_alone() -> None:
    got = world.plan(world.vm(), world.standing(persistentvolumeclaim=world.claim(size="12Gi")))
    assert got.actions == ()
    assert world.condition(got, "DiskResized") is None


@pytest.mark.parametrize(
    ("size", "refs", "reason", "words"),
    [
        pytest.param(
            "20Gi", (world.storage_class(expands=False),), "StorageClassCannotGrow", "StorageClass fast", id="class"
        ),
        pytest.param(
            "20Gi",
            (world.quota({"requests.storage": "12Gi"}, requests_storage="10894Mi"),),
            "QuotaExceeded",
            "10894Mi of 12Gi are used",
            id="quota",
        ),
        pytest.param("5Gi", (), "StorageShrinkRefused", "spec.disk.size: 5Gi is less", id="smaller"),
    ],
)
def test_disk_that_can_not_change_says_why_and_stays(size: str, refs: Any, reason: str, words: str) -> None:
    there = world.standing()
    observed = world.seen(*there.children.values(), refs=(world.volume(), world.storage_class(), *refs))
    got = world.plan(world.vm(disk={"size": size}), observed)
    assert got.actions == ()
    state = world.condition(got, "DiskResized")
    assert state is not None
    assert state[:2] == (False, reason)
    assert words in state[2]
    assert world.condition(got, "Ready") == (True, "Ready", "")


def test_volume_behind_the_claim_is_kept() -> None:
    refs = (world.volume("Delete"),)
    there = world.standing()
    got = world.plan(world.vm(), world.seen(*there.children.values(), refs=(world.storage_class(), *refs)))
    assert _actions(got) == [("reclaim", {"volume": "pv-shop-disk", "claim": "shop-disk", "policy": "Retain"})]
    stolen = world.volume("Delete")
    stolen["spec"]["claimRef"]["uid"] = "of-another"
    got = world.plan(world.vm(), world.seen(*there.children.values(), refs=(world.storage_class(), stolen)))
    assert got.actions == ()


def test_finished_disk_is_marked_so_that_cdi_never_makes_its_claim_anew() -> None:
    young = world.data_volume()
    del young["metadata"]["annotations"]
    got = world.child(world.plan(world.vm(), world.standing(datavolume=young)), "DataVolume")
    assert got["metadata"]["annotations"] == {"cdi.kubevirt.io/storage.prePopulated": "shop-disk"}
    assert "annotations" not in world.child(world.plan(world.vm(), world.seen()), "DataVolume")["metadata"]


@pytest.mark.parametrize("left", ["nothing", "the-data-volume"])
def test_lost_claim_is_said_and_no_empty_disk_is_made_in_its_place(left: str) -> None:
    status = {"disks": [{"name": "shop-disk", "inUse": True, "phase": "Succeeded"}]}
    got = world.plan(world.vm(status), world.seen(*([world.data_volume()] if left != "nothing" else [])))
    state = world.condition(got, "Ready")
    assert state is not None
    assert state[1] == "VolumeLost"
    assert "kubectl get pv" in state[2]
    assert got.children == ()
    assert got.hold


def test_disk_that_was_never_finished_is_begun_again() -> None:
    status = {"disks": [{"name": "shop-disk", "inUse": True, "phase": "ImportInProgress"}]}
    assert "DataVolume/shop-disk" in world.kinds(world.plan(world.vm(status), world.seen()))


@pytest.mark.parametrize("adopt", [True, False])
def test_disk_of_an_earlier_machine_is_taken_over_only_when_asked_for(adopt: bool) -> None:
    earlier = (world.data_volume("uid-0"), world.claim("uid-0"))
    got = world.plan(world.vm(adopt=adopt), world.seen(*earlier))
    if not adopt:
        assert world.said(got, "Ready")[1] == "DataExists"
        assert got.children == ()
        return
    assert "VirtualMachine/shop" in world.kinds(got)
    disk = next(child for child in got.children if child.obj["kind"] == "DataVolume")
    assert disk.adopt
    assert disk.retain
    alone = world.plan(world.vm(adopt=True), world.seen(world.claim("uid-0")))
    assert "DataVolume/shop-disk" not in world.kinds(alone)
    assert "spec" not in world.child(alone, "PersistentVolumeClaim")


def test_last_restored_disk_is_used_at_the_next_start_and_the_others_are_kept() -> None:
    names = ("shop-disk-r1", "shop-disk-r2", "shop-disk-r10")
    restored = [world.data_volume(name=name) for name in names] + [world.claim(name=name) for name in names]
    running = world.standing()
    got = world.plan(world.vm(), world.seen(*running.children.values(), *restored, refs=(world.storage_class(),)))
    assert _disk(got) == "shop-disk"
    assert "the disk" in world.said(got, "Deferred")[2]
    stopped = [obj for obj in running.children.values() if obj["kind"] not in ("VirtualMachineInstance", "Pod")]
    got = world.plan(world.vm(), world.seen(*stopped, *restored, refs=(world.storage_class(),)))
    assert _disk(got) == "shop-disk-r10"
    assert [(disk["name"], disk["inUse"]) for disk in got.status["disks"]] == [
        ("shop-disk", False),
        ("shop-disk-r1", False),
        ("shop-disk-r2", False),
        ("shop-disk-r10", True),
    ]
    assert got.delete == ()


def _disk(of: Any) -> str:
    volumes = world.child(of, "VirtualMachine")["spec"]["template"]["spec"]["volumes"]
    return str(volumes[0]["persistentVolumeClaim"]["claimName"])


GOING = {"deletionTimestamp": "2026-11-22T11:58:07Z"}
CONFIRMED = GOING | {"annotations": {"cairn.dev/confirm-delete": "shop"}}


def test_deleted_machine_keeps_its_disk() -> None:
    got = world.plan(world.vm(meta=GOING), world.standing())
    assert got.released
    assert got.hold
    assert got.delete == ()


def test_deletion_of_the_disk_wants_its_name_and_gives_up_the_volume_first() -> None:
    asked = world.plan(world.vm(meta=GOING, deletionPolicy="Delete"), world.standing())
    assert asked.delete == ()
    assert not asked.released
    assert "cairn.dev/confirm-delete=shop" in world.said(asked, "Ready")[2]
    obj = world.vm(meta=CONFIRMED, deletionPolicy="Delete")
    first = world.plan(obj, world.standing())
    assert _actions(first) == [("reclaim", {"volume": "pv-shop-disk", "claim": "shop-disk", "policy": "Delete"})]
    assert first.delete == ()
    there = world.standing()
    second = world.plan(obj, world.seen(*there.children.values(), refs=(world.volume("Delete"),)))
    assert set(second.delete) == set(world.DISK_REFS)
    assert not second.hold
    assert world.plan(obj, world.seen()).released


def test_deletion_leaves_the_disk_of_an_earlier_machine() -> None:
    got = world.plan(
        world.vm(meta=CONFIRMED, deletionPolicy="Delete"), world.seen(world.data_volume("uid-0"), world.claim("uid-0"))
    )
    assert got.released
    assert got.delete == ()


def _snapshot(name: str = "shop-20261122115807", **status: Any) -> Obj:
    live = {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {"name": name, "namespace": world.NAMESPACE},
        "spec": {"source": {"persistentVolumeClaimName": "shop-disk"}},
        "status": status,
    }
    return world.owned(live, retain=True)


def test_deletion_with_a_snapshot_stops_takes_waits_and_deletes() -> None:
    obj = world.vm(meta=GOING, deletionPolicy="Snapshot")
    there = world.standing()
    stopping = world.plan(obj, there)
    assert stopping.children == ()
    assert not stopping.hold
    assert stopping.delete == ()
    disk = (world.data_volume(), world.claim())
    taking = world.plan(obj, world.seen(*disk, refs=(world.volume(),)))
    assert world.kinds(taking) == ["VolumeSnapshot/shop-20261122115807"]
    assert taking.children[0].retain
    assert world.child(taking, "VolumeSnapshot")["metadata"]["annotations"]["vm.cairn.dev/by"] == "delete"
    assert taking.delete == ()
    waiting = world.plan(obj, world.seen(*disk, _snapshot(readyToUse=False), refs=(world.volume(),)))
    assert waiting.delete == ()
    giving = world.plan(obj, world.seen(*disk, _snapshot(readyToUse=True), refs=(world.volume(),)))
    assert [name for name, _ in _actions(giving)] == ["reclaim"]
    deleting = world.plan(obj, world.seen(*disk, _snapshot(readyToUse=True), refs=(world.volume("Delete"),)))
    assert set(deleting.delete) == set(world.DISK_REFS)
    gone = world.plan(obj, world.seen(_snapshot(readyToUse=True)))
    assert gone.released


def test_deletion_in_the_minute_of_a_scheduled_snapshot_takes_one_of_its_own() -> None:
    """The schedule's is of the guest while it still ran."""
    scheduled = _snapshot("shop-202611221158", readyToUse=True)
    observed = world.seen(world.data_volume(), world.claim(), scheduled, refs=(world.volume("Delete"),))
    got = world.plan(world.vm(meta=GOING, deletionPolicy="Snapshot"), observed)
    assert got.delete == ()
    assert world.kinds(got) == ["VolumeSnapshot/shop-20261122115807"]


def test_deletion_with_a_snapshot_while_a_restore_fills_another_disk_loses_neither_disk() -> None:
    obj = world.vm(meta=GOING, deletionPolicy="Snapshot")
    old = (world.data_volume(), world.claim())
    begun = (world.data_volume(name="shop-disk-r1", phase="CloneInProgress"), world.claim(name="shop-disk-r1"))
    taking = world.plan(obj, world.seen(*old, *begun, refs=(world.volume("Delete"),)))
    assert taking.delete == ()
    assert taking.actions == ()
    assert world.kinds(taking) == ["VolumeSnapshot/shop-20261122115807"]
    ready = _snapshot(readyToUse=True)
    deleting = world.plan(obj, world.seen(*old, *begun, ready, refs=(world.volume("Delete"),)))
    assert {ref.name for ref in deleting.delete} == {"shop-disk", "shop-disk-r1"}


def test_deletion_with_a_snapshot_takes_one_of_every_disk_that_restores_left() -> None:
    obj = world.vm(meta=GOING, deletionPolicy="Snapshot")
    new = (world.data_volume(name="shop-disk-r1"), world.claim(name="shop-disk-r1"))
    there = (world.data_volume(), world.claim(), *new)
    taking = world.plan(obj, world.seen(*there, _snapshot(readyToUse=True), refs=(world.volume("Delete"),)))
    assert taking.delete == ()
    assert world.kinds(taking) == ["VolumeSnapshot/shop-20261122115807", "VolumeSnapshot/shop-20261122115807-r1"]


@pytest.mark.parametrize("trouble", ["failed", "missing"])
def test_disk_whose_snapshot_fails_is_kept(trouble: str) -> None:
    obj = world.vm(meta=GOING, deletionPolicy="Snapshot")
    disk = (world.data_volume(), world.claim())
    if trouble == "failed":
        observed = world.seen(*disk, _snapshot(error={"message": "no default class"}), refs=(world.volume("Delete"),))
    else:
        observed = world.seen(*disk, refs=(world.volume("Delete"),), missing=(VOLUMESNAPSHOT,))
    got = world.plan(obj, observed)
    assert got.delete == ()
    assert not got.released
    assert "Retain" in world.said(got, "Ready")[2]


def test_namespace_that_goes_holds_nobody_up() -> None:
    home = world.namespace()
    home["metadata"]["deletionTimestamp"] = "2026-11-22T11:00:00Z"
    there = world.standing()
    observed = world.seen(*there.children.values(), refs=(home, world.volume("Delete")))
    got = world.plan(world.vm(meta=CONFIRMED, deletionPolicy="Delete"), observed)
    assert got.released
    assert got.delete == ()
    assert [args["policy"] for _, args in _actions(got)] == ["Retain"]


class _Io:
    """Records what a deed asks for."""

    def __init__(self, claim: Obj | None) -> None:
        self.claim = claim
        self.calls: list[tuple[Any, ...]] = []

    async def get(self, ref: Ref) -> Obj | None:
        return self.claim

    async def patch(self, ref: Ref, body: Obj, *_: Any) -> Obj:
        self.calls.append(("patch", ref.name, body))
        return body

    async def delete(self, ref: Ref, uid: str) -> None:
        self.calls.append(("delete", ref.resource.kind, ref.name, uid))

    async def reclaim(self, volume: str, claim: Ref, policy: str) -> None:
        self.calls.append(("reclaim", volume, claim.name, policy))


async def _done(obj: Obj, observed: Observed, claim: Obj | None = None) -> list[tuple[Any, ...]]:
    io, kind = _Io(claim), SellerVMKind(world.PLATFORM)
    for action in kind.plan(obj, observed, world.NOW).actions:
        await kind.act(action, obj, observed, io)  # type: ignore[arg-type]
    return io.calls


async def test_deeds_do_what_the_plan_says_and_nothing_twice() -> None:
    larger = world.vm(disk={"size": "20Gi"})
    body = {"spec": {"resources": {"requests": {"storage": "21788Mi"}}}}
    assert await _done(larger, world.standing(), world.claim()) == [("patch", "shop-disk", body)]
    assert await _done(larger, world.standing(), world.claim(size="21788Mi")) == []
    assert await _done(larger, world.standing(), None) == []
    confirmed = world.vm(meta=CONFIRMED, deletionPolicy="Delete")
    assert await _done(confirmed, world.standing()) == [("reclaim", "pv-shop-disk", "shop-disk", "Delete")]
    assert act is not None
    assert PVC in {ref.resource for ref in world.DISK_REFS}

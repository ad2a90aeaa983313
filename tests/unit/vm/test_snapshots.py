# SPDX-License-Identifier: Apache-2.0
"""Snapshots by the calendar: the newest due moment once, what is kept, and what keeps them away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from cairn.api.platform import Platform
from cairn.api.resources import Obj
from cairn.api.sellervm import Snapshots
from cairn.vm.case import Base
from cairn.vm.snapshots import Due, due, snapshots
from unit.vm import peaks

NIGHTLY: Obj = {"schedule": "0 3 * * *", "timeZone": "Asia/Shanghai", "keep": {"last": 2}}


def vm(keep: Obj | None = None, **spec: Any) -> Any:
    schedule = NIGHTLY | ({"keep": keep} if keep else {}) | spec
    return peaks.svm(promotions=None, snapshots=schedule)


def taken(name: str, *, days: float = 0, by: str = "schedule", **status: Any) -> Obj:
    at = {"creationTime": peaks.ago(days=days)}
    return peaks.live_snapshot(name, by=by, **(at | status))


FAILED: Obj = {"readyToUse": False, "error": {"message": "driver says no"}}


def test_newest_due_moment_is_taken_once_by_its_name_in_utc() -> None:
    part = snapshots(peaks.case(vm=vm()))

    made = peaks.deeds(part)["take-snapshot"].args["snapshot"]
    assert made["metadata"]["name"] == "shop-202611101900", "3:00 in Shanghai"
    assert made["metadata"]["labels"] == {"vm.cairn.dev/disk-of": "shop", "cairn.dev/retain": "true"}
    assert made["metadata"]["annotations"] == {"vm.cairn.dev/by": "schedule", "vm.cairn.dev/consistency": "Crash"}
    assert made["spec"] == {"source": {"persistentVolumeClaimName": "shop-disk"}}
    assert part.next == datetime(2026, 11, 11, 19, tzinfo=UTC)


def test_moment_that_was_taken_is_done() -> None:
    part = snapshots(peaks.case(taken("shop-202611101900"), vm=vm()))

    assert part.actions == ()
    assert peaks.conditions(part) == {"SnapshotsScheduled": (True, "Ready")}


def test_name_that_an_operation_has_taken_is_not_asked_for_again_and_again() -> None:
    part = snapshots(peaks.case(taken("shop-202611101900", by="operation"), vm=vm()))

    assert part.actions == ()


def test_operator_that_was_down_for_a_week_takes_one() -> None:
    part = snapshots(peaks.case(taken("shop-202611031900", days=8), vm=vm()))

    assert len(part.actions) == 1


def test_moment_before_the_disk_was_made_is_not_due() -> None:
    claim = peaks.claim()
    claim["metadata"]["creationTimestamp"] = peaks.ago(hours=2)

    assert snapshots(peaks.case(vm=vm(), base=Base(claim=claim))).actions == ()


@pytest.mark.parametrize(
    "base",
    [
        pytest.param(Base(), id="no disk"),
        pytest.param(Base(claim=peaks.claim() | {"status": {"phase": "Pending"}}), id="unbound"),
        pytest.param(
            Base(claim=peaks.claim(), volume={"status": {"phase": "ImportInProgress"}}), id="still being downloaded"
        ),
    ],
)
def test_disk_that_is_not_whole_is_not_taken(base: Base) -> None:
    assert snapshots(peaks.case(vm=vm(), base=base)).actions == ()


def test_moment_that_would_be_deleted_at_once_is_not_taken() -> None:
    monthly = vm({"days": 7}, schedule="0 3 1 * *")

    assert snapshots(peaks.case(vm=monthly)).actions == ()


@pytest.mark.parametrize(
    ("keep", "gone"),
    [
        pytest.param({"last": 2}, {"shop-1", "shop-2"}, id="the newest so many"),
        pytest.param({"days": 3}, {"shop-1"}, id="not older than"),
        pytest.param({"last": 3, "days": 1}, {"shop-1"}, id="what either keeps stays"),
        pytest.param({"last": 9}, set(), id="more than there are"),
    ],
)
def test_keep_prunes_scheduled_snapshots_alone(keep: Obj, gone: set[str]) -> None:
    standing = [
        taken("shop-1", days=5),
        taken("shop-2", days=2),
        taken("shop-3", days=1),
        taken("shop-4"),
        taken("by-hand", days=90, by="operation"),
        taken("shop-peak-1", days=90, by="peak"),
    ]
    foreign = taken("shop-0", days=90)
    foreign["metadata"]["labels"]["cairn.dev/owner-uid"] = "uid of an earlier machine"

    part = snapshots(peaks.case(*standing, foreign, vm=vm(keep)))

    assert {ref.name for ref in part.delete} == gone


def test_newest_good_one_stays_whatever_the_clock_says() -> None:
    part = snapshots(peaks.case(taken("shop-1", days=400), taken("shop-2", days=300), vm=vm({"days": 7})))

    assert {ref.name for ref in part.delete} == {"shop-1"}


def test_failed_one_is_said_kept_while_it_is_the_newest_and_not_counted() -> None:
    standing = [
        taken("shop-202611071900", days=4),
        taken("shop-202611081900", **FAILED),
        taken("shop-202611091900", days=2),
        taken("shop-202611101900", **FAILED),
    ]

    part = snapshots(peaks.case(*standing, vm=vm({"last": 2})))

    assert [ref.name for ref in part.delete] == ["shop-202611081900"]
    (condition,) = part.conditions
    assert (condition.status, condition.reason) == (False, "Failed")
    assert "shop-202611101900" in condition.message
    assert "driver says no" in condition.message


def test_last_snapshot_is_the_newest_good_one_of_any_hand() -> None:
    standing = [
        taken("shop-202611091900", days=2),
        taken("asked-for", days=1, by="operation"),
        taken("shop-peak-1", by="peak"),
        taken("shop-202611101900", **FAILED),
    ]

    part = snapshots(peaks.case(*standing, vm=vm()))

    assert part.status == {"lastSnapshot": {"name": "asked-for", "at": peaks.ago(days=1), "consistency": "Crash"}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"schedule": "0 25 * * *"}, 'spec.snapshots.schedule "0 25 * * *": bad hour', id="hour"),
        pytest.param({"schedule": "0 3 30 2 *"}, 'spec.snapshots.schedule "0 3 30 2 *": bad day-of-month', id="never"),
        pytest.param({"timeZone": "Asia/Atlantis"}, "spec.snapshots.timeZone: there is no", id="zone"),
        pytest.param({"timeZone": "Asia"}, "spec.snapshots.timeZone: there is no", id="a folder of zones"),
    ],
)
def test_bad_schedule_is_named_with_its_remedy(changes: Obj, words: str) -> None:
    (condition,) = snapshots(peaks.case(vm=vm(**changes))).conditions

    assert condition.reason == "InvalidSpec"
    assert condition.message.startswith(words)
    assert "write " in condition.message or "did you mean" in condition.message


@pytest.mark.parametrize(
    ("named", "classes", "words"),
    [
        pytest.param("fast", [peaks.snapshot_class()], "VolumeSnapshotClass fast, which", id="named and missing"),
        pytest.param(None, [peaks.snapshot_class(default=False)], "no VolumeSnapshotClass is the", id="no default"),
        pytest.param(None, [], "no VolumeSnapshotClass is the cluster's default", id="none at all"),
    ],
)
def test_missing_class_is_named(named: str | None, classes: list[Obj], words: str) -> None:
    platform = Platform.model_validate({"virtualMachines": {"snapshotClass": named}})

    part = snapshots(peaks.case(vm=vm(), classes=classes, platform=platform))

    assert part.actions == ()
    assert part.conditions[0].reason == "SnapshotsMissing"
    assert part.conditions[0].message.startswith(words)


YEARS = (datetime.fromisoformat("2024-01-01"), datetime.fromisoformat("2028-01-01"))
GAP = (datetime.fromisoformat("2026-03-28"), datetime.fromisoformat("2026-03-31"))
ZONES = ("UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia")
SCHEDULES = ("30 2 * * *", "0 3 * * *", "*/15 * * * *", "0 */6 * * *", "15 1 1 * *", "0 0 * * MON", "59 23 31 12 *")


@given(
    st.datetimes(*YEARS, timezones=st.just(UTC)),
    st.sampled_from(ZONES),
    st.sampled_from(SCHEDULES),
)
def test_due_is_what_counting_forward_from_long_before_finds(now: datetime, zone: str, expression: str) -> None:
    schedule = Snapshots.model_validate({"schedule": expression, "timeZone": zone, "keep": {"last": 1}})
    before = timedelta(days=3 if "*/" in expression else 400)
    newest, later = None, None
    for moment in CronSim(expression, (now - before).astimezone(ZoneInfo(zone)).replace(microsecond=0)):
        if moment.astimezone(UTC) > now:
            later = moment.astimezone(UTC)
            break
        newest = moment.astimezone(UTC)

    assert due(schedule, now) == Due(newest, later)


@given(st.datetimes(*GAP, timezones=st.just(UTC)))
def test_due_night_with_a_gap_has_one_moment(now: datetime) -> None:
    schedule = Snapshots.model_validate({"schedule": "30 2 * * *", "timeZone": "Europe/Berlin", "keep": {"last": 1}})
    found = due(schedule, now)

    assert isinstance(found, Due)
    assert found.newest is not None
    assert found.next is not None
    assert found.newest <= now < found.next
    assert timedelta(hours=22) <= found.next - found.newest <= timedelta(hours=26)


@pytest.mark.parametrize(("phase", "kept"), [("WaitForFirstConsumer", True), ("Succeeded", False)])
def test_snapshot_that_a_restore_still_makes_a_disk_from_is_kept(phase: str, kept: bool) -> None:
    source = {"snapshot": {"namespace": peaks.NAMESPACE, "name": "shop-202611011900"}}
    disk: Obj = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "spec": {"source": source}}
    disk["metadata"] = {"name": "shop-disk-r1", "namespace": peaks.NAMESPACE, "labels": dict(peaks.OWNED)}
    disk["status"] = {"phase": phase}
    newer = taken("shop-202611091900", days=2)
    part = snapshots(peaks.case(taken("shop-202611011900", days=10), newer, disk, vm=vm({"days": 7})))

    assert [ref.name for ref in part.delete] == ([] if kept else ["shop-202611011900"])

# SPDX-License-Identifier: Apache-2.0
"""Snapshots of a machine's disk by the calendar, and how many are kept. Pure.

Level-triggered: of the moments that are due only the newest counts, and it is done when a snapshot of its name stands.
An operator that was down takes one, not many; a schedule that is new takes its first at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cronsim import CronSim

from cairn.api import pods
from cairn.api.conditions import Condition, Reason
from cairn.api.resources import DATAVOLUME, VOLUMESNAPSHOT, VOLUMESNAPSHOTCLASS, Obj
from cairn.api.schedule import Keep
from cairn.api.sellervm import SellerVM, Snapshots
from cairn.calendar.cron import cron_problem, fires_after
from cairn.calendar.zones import zone
from cairn.engine.kind import Action, Observed, Want, Within
from cairn.vm.case import CONSISTENCY, Case, Part
from cairn.vm.clones import PEAK, disk_of, taken_by
from cairn.vm.moments import parse_moment, stamp
from cairn.vm.pool import snapshot

SCHEDULE = "schedule"
"""Value of the annotation `by` of the snapshots that this module takes and deletes; it deletes no others."""
DEFAULT_CLASS = "snapshot.storage.kubernetes.io/is-default-class"


CLOCK_CHANGE = timedelta(hours=3)
"""No clock is set by more, but where a whole day is skipped."""


@dataclass(frozen=True, slots=True)
class Due:
    """The newest moment of a schedule up to now, and the first one after; None where there is none."""

    newest: datetime | None
    next: datetime | None


def wants(vm: SellerVM, seen: Observed) -> Iterable[Want]:
    if vm.spec.snapshots and VOLUMESNAPSHOT not in seen.missing:
        yield Within(VOLUMESNAPSHOTCLASS, "")


def snapshots(case: Case) -> Part:
    standing = _standing(case)
    last = _last(standing)
    schedule = case.vm.spec.snapshots
    if schedule is None:
        return Part(status=last)
    moments = due(schedule, case.now)
    if isinstance(moments, str):
        return Part(status=last, conditions=(_said(False, Reason.INVALID_SPEC, moments),))
    if missing := class_missing(case):
        return Part(status=last, conditions=(_said(False, Reason.SNAPSHOTS_MISSING, missing),), next=moments.next)
    mine = [one for one in standing if taken_by(one) == SCHEDULE]
    return Part(
        status=last,
        conditions=_conditions(mine),
        actions=_take(case, schedule, moments.newest),
        next=min(filter(None, (moments.next, _expiry(schedule.keep, mine, case.now))), default=None),
        delete=tuple(
            case.ref(VOLUMESNAPSHOT, name)
            for one in pruned(mine, schedule.keep, case.now)
            if (name := one["metadata"]["name"]) not in _sources(case)
        ),
    )


def _sources(case: Case) -> frozenset[str]:
    """Snapshots that a restore's disk is still made from: storage may wait with it until the machine starts."""
    disks = (one for ref, one in case.observed.children.items() if ref.resource == DATAVOLUME)
    filling = (one for one in disks if ((one.get("status") or {}).get("phase")) != "Succeeded")
    sources = (((one.get("spec") or {}).get("source") or {}).get("snapshot") or {} for one in filling)
    return frozenset(str(source["name"]) for source in sources if "name" in source)


def due(schedule: Snapshots, now: datetime) -> Due | str:
    """When a snapshot is due; or what is wrong with the schedule, for its user."""
    field = "spec.snapshots"
    if wrong := cron_problem(f"{field}.schedule", schedule.schedule, f"{field}.timeZone", schedule.time_zone):
        return wrong
    local = now.astimezone(zone(schedule.time_zone)).replace(microsecond=0)
    # Backward to about there, then forward: backward leaves out what the clocks skip, forward is later by it.
    earlier = next(CronSim(schedule.schedule, local + timedelta(seconds=1), reverse=True), local)
    newest = None
    for moment in fires_after(schedule.schedule, schedule.time_zone, earlier - CLOCK_CHANGE):
        if moment > now:
            return Due(newest, moment)
        newest = moment
    return Due(newest, None)


def pruned(mine: Iterable[Obj], keep: Keep, now: datetime) -> tuple[Obj, ...]:
    """Those that neither `last` nor `days` keeps, and failed ones that another followed. The newest good one stays,
    whatever the clock says."""
    ordered = sorted(mine, key=lambda one: str(one["metadata"]["name"]), reverse=True)
    good = [one for one in ordered if is_ready(one)]
    kept = set(range(max(keep.last or 0, 1)))
    if keep.days is not None:
        kept |= {number for number, one in enumerate(good) if now - _at(one) <= timedelta(days=keep.days)}
    gone = [one for number, one in enumerate(good) if number not in kept]
    failed = [one for one in ordered if failure(one)]
    newest = good[0]["metadata"]["name"] if good else ""
    return (*gone, *(one for number, one in enumerate(failed) if number or one["metadata"]["name"] < newest))


def is_ready(one: Obj) -> bool:
    return bool((one.get("status") or {}).get("readyToUse"))


def failure(one: Obj) -> str:
    """What the snapshot controller or the driver complains about; empty where it does not."""
    message = ((one.get("status") or {}).get("error") or {}).get("message")
    if not message or is_ready(one):
        return ""
    return f"VolumeSnapshot {one['metadata']['name']} can't be taken: {message}"


def class_missing(case: Case) -> str:
    """What VolumeSnapshotClass is missing, with the remedy; empty where there is one."""
    classes = case.observed.within(VOLUMESNAPSHOTCLASS, "")
    named = case.platform.virtual_machines.snapshot_class
    if named:
        if any(one["metadata"]["name"] == named for one in classes):
            return ""
        return (
            f"VolumeSnapshotClass {named}, which the platform's virtualMachines.snapshotClass names, does not exist:"
            " the platform's admin has to make it, or name another"
        )
    if any((one["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true" for one in classes):
        return ""
    return (
        "no VolumeSnapshotClass is the cluster's default: the platform's admin has to annotate one with"
        f' {DEFAULT_CLASS}: "true", or name one in virtualMachines.snapshotClass'
    )


def _take(case: Case, schedule: Snapshots, moment: datetime | None) -> tuple[Action, ...]:
    made = parse_moment(((case.base.claim or {}).get("metadata") or {}).get("creationTimestamp"))
    if moment is None or made is None or moment < made or not _disk_whole(case):
        return ()
    name = f"{case.name}-{moment.astimezone(UTC):%Y%m%d%H%M}"
    if case.child(VOLUMESNAPSHOT, name) or _forgotten(schedule.keep, moment, case.now):
        return ()
    taken = snapshot(
        name,
        case.namespace,
        of=case.name,
        claim=case.disk,
        by=SCHEDULE,
        snapshot_class=case.platform.virtual_machines.snapshot_class,
    )
    taken["metadata"]["labels"]["cairn.dev/retain"] = "true"
    return (Action("take-snapshot", {"snapshot": taken}),)


def _disk_whole(case: Case) -> bool:
    phase = ((case.base.volume or {}).get("status") or {}).get("phase", "Succeeded")
    return phase == "Succeeded" and ((case.base.claim or {}).get("status") or {}).get("phase") == "Bound"


def _forgotten(keep: Keep, moment: datetime, now: datetime) -> bool:
    """Whether a snapshot of this moment would be deleted as soon as it stood, and then taken again."""
    return keep.last is None and keep.days is not None and now - moment > timedelta(days=keep.days)


def _standing(case: Case) -> list[Obj]:
    """Snapshots of this machine's disk; those that an earlier one of this name left only where it took them over."""
    adopts = case.vm.spec.adopt
    return [
        one
        for ref, one in case.observed.children.items()
        if ref.resource == VOLUMESNAPSHOT
        and disk_of(one) == case.name
        and (adopts or (one["metadata"].get("labels") or {}).get("cairn.dev/owner-uid") == case.vm.metadata.uid)
        and not pods.terminating(one)
    ]


def _last(standing: list[Obj]) -> dict[str, Obj]:
    good = [one for one in standing if is_ready(one) and taken_by(one) != PEAK]
    if not good:
        return {}
    newest = max(good, key=lambda one: (_at(one), str(one["metadata"]["name"])))
    consistency = (newest["metadata"].get("annotations") or {}).get(CONSISTENCY, "Crash")
    return {"lastSnapshot": {"name": newest["metadata"]["name"], "at": stamp(_at(newest)), "consistency": consistency}}


def _at(one: Obj) -> datetime:
    """When it was taken: the driver knows, and until it tells the object's own age will do."""
    taken = parse_moment((one.get("status") or {}).get("creationTime"))
    return taken or parse_moment(one["metadata"].get("creationTimestamp")) or datetime.min.replace(tzinfo=UTC)


def _expiry(keep: Keep, mine: list[Obj], now: datetime) -> datetime | None:
    if keep.days is None:
        return None
    ends = (_at(one) + timedelta(days=keep.days, seconds=1) for one in mine if is_ready(one))
    return min((end for end in ends if end > now), default=None)


def _conditions(mine: list[Obj]) -> tuple[Condition, ...]:
    newest = max(mine, key=lambda one: str(one["metadata"]["name"]), default=None)
    if newest is not None and (why := failure(newest)):
        return (_said(False, Reason.FAILED, why),)
    return (_said(True, Reason.READY, ""),)


def _said(status: bool, reason: Reason, message: str) -> Condition:  # noqa: FBT001 - as a condition is written
    return Condition("SnapshotsScheduled", status, reason, message)

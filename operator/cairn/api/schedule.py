# SPDX-License-Identifier: Apache-2.0
"""What users write about time: durations, local times, zones, and what a resource says about promotions and upkeep."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cairn.api.base import EntryName, Model, NameRef, ObjectName, listed
from cairn.api.rules import Rule

Duration = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,5}[smhd]$", max_length=7)]
"""A number and one of s, m, h, d: elapsed time, so a day is 24 hours whatever the clocks do."""
DurationOrNone = Annotated[str, Field(pattern=r"^(0|0[smhd]|[1-9][0-9]{0,5}[smhd])$", max_length=7)]
"""As Duration, 0 included."""
ZoneName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*$")]
"""An IANA time zone such as Asia/Shanghai. Whether it exists is checked by the operator and by `cairn check`."""
LocalTime = Annotated[str, Field(max_length=19, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?$")]
"""A time on the clocks of the zone beside it, such as 2026-11-10T20:00:00."""
ClockTime = Annotated[str, Field(max_length=5, pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""A time of day such as 03:00."""
Moment = Annotated[str, Field(max_length=40, json_schema_extra={"format": "date-time"})]
"""A moment, RFC 3339 in UTC."""
Day = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]{1,6})([smhd])\Z")


def duration(text: str) -> timedelta:
    """The elapsed time that a Duration stands for. ValueError if it is none."""
    if text == "0":
        return timedelta()
    found = _DURATION.match(text)
    if not found:
        raise ValueError(f"{text!r} is no duration: write a number and s, m, h or d, such as 90m")
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


class Replicas(Model):
    """How many clones a promotion asks for, the base machine not counted."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            name="promotion-replicas-ordered",
            field="max",
            cel="self.min <= self.max",
            twin=lambda new, _: new["min"] <= new["max"],
            message="spec.promotions.replicas.max {value} is less than min: raise it, or lower min",
        ),
    )

    min: Annotated[int, Field(ge=0, le=1000)]
    """Clones that stand from the start to the end of the promotion."""
    max: Annotated[int, Field(ge=0, le=1000)]
    """The most that load may raise meanwhile: the only ceiling in the window."""


class Participation(Model):
    """A promotion that a resource takes part in: without planRef and replicas it brings freeze and preflight only."""

    name: ObjectName
    """Name of the Promotion."""
    plan_ref: NameRef | None = None
    """ServicePlan for this kind: the size while the promotion lasts. Never storage, never engine."""


class VMParticipation(Participation):
    """A promotion that a machine takes part in."""

    replicas: Replicas | None = None
    """Clones of the machine while the promotion lasts."""


class MaintenanceWindow(Model):
    """A time that comes every week."""

    name: EntryName
    """Name of this entry."""
    days: Annotated[tuple[Day, ...], Field(min_length=1, max_length=7, json_schema_extra=listed())]
    """Days on which it begins."""
    start: ClockTime
    """Time of day at which it begins."""
    duration: Duration
    """How long it lasts."""


class Maintenance(Model):
    """When Cairn may do what interrupts, such as a restart. Without windows it waits for a restart by its user."""

    time_zone: ZoneName
    """IANA zone of the windows."""
    windows: Annotated[
        tuple[MaintenanceWindow, ...], Field(min_length=1, max_length=14, json_schema_extra=listed("name"))
    ]
    """Times that come every week."""


class Keep(Model):
    """How much is kept: what either of the two says to keep stays, and the newest good one always."""

    last: Annotated[int, Field(ge=1, le=1000)] | None = None
    """The newest so many."""
    days: Annotated[int, Field(ge=1, le=3650)] | None = None
    """Everything that is not older than so many days."""


class Raise(Model):
    """What one promotion raises it to, so that it is kept if the promotion vanishes."""

    name: ObjectName
    """Name of the Promotion."""
    plan: ObjectName | None = None
    """The ServicePlan that the entry has been given: it stays so, though the plan be deprecated meanwhile."""
    floor: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Clones that it raises, at least."""
    ceiling: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Clones that load may raise in it."""
    until: Moment | None = None
    """Until when; none while nothing is raised."""


class PlanStatus(Model):
    """The plan in force, and where it is going."""

    current: ObjectName | None = None
    """The ServicePlan that what runs was sized by; none where the spec has resources of its own."""
    target: ObjectName | None = None
    """The ServicePlan that it should have now."""
    until: Moment | None = None
    """Until when `target` holds, where a promotion is the reason."""
    reason: Annotated[str, Field(max_length=300)] | None = None
    """Why `target` differs from the spec's plan, such as Promotion/double-11."""
    promotions: Annotated[tuple[Raise, ...], Field(max_length=16, json_schema_extra=listed("name"))] = ()
    """What each promotion makes of it."""


class Next(Model):
    """What happens next by the calendar."""

    at: Moment
    """When."""
    what: Annotated[str, Field(max_length=300)]
    """What, for people."""


PROMOTION_PLANS_NEED_A_PLAN = Rule(
    name="promotion-plans-need-a-plan",
    field="promotions",
    cel="!has(self.resources) || !self.promotions.exists(p, has(p.planRef))",
    twin=lambda new, _: "resources" not in new or not any("planRef" in one for one in new["promotions"]),
    message="spec.promotions: planRef needs spec.planRef to return to afterwards: use a plan instead of resources,"
    " or leave it out",
)
"""Of kinds that may have a size of their own instead of a plan."""

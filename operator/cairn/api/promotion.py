# SPDX-License-Identifier: Apache-2.0
"""Promotion: a window in time that resources opt in to."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cairn.api.base import Count, CustomObject, EntryName, Model, Status, listed
from cairn.api.rules import Rule
from cairn.api.schedule import Duration, DurationOrNone, LocalTime, Moment, Next, ZoneName


class Window(Model):
    """One absolute window: from its start for its duration, the end not included."""

    name: EntryName
    """Name of this entry."""
    start: LocalTime
    """When it begins, on the clocks of spec.timeZone."""
    duration: Duration
    """How long it lasts, as elapsed time."""


class Recurrence(Model):
    """Windows that come again."""

    rule: Annotated[
        str, Field(min_length=1, max_length=256, pattern=r"^FREQ=(YEARLY|MONTHLY|WEEKLY|DAILY)(;[A-Z]+=[A-Z0-9,+-]+)*$")
    ]
    """An RFC 5545 recurrence rule such as FREQ=MONTHLY;BYMONTHDAY=18. UNTIL is a local time, or a UTC one with Z."""
    start: LocalTime
    """The first day and the time of day, on the clocks of spec.timeZone."""
    duration: Duration
    """How long each window lasts, as elapsed time."""


class Ramp(Model):
    """How capacity rises during the warm-up."""

    steps: Annotated[int, Field(ge=1, le=48)] = 1
    """In so many equal steps; the last one is done a step before the start."""


ONE_OF_WINDOWS = Rule(
    name="one-of-windows-recurrence",
    field="windows",
    cel="(self.windows.size() > 0) != has(self.recurrence)",
    twin=lambda new, _: bool(new["windows"]) != ("recurrence" in new),
    message="spec needs exactly one of windows and recurrence: add one, or remove the other",
    reason="FieldValueRequired",
)


class PromotionSpec(Model):
    """When it is, and what it does to those who take part."""

    rules: ClassVar[tuple[Rule, ...]] = (ONE_OF_WINDOWS,)

    title: Annotated[str, Field(max_length=80)] = ""
    """What people call it, such as 11.11."""
    time_zone: ZoneName
    """IANA zone of all times here, such as Asia/Shanghai."""
    windows: Annotated[tuple[Window, ...], Field(max_length=32, json_schema_extra=listed("name"))] = ()
    """Absolute windows. Either these or a recurrence."""
    recurrence: Recurrence | None = None
    """Windows that come again."""
    warm_up: DurationOrNone = "1h"
    """How long before a start capacity begins to rise: it stands at the start."""
    ramp: Ramp = Ramp()
    """How it rises meanwhile."""
    cool_down: DurationOrNone = "1h"
    """How long after the end capacity is held before it comes down."""
    freeze: bool = False
    """From the beginning of the warm-up to the end, nothing restarts or shrinks what takes part."""
    preflight: DurationOrNone = "72h"
    """How long before the warm-up it is checked whether everything fits: condition PeakFits, here and on each."""
    suspend: bool = False
    """No window begins while this is true; who is in one already is held to its end."""


class Occurrence(Model):
    """One window, with everything around it."""

    start: Moment
    """When it starts."""
    end: Moment
    """When it ends."""
    warm_up_from: Moment
    """When its warm-up begins."""
    cool_down_until: Moment
    """When its cool-down ends."""


class Needed(Model):
    """What all who take part may need at the most, on top of what they have outside of the promotion."""

    cpu: Annotated[str, Field(max_length=32)]
    """vCPU."""
    memory: Annotated[str, Field(max_length=32)]
    """Memory."""
    storage: Annotated[str, Field(max_length=32)]
    """Storage."""


class PromotionStatus(Status):
    """What Cairn found."""

    phase: (
        Annotated[
            str,
            Field(json_schema_extra={"enum": ["Waiting", "WarmingUp", "Active", "CoolingDown", "Over", "Suspended"]}),
        ]
        | None
    ) = None
    """Where it stands now."""
    current: Occurrence | None = None
    """The window that it is in, warm-up and cool-down included; the first one to end of several."""
    upcoming: Annotated[tuple[Occurrence, ...], Field(max_length=5, json_schema_extra=listed("start"))] = ()
    """The next few windows."""
    participants: Count | None = None
    """How many resources take part."""
    needed: Needed | None = None
    """What they may need at the most, on top of what they have outside of it."""
    next: Next | None = None
    """What happens next by the calendar."""


class Promotion(CustomObject):
    """A window in time for which machines, databases and feeds that opt in are raised, and lowered again after it."""

    kind: Literal["Promotion"] = "Promotion"
    spec: PromotionSpec
    """When it is, and what it does to those who take part."""
    status: PromotionStatus = PromotionStatus()
    """What Cairn found."""

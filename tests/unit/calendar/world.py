# SPDX-License-Identifier: Apache-2.0
"""Promotions, plans and participants for the calendar's tests, written out and at random."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from cairn.api.promotion import Promotion
from cairn.api.sellervm import SellerVM
from cairn.api.serviceplan import ServicePlan
from cairn.calendar.capacity import Participant, participant

ZONES = ("Asia/Shanghai", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
HOUR = timedelta(hours=1)
RULES = (
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=2",
    "FREQ=DAILY;BYHOUR=1,13",
    "FREQ=DAILY;COUNT=2",
    "FREQ=DAILY;UNTIL=20261102T000000Z",
    "FREQ=WEEKLY;BYDAY=SA,SU",
    "FREQ=MONTHLY;BYMONTHDAY=1,-1",
    "FREQ=YEARLY",
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(text: str) -> datetime:
    """A time on the clocks of some zone."""
    return datetime.fromisoformat(text)


def promotion(name: str = "double-11", **spec: Any) -> Promotion:
    """With what is not given as the CRD's defaults have it."""
    return Promotion.model_validate(
        {"kind": "Promotion", "metadata": {"name": name}, "spec": {"timeZone": "Asia/Shanghai", **spec}}
    )


def once(start: str, duration: str, name: str = "double-11", **spec: Any) -> Promotion:
    return promotion(name, windows=[{"name": "main", "start": start, "duration": duration}], **spec)


def again(rule: str, start: str = "2026-11-10T20:00:00", duration: str = "4h", **spec: Any) -> Promotion:
    return promotion(recurrence={"rule": rule, "start": start, "duration": duration}, **spec)


def plan(name: str, rank: int = 0, cpu: str = "2", memory: str = "4Gi", target: str = "SellerVM") -> ServicePlan:
    size = {"cpu": cpu, "memory": memory, "storage": "20Gi"}
    return ServicePlan.model_validate(
        {"kind": "ServicePlan", "metadata": {"name": name}, "spec": {"for": target, "size": size, "rank": rank}}
    )


PLANS = {
    made.metadata.name: made
    for made in (plan("vm.small", 10), plan("vm.large", 20, "8"), plan("vm.huge", 20, "16"), plan("vm.tiny", 1, "1"))
}


def machine(*promotions: dict[str, Any], status: dict[str, Any] | None = None, **spec: Any) -> SellerVM:
    """A machine of plan vm.small with 1 to 3 clones by load."""
    body = {
        "planRef": {"name": "vm.small"},
        "image": {"name": "debian-13"},
        "autoscale": {"clones": {"min": 1, "max": 3}},
        "promotions": list(promotions),
        **spec,
    }
    return SellerVM.model_validate(
        {"kind": "SellerVM", "metadata": {"name": "shop"}, "spec": body, "status": status or {}}
    )


def taking_part(*promotions: dict[str, Any], **spec: Any) -> Participant:
    return participant(machine(*promotions, **spec))


def minutes(low: int, high: int, step: int) -> st.SearchStrategy[int]:
    return st.integers(low // step, high // step).map(lambda number: number * step)


@st.composite
def windows_near(draw: st.DrawFn, step: int) -> dict[str, Any]:
    """A spec with a few windows within a day and a half of 2026-11-01, when the clocks of New York go back."""
    made = []
    for number in range(draw(st.integers(1, 3))):
        start = local("2026-10-31T12:00") + timedelta(minutes=draw(minutes(0, 36 * 60, step)))
        made.append(
            {"name": f"w{number}", "start": start.isoformat(), "duration": f"{draw(minutes(step, 900, step))}m"}
        )
    return {"windows": made}


@st.composite
def rules_near(draw: st.DrawFn, step: int) -> dict[str, Any]:
    """A spec with a recurrence that has windows about 2026-11-01."""
    rule = draw(st.sampled_from(RULES))
    start = local("2026-10-31T00:00") + timedelta(minutes=draw(minutes(0, 24 * 60, step)))
    return {"recurrence": {"rule": rule, "start": start.isoformat(), "duration": f"{draw(minutes(step, 900, step))}m"}}


@st.composite
def promotions(draw: st.DrawFn, name: str, step: int = 15) -> Promotion:
    """With every edge on a whole `step` of minutes in UTC, ramps included."""
    spec = draw(windows_near(step) | rules_near(step))
    ramp = draw(st.sampled_from([3, 1, 2, 5]))
    return promotion(
        name,
        timeZone=draw(st.sampled_from(ZONES)),
        warmUp=f"{draw(minutes(0, 240, step)) * ramp}m",
        ramp={"steps": ramp},
        coolDown=f"{draw(minutes(0, 360, step))}m",
        freeze=draw(st.sampled_from([True, True, False])),
        suspend=draw(st.sampled_from([False, False, False, True])),
        **spec,
    )


@st.composite
def entries(draw: st.DrawFn, name: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": name}
    if draw(st.booleans()):
        low = draw(st.integers(0, 3) | st.integers(0, 20))
        entry["replicas"] = {"min": low, "max": low + draw(st.integers(0, 3) | st.integers(0, 20))}
    if draw(st.booleans()):
        entry["planRef"] = {"name": draw(st.sampled_from([*PLANS, "vm.missing"]))}
    return entry


Known = dict[str, Promotion]
NAMES = ("a", "b", "c")


@st.composite
def worlds(draw: st.DrawFn, step: int = 15) -> tuple[Participant, Known]:
    """A participant in some promotions, of which one may not exist."""
    names = draw(st.lists(st.sampled_from([*NAMES, "missing"]), unique=True, max_size=3))
    known = {name: draw(promotions(name, step)) for name in names if name != "missing"}
    low = draw(st.integers(0, 6))
    clones = {"min": low, "max": low + draw(st.integers(0, 6))}
    return taking_part(*(draw(entries(name)) for name in names), autoscale={"clones": clones}), known


def moments(step: int = 1) -> st.SearchStrategy[datetime]:
    """Moments about 2026-11-01, to the minute."""
    return minutes(0, 4 * 24 * 60, step).map(lambda number: utc("2026-10-30T00:00") + timedelta(minutes=number))

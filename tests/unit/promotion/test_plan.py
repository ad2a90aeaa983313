# SPDX-License-Identifier: Apache-2.0
"""What a Promotion says of itself at each moment of its life."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given

from cairn.api.conditions import Reason
from cairn.api.platform import Platform
from cairn.api.promotion import Promotion, PromotionStatus
from cairn.api.resources import PROMOTION, PUSHSUBSCRIPTION, SELLERRDS, SELLERVM, Obj, ref_of
from cairn.engine.kind import Observed, Plan
from cairn.promotion.kind import PromotionKind
from unit.calendar.world import moments, promotions, utc

KIND = PromotionKind(Platform())
NOW = utc("2026-11-01")
NEVER = {"rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "start": "2026-11-11T00:00", "duration": "1h"}


def promotion(**spec: Any) -> Obj:
    window = {"name": "main", "start": "2026-11-11T00:00:00", "duration": "24h"}
    fields = {"timeZone": "UTC", "windows": [window], "warmUp": "6h", "coolDown": "12h", "preflight": "72h"}
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "Promotion",
        "metadata": {"name": "double-11", "uid": "uid", "generation": 1},
        "spec": fields | spec,
    }


def plan(obj: Obj, now: datetime | str = NOW, *seen: Obj) -> Plan:
    observed = Observed(refs={ref_of(one): one for one in seen})
    return KIND.plan(obj, observed, utc(now) if isinstance(now, str) else now)


def takes_part(kind: str, name: str, *promotions: str, **meta: Any) -> Obj:
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "seller-2088", **meta},
        "spec": {"promotions": [{"name": one} for one in promotions]},
    }


@pytest.mark.parametrize(
    ("now", "phase", "next_at", "what", "look"),
    [
        ("2026-11-01T00:00", "Waiting", "2026-11-10T18:00", "the warm-up begins", "2026-11-07T18:00"),
        ("2026-11-08T00:00", "Waiting", "2026-11-10T18:00", "the warm-up begins", "2026-11-10T18:00"),
        ("2026-11-10T18:00", "WarmingUp", "2026-11-11T00:00", "the window begins", "2026-11-11T00:00"),
        ("2026-11-11T00:00", "Active", "2026-11-12T00:00", "the window ends", "2026-11-12T00:00"),
        ("2026-11-12T00:00", "CoolingDown", "2026-11-12T12:00", "the cool-down ends", "2026-11-12T12:00"),
    ],
)
def test_phase_and_next_follow_the_calendar(now: str, phase: str, next_at: str, what: str, look: str) -> None:
    made = plan(promotion(), now)
    assert made.status["phase"] == phase
    assert made.status["next"] == {"at": f"{next_at}:00Z", "what": what}
    assert made.next == utc(look)
    assert made.conditions[0].status is True
    assert ("current" in made.status) == (phase != "Waiting")


def test_window_is_shown_with_everything_around_it() -> None:
    shown = {
        "start": "2026-11-11T00:00:00Z",
        "end": "2026-11-12T00:00:00Z",
        "warmUpFrom": "2026-11-10T18:00:00Z",
        "coolDownUntil": "2026-11-12T12:00:00Z",
    }
    assert plan(promotion()).status["upcoming"] == [shown]
    active = plan(promotion(), "2026-11-11T06:00")
    assert active.status["current"] == shown
    assert active.status["upcoming"] == []


def test_the_next_five_windows_are_shown() -> None:
    daily = {"rule": "FREQ=DAILY", "start": "1970-01-01T20:00", "duration": "4h"}
    made = plan(promotion(windows=[], recurrence=daily, warmUp="1h", coolDown="30h"), "2026-11-11T21:00")
    starts = [one["start"] for one in made.status["upcoming"]]
    assert starts == [f"2026-11-{day}T20:00:00Z" for day in (12, 13, 14, 15, 16)]
    assert made.status["phase"] == "Active"
    assert made.status["current"]["start"] == "2026-11-10T20:00:00Z", "the first one to end of several"


def test_over_is_no_fault() -> None:
    made = plan(promotion(), "2026-11-12T12:00")
    assert made.status["phase"] == "Over"
    assert (made.conditions[0].status, made.conditions[0].reason) == (True, Reason.NO_WINDOW_AHEAD)
    assert made.next is None
    assert "next" not in made.status


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"timeZone": "Asia/Shanghi"}, "spec.timeZone: there is no time zone Asia/Shanghi: did you mean Asia/Shanghai"),
        ({"warmUp": "999d"}, "spec.warmUp 999d is longer than 366d: shorten it"),
        (
            {
                "windows": [],
                "recurrence": {"rule": "FREQ=DAILY;COUNT=0", "start": "2026-11-11T00:00", "duration": "1h"},
            },
            "COUNT=0",
        ),
    ],
)
def test_spec_that_makes_no_sense_is_stalled_with_a_remedy(spec: dict[str, Any], said: str) -> None:
    made = plan(promotion(**spec), NOW, takes_part("SellerVM", "web", "double-11"))
    ready, stalled = made.conditions
    assert (ready.status, ready.reason) == (False, Reason.INVALID_SPEC)
    assert (stalled.type, stalled.status) == ("Stalled", True)
    assert said in ready.message
    assert made.status == {"participants": 1}


def test_suspended_says_so_itself_and_has_no_windows() -> None:
    made = plan(promotion(suspend=True), "2026-11-11T06:00")
    assert made.status["phase"] == "Suspended"
    assert "current" not in made.status
    assert made.status["upcoming"] == []
    assert [(one.type, one.status) for one in made.conditions] == [("Ready", True), ("Suspended", True)]
    assert made.next is None
    assert KIND.plans_suspended


def test_participants_of_all_kinds_are_counted_but_for_those_who_go() -> None:
    made = plan(
        promotion(),
        NOW,
        takes_part("SellerVM", "web", "double-11", "spring"),
        takes_part("SellerVM", "other", "spring"),
        takes_part("SellerVM", "none"),
        takes_part("SellerVM", "going", "double-11", deletionTimestamp="2026-11-01T00:00:00Z"),
        takes_part("SellerRDS", "shop-db", "double-11"),
        takes_part("PushSubscription", "orders", "double-11"),
    )
    assert made.status["participants"] == 3
    assert set(KIND.wants(promotion(), Observed())) == {SELLERVM, SELLERRDS, PUSHSUBSCRIPTION}


def test_object_that_can_not_be_read_is_stalled() -> None:
    broken = copy.deepcopy(promotion())
    broken["spec"]["timeZone"] = 8
    (ready, _) = plan(broken).conditions
    assert ready.reason == Reason.INVALID_SPEC
    assert "timeZone" in ready.message


@given(promotions("a"), moments())
def test_status_fits_its_schema_and_changes_at_next_only(made: Promotion, now: datetime) -> None:
    obj = {"apiVersion": "cairn.dev/v1alpha1", **made.model_dump(by_alias=True, exclude_none=True)}
    found = plan(obj, now)
    PromotionStatus.model_validate(found.status)
    if found.next:
        assert found.next > now
        before = plan(obj, found.next - timedelta(seconds=1) if found.next - now > timedelta(seconds=1) else now)
        assert before.status == found.status
        assert before.next == found.next


def test_resource_is_promotions() -> None:
    assert KIND.resource == PROMOTION
    assert not KIND.children

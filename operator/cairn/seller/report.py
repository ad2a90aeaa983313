# SPDX-License-Identifier: Apache-2.0
"""What a Seller says about its quota, its peaks and its cost. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cairn.api.conditions import Condition, Reason
from cairn.api.platform import Platform
from cairn.api.quantity import compare
from cairn.api.resources import Obj
from cairn.api.seller import PeakStatus, Seller
from cairn.calendar.cost import cost_of
from cairn.calendar.fit import PEAK_FITS, quota_short
from cairn.seller import quota
from cairn.seller.home import Home

PATIENCE = timedelta(seconds=30)
"""What is used changes with every pod, and whatever a seller has looks at its Seller: it is told no more often."""


@dataclass(frozen=True, slots=True)
class Said:
    """next: when there may be more to say"""

    status: Obj
    conditions: tuple[Condition, ...]
    next: tuple[datetime | None, ...]


def said(
    seller: Seller, home: Home, hard: Mapping[str, str], live: Obj | None, now: datetime, platform: Platform
) -> Said:
    status, again = _figures(seller, home, hard, live, now)
    status["namespace"] = seller.spec.namespace
    plans = {home.plan.metadata.name: home.plan}
    charge = cost_of(seller, {}, plans, seller.spec.billing, platform.currency, now)
    if charge.status:
        status["cost"] = charge.status
    return Said(status, _fits(status["peaks"]), (again, charge.next))


def _figures(
    seller: Seller, home: Home, hard: Mapping[str, str], live: Obj | None, now: datetime
) -> tuple[Obj, datetime | None]:
    """status.quota and status.peaks: as they were said, where that was a moment ago and no limit has grown."""
    old: Obj = seller.status.model_dump(mode="json", by_alias=True, exclude_none=True, include={"quota", "peaks"})
    before, since = old.get("quota") or {}, _moment(seller)
    used = ((live or {}).get("status") or {}).get("used") or {}
    figures = {
        part: {"hard": hard[key], "used": str(used.get(key, "0"))}
        for part in ("cpu", "memory", "storage")
        if (key := f"requests.{part}")
    }
    grown = any(
        compare(figure["hard"], (before.get(part) or {}).get("hard", "0")) > 0 for part, figure in figures.items()
    )
    known = [peak["name"] for peak in old["peaks"]] == quota.on(home)
    if not grown and known and since and since <= now < since + PATIENCE:
        return {"quota": before, "peaks": old["peaks"]}, since + PATIENCE
    peaks = quota.peaks(home, live, now)
    if {**before, "at": None} == {**figures, "at": None} and peaks == old["peaks"]:
        return {"quota": before, "peaks": peaks}, None
    at = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"quota": {**figures, "at": at}, "peaks": peaks}, None


def _moment(seller: Seller) -> datetime | None:
    if seller.status.quota is None or seller.status.quota.at is None:
        return None
    try:
        return datetime.fromisoformat(seller.status.quota.at)
    except ValueError:
        return None


def _fits(peaks: list[Obj]) -> tuple[Condition, ...]:
    """Whether the quota allows what the seller's resources ask for in the promotions whose preflight is on."""
    if not peaks:
        return ()
    found = tuple(PeakStatus.model_validate(peak) for peak in peaks)
    short = [problem for peak in found for problem in quota_short(peak.name, found)]
    if short:
        return (Condition(PEAK_FITS, False, Reason.DOES_NOT_FIT, "; ".join(short)),)
    return (Condition(PEAK_FITS, True, Reason.FITS),)

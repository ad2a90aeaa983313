# SPDX-License-Identifier: Apache-2.0
"""How large the quota of a Seller's namespace should be, now and during the promotions to come. Pure.

It is the plan's size, what warming and active promotions raise beyond it as far as the plan's peak allows, and the
largest machine once more: a live migration runs it twice for a while.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from cairn.api.quantity import for_container, parse, show
from cairn.api.resources import Obj
from cairn.api.serviceplan import ServicePlan
from cairn.calendar.capacity import capacity
from cairn.calendar.demand import KEYS, Amount, least, less, plus, times
from cairn.calendar.fit import checked
from cairn.calendar.peak import edges, moments, to_come, window
from cairn.seller.home import Home

LEAD = timedelta(minutes=10)
"""The quota is raised so long before a warm-up begins."""
_INSTANT = timedelta(microseconds=1)
_PARTS = {"cpu": KEYS[:2], "memory": KEYS[2:4], "storage": KEYS[4:]}


def hard(home: Home, live: Obj | None, now: datetime) -> dict[str, str]:
    """What the quota should say now. It is lowered no further than what is used, with room to make the largest pod
    anew: nothing that runs stands over it, and what restarts comes up again. What is used never raises it."""
    peak = home.peak(now, now + LEAD + _INSTANT)
    own = _own(home.plan)
    within = plus((own, least(peak.extra, _ceiling(home.plan))))
    wanted = plus((within, least(peak.machine, within)))
    status = (live or {}).get("status") or {}
    limits, used = (_amount(status.get(key)) for key in ("hard", "used"))
    held = least(limits, plus((used, peak.pod)))
    spelled = _spelled(home.plan)
    return {key: _show(key, _lowered(limits.get(key), wanted[key], held[key]), spelled) for key in KEYS}


def _lowered(live: Decimal | None, wanted: Decimal, held: Decimal) -> Decimal:
    """Down by a quarter of the way at least: hundreds of clones go one by one, and each write is looked at by many."""
    found = max(wanted, held)
    if live is None or found in (live, wanted) or live - found >= (live - wanted) / 4:
        return found
    return max(found, live)


def next_change(home: Home, now: datetime) -> datetime | None:
    """When the quota changes by the calendar."""
    held = (held.until for one, _ in home.members for held in one.who.held if held.until)
    return min((moment for moment in (*edges(home.promotions, now, LEAD), *held) if moment > now), default=None)


def on(home: Home) -> list[str]:
    """Promotions of the seller's resources whose preflight is on."""
    return sorted({name for one, _ in home.members for name in checked(one.who.promotions, home.promotions)})


def peaks(home: Home, live: Obj | None, now: datetime) -> list[Obj]:
    """status.peaks: the quota during each promotion whose preflight is on, against what the namespace will need."""
    used = _amount(((live or {}).get("status") or {}).get("used"))
    found = []
    for name in on(home):
        if coming := window(home.promotions[name], now):
            since = max(now, coming.warm_up_from)
            at = [_then(home, used, moment) for moment in moments(home.promotions, since, coming.cool_down_until)]
            found.append({"name": name} | {part: _worst(part, at, home.plan) for part in _PARTS})
    return found


def _then(home: Home, used: Amount, moment: datetime) -> tuple[Amount, Amount]:
    """The quota at a moment to come, without what is kept for a migration, and what the namespace needs of it."""
    limit = plus((_own(home.plan), least(home.peak(moment, moment).extra, _ceiling(home.plan))))
    here = {one: capacity(one.who, home.promotions, home.plans, moment) for one in {one for one, _ in home.members}}
    changes = [
        [times(amount, count) for amount in to_come(one, there, here[one], home.plans)]
        for (one, there), count in Counter(home.members).items()
    ]
    others = less(used, plus(now for now, _ in changes))
    return limit, plus((others, *(then for _, then in changes)))


def _worst(part: str, at: list[tuple[Amount, Amount]], plan: ServicePlan) -> Obj:
    """The moment and the key at which the least is left."""
    zero = Decimal()
    found = [
        (limit[key] - needed.get(key, zero), key, limit[key], needed.get(key, zero))
        for limit, needed in at
        for key in _PARTS[part]
    ]
    _, key, limit, needed = min(found)
    spelled = _spelled(plan)
    return {"hard": _show(key, limit, spelled), "needed": _show(key, needed, spelled)}


def _own(plan: ServicePlan) -> dict[str, Decimal]:
    size = plan.spec.size
    written = {"cpu": size.cpu, "memory": size.memory, "storage": size.storage}
    return {key: parse(written[part] or "0") for part, keys in _PARTS.items() for key in keys}


def _ceiling(plan: ServicePlan) -> Amount:
    """The most that promotions may add; nothing where the plan names no peak."""
    if plan.spec.peak is None:
        return {}
    written = plan.spec.peak.model_dump()
    return {key: parse(written[part]) for part, keys in _PARTS.items() for key in keys}


def _amount(written: Mapping[str, str] | None) -> Amount:
    return {key: parse(value) for key, value in (written or {}).items() if key in KEYS}


def _spelled(plan: ServicePlan) -> Mapping[Decimal, str]:
    """The plan's own figures keep its spelling: 8G stays 8G."""
    size = plan.spec.size
    return {parse(text): for_container(text) for text in (size.cpu, size.memory, size.storage) if text}


def _show(key: str, value: Decimal, spelled: Mapping[Decimal, str]) -> str:
    return spelled.get(value) or for_container(show(value, binary="cpu" not in key))

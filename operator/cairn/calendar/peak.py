# SPDX-License-Identifier: Apache-2.0
"""What many resources take together while promotions last. Pure.

Everything that is raised is raised when a warm-up begins and no later: these moments and the first one are all that
have to be looked at to know the most of a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cairn.api.promotion import Promotion
from cairn.calendar.capacity import Capacity, capacity
from cairn.calendar.demand import (
    Amount,
    Member,
    Plans,
    Stands,
    at_most,
    beyond,
    least,
    most,
    plus,
    standing,
    times,
)
from cairn.calendar.windows import Interval, ahead, intervals

Promotions = Mapping[str, Promotion]


@dataclass(frozen=True, slots=True)
class Peak:
    """extra: what promotions may raise beyond what stands outside of them; machine: the largest; pod: any kind's"""

    extra: Amount
    machine: Amount
    pod: Amount


def moments(promotions: Promotions, since: datetime, until: datetime) -> tuple[datetime, ...]:
    """The first one, and every later one before the last at which a warm-up begins."""
    found = (one.warm_up_from for promotion in promotions.values() for one in intervals(promotion, since, until))
    return (since, *sorted({moment for moment in found if moment > since}))


def together(members: Iterable[Member], promotions: Promotions, plans: Plans, since: datetime, until: datetime) -> Peak:
    """The most that these may take at any moment in [since, until), or at the first one."""
    alike = Counter(members)
    found = [_at(alike, promotions, plans, moment) for moment in moments(promotions, since, until)]
    return Peak(
        most(peak.extra for peak in found), most(peak.machine for peak in found), most(peak.pod for peak in found)
    )


def _at(alike: Mapping[Member, int], promotions: Promotions, plans: Plans, moment: datetime) -> Peak:
    extra: list[Amount] = []
    machines: list[Amount] = []
    others: list[Amount] = []
    for one, count in alike.items():
        here = capacity(one.who, promotions, plans, moment)
        extra.append(times(beyond(one, here, plans), count))
        (machines if one.who.kind == "SellerVM" else others).append(at_most(one, here, plans).pod)
    return Peak(plus(extra), most(machines), most((*machines, *others)))


def to_come(one: Member, there: Stands, here: Capacity, plans: Plans) -> tuple[Amount, Amount]:
    """What a resource takes now, and what it may take at a moment of this capacity. One that is not raised then takes
    what it takes now, unless that is more than it may have outside of promotions."""
    now, then = standing(one, there, plans), at_most(one, here, plans).total
    return now, then if any(beyond(one, here, plans).values()) else least(now, then)


def window(promotion: Promotion, now: datetime) -> Interval | None:
    """The window that it is in or that comes next; one that only cools down is past."""
    return next((one for one in ahead(promotion, now) if one.end > now), None)


def edges(promotions: Promotions, now: datetime, lead: timedelta) -> Iterator[datetime]:
    """The next moments at which something begins to be raised, `lead` before its warm-up, or is no longer."""
    for promotion in promotions.values():
        for one in ahead(promotion, now):
            yield one.cool_down_until
            if (raised := one.warm_up_from - lead) > now:
                yield raised
                break

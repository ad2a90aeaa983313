# SPDX-License-Identifier: Apache-2.0
"""How many members the pool should have. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cairn.pool.assign import Claim, assigned
from cairn.pool.leases import Slot
from cairn.pool.pace import LATE_SECONDS, Limit

FULL = 0.6
"""Of their processors: as many members stay as are then no fuller."""
DOUBLE = 2.0
"""No more than so many times at once."""
TRIES = 3
"""What members will be called nobody knows, and by it some numbers of them just suffice, or just don't."""


@dataclass(frozen=True, slots=True)
class Size:
    """members: how many there should be, whatever may be; too_large: subscriptions that no member has room for"""

    members: int
    too_large: tuple[str, ...] = ()


def wanted(slots: Collection[Slot], members: Mapping[str, Claim], room: Claim, standing: int, most: int) -> Size:
    """By what is reserved. members: those that live, and their room. room: of one to come. standing: how many were
    asked for last."""
    claims = {one.name: one.claim for one in slots if one.wanted}
    too_large = tuple(sorted(name for name, claim in claims.items() if not claim.fits(room)))
    claims = {name: claim for name, claim in claims.items() if claim.fits(room)}
    found = fewest(claims, room, most)
    if len(members) >= standing and len(assigned(claims, members)) < len(claims):
        found = max(found, standing + 1)
    return Size(found, too_large)


def fewest(claims: Mapping[str, Claim], room: Claim, most: int) -> int:
    """The fewest members of this room, up to `most`, that take all claims. Each of these must fit into one of them."""
    found = max(
        _parts(sum(one.millicores for one in claims.values()), room.millicores),
        _parts(sum(one.memory for one in claims.values()), room.memory),
    )
    while found < most and not all(_place_all(claims, room, found, turn) for turn in range(TRIES)):
        found += 1
    return min(found, most)


def _parts(whole: int, part: int) -> int:
    return -(-whole // part) if whole else 0


def _place_all(claims: Mapping[str, Claim], room: Claim, members: int, turn: int) -> bool:
    names = dict.fromkeys((f"cairn-pool-{turn}-{number}" for number in range(members)), room)
    return len(assigned(claims, names)) == len(claims)


def loaded(slots: Collection[Slot], members: Mapping[str, Claim], standing: int) -> tuple[int, int]:
    """By the load: how many members there should be until what is late is written in time, and how many of those that
    stand are to be kept for what they do now."""
    held = [one for one in slots if one.wanted and one.holder in members]
    drain = max((one.drain for one in held if one.limit == Limit.NEIGHBOURS), default=0)
    more = math.ceil(standing * min(DOUBLE, drain / LATE_SECONDS))
    used, has = sum(one.used for one in held), sum(one.millicores for one in members.values())
    kept = math.ceil(used * len(members) / (FULL * has)) if has else 0
    return more, min(standing, kept)


class Rising:
    """What was wanted at least, each time, for so many seconds at the same number of members; else nothing."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._standing, self._since, self._least = -1, 0.0, 0

    def next(self, now: float, standing: int, members: int) -> int:
        if standing != self._standing or min(members, self._least) <= standing:
            self._standing, self._since, self._least = standing, now, members
        self._least = min(self._least, members)
        return self._least if now - self._since >= self._seconds else 0


class Settling:
    """More members at once; fewer after so many seconds in which no more were wanted."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: deque[tuple[float, int]] = deque()

    def next(self, now: float, standing: int, members: int) -> int:
        """members: wanted by now"""
        self._seen.append((now, members))
        # the last one from before stays: by it the time is known to be whole
        while len(self._seen) > 1 and self._seen[1][0] <= now - self._seconds:
            self._seen.popleft()
        if members >= standing or self._seen[0][0] > now - self._seconds:
            return max(members, standing)
        return min(standing, max(one for _, one in self._seen))


def bounded(members: int, bounds: Sequence[int]) -> int:
    """bounds: fewest and most"""
    return max(bounds[0], min(bounds[1], members))

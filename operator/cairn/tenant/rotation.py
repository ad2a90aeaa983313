# SPDX-License-Identifier: Apache-2.0
"""The two logins of an app: which may be used, and when the next password is due. Pure.

The Secret alone tells where a rotation stands: its generation (odd: login a, even: b) and when that was written. A new
password is set on the login that rests, then the Secret names it; until then nothing has changed for the app, so that
an attempt which was cut off is simply made again. The login before works on for the overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

LoginLetter = Literal["a", "b"]


@dataclass(frozen=True, slots=True)
class Rotation:
    """Where the rotation stands.

    active: the login in the Secret; None before the first. enabled: those that may open sessions, sorted
    due: whether a password is to be made now, for `mint`, the login that rests
    next: when something changes by itself
    """

    active: LoginLetter | None
    enabled: tuple[LoginLetter, ...]
    due: bool
    mint: LoginLetter
    next: datetime | None


def rotation(
    generation: int, rotated_at: datetime | None, now: datetime, rotate_every: timedelta, overlap: timedelta
) -> Rotation:
    """From what the Secret says. A time to come counts as now: no login ends too early; without one a rotation is due.

    The overlap ends before the next rotation, whatever the two lengths are: the login that is given a new password has
    rested before.
    """
    if generation <= 0:
        return Rotation(None, (), due=True, mint="a", next=None)
    active: LoginLetter = "a" if generation % 2 else "b"
    other: LoginLetter = "b" if generation % 2 else "a"
    if rotated_at is None:
        return Rotation(active, (active,), due=True, mint=other, next=None)
    at = min(rotated_at, now)
    until, again = at + min(overlap, rotate_every), at + rotate_every
    overlapping = generation > 1 and now < until
    due = now >= again and not overlapping
    enabled: tuple[LoginLetter, ...] = ("a", "b") if overlapping else (active,)
    ahead = [moment for moment in (until if overlapping else None, again) if moment is not None and moment > now]
    return Rotation(active, enabled, due=due, mint=other, next=min(ahead, default=None))

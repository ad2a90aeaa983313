# SPDX-License-Identifier: Apache-2.0
"""How clones come and go: up in bounded bursts; down highest ordinal first, traffic off, drained, removed. Pure.

KubeVirt's pool (1.8, pkg/virt-controller/watch/pool) gives a new member the lowest number that no VirtualMachine has,
and with DescendingOrder removes the highest numbers. A pool may be behind its `replicas`: members that were deleted by
hand or could not be made yet come back at low numbers, and then higher ones are too many. So what may go next is judged
as if every member that is still missing stood already: no order of events removes one that was not drained.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

BURST = 20
"""So many clones may be on their way up at once: each is some ten admission requests to KubeVirt and CDI, and 500 at
once have overwhelmed its webhooks (kubevirt#7101)."""
DRAINING = 20
"""So many clones may be drained at once."""


@dataclass(frozen=True, slots=True)
class Launcher:
    """A running pod of a clone; two while it migrates. since: when its traffic was taken off"""

    name: str
    traffic: bool
    since: datetime | None = None

    @property
    def quiet(self) -> bool:
        return not self.traffic and self.since is not None


@dataclass(frozen=True, slots=True)
class Member:
    """A clone that stands and is not being deleted."""

    ordinal: int
    ready: bool = False
    launchers: tuple[Launcher, ...] = ()

    def drained_at(self, drain: timedelta) -> datetime | None:
        """The end of its drain time; None while it may get connections, and where nothing of it runs."""
        ends = [one.since + drain for one in self.launchers if one.quiet and one.since is not None]
        return max(ends) if ends and len(ends) == len(self.launchers) else None

    def drained(self, drain: timedelta, now: datetime) -> bool:
        end = self.drained_at(drain)
        return not self.launchers or (end is not None and end <= now)


@dataclass(frozen=True, slots=True)
class Steps:
    """What to do now. off, on: pods whose traffic is taken or given back; replicas: the pool's next, None to leave it;
    draining: ordinals that go, highest first; next: when one of them is drained"""

    off: tuple[str, ...] = ()
    on: tuple[str, ...] = ()
    replicas: int | None = None
    draining: tuple[int, ...] = ()
    next: datetime | None = None


def steps(members: Iterable[Member], replicas: int, target: int, drain: timedelta, now: datetime) -> Steps:
    """From what stands towards `target`. `replicas` is what the pool is told now."""
    standing = {member.ordinal: member for member in members}
    supposed = _supposed(standing, replicas)
    doomed = supposed[: max(0, len(supposed) - target)]
    draining = [standing[number] for number in doomed if number in standing][:DRAINING]
    ends = [end for member in draining if (end := member.drained_at(drain)) is not None and end > now]
    kept = [member for member in standing.values() if member not in draining]
    return Steps(
        off=tuple(one.name for member in draining for one in member.launchers if not one.quiet),
        on=tuple(one.name for member in kept for one in member.launchers if not one.traffic),
        replicas=_next_replicas(standing, supposed, replicas, target, drain, now),
        draining=tuple(member.ordinal for member in draining),
        next=min(ends, default=None),
    )


def raised(replicas: int, ready: int, target: int) -> int:
    """How many there may be on the way up to `target`: what is ready and a burst, never fewer than there are."""
    return max(replicas, min(target, ready + BURST))


def _next_replicas(
    standing: Mapping[int, Member],
    supposed: Sequence[int],
    replicas: int,
    target: int,
    drain: timedelta,
    now: datetime,
) -> int | None:
    if target >= replicas:
        more = raised(replicas, sum(member.ready for member in standing.values()), target)
        return more if more > replicas else None
    fewer = len(supposed)
    for number in supposed[: len(supposed) - target]:
        if number in standing and not standing[number].drained(drain, now):
            break
        fewer -= 1
    return fewer if fewer < replicas else None


def _supposed(standing: Mapping[int, Member], replicas: int) -> list[int]:
    """Ordinals once the pool made what is missing, highest first."""
    missing = max(0, replicas - len(standing))
    free = itertools.islice((number for number in itertools.count() if number not in standing), missing)
    return sorted({*standing, *free}, reverse=True)

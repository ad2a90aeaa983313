# SPDX-License-Identifier: Apache-2.0
"""How many clones load needs. Pure: `measure` asks metrics.k8s.io.

Up, the HorizontalPodAutoscaler decides, and the first clone is asked for here. Down, this decides alone: load has to be
low for a while, and how long it is low stands in an annotation of the pool, since nothing is remembered in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from cairn.api.quantity import parse
from cairn.api.resources import Obj
from cairn.vm.moments import parse_moment, stamp

LOW_LOAD = "vm.cairn.dev/low-load"
"""On the pool: since when fewer clones would do, and the most that were needed since."""
STABLE = timedelta(minutes=5)
"""Load has to be low for so long before clones go."""
LOOK_EVERY = timedelta(seconds=30)
"""How often load is looked at: metrics tell nobody when they change."""
MARGIN = Decimal("0.8")
"""Clones go only where the rest has so much of the wanted load at most: what goes must not be asked for again."""
CONTAINER = "compute"
"""The launcher's container that runs the guest."""


@dataclass(frozen=True, slots=True)
class Low:
    since: datetime
    most: int

    def __str__(self) -> str:
        return f"{stamp(self.since)}/{self.most}"


def limit(cpu: int, percent: int) -> Decimal:
    """The load that one machine should have, in cores."""
    return Decimal(cpu * percent) / 100


def asks(used: Decimal | None, wanted: Decimal) -> bool:
    """Whether the base alone has too much."""
    return used is not None and used > wanted


def needed(used: Decimal, wanted: Decimal) -> int:
    """Clones that suffice for this load of all machines together, the base being one of them."""
    return max(0, int((used / (wanted * MARGIN)).to_integral_value(rounding=ROUND_CEILING)) - 1)


def low(noted: Low | None, enough: int | None, kept: int, now: datetime) -> Low | None:
    """What is to be noted: None while load is not known or needs all that are kept."""
    if enough is None or enough >= kept:
        return None
    if noted is None or noted.most >= kept:
        return Low(now, enough)
    return Low(noted.since, max(noted.most, enough))


def read(pool: Obj | None) -> Low | None:
    """The note on the pool; None where there is none, or none that can be read."""
    text = (((pool or {}).get("metadata") or {}).get("annotations") or {}).get(LOW_LOAD, "")
    since, _, most = text.partition("/")
    when = parse_moment(since)
    return Low(when, int(most)) if when is not None and most.isdecimal() else None


def cores(metrics: list[Obj]) -> Mapping[str, str]:
    """Cores in use by pod, of the container that runs the guest."""
    found = {}
    for pod in metrics:
        for container in pod.get("containers") or ():
            if container.get("name") == CONTAINER and "cpu" in (container.get("usage") or {}):
                found[pod["metadata"]["name"]] = str(container["usage"]["cpu"])
    return found


def total(used: Mapping[str, str] | None, pods: list[str]) -> Decimal | None:
    """What these pods use together; None where one of them is not known."""
    if used is None or any(pod not in used for pod in pods):
        return None
    return sum((parse(used[pod]) for pod in pods), Decimal())

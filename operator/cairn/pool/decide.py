# SPDX-License-Identifier: Apache-2.0
"""What a member does next, by the Leases that it sees and the workers that it runs. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cairn.pool.assign import Claim, assigned
from cairn.pool.leases import Slot


@dataclass(frozen=True, slots=True)
class Steps:
    """Names of subscriptions.

    take: their Leases are free and theirs to be had here; the worker starts once it is held
    start: held here, and no worker runs: its last one ended, or was another life's
    stop: the worker is to end: the subscription goes elsewhere, or its configuration changed
    give_up: held here, no worker runs, and it belongs elsewhere
    """

    take: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    give_up: tuple[str, ...] = ()


def steps(
    me: str,
    members: Mapping[str, Claim],
    slots: Sequence[Slot],
    held: Collection[str],
    running: Mapping[str, str],
) -> Steps:
    """members: that live, and their room. held: slots whose holder renews. running: configuration by name."""
    owners = assigned({one.name: one.claim for one in slots if one.wanted}, members)
    take: list[str] = []
    start: list[str] = []
    stop: list[str] = []
    give_up: list[str] = []
    for one in slots:
        mine = owners.get(one.name) == me
        if one.holder == me:
            if one.name in running:
                if not mine or running[one.name] != one.config:
                    stop.append(one.name)
            else:
                (start if mine else give_up).append(one.name)
        elif one.name in running:
            stop.append(one.name)  # somebody else took it while this member could not renew it
        elif mine and one.name not in held:
            take.append(one.name)
    stop += running.keys() - {one.name for one in slots}
    return Steps(tuple(take), tuple(start), tuple(sorted(stop)), tuple(give_up))

# SPDX-License-Identifier: Apache-2.0
"""What sets the pace of a worker that is late, as it tells its member, and as that tells the operator."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web

from cairn.api.resources import Obj
from cairn.pool import leases
from cairn.pool.assign import Claim
from cairn.pool.child import Child
from cairn.pool.member import Member
from cairn.pool.pace import Limit, Pace, heard, limit, notes
from cairn.worker.http import application
from cairn.worker.metrics import Metrics
from cairn.worker.service import Worker

ONE = 1000
"""Millicores of a member."""
NEIGHBOUR = Pace(0, 0.1, 0.7)


@pytest.mark.parametrize(
    ("pace", "others", "found"),
    [
        (Pace(), [NEIGHBOUR], Limit.NONE),
        (Pace(120, 1.0, 0.2), [NEIGHBOUR], Limit.NONE),
        (Pace(121, 0.9, 0.2), [NEIGHBOUR], Limit.NEIGHBOURS),  # in transactions that wait for a processor
        (Pace(121, 0.9, 0.2), [], Limit.DATABASE),
        (Pace(121, 0.9, 0.2), [Pace(cpu=0.5)], Limit.DATABASE),
        (Pace(121, 0.5, 0.2), [], Limit.OTHER),
        (Pace(121, 0.9, 0.9), [NEIGHBOUR], Limit.WORKER),
        (Pace(121), [NEIGHBOUR, NEIGHBOUR], Limit.NEIGHBOURS),
    ],
)
def test_what_sets_the_pace(pace: Pace, others: list[Pace], found: Limit) -> None:
    assert limit(pace, others, ONE) is found


def test_who_has_a_small_member_to_itself_gains_nothing_by_another() -> None:
    assert limit(Pace(600, 0.3, 0.45), [], 500) is Limit.WORKER


def test_what_is_no_pace_is_unknown() -> None:
    told: object
    for told in (None, [], {}, {"drain": "1", "cpu": None}):
        assert heard(told) == Pace()


def test_operator_reads_what_the_member_noted() -> None:
    lease = leases.subscription("cairn-push", "a", leases.wishes("1", Claim(1, 1), wanted=True))
    told = notes("a", {"a": Pace(300.4, 0.2, 0.25), "b": NEIGHBOUR}, ONE)
    found = leases.slot(leases.held(lease, "me", datetime.now(UTC), told))
    assert (found.drain, found.used, found.limit) == (300, 250, Limit.NEIGHBOURS)
    gone = leases.slot(leases.held(lease, "me", datetime.now(UTC), told | notes("a", {}, ONE)))
    assert (gone.drain, gone.used, gone.limit) == (0, 0, Limit.NONE)


class Fine:
    """A worker."""

    ready = True

    def stuck(self) -> None:
        return None


async def test_member_hears_the_pace_of_its_worker(tmp_path: Path) -> None:
    metrics = Metrics("seller-2088/orders")
    metrics.drain.set(300)
    metrics.cpu.set(0.25)
    metrics.lane("trades").writing.set(0.5)
    metrics.lane("refunds").writing.set(0.75)
    child = Child("seller-2088--orders", tmp_path)
    child.socket.parent.mkdir()
    runner = web.AppRunner(application(cast("Worker", cast("Any", Fine())), metrics, None))
    await runner.setup()
    await web.UnixSite(runner, str(child.socket)).start()
    child._process = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
    try:
        await child.look()
        assert (child.ready, child.pace) == (True, Pace(300, 0.75, 0.25))
        metrics.drain.set(inf)  # a database that is away: no number of members helps
        await child.look()
        assert child.pace == Pace(None, 0.75, 0.25)
    finally:
        child._process.kill()
        await child._process.wait()
        await runner.cleanup()
    await child.look()
    assert child.pace == Pace()


class Place:
    """A namespace that takes every Lease as it is."""

    name = "cairn-push"

    async def replace(self, lease: Obj) -> Obj:
        return lease


async def test_member_notes_the_pace_with_each_renewal(tmp_path: Path) -> None:
    member = Member(cast("Any", Place()), "me", "", Claim(ONE, 1), tmp_path)
    wishes = leases.wishes("1", Claim(1, 1), wanted=True)
    for name, pace in (("a", Pace(300, 0.9, 0.2)), ("b", NEIGHBOUR)):
        member.children[name] = Child(name, tmp_path)
        member.children[name].pace = pace
        member._leases[name] = leases.subscription("cairn-push", name, wishes)
    assert await member._hold("a")
    found = leases.slot(member._leases["a"])
    assert (found.holder, found.drain, found.used, found.limit) == ("me", 300, 200, Limit.NEIGHBOURS)

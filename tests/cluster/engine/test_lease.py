# SPDX-License-Identifier: Apache-2.0
"""Two claims to one Lease on a real API server, with answers that stall and get lost: never two writers at once."""

from __future__ import annotations

import asyncio
import random
import uuid
from itertools import pairwise

import pytest

from cairn.api.resources import CONFIGMAP, LEASE, Ref
from cairn.engine.cluster import Cluster, Request, Response, Transport
from cairn.engine.errors import NotLeaderError, UnavailableError
from cairn.engine.lease import Election, LeaseLostError, Terms
from cluster.engine.conftest import until

QUICK = Terms(duration=1.2, margin=0.4, renew=0.3, retry=0.2)


class UnreliableTransport:
    """Stalls some calls, loses the answer of others, and is cut off for a while at times, or when told so."""

    def __init__(self, inner: Transport, seed: int) -> None:
        self._inner = inner
        self._random = random.Random(seed)
        self._cut_until = 0.0

    def cut(self, seconds: float) -> None:
        self._cut_until = max(self._cut_until, asyncio.get_running_loop().time() + seconds)

    async def send(self, request: Request) -> Response:
        if self._random.random() < 0.1:
            self.cut(self._random.uniform(0, 2.0))
        if asyncio.get_running_loop().time() < self._cut_until:
            raise UnavailableError(0, "cut off")
        if self._random.random() < 0.1:
            await asyncio.sleep(self._random.uniform(0, 1.0))
        response = await self._inner.send(request)
        if self._random.random() < 0.05:
            raise UnavailableError(0, "answer lost")
        return response

    async def close(self) -> None:
        """The inner transport is the fixture's."""


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_two_replicas_never_may_both_write(transport: Transport, namespace: str, seed: int) -> None:
    """Who has led a while is cut off for longer than the Lease holds, so that the other one's turn comes."""
    ref = Ref(LEASE, namespace, "one")
    elections: dict[int, Election] = {}
    leaders: list[int] = []

    async def replica(number: int) -> None:
        network = UnreliableTransport(transport, seed * 10 + number)
        while True:
            election = elections[number] = Election(Cluster(network), ref, f"{number}-{uuid.uuid4()}", QUICK)
            await election.win()
            leaders.append(number)
            asyncio.get_running_loop().call_later(QUICK.duration, network.cut, 3 * QUICK.duration)
            try:
                await election.keep()
            except LeaseLostError:
                continue

    async def never_both() -> None:
        while True:
            assert sum(e.leads() for e in elections.values()) <= 1
            await asyncio.sleep(0.005)

    tasks = [asyncio.create_task(t) for t in (replica(0), replica(1), never_both())]

    async def changed_hands() -> bool:
        for task in tasks:
            if task.done():
                task.result()
        return sum(before != after for before, after in pairwise(leaders)) >= 3

    try:
        await until("it changed hands three times", changed_hands, seconds=240)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_write_without_the_lease_is_not_sent(transport: Transport, namespace: str) -> None:
    cluster = Cluster(transport, may_write=lambda: False)
    with pytest.raises(NotLeaderError):
        await cluster.create(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": namespace}}
        )
    assert await cluster.get(Ref(CONFIGMAP, namespace, "a")) is None

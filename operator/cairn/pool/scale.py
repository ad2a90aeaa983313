# SPDX-License-Identifier: Apache-2.0
"""The leading operator's round over the pool: as many members as what is reserved there, and what waits, need."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from prometheus_client import Gauge

from cairn.api.platform import Platform
from cairn.api.resources import DEPLOYMENT, LEASE, Obj, Ref, Resource
from cairn.pool import leases
from cairn.pool.assign import room
from cairn.pool.leases import MEMBER, SUBSCRIPTION, Sightings
from cairn.pool.pace import Limit
from cairn.pool.size import Rising, Settling, Size, bounded, loaded, wanted

ROUND_SECONDS = 15.0
SETTLE_SECONDS = 600.0
"""For so long no more members are wanted before some go: each that goes hands its workers over."""
RISE_SECONDS = 90.0
"""For so long the load asks for more members before some come: each pace is that of a minute."""
NAME = "cairn-pool"

MEMBERS = Gauge("cairn_pool_members_wanted", "Members that the pool of push workers was asked to have.")
AT_LIMIT = Gauge("cairn_pool_at_limit", "1 while more members are needed than push.pool.max allows.")
TOO_LARGE = Gauge("cairn_pool_too_large", "Subscriptions that reserve more than a member of the pool has.")
LATE = Gauge("cairn_pool_late", "Subscriptions whose backlog takes over two minutes, by what limits them.", ["by"])

log = logging.getLogger(__name__)


class Cluster(Protocol):
    """What is needed of it. ApiError where there is no answer, or this replica does not lead."""

    async def get(self, ref: Ref) -> Obj | None: ...

    async def list(self, resource: Resource, *, namespace: str | None = None, labels: str = "") -> list[Obj]: ...

    async def patch(self, ref: Ref, body: Obj, *, subresource: str | None = None) -> Obj: ...

    async def create(self, obj: Obj) -> Obj | None: ...


class Pool:
    """Its size. clock: seconds that go on while the machine sleeps, as those of the members do"""

    def __init__(self, cluster: Cluster, platform: Platform, clock: Callable[[], float] | None = None) -> None:
        asked = platform.push.pool
        self._cluster, self._clock = cluster, clock or _boot_clock
        self._ref = Ref(DEPLOYMENT, asked.namespace, NAME)
        self._bounds = (asked.min, asked.max)
        self._room = room(asked.cpu, asked.memory)
        self._sightings = Sightings()
        self._rising, self._settling = Rising(RISE_SECONDS), Settling(SETTLE_SECONDS)
        self._told: tuple[str, ...] = ()

    async def keep(self) -> None:
        """For ever. An API server that is away is asked again in the next round."""
        while True:
            try:
                await self.once()
            except Exception as error:
                log.warning("the pool keeps its size: %s: %s", type(error).__name__, error)
            await asyncio.sleep(ROUND_SECONDS)

    async def once(self) -> None:
        """One round. Raises ApiError."""
        deployment = await self._cluster.get(self._ref)
        if deployment is None:
            return
        seen = await self._cluster.list(LEASE, namespace=self._ref.namespace, labels=leases.LABEL)
        standing, now = int(deployment["spec"].get("replicas", 1)), self._clock()
        fresh = self._sightings.look(seen, now)
        slots = [leases.slot(one) for one in seen if leases.is_a(SUBSCRIPTION, one)]
        members = {
            one["metadata"]["name"]: leases.claim(one["metadata"].get("annotations") or {})
            for one in seen
            if leases.is_a(MEMBER, one) and one["metadata"]["name"] in fresh
        }
        # it may take a while: packing is tried for one number of members after the other
        found = await asyncio.to_thread(wanted, slots, members, self._room, standing, self._bounds[1] + 1)
        more, kept = loaded(slots, members, standing)
        needed = max(found.members, kept, self._rising.next(now, standing, more))
        size = bounded(needed, self._bounds)
        if slots:
            size = bounded(self._settling.next(now, standing, size), self._bounds)
        MEMBERS.set(size)
        AT_LIMIT.set(needed > self._bounds[1])
        for limit in filter(None, Limit):
            LATE.labels(limit.value).set(sum(one.limit == limit and one.holder in members for one in slots))
        self._tell(found)
        if size != standing:
            await self._cluster.patch(self._ref, {"spec": {"replicas": size}}, subresource="scale")
            why = _why(size, standing, found.members)
            log.info("the pool is to have %d members, not %d: %s", size, standing, why)
            await self._record(deployment, f"from {standing} to {size} members: {why}")

    def _tell(self, found: Size) -> None:
        TOO_LARGE.set(len(found.too_large))
        if found.too_large != self._told:
            self._told = found.too_large
            log.warning("no member of the pool has room for these alone: %s", ", ".join(found.too_large) or "none left")

    async def _record(self, deployment: Obj, message: str) -> None:
        meta, at = deployment["metadata"], datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        about = {key: meta[key] for key in ("name", "namespace", "uid", "resourceVersion")}
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{NAME}.{uuid.uuid4().hex[:16]}", "namespace": meta["namespace"]},
            "type": "Normal",
            "reason": "PoolSized",
            "message": message,
            "involvedObject": {"apiVersion": DEPLOYMENT.api_version, "kind": DEPLOYMENT.kind, **about},
            "source": {"component": "cairn"},
            "reportingComponent": "cairn",
            "reportingInstance": "cairn",
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        }
        await self._cluster.create(event)


def _why(size: int, standing: int, room: int) -> str:
    if size < standing:
        return "fewer were enough for a while"
    return "subscriptions have room in no fewer" if size <= room else "what waits is to be written in time"


def _boot_clock() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)

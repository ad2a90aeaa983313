# SPDX-License-Identifier: Apache-2.0
"""One writer: a coordination.k8s.io Lease, because kopf's peering pauses operators and elects nobody.

Times as in client-go's leaderelection, somewhat shorter. A holder counts its Lease from before the request that
renewed it left, a standby from when it first saw the renewal: so the old leader stops before the new one starts,
whatever the clocks of the two machines say.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from cairn.api.resources import LEASE, Obj, Ref
from cairn.engine.cluster import Cluster
from cairn.engine.errors import ApiError, ConflictError
from cairn.engine.metrics import LEADER

LEASE_NAME = "cairn-operator"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds. A standby leads at most duration + retry after the leader's last renewal.

    duration: how long a Lease holds without renewal
    margin: how much earlier its holder stops writing
    renew: how often it renews
    retry: how often a standby looks
    """

    duration: float = 12.0
    margin: float = 3.0
    renew: float = 3.0
    retry: float = 2.0


class LeaseLostError(Exception):
    """Another replica leads, or may soon."""


def _boot_clock() -> float:
    """Seconds that go on while the machine sleeps, as the other replica's do."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Election:
    """This replica's claim to one Lease. `cluster` must write without asking `may_write`: it is what answers it."""

    def __init__(
        self,
        cluster: Cluster,
        ref: Ref,
        identity: str,
        terms: Terms | None = None,
        clock: Callable[[], float] = _boot_clock,
    ) -> None:
        self._cluster = cluster
        self._ref = ref
        self._identity = identity
        self._terms = terms or Terms()
        self._clock = clock
        self._held_until = float("-inf")
        self._seen: tuple[str, str] = ("", "")
        self._seen_at = float("-inf")

    def leads(self) -> bool:
        """Whether this replica may write now."""
        return self._clock() < self._held_until - self._terms.margin

    async def win(self) -> None:
        """Return when this replica holds the Lease."""
        while not await self._tried():  # noqa: ASYNC110 - it asks the API server, no event of ours
            await asyncio.sleep(self._terms.retry * random.uniform(0.8, 1.0))  # noqa: S311 - jitter, no secret
        LEADER.set(1)
        log.info("leading as %s", self._identity)

    async def keep(self) -> None:
        """Renew for ever. Raises LeaseLostError; the process must end then."""
        while True:
            await asyncio.sleep(self._terms.renew)
            await self._tried()
            if not self.leads():
                LEADER.set(0)
                raise LeaseLostError("the Lease is lost: this replica stops, another one may lead")

    async def release(self) -> None:
        """Give the Lease back at an orderly end, so that the standby need not wait."""
        if self.leads():
            self._held_until = float("-inf")
            lease = await self._cluster.get(self._ref)
            if lease is not None and lease["spec"].get("holderIdentity") == self._identity:
                lease["spec"]["holderIdentity"] = ""
                await self._cluster.replace(lease)

    async def _tried(self) -> bool:
        asked_at = self._clock()
        try:
            async with asyncio.timeout(self._terms.renew):
                held = await self._claim(asked_at)
        except (ApiError, TimeoutError) as error:
            log.warning("the Lease could not be claimed: %s", str(error) or "no answer in time")
            return False
        if held:
            self._held_until = asked_at + self._terms.duration
        return held

    async def _claim(self, now: float) -> bool:
        lease = await self._cluster.get(self._ref)
        if lease is None:
            return await self._cluster.create(self._lease(None)) is not None
        spec = lease["spec"]
        seen = (spec.get("holderIdentity", ""), spec.get("renewTime", ""))
        if seen != self._seen:
            self._seen, self._seen_at = seen, now
        taken = seen[0] not in ("", self._identity)
        if taken and now < self._seen_at + spec.get("leaseDurationSeconds", self._terms.duration):
            self._held_until = float("-inf")
            return False
        try:
            await self._cluster.replace(self._lease(lease))
        except ConflictError:
            return False
        return True

    def _lease(self, standing: Obj | None) -> Obj:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        old = standing["spec"] if standing else {}
        same = old.get("holderIdentity") == self._identity
        meta = {"name": self._ref.name, "namespace": self._ref.namespace}
        if standing:
            meta["resourceVersion"] = standing["metadata"]["resourceVersion"]
        return {
            "apiVersion": LEASE.api_version,
            "kind": "Lease",
            "metadata": meta,
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": int(self._terms.duration),
                "acquireTime": old.get("acquireTime", now) if same else now,
                "renewTime": now,
                "leaseTransitions": old.get("leaseTransitions", 0) + (0 if same or not standing else 1),
            },
        }

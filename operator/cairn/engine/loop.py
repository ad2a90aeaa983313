# SPDX-License-Identifier: Apache-2.0
"""The engine at work: events in, keys on the queue, workers that reconcile them, a resync that mends the rest."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from cairn.api.resources import Obj, Ref, Resource, ref_of
from cairn.engine import metrics
from cairn.engine.clock import Clock
from cairn.engine.cluster import Cluster
from cairn.engine.discovery import missing_apis
from cairn.engine.errors import ApiError, NotLeaderError
from cairn.engine.kind import Kind, Within
from cairn.engine.queue import Queue
from cairn.engine.reconcile import Reconciler
from cairn.engine.render import SELECTOR, owner_of
from cairn.engine.store import Store

log = logging.getLogger(__name__)

COUNT_SECONDS = 10.0
"""How often the objects are counted for the metrics."""

CROWD_SECONDS = 1.0
"""Who wanted many objects is woken this long after the first of them changed: most often others change, too."""

WATCHES_BEGIN_SECONDS = 5.0
"""kopf is started anew when APIs come or go. What was deleted while nobody watched is found this long after."""

UNSETTLED_PASSES = 12
"""A database takes five or six to stand. From then on a pass that wants another one has to wait, ever longer."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the engine turns.

    workers: objects in work at a time. More helps while the API server or databases are slow to answer; default 16
    reconcile_seconds: a pass that takes longer is broken off and tried again; default 25
    resync_seconds: period of the full LIST of every kind ±20 %; drift of Secrets shows after that; default 600
    discover_seconds: how often it is looked which optional APIs (KubeVirt, CDI, …) there are; default 60
    heartbeat_seconds: how often the event loop shows that it turns; default 1
    """

    workers: int = 16
    reconcile_seconds: float = 25.0
    resync_seconds: float = 600.0
    discover_seconds: float = 60.0
    heartbeat_seconds: float = 1.0


class Engine:
    """All kinds on one cluster. `run` ends only by cancellation."""

    def __init__(
        self,
        kinds: Iterable[Kind],
        cluster: Cluster,
        *,
        pace: Pace | None = None,
        clock: Clock | None = None,
    ) -> None:
        by_resource = {kind.resource: kind for kind in kinds}
        self.pace = pace or Pace()
        self.cluster = cluster
        self.queue: Queue[Ref] = Queue()
        self.parents = frozenset(by_resource)
        self.watched = self.parents | {child for kind in by_resource.values() for child in kind.children}
        self.store = Store(packed=self.watched - self.parents)
        self.missing: frozenset[Resource] = frozenset()
        self.discovered = asyncio.Event()
        self.regrouped = asyncio.Event()
        self._rewatched = asyncio.Event()
        self.reconciler = Reconciler(
            by_resource, cluster, self.store, self.watched, clock or Clock(), lambda: self.missing
        )
        self.listed: set[Resource] = set()
        self._listed_all = asyncio.Event()
        self.heartbeat_at = time.monotonic()
        self._unsettled: dict[Ref, int] = {}
        self.missed_in_a_row: dict[Resource, int] = dict.fromkeys(self.watched, 0)
        self._untold: dict[Resource, set[Ref]] = {resource: set() for resource in self.watched}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self.pace.workers):
                tasks.create_task(self._work())
            tasks.create_task(self._resync_forever())
            tasks.create_task(self._discover_forever())
            tasks.create_task(self._beat())

    def seen(self, obj: Obj, *, deleted: bool = False) -> None:
        """A watch event. Cheap: it only notes the object and wakes whom it concerns."""
        ref = ref_of(obj)
        metrics.WATCH_LAST.labels(ref.resource.kind).set_to_current_time()
        self._untold[ref.resource].discard(ref)
        if deleted:
            if self.store.drop(ref, uid=obj["metadata"]["uid"]) is not None:
                self.wake(ref, obj)
            return
        before = self.store.get(ref)
        if self.store.put(obj, time.monotonic()):
            self.wake(ref, obj, itself=before is None or _asks_for_more(before, obj))
        elif self.reconciler.untold.get(ref) == obj["metadata"]["resourceVersion"]:
            del self.reconciler.untold[ref]
            self._wake_wanting(ref)  # news to everybody but to who wrote it

    def wake(self, ref: Ref, obj: Obj, *, live: bool = True, itself: bool = True) -> None:
        """Queue whoever an object concerns: itself, its owner, and all who wanted it."""
        if itself and ref.resource in self.parents:
            self.queue.add(ref, live=live)
        if (owner := owner_of(obj)) and owner.resource in self.parents:
            self.queue.add(owner, live=live)
        self._wake_wanting(ref, live=live)

    def _wake_wanting(self, ref: Ref, *, live: bool = True) -> None:
        wanted_by = self.reconciler.wanted_by
        for key in wanted_by.get(ref, ()):
            self.queue.add(key, live=live)
        within = Within(ref.resource, ref.namespace)
        for key in (*wanted_by.get(ref.resource, ()), *wanted_by.get(within, ())):
            if key != ref:
                self.queue.add_after(key, CROWD_SECONDS)

    async def resync(self) -> None:
        """One LIST of every watched kind: ghosts, lost events and drift in unwatched objects are found here."""
        await self.discover()
        for resource in sorted(self.watched):
            started = time.monotonic()
            listed = [] if resource in self.missing else await self._listed(resource)
            first = resource not in self.listed
            changed = self.store.replace(resource, listed, started, time.monotonic())
            self.listed.add(resource)
            self._judge_watch(resource)
            self._untold[resource] = set() if first else {ref_of(obj) for obj in changed}
            for obj in changed:
                self.wake(ref_of(obj), obj, live=not first)
        self._listed_all.set()
        self.reconciler.forget_settled()
        for resource in self.parents:
            for ref in self.store.all(resource):
                self.queue.add(ref, live=False)

    async def _listed(self, resource: Resource) -> list[Obj]:
        return await self.cluster.list(resource, labels="" if resource in self.parents else SELECTOR)

    def _judge_watch(self, resource: Resource) -> None:
        """By what the resync before this one found first: the watch has had a whole period to tell of it, too."""
        missed = len(self._untold[resource])
        if not missed:
            self.missed_in_a_row[resource] = 0
            return
        self.missed_in_a_row[resource] += 1
        metrics.WATCH_MISSED.labels(resource.kind).inc(missed)
        log.warning("the watch of %s has not told of %d changes that a resync found", resource.plural, missed)

    async def _resync_forever(self) -> None:
        while True:
            try:
                await self.resync()
            except ApiError as error:
                log.warning("resync broken off: %s", error.message)
                await asyncio.sleep(random.uniform(1, 3))  # noqa: S311 - jitter, no secret
                continue
            await self._next_resync()

    async def _next_resync(self) -> None:
        """The period's end, or a moment after the watches began anew."""
        self._rewatched.clear()
        try:
            async with asyncio.timeout(self.pace.resync_seconds * random.uniform(0.8, 1.2)):  # noqa: S311
                await self._rewatched.wait()
                await asyncio.sleep(WATCHES_BEGIN_SECONDS)
        except TimeoutError:
            return

    async def discover(self) -> None:
        """Which optional APIs are there. What changed since the last look wakes the watches and every object."""
        missing = await missing_apis(self.cluster, self.missing)
        self.discovered.set()
        for resource in sorted((self.missing - missing) & self.watched):
            # first of all: what stands there would look gone until the watch tells of it
            started = time.monotonic()
            self.store.replace(resource, await self._listed(resource), started, time.monotonic())
        if missing != self.missing:
            self.missing = missing
            self.regrouped.set()
            self._rewatched.set()
            for resource in self.parents:
                for ref in self.store.all(resource):
                    self.queue.add(ref, live=False)

    async def _discover_forever(self) -> None:
        await self._listed_all.wait()
        while True:
            await asyncio.sleep(self.pace.discover_seconds)
            try:
                await self.discover()
            except ApiError as error:
                log.warning("the API server's groups could not be read: %s", error.message)

    async def _work(self) -> None:
        # Before every kind was listed once, what is there looks gone: a plan nobody uses, a volume that was lost.
        await self._listed_all.wait()
        while True:
            key = await self.queue.get()
            try:
                await self._work_on(key)
            finally:
                self.queue.done(key)

    async def _work_on(self, key: Ref) -> None:
        started = time.monotonic()
        kind = key.resource.kind
        try:
            async with asyncio.timeout(self.pace.reconcile_seconds):
                result = await self.reconciler.reconcile(key)
        except NotLeaderError:
            raise
        except Exception as error:  # one object's fault, whatever it is, holds up nobody else
            metrics.RECONCILES.labels(kind, "error").inc()
            await self._failed(key, error)
            return
        finally:
            metrics.RECONCILE_SECONDS.labels(kind).observe(time.monotonic() - started)
        metrics.RECONCILES.labels(kind, "gone" if result.gone else "failed" if result.failed else "ok").inc()
        if result.gone:
            self.queue.forget(key)
            self._unsettled.pop(key, None)
        elif result.failed or (result.again and self._restless(key)):
            self.queue.retry(key)
        elif result.again:
            self.queue.add(key)
        else:
            self._unsettled.pop(key, None)
            self.queue.succeeded(key)
            if result.after_seconds is not None:
                self.queue.add_after(key, result.after_seconds)

    def _restless(self, key: Ref) -> bool:
        """Whether so many passes in a row had something to do that the plan may never settle."""
        self._unsettled[key] = self._unsettled.get(key, 0) + 1
        return self._unsettled[key] > UNSETTLED_PASSES

    async def _failed(self, key: Ref, error: Exception) -> None:
        seconds = self.queue.retry(key)
        log.warning("%s failed, again in %.1f s: %s: %s", key, seconds, type(error).__name__, error)
        # one failure may be a hiccup of the API server; from the third on its user should know, after each change too
        if self.queue.failures(key) >= 3:
            try:
                message = f"the last passes failed: {type(error).__name__}: {error}"
                await self.reconciler.say_failure(key, message)
            except ApiError as second:
                log.warning("%s: nor could that be told: %s", key, second.message)

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        count_at = 0.0
        while True:
            due = loop.time() + self.pace.heartbeat_seconds
            await asyncio.sleep(self.pace.heartbeat_seconds)
            metrics.LOOP_LAG.set(max(loop.time() - due, 0.0))
            self.heartbeat_at = time.monotonic()
            since = self.queue.oldest_since()
            metrics.QUEUE_OLDEST.set(0.0 if since is None else loop.time() - since)
            for lane, depth in self.queue.depth().items():
                metrics.QUEUE_DEPTH.labels(lane).set(depth)
            if loop.time() >= count_at:
                self._count()
                count_at = loop.time() + COUNT_SECONDS

    def _count(self) -> None:
        for resource in self.parents:
            objects = self.store.all(resource).values()
            metrics.OBJECTS.labels(resource.kind).set(len(objects))
            metrics.set_not_ready(resource.kind, _reasons(objects))


def _asks_for_more(before: Obj, after: Obj) -> bool:
    """Whether an event on an object is more than the echo of a status write, which must not start another pass."""
    keys = ("generation", "labels", "annotations", "finalizers", "deletionTimestamp")
    return any(before["metadata"].get(key) != after["metadata"].get(key) for key in keys)


def _reasons(objects: Iterable[Obj]) -> Counter[str]:
    """How many objects are not Ready, by reason."""
    conditions = (c for obj in objects for c in obj.get("status", {}).get("conditions", []))
    return Counter(c["reason"] for c in conditions if c["type"] == "Ready" and c["status"] != "True")

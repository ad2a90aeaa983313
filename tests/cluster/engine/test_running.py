# SPDX-License-Identifier: Apache-2.0
"""The engine with its watches: what is repaired by itself, how soon, and what holds up nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from cairn.api.resources import CONFIGMAP, PVC, SECRET, Obj, Ref
from cairn.engine import health
from cairn.engine.cluster import Cluster, Request, Response, Transport
from cairn.engine.loop import UNSETTLED_PASSES
from cluster.engine.conftest import Running, until
from cluster.engine.toy import TOY, toy


async def ready(cluster: Cluster, key: Ref) -> Obj:
    async def check() -> Obj | None:
        live = await cluster.get(key)
        conditions = (live or {}).get("status", {}).get("conditions", [])
        return live if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions) else None

    found: Obj = await until(f"{key} is Ready", check)
    return found


async def value(cluster: Cluster, ref: Ref) -> str:
    live = await cluster.get(ref)
    return str(live["data"]["value"]) if live else ""


async def test_drift_of_a_watched_child_is_undone_before_any_resync(
    cluster: Cluster, namespace: str, running: Running
) -> None:
    ref = Ref(CONFIGMAP, namespace, "one-a")
    async with running(cluster):
        await cluster.apply(toy(namespace, "one", values={"a": "1"}), manager="user")
        await ready(cluster, Ref(TOY, namespace, "one"))
        await cluster.patch(ref, {"data": {"value": "drifted"}})
        await until("the edit is undone", lambda: _is(cluster, ref, "1"))
        live = await cluster.get(ref)
        assert live
        await cluster.delete(ref, uid=live["metadata"]["uid"])
        await until("the deletion is undone", lambda: _is(cluster, ref, "1"))


async def _is(cluster: Cluster, ref: Ref, wanted: str) -> bool:
    return await value(cluster, ref) == wanted


async def test_drift_of_a_secret_is_undone_within_one_resync(
    cluster: Cluster, namespace: str, running: Running
) -> None:
    ref = Ref(SECRET, namespace, "one-secret")
    async with running(cluster, resync_seconds=2.0):
        await cluster.apply(toy(namespace, "one", values={"a": "1"}), manager="user")
        await ready(cluster, Ref(TOY, namespace, "one"))
        live = await cluster.get(ref)
        assert live
        await cluster.delete(ref, uid=live["metadata"]["uid"])
        await until("the Secret is there again", lambda: cluster.get(ref))


async def test_two_quick_changes_end_in_the_last(cluster: Cluster, namespace: str, running: Running) -> None:
    async with running(cluster):
        for n in range(20):
            await cluster.apply(toy(namespace, "one", values={"a": str(n)}), manager="user")
        await until("the last one stands", lambda: _is(cluster, Ref(CONFIGMAP, namespace, "one-a"), "19"))


async def test_failing_object_backs_off_tells_and_holds_up_nobody(
    cluster: Cluster, namespace: str, running: Running
) -> None:
    async with running(cluster, workers=1) as engine:
        await cluster.apply(toy(namespace, "broken", fails="probe"), manager="user")
        broken = Ref(TOY, namespace, "broken")
        await until("it failed three times", lambda: _true(engine.queue.failures(broken) >= 3))
        for n in range(5):
            await cluster.apply(toy(namespace, f"fine-{n}", values={"a": "1"}), manager="user")
        for n in range(5):
            await ready(cluster, Ref(TOY, namespace, f"fine-{n}"))
        told = await until("it says so", lambda: _reason(cluster, broken))
        assert told["reason"] == "ApiError"
        assert "this toy is broken" in told["message"]


async def _true(flag: bool) -> bool:
    return flag


async def _reason(cluster: Cluster, key: Ref) -> dict[str, Any] | None:
    live = await cluster.get(key)
    conditions: list[dict[str, Any]] = (live or {}).get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["status"] == "False"), None)


async def test_plan_that_never_settles_is_slowed_down(cluster: Cluster, namespace: str, running: Running) -> None:
    async with running(cluster) as engine:
        kind = engine.reconciler.kinds[TOY]
        passes = kind.passes  # type: ignore[attr-defined]
        restless = Ref(TOY, namespace, "restless")
        await cluster.apply(toy(namespace, "restless", fails="never-done"), manager="user")
        await until("it backs off", lambda: _true(engine.queue.failures(restless) >= 3))
        assert passes.count("restless") <= UNSETTLED_PASSES + 6


async def test_worker_that_stands_still_fails_the_health_check(
    cluster: Cluster, namespace: str, running: Running
) -> None:
    """The check's clock runs twenty times as fast: it tells after passes are broken off."""
    async with running(cluster, reconcile_seconds=1.0) as engine:

        def oldest() -> float | None:
            since = engine.queue.oldest_since()
            return None if since is None else since * 20

        check = health.workers_move(oldest, lambda: time.monotonic() * 20)
        await cluster.apply(toy(namespace, "stuck", fails="hangs"), manager="user")
        await until("it is told", lambda: _true("a worker has stood still" in check()))
        await cluster.apply(toy(namespace, "fine", values={"a": "1"}), manager="user")
        await ready(cluster, Ref(TOY, namespace, "fine"))
        engine.reconciler.kinds[TOY].freed.set()  # type: ignore[attr-defined]
        live = await cluster.get(Ref(TOY, namespace, "stuck"))
        assert live
        await cluster.delete(Ref(TOY, namespace, "stuck"), uid=live["metadata"]["uid"])
        await until("it is healthy again", lambda: _true(check() == ""))


async def test_change_of_a_wanted_object_wakes_who_wants_it(cluster: Cluster, namespace: str, running: Running) -> None:
    async with running(cluster) as engine:
        await cluster.apply(toy(namespace, "one", values={}, plays="two"), manager="user")
        await ready(cluster, Ref(TOY, namespace, "one"))
        kind = engine.reconciler.kinds[TOY]
        passes = kind.passes  # type: ignore[attr-defined]
        await until("it is idle", lambda: _true(engine.queue.idle()))
        before = passes.count("one")
        await cluster.apply(toy(namespace, "two", values={}), manager="user")
        await until("one was looked at again", lambda: _true(passes.count("one") > before))


async def test_ghost_after_a_gap_is_found_by_the_resync(cluster: Cluster, namespace: str, running: Running) -> None:
    """A re-list reports nothing that vanished meanwhile: here the store is given such a ghost."""
    async with running(cluster, resync_seconds=2.0) as engine:
        await cluster.apply(toy(namespace, "one", values={"a": "1"}), manager="user")
        await ready(cluster, Ref(TOY, namespace, "one"))
        ref = Ref(CONFIGMAP, namespace, "one-ghost")
        live = await cluster.get(Ref(CONFIGMAP, namespace, "one-a"))
        assert live
        meta = {**live["metadata"], "name": "one-ghost", "uid": "gone"}
        engine.store.put({**live, "metadata": meta}, time.monotonic())
        await until("the ghost is gone", lambda: _true(engine.store.get(ref) is None))


async def test_busy_watch_is_not_taken_for_a_silent_one(cluster: Cluster, namespace: str, running: Running) -> None:
    """A list that overtakes the event of the same change is no fault, however often it happens."""
    async with running(cluster, resync_seconds=0.2) as engine:
        for n in range(60):
            await cluster.apply(toy(namespace, "one", values={"a": str(n)}), manager="user")
            await engine.resync()
        await until("the last one stands", lambda: _is(cluster, Ref(CONFIGMAP, namespace, "one-a"), "59"))
        assert max(engine.missed_in_a_row.values()) < 3


async def test_silent_watch_is_noticed(cluster: Cluster, namespace: str, running: Running) -> None:
    """The watch is cut off at the engine's edge: nothing it tells arrives, as with a stream that went silent."""
    async with running(cluster, resync_seconds=0.5) as engine:
        await cluster.apply(toy(namespace, "one", values={"a": "1"}), manager="user")
        await ready(cluster, Ref(TOY, namespace, "one"))
        engine.seen = lambda *_, **__: None  # type: ignore[method-assign]

        async def change_unseen() -> AsyncIterator[int]:
            for n in range(200):
                await cluster.apply(toy(namespace, "one", values={"a": str(n)}), manager="user")
                yield n
                await asyncio.sleep(0.2)

        async for _ in change_unseen():
            if engine.missed_in_a_row[TOY] >= 3:
                return
        raise AssertionError("nobody noticed")


class SlowList:
    """Lists of one kind wait until they are let through."""

    def __init__(self, inner: Transport, path: str) -> None:
        self._inner, self._path = inner, path
        self.open = asyncio.Event()

    async def send(self, request: Request) -> Response:
        if request.path == self._path and not request.writes:
            await self.open.wait()
        return await self._inner.send(request)

    async def close(self) -> None:
        await self._inner.close()


async def test_nothing_is_decided_before_every_kind_was_listed(
    transport: Transport, cluster: Cluster, namespace: str, running: Running
) -> None:
    key = Ref(TOY, namespace, "one")
    await cluster.apply(toy(namespace, "one", values={"a": "1"}), manager="user")
    slow = SlowList(transport, PVC.path(None))
    async with running(Cluster(slow)) as engine:
        await until("its watch told of the toy", lambda: _true(engine.store.get(key) is not None))
        await asyncio.sleep(0.5)
        assert engine.reconciler.kinds[TOY].passes == []  # type: ignore[attr-defined]
        slow.open.set()
        await ready(cluster, key)


async def test_failing_object_that_was_changed_tells_that_the_change_fails_too(
    cluster: Cluster, namespace: str, running: Running
) -> None:
    key = Ref(TOY, namespace, "broken")
    async with running(cluster) as engine:
        await cluster.apply(toy(namespace, "broken", fails="probe"), manager="user")
        await until("it failed three times", lambda: _true(engine.queue.failures(key) >= 3))
        await until("it is told", lambda: _reason(cluster, key))
        await cluster.apply(toy(namespace, "broken", fails="probe", values={"a": "1"}), manager="user")
        await until("it is told of the change too", lambda: _observed(cluster, key))


async def _observed(cluster: Cluster, key: Ref) -> bool:
    live = await cluster.get(key)
    return bool(live and live["status"]["observedGeneration"] == live["metadata"]["generation"])

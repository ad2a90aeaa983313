# SPDX-License-Identifier: Apache-2.0
"""Whom the watch wakes when it tells of what the engine itself wrote."""

from __future__ import annotations

from typing import cast

from cairn.api.platform import Platform
from cairn.api.resources import PUSHSUBSCRIPTION, SELLERRDS, Obj, Ref
from cairn.engine.cluster import Cluster
from cairn.engine.loop import Engine
from cairn.push.kind import PushSubscriptionKind
from cairn.rds.kind import SellerRDSKind

DATABASE = Ref(SELLERRDS, "seller-1", "shop-db")
FEED = Ref(PUSHSUBSCRIPTION, "seller-1", "orders")


def database(version: str) -> Obj:
    meta = {"name": "shop-db", "namespace": "seller-1", "uid": "u", "generation": 1, "resourceVersion": version}
    return {"apiVersion": "cairn.dev/v1alpha1", "kind": "SellerRDS", "metadata": meta, "spec": {}}


def engine() -> Engine:
    found = Engine([SellerRDSKind(Platform()), PushSubscriptionKind(Platform())], cast("Cluster", None))
    found.store.put(database("1"), 0.0)
    found.reconciler.wanted_by[DATABASE].add(FEED)
    return found


async def woken(of: Engine) -> set[Ref]:
    found = set()
    while not of.queue.idle():
        key = await of.queue.get()
        of.queue.done(key)
        found.add(key)
    return found


async def test_status_that_was_written_here_wakes_who_wants_the_object_and_not_itself() -> None:
    of = engine()
    of.reconciler._keep(database("2"))
    assert await woken(of) == set()
    of.seen(database("2"))
    assert await woken(of) == {FEED}
    of.seen(database("2"))
    assert await woken(of) == set(), "told once"


async def test_event_that_came_before_the_answer_wakes_once() -> None:
    of = engine()
    of.seen(database("2"))
    of.reconciler._keep(database("2"))
    assert FEED in await woken(of)
    of.seen(database("3"))
    assert FEED in await woken(of)

# SPDX-License-Identifier: Apache-2.0
"""Promotions through the engine on a real API server, as time goes by, jumps back, and windows are edited."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from cairn.api.platform import Platform
from cairn.api.resources import NAMESPACE, PROMOTION, SELLERRDS, Obj, Ref, ref_of
from cairn.engine.cluster import Cluster, KubernetesTransport, load_configuration
from cairn.engine.loop import Engine
from cairn.promotion.kind import PromotionKind
from cairn.rds.kind import SellerRDSKind
from cluster.engine.conftest import settle
from devcluster import ControlPlane
from handclock import HandClock

NAME = Ref(PROMOTION, "", "double-11")
START = datetime.fromisoformat("2026-11-11T00:00:00+08:00")


@pytest.fixture
async def cluster(control_plane: ControlPlane) -> AsyncIterator[Cluster]:
    """Ends with its promotions gone."""
    transport = KubernetesTransport(await load_configuration(str(control_plane.kubeconfig), None))
    cluster = Cluster(transport)
    yield cluster
    for obj in await cluster.list(PROMOTION):
        await cluster.delete(ref_of(obj), uid=obj["metadata"]["uid"])
    await transport.close()


def promotion(**spec: Any) -> Obj:
    window = {"name": "main", "start": "2026-11-11T00:00:00", "duration": "24h"}
    fields = {"timeZone": "Asia/Shanghai", "windows": [window], "warmUp": "6h", "coolDown": "12h"}
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "Promotion",
        "metadata": {"name": "double-11"},
        "spec": fields | spec,
    }


async def said(cluster: Cluster) -> Obj:
    live = await cluster.get(NAME)
    assert live
    status: Obj = live["status"]
    assert status["observedGeneration"] == live["metadata"]["generation"]
    return status


def condition(status: Obj, kind: str = "Ready") -> tuple[str, str]:
    return next((c["status"], c["reason"]) for c in status["conditions"] if c["type"] == kind)


async def test_status_follows_the_clock_wherever_it_jumps_and_writes_only_at_edges(
    cluster: Cluster, control_plane: ControlPlane
) -> None:
    clock = HandClock(START - timedelta(days=30))
    engine = Engine([PromotionKind(Platform())], cluster, clock=clock)
    await cluster.apply(promotion(), manager="user")
    hours = [-1000, -7, -6, -1, 0, 23, 24, 35, 36, 1000, 1, -6.5, 30]  # forward, past all of it, and back again
    phases = ["Waiting", "Waiting", "WarmingUp", "WarmingUp", "Active", "Active", "CoolingDown", "CoolingDown"]
    phases += ["Over", "Over", "Active", "Waiting", "CoolingDown"]
    found, writes = [], []
    for hour in hours:
        clock.moment = START + timedelta(hours=hour)
        before = _writes(control_plane)
        await settle(engine)
        writes.append(_writes(control_plane) - before)
        found.append((await said(cluster))["phase"])
    assert found == phases
    assert writes == [1, 1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1]  # the second is the preflight


async def test_end_is_brought_forward_by_an_edit(cluster: Cluster) -> None:
    engine = Engine([PromotionKind(Platform())], cluster, clock=HandClock(START + timedelta(hours=2)))
    await cluster.apply(promotion(), manager="user")
    await settle(engine)
    assert (await said(cluster))["phase"] == "Active"
    window = {"name": "main", "start": "2026-11-11T00:00:00", "duration": "1h"}
    await cluster.apply(promotion(windows=[window], coolDown="30m"), manager="user")
    await settle(engine)
    status = await said(cluster)
    assert status["phase"] == "Over"
    assert condition(status) == ("True", "NoWindowAhead")


async def test_suspended_one_is_planned_by_itself_and_comes_back(cluster: Cluster) -> None:
    engine = Engine([PromotionKind(Platform())], cluster, clock=HandClock(START + timedelta(hours=2)))
    await cluster.apply(promotion(suspend=True), manager="user")
    await settle(engine)
    status = await said(cluster)
    assert status["phase"] == "Suspended"
    assert condition(status) == ("True", "Ready")
    assert condition(status, "Suspended") == ("True", "Suspended")
    await cluster.apply(promotion(), manager="user")
    await settle(engine)
    status = await said(cluster)
    assert status["phase"] == "Active"
    assert "Suspended" not in {c["type"] for c in status["conditions"]}


async def test_spec_that_makes_no_sense_is_stalled_until_it_does(cluster: Cluster) -> None:
    engine = Engine([PromotionKind(Platform())], cluster, clock=HandClock(START))
    await cluster.apply(promotion(timeZone="Asia/Shanghi"), manager="user")
    await settle(engine)
    status = await said(cluster)
    assert condition(status) == ("False", "InvalidSpec")
    assert condition(status, "Stalled") == ("True", "InvalidSpec")
    assert "did you mean Asia/Shanghai" in status["conditions"][0]["message"]
    await cluster.apply(promotion(), manager="user")
    await settle(engine)
    assert condition(await said(cluster)) == ("True", "Ready")


async def test_who_takes_part_is_counted_and_deletion_needs_nobody(cluster: Cluster) -> None:
    engine = Engine([PromotionKind(Platform()), SellerRDSKind(Platform())], cluster, clock=HandClock(START))
    await cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "taking-part"}})
    assert await cluster.get(Ref(NAMESPACE, "", "taking-part"))
    await cluster.apply(promotion(), manager="user")
    database = {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "SellerRDS",
        "metadata": {"name": "shop-db", "namespace": "taking-part"},
        "spec": {
            "version": "17",
            "planRef": {"name": "db.small"},
            "databases": [{"name": "shop"}],
            "promotions": [{"name": "double-11", "planRef": {"name": "db.large"}}],
        },
    }
    await cluster.apply(database, manager="user")
    await settle(engine)
    assert (await said(cluster))["participants"] == 1
    standing = await cluster.get(Ref(SELLERRDS, "taking-part", "shop-db"))
    assert standing
    await cluster.delete(Ref(SELLERRDS, "taking-part", "shop-db"), uid=standing["metadata"]["uid"])
    await settle(engine)
    assert (await said(cluster))["participants"] == 0
    live = await cluster.get(NAME)
    assert live
    assert not live["metadata"].get("finalizers")


def _writes(plane: ControlPlane) -> int:
    """Writes to the status of promotions so far."""
    return sum(
        event["stage"] == "ResponseComplete"
        and event["verb"] == "patch"
        and "/promotions/double-11/status" in event["requestURI"]
        for event in plane.audit_events()
    )

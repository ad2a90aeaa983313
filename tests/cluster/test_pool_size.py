# SPDX-License-Identifier: Apache-2.0
"""The pool's size on a real API server, with the rights that the chart gives the operator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from cairn.api.platform import Platform
from cairn.engine.cluster import Cluster, KubernetesTransport, load_configuration
from cairn.engine.errors import NotLeaderError
from cairn.pool import leases
from cairn.pool.assign import Claim
from cairn.pool.pace import Pace
from cairn.pool.pace import notes as pace_notes
from cairn.pool.scale import RISE_SECONDS, ROUND_SECONDS, SETTLE_SECONDS, Pool
from cluster.charted import BUS, CHARTS, POOL, SYSTEM, Charted, helm

LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{POOL}/leases"
SCALE = f"/apis/apps/v1/namespaces/{POOL}/deployments/cairn-pool/scale"
EVENTS = f"/api/v1/namespaces/{POOL}/events?fieldSelector=reason=PoolSized"


class Reserved:
    """What is reserved in the pool, its size, and the replica that keeps it."""

    def __init__(self, charted: Charted, cluster: Cluster) -> None:
        self.charted = charted
        self.leads, self.now = True, 0.0
        self.pool = Pool(cluster, Platform(), clock=lambda: self.now)

    def claim(self, name: str, millicores: int) -> None:
        """As the operator does for a subscription, or a promotion of it."""
        notes = leases.wishes("1", Claim(millicores, 1), wanted=True)
        made = self.charted.operator.create(LEASES, leases.subscription(POOL, name, notes))
        if made.status == 409:
            made = self.charted.operator.merge(f"{LEASES}/{name}", {"metadata": {"annotations": notes}})
        assert made.ok, made

    def work(self, member: str, name: str, pace: Pace, *others: Pace) -> None:
        """As a member does in its round."""
        paces = {name: pace} | {f"other-{number}": one for number, one in enumerate(others)}
        now = datetime.now(UTC)
        for lease, notes in (
            (leases.member(POOL, member, Claim(1000, 2**30), member, ""), {}),
            (leases.subscription(POOL, name, {}), pace_notes(name, paces, 1000)),
        ):
            path = f"{LEASES}/{lease['metadata']['name']}"
            stands = self.charted.admin.get(path)
            held = leases.held(stands.body if stands.ok else lease, member, now, notes)
            answer = self.charted.admin("PUT", path, held) if stands.ok else self.charted.admin.create(LEASES, held)
            assert answer.ok, answer

    async def worked(self, limits: Iterable[tuple[Pace, ...]]) -> list[int]:
        """Sizes, a round after the other."""
        found = []
        for paces in limits:
            self.work("a", "seller-1--orders", *paces)
            found.append(await self.sized(ROUND_SECONDS))
        return found

    @property
    def size(self) -> int:
        return int(self.charted.admin.get(SCALE).body["spec"].get("replicas", 0))

    async def sized(self, seconds: float = 0.0) -> int:
        """So much later."""
        self.now += seconds
        await self.pool.once()
        return self.size


@pytest.fixture
def empty(charted: Charted) -> Iterator[None]:
    assert charted.admin.merge(SCALE, {"spec": {"replicas": 1}}).ok
    yield
    for one in charted.admin.get(LEASES).body["items"]:
        charted.admin.delete(f"{LEASES}/{one['metadata']['name']}")


@pytest_asyncio.fixture
async def reserved(charted: Charted, empty: None, tmp_path: Path) -> AsyncIterator[Reserved]:
    kubeconfig = charted.kubeconfig(tmp_path / "operator.conf", charted.operator.token, POOL)
    transport = KubernetesTransport(await load_configuration(str(kubeconfig), None))
    cluster = Cluster(transport, may_write=lambda: found.leads)
    found = Reserved(charted, cluster)
    try:
        yield found
    finally:
        await cluster.close()


async def test_pool_grows_with_what_is_reserved_and_shrinks_when_it_has_settled(reserved: Reserved) -> None:
    assert await reserved.sized() == 0
    for name in ("seller-1--orders", "seller-2--orders", "seller-3--orders"):
        reserved.claim(name, 300)
    assert await reserved.sized() == 1
    reserved.claim("seller-3--orders", 800)  # a promotion begins
    assert await reserved.sized() == 2
    reserved.claim("seller-4--orders", 1001)
    assert await reserved.sized() == 2
    helm(
        reserved.charted.plane.kubeconfig, "upgrade", "cairn", CHARTS / "cairn", "--namespace", SYSTEM,
        "--values", BUS, "--wait=hookOnly",
    )  # fmt: skip
    assert reserved.size == 2
    reserved.claim("seller-3--orders", 300)  # it is over
    assert await reserved.sized() == 2
    assert await reserved.sized(SETTLE_SECONDS) == 1
    said = [one["message"] for one in reserved.charted.admin.get(EVENTS).body["items"]]
    assert "from 1 to 2 members: subscriptions have room in no fewer" in said


async def test_who_does_not_lead_leaves_the_size_alone(reserved: Reserved) -> None:
    reserved.claim("seller-1--orders", 300)
    assert await reserved.sized() == 1
    reserved.claim("seller-2--orders", 800)
    reserved.leads = False
    with pytest.raises(NotLeaderError):
        await reserved.sized()
    assert reserved.size == 1
    reserved.leads = True
    assert await reserved.sized() == 2


async def test_pool_grows_by_load_where_more_members_help_and_not_where_the_database_sets_the_pace(
    reserved: Reserved,
) -> None:
    reserved.claim("seller-1--orders", 100)
    assert await reserved.sized() == 1
    rounds = int(RISE_SECONDS / ROUND_SECONDS) + 1
    bound, crowded = (Pace(600, 0.9, 0.2),), (Pace(600, 0.9, 0.2), Pace(0, 0.1, 0.7))
    assert await reserved.worked([bound] * 2 * rounds) == [1] * 2 * rounds
    assert await reserved.worked([crowded] * rounds) == [1] * (rounds - 1) + [2]
    assert await reserved.worked([bound] * rounds) == [2] * rounds
    said = [one["message"] for one in reserved.charted.admin.get(EVENTS).body["items"]]
    assert "from 1 to 2 members: what waits is to be written in time" in said

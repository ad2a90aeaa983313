# SPDX-License-Identifier: Apache-2.0
"""A Seller's quota through a promotion on a real API server, which counts and refuses pods by it. No pod runs here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cairn.api.crd import CRDS
from cairn.api.platform import Platform
from cairn.api.quantity import parse
from cairn.api.resources import POD, PROMOTION, RESOURCEQUOTA, SELLER, SELLERRDS, Obj, Ref, Resource
from cairn.api.text import to_yaml
from cairn.cli.kinds import kinds
from cairn.engine.cluster import Cluster, KubernetesTransport, load_configuration
from cairn.engine.errors import RefusedError
from cairn.engine.loop import Engine
from cluster.engine.conftest import settle, until
from devcluster import ControlPlane
from handclock import HandClock

HOME = "seller-2088"
WARM_UP = datetime(2026, 11, 10, 6, tzinfo=UTC)
COOLED = datetime(2026, 11, 12, 4, tzinfo=UTC)
LEAD, SECOND = timedelta(minutes=10), timedelta(seconds=1)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane.start(tmp_path_factory.mktemp("quota"), name="quota") as plane:
        plane.kubectl("apply", "--server-side", "-f", "-", input=to_yaml(*[crd.manifest() for crd in CRDS]))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        plane.kubectl("create", "clusterrole", "cairn-seller-namespace", "--verb=get", "--resource=secrets")
        yield plane


@pytest.fixture
async def cluster(plane: ControlPlane) -> AsyncIterator[Cluster]:
    transport = KubernetesTransport(await load_configuration(str(plane.kubeconfig), None))
    yield Cluster(transport)
    await transport.close()


def custom(kind: str, name: str, home: str = "", **spec: Any) -> Obj:
    meta = {"name": name} | ({"namespace": home} if home else {})
    return {"apiVersion": "cairn.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}


def plan(name: str, kind: str, peak: Obj | None = None, **size: Any) -> Obj:
    spec: Obj = {"for": kind, "size": size, "prices": []} | ({"peak": peak} if peak else {})
    return custom("ServicePlan", name, **spec)


SELLER_OBJ = custom("Seller", "acme", id="2088", namespace=HOME, planRef={"name": "seller.standard"})
WORLD = (
    plan(
        "seller.standard",
        "Seller",
        {"cpu": "60", "memory": "400Gi", "storage": "2Ti"},
        cpu="10",
        memory="64Gi",
        storage="500Gi",
    ),
    plan("vm.small", "SellerVM", cpu="2", memory="4Gi", storage="20Gi"),
    plan("db.small", "SellerRDS", cpu="500m", memory="512Mi", storage="2Gi", connections=50),
    plan("db.large", "SellerRDS", cpu="2", memory="2Gi", storage="2Gi", connections=200),
    custom(
        "Promotion",
        "double-11",
        timeZone="Asia/Shanghai",
        windows=[{"name": "main", "start": "2026-11-10T20:00:00", "duration": "28h"}],
        warmUp="6h",
        coolDown="12h",
        preflight="72h",
    ),
)
SHOP = custom(
    "SellerVM",
    "shop",
    HOME,
    planRef={"name": "vm.small"},
    image={"name": "debian-12"},
    promotions=[{"name": "double-11", "replicas": {"min": 10, "max": 20}}],
)
DATABASE = custom(
    "SellerRDS",
    "shop-db",
    HOME,
    version="17",
    planRef={"name": "db.small"},
    promotions=[{"name": "double-11", "planRef": {"name": "db.large"}}],
)


def pod(name: str, cpu: int) -> Obj:
    """As the namespace's Pod Security standard wants it."""
    container = {
        "name": "one",
        "image": "none",
        "resources": {"limits": {"cpu": str(cpu), "memory": "64Mi"}, "requests": {"cpu": "100m", "memory": "64Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "containers": [container],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": HOME}, "spec": spec}


class Cloud:
    """The engine at a moment of one's choice; each look is of a new one, which remembers nothing."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    async def at(self, moment: datetime) -> None:
        """Twice: a Promotion whose preflight begins looks at the nodes in its second pass, others hear of it then."""
        engine = Engine(kinds(Platform()), self.cluster, clock=HandClock(moment))
        for _ in range(3):
            await settle(engine)

    async def quota(self) -> Obj:
        found = await self.cluster.get(Ref(RESOURCEQUOTA, HOME, "cairn"))
        assert found
        return found

    async def cores(self) -> str:
        hard: str = (await self.quota())["spec"]["hard"]["limits.cpu"]
        return hard

    async def counted(self, cores: str) -> None:
        """Until the API server's own controller has counted what is used, against the limits that stand."""

        async def look() -> bool:
            found = await self.quota()
            status = found.get("status") or {}
            same = status.get("hard") == found["spec"]["hard"]
            return same and parse(status.get("used", {}).get("limits.cpu", "0")) == parse(cores)

        await until(f"{cores} are used", look)

    async def condition(self, resource: Resource, name: str, namespace: str = "") -> Obj:
        live = await self.cluster.get(Ref(resource, namespace, name))
        assert live
        return next((one for one in live["status"]["conditions"] if one["type"] == "PeakFits"), {})


@pytest.fixture
async def cloud(cluster: Cluster) -> Cloud:
    for obj in (*WORLD, SELLER_OBJ):
        await cluster.apply(obj, manager="user")
    cloud = Cloud(cluster)
    await cloud.at(WARM_UP - timedelta(days=10))
    await cluster.apply(SHOP, manager="user")
    return cloud


async def test_quota_is_raised_before_a_promotion_and_lowered_after_its_last_pod(cloud: Cloud) -> None:
    """Plan 10; 20 clones of 2 vCPU; 2 once more for a migration."""
    await cloud.at(WARM_UP - LEAD - SECOND)
    assert await cloud.cores() == "12"
    await cloud.counted("0")
    with pytest.raises(RefusedError, match="exceeded quota"):
        await cloud.cluster.create(pod("clones", 40))

    await cloud.at(WARM_UP - LEAD)
    assert await cloud.cores() == "52"
    await cloud.counted("0")
    assert await cloud.cluster.create(pod("clones", 38))
    assert await cloud.cluster.create(pod("base", 2))
    await cloud.counted("40")

    await cloud.at(COOLED - SECOND)
    assert await cloud.cores() == "52"
    await cloud.at(COOLED)
    assert await cloud.cores() == "42"
    with pytest.raises(RefusedError, match="exceeded quota"):
        await cloud.cluster.create(pod("more", 4))

    clones = await cloud.cluster.get(Ref(POD, HOME, "clones"))
    assert clones
    await cloud.cluster.delete(Ref(POD, HOME, "clones"), uid=clones["metadata"]["uid"])
    await cloud.counted("2")
    await cloud.at(COOLED)
    assert await cloud.cores() == "12"
    await cloud.counted("2")


async def test_preflight_says_on_promotion_seller_and_participant_what_is_missing(cloud: Cloud) -> None:
    """This control plane has no nodes and no KubeVirt, so not even the base machine stands; later the seller asks for
    more than the peak of the plan."""
    await cloud.cluster.apply(DATABASE, manager="user")
    await cloud.at(WARM_UP - timedelta(hours=72) - SECOND)
    assert await cloud.condition(PROMOTION, "double-11") == {}
    await cloud.at(WARM_UP - timedelta(hours=72))
    said = await cloud.condition(PROMOTION, "double-11")
    assert (said["status"], said["reason"]) == ("False", "DoesNotFit")
    assert said["message"].startswith("needs 5.7 vCPU, 0 free on nodes; needs ")
    owner = await cloud.cluster.get(Ref(SELLER, "", "acme"))
    assert owner
    assert [peak["name"] for peak in owner["status"]["peaks"]] == ["double-11"]
    assert (await cloud.condition(SELLER, "acme"))["status"] == "True"
    assert "needs 5.7 vCPU, 0 free" in (await cloud.condition(SELLERRDS, "shop-db", HOME))["message"]

    asks = {"name": "double-11", "replicas": {"min": 10, "max": 40}}
    await cloud.cluster.apply(SHOP | {"spec": SHOP["spec"] | {"promotions": [asks]}}, manager="user")
    await cloud.at(WARM_UP - LEAD)
    assert await cloud.cores() == "72"
    said = await cloud.condition(SELLER, "acme")
    assert (said["status"], said["reason"]) == ("False", "DoesNotFit")
    assert "its quota will be 70: ask for less, or choose a plan with a larger peak" in said["message"]
    assert "its quota will be 70" in (await cloud.condition(SELLERRDS, "shop-db", HOME))["message"]

    await cloud.at(COOLED)
    assert await cloud.condition(PROMOTION, "double-11") == {}
    assert await cloud.condition(SELLERRDS, "shop-db", HOME) == {}

# SPDX-License-Identifier: Apache-2.0
"""A promotion with guests that boot: its clones answer behind the Service at its start, lose their traffic before they
go, and the base answers throughout."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cairn.api.resources import VMPOOL, VOLUMESNAPSHOT
from devcluster import Cluster, StepError
from pods.stage import Scene, at_work, cairn_object

pytestmark = pytest.mark.pods

HOUR = timedelta(hours=1)
CLONES = ("shop-peak-0", "shop-peak-1")


@dataclass
class Answers:
    """Who answered whom, as long as it runs: behind the Service, and the base by itself."""

    namespace: str
    devcluster: Cluster
    behind: list[str] = field(default_factory=list)
    base_failed: list[str] = field(default_factory=list)
    base_answered: int = 0

    async def ask_base(self) -> None:
        while True:
            try:
                said = await asyncio.to_thread(self._ask, f"pods/{self._pod()}:8080")
                assert said == "shop"
                self.base_answered += 1
            except (StepError, ValueError, AssertionError) as error:
                self.base_failed.append(f"{datetime.now(UTC):%H:%M:%S} {error}")
            await asyncio.sleep(1)

    async def ask_service(self) -> set[str]:
        """The host names of twelve answers."""
        found = set()
        for _ in range(12):
            with contextlib.suppress(StepError, ValueError):
                found.add(await asyncio.to_thread(self._ask, "services/shop:8080"))
        return found

    def _ask(self, target: str) -> str:
        path = f"/api/v1/namespaces/{self.namespace}/{target}/proxy/cgi-bin/info"
        return str(json.loads(self.devcluster.kubectl("get", "--raw", path, "--request-timeout=30s"))["hostname"])

    def _pod(self) -> str:
        select = "--selector=vm.cairn.dev/name=shop,vm.cairn.dev/role=base"
        found = self.devcluster.kubectl("-n", self.namespace, "get", "pod", select, "-o", "name")
        return found.strip().rpartition("/")[2]


async def test_clones_answer_at_the_start_lose_traffic_before_they_go_and_the_base_answers_throughout(
    kubevirt_cluster: Cluster,
) -> None:
    async with at_work(kubevirt_cluster) as scene:
        await _plays(scene)


async def _plays(scene: Scene) -> None:
    answers = Answers(scene.namespace, scene.devcluster)
    await _apply(scene)
    await scene.until("the base answers", lambda: _hosts(answers, {"shop"}), 300)
    asking = asyncio.create_task(answers.ask_base())
    try:
        await scene.jump(HOUR + timedelta(minutes=1))  # the warm-up has begun
        await scene.until("both clones get traffic", lambda: _counts(scene, ready=2), 400)
        began = answers.base_answered
        await scene.until("everyone answers", lambda: _hosts(answers, {"shop", *CLONES}), 60)

        await scene.jump(3 * HOUR + timedelta(minutes=1))  # the window is over
        await scene.until("the clones lose their traffic", lambda: _counts(scene, ready=0, draining=CLONES[1]), 60)
        await scene.until("the base alone answers", lambda: _hosts(answers, {"shop"}), 20)
        assert await scene.standing() == {"shop", *CLONES}, "traffic goes before the clones"
        await scene.until("the clones are gone", lambda: _only_base(scene), 240)
        await scene.until("pool and snapshot too", lambda: _nothing_left(scene), 60)
        assert await answers.ask_service() == {"shop"}
    finally:
        asking.cancel()
    assert answers.base_answered > began
    assert answers.base_failed == []


async def _apply(scene: Scene) -> None:
    """A promotion whose warm-up begins in an hour and whose window lasts one more, and a machine that takes part."""
    start = (datetime.now(UTC) + 2 * HOUR).strftime("%Y-%m-%dT%H:%M:%S")
    window = {"name": "main", "start": start, "duration": "1h"}
    promotion = {"timeZone": "UTC", "windows": [window], "warmUp": "1h", "coolDown": "0"}
    await scene.client.apply(cairn_object("Promotion", scene.namespace, promotion), manager="test")
    machine = {
        "resources": {"cpu": "1", "memory": "192Mi"},
        "image": {"name": "guest"},
        "disk": {"size": "256Mi", "storageClass": "csi-dev-immediate"},
        "ports": [{"name": "web", "port": 8080}],
        "promotions": [{"name": scene.namespace, "replicas": {"min": 2, "max": 2}}],
    }
    await scene.client.apply(cairn_object("SellerVM", "shop", machine, namespace=scene.namespace), manager="test")


async def _hosts(answers: Answers, wanted: set[str]) -> bool:
    return await answers.ask_service() == wanted


async def _counts(scene: Scene, **fields: Any) -> bool:
    clones = (await scene.status()).get("clones") or {}
    return all(clones.get(key) == value for key, value in fields.items())


async def _only_base(scene: Scene) -> bool:
    return await scene.standing() == {"shop"}


async def _nothing_left(scene: Scene) -> bool:
    return not any([await scene.client.list(one, namespace=scene.namespace) for one in (VMPOOL, VOLUMESNAPSHOT)])

# SPDX-License-Identifier: Apache-2.0
"""A machine with a guest that boots from a downloaded image, and Operations on it: what a snapshot holds comes back."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from cairn.api.platform import Platform
from cairn.api.resources import OPERATION, Obj, Ref
from cairn_devcluster.workbench import Namespace
from devcluster import Cluster, StepError
from pods import guests
from pods.stage import PLATFORM, Scene, at_work, cairn_object

pytestmark = pytest.mark.pods

WEB = "http://web.cairn-images:8080/guest.img"
# where images come from is inside of the test's cluster, whose networks are closed to downloads otherwise
SETTINGS = Platform.model_validate(
    {"virtualMachines": {**PLATFORM.virtual_machines.model_dump(mode="json"), "denied_networks": []}}
)


async def test_machine_from_a_download_comes_back_as_its_snapshot_was(kubevirt_cluster: Cluster) -> None:
    async with at_work(kubevirt_cluster, SETTINGS) as scene:
        await _plays(scene, Namespace(kubevirt_cluster, scene.namespace))


async def _plays(scene: Scene, namespace: Namespace) -> None:
    checksum = scene.devcluster.kubectl(
        "get", "--raw", "/api/v1/namespaces/cairn-images/services/web:8080/proxy/guest.img.sha256"
    ).split()[0]
    machine = {
        "resources": {"cpu": "1", "memory": "192Mi"},
        "image": {"http": {"url": WEB, "checksum": f"sha256:{checksum}"}},
        "disk": {"size": "256Mi", "storageClass": "csi-dev-immediate"},
        "ports": [{"name": "web", "port": 8080}],
    }
    await scene.client.apply(cairn_object("SellerVM", "shop", machine, namespace=scene.namespace), manager="test")
    await scene.until("the guest answers", lambda: _said(namespace), 300)
    await _run(namespace, "echo one >/state/note; sync")

    await _deed(scene, "before", "snapshot")
    await _run(namespace, "echo two >/state/note; sync")
    await _deed(scene, "halt", "stop")
    await _deed(scene, "back", "restore", args={"snapshot": "before"}, confirm="shop")
    await _deed(scene, "go", "start")
    await scene.until("the guest answers again", lambda: _said(namespace), 300)
    assert (await _run(namespace, "cat /state/note")).strip() == "one"


async def _said(namespace: Namespace) -> dict[str, Any]:
    try:
        return await asyncio.to_thread(partial(guests.info, namespace, "shop"))
    except (StepError, ValueError):
        return {}


async def _run(namespace: Namespace, script: str) -> str:
    return await asyncio.to_thread(guests.run, namespace, "shop", script)


async def _deed(scene: Scene, name: str, action: str, **more: Any) -> None:
    spec = {"target": {"kind": "SellerVM", "name": "shop"}, "action": action, **more}
    await scene.client.apply(cairn_object("Operation", name, spec, namespace=scene.namespace), manager="test")

    async def ended() -> Obj | None:
        status: Obj = (await scene.client.get(Ref(OPERATION, scene.namespace, name)) or {}).get("status") or {}
        return status if status.get("phase") in ("Succeeded", "Failed") else None

    status = await scene.until(f"the end of {name}", ended, 240)
    assert status["phase"] == "Succeeded", status

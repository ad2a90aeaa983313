# SPDX-License-Identifier: Apache-2.0
"""Operations on a machine with all of Cairn's kinds at work, KubeVirt's webhooks and its virt-controller."""

from __future__ import annotations

import json
from typing import Any

from cairn.api.resources import DATAVOLUME, OPERATION, SELLERVM, VIRTUALMACHINE, VMI, VOLUMESNAPSHOT, Obj, Ref
from cairn_devcluster.base import StepError
from cluster.engine.conftest import until
from cluster.vm.conftest import NAMESPACE, Stand

API = "cairn.dev/v1alpha1"


async def deed(stand: Stand, name: str, action: str, machine: str = "shop", **more: Any) -> None:
    spec = {"target": {"kind": "SellerVM", "name": machine}, "action": action, **more}
    meta = {"name": name, "namespace": NAMESPACE}
    await stand.apply({"apiVersion": API, "kind": "Operation", "metadata": meta, "spec": spec})
    for _ in range(3):
        await stand.settle()


async def ended(stand: Stand, name: str) -> Obj:
    """The Operation's status, once it has ended."""

    async def look() -> Obj | None:
        await stand.settle()
        status: Obj = (await stand.get(OPERATION, name)).get("status") or {}
        return status if status.get("phase") in ("Succeeded", "Failed") else None

    found: Obj = await until(f"the end of {name}", look, seconds=60)
    return found


async def instance(stand: Stand, name: str = "shop") -> Obj | None:
    return await stand.cluster.get(Ref(VMI, NAMESPACE, name))


def status(stand: Stand, resource: str, name: str, value: Obj) -> None:
    args = ["-n", NAMESPACE, "patch", resource, name, "--type=merge", "-p", json.dumps({"status": value})]
    try:
        stand.plane.kubectl(*args, "--subresource=status")
    except StepError:  # a CRD without the subresource
        stand.plane.kubectl(*args)


async def test_machine_is_stopped_snapshotted_restored_and_started(stand: Stand) -> None:
    await stand.machine("shop")
    await stand.fill("shop")
    await stand.run_guest("shop")

    await deed(stand, "restore-early", "restore", args={"snapshot": "none"}, confirm="shop")
    early = await ended(stand, "restore-early")
    assert early["phase"] == "Failed"
    assert "stop it first" in early["conditions"][0]["message"]

    await deed(stand, "stop-shop", "stop")
    assert (await stand.get(SELLERVM, "shop"))["spec"]["powerState"] == "Stopped"
    assert (await stand.get(OPERATION, "stop-shop"))["status"]["phase"] == "Running"
    await until("virt-controller to end the guest", lambda: _going(stand))
    await stand.end("shop")
    await until("the instance to go", lambda: _gone(stand))
    assert (await ended(stand, "stop-shop"))["phase"] == "Succeeded"

    await deed(stand, "snapshot-shop", "snapshot", args={"name": "before-sale"})
    status(stand, "volumesnapshot", "before-sale", {"readyToUse": True})
    assert (await ended(stand, "snapshot-shop"))["result"] == {"snapshot": "before-sale"}
    taken = await stand.get(VOLUMESNAPSHOT, "before-sale")
    assert taken["spec"]["source"] == {"persistentVolumeClaimName": "shop-disk"}
    assert (await stand.get(SELLERVM, "shop"))["status"]["lastSnapshot"]["name"] == "before-sale"

    await deed(stand, "restore-shop", "restore", args={"snapshot": "before-sale"}, confirm="shop")
    assert await stand.get(DATAVOLUME, "shop-disk-r1")
    status(stand, "datavolume", "shop-disk-r1", {"phase": "Succeeded"})
    assert (await ended(stand, "restore-shop"))["result"] == {"disk": "shop-disk-r1", "replaced": "shop-disk"}
    assert await stand.get(DATAVOLUME, "shop-disk")
    volumes = (await stand.get(VIRTUALMACHINE, "shop"))["spec"]["template"]["spec"]["volumes"]
    assert "shop-disk-r1" in json.dumps(volumes)

    await deed(stand, "start-shop", "start")
    assert (await stand.get(SELLERVM, "shop"))["spec"]["powerState"] == "Running"
    assert (await stand.get(OPERATION, "start-shop"))["status"]["phase"] == "Running"


async def test_restart_has_virt_controller_make_another_instance(stand: Stand) -> None:
    await stand.machine("again")
    await stand.fill("again")
    before = (await stand.run_guest("again"))["metadata"]["uid"]
    await deed(stand, "restart-again", "restart", "again")
    assert (await stand.get(OPERATION, "restart-again"))["status"]["before"] == before
    await until("the guest to be told", lambda: _going(stand, "again"))
    await stand.end("again")
    again = await until("another instance", lambda: _another(stand, "again", before))
    assert again
    await stand.settle()
    assert (await stand.get(OPERATION, "restart-again"))["status"]["phase"] == "Running"


async def _going(stand: Stand, name: str = "shop") -> bool:
    await stand.settle()
    live = await instance(stand, name)
    return live is None or "deletionTimestamp" in live["metadata"]


async def _gone(stand: Stand) -> bool:
    return await instance(stand) is None


async def _another(stand: Stand, name: str, before: str) -> Obj | None:
    live = await instance(stand, name)
    return live if live and live["metadata"]["uid"] != before else None

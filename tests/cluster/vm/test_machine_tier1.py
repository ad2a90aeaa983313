# SPDX-License-Identifier: Apache-2.0
"""Machines against KubeVirt's own webhooks and virt-controller: accepted as they are, changed live, restarted when
they may, and sized as the quota was told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cairn.api import vm_size
from cairn.api.quantity import parse
from cairn.api.resources import (
    DATAVOLUME,
    INGRESS,
    NETWORKPOLICY,
    POD,
    RESOURCEQUOTA,
    SELLERVM,
    SERVICE,
    VIRTUALMACHINE,
    VMI,
    Obj,
    Ref,
)
from cluster.engine.conftest import until
from cluster.vm.conftest import NAMESPACE, SECCOMP, Stand, seccomp

ALWAYS = {
    "timeZone": "UTC",
    "windows": [
        {
            "name": "always",
            "days": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
            "start": "00:00",
            "duration": "24h",
        }
    ],
}
FULL: Obj = {
    "ssh": {"keysSecretRef": {"name": "keys"}},
    "cloudInit": {"secretRef": {"name": "init"}},
    "ports": [{"name": "web", "port": 80}],
    "expose": {"host": "shop.example.com", "port": "web"},
    "access": {"fromNamespaces": ["erp"]},
}


async def _secrets(stand: Stand) -> None:
    for name, data in (("keys", {"a": "ssh-ed25519 AAAA a"}), ("init", {"userdata": "#cloud-config\n{}\n"})):
        meta = {"name": name, "namespace": NAMESPACE}
        await stand.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": data})


async def _pod(stand: Stand, name: str) -> Obj | None:
    pods = await stand.cluster.list(POD, namespace=NAMESPACE, labels=f"vm.cairn.dev/name={name}")
    return pods[0] if pods else None


async def test_every_object_is_taken_and_the_pod_takes_what_the_quota_was_told(stand: Stand) -> None:
    await _secrets(stand)
    await stand.machine("whole", **FULL)
    volume = await stand.get(DATAVOLUME, "whole-disk")
    assert "ownerReferences" not in volume["metadata"]
    assert (await stand.condition("whole", "Ready"))["reason"] == "DiskPending"
    await stand.fill("whole")
    pod = await until("a launcher pod", lambda: _pod(stand, "whole"))
    asked = pod["spec"]["containers"][0]["resources"]
    told = vm_size.launcher("2", "2Gi")
    for key, amount in told.items():
        kind, what = key.split(".")
        assert parse(asked[kind][what]) == parse(amount), key
    assert len(pod["spec"]["containers"]) == 1
    assert "initContainers" not in pod["spec"]
    assert pod["metadata"]["labels"]["cairn.dev/owner-name"] == "whole"
    for resource in (SERVICE, NETWORKPOLICY, INGRESS):
        assert (await stand.get(resource, "whole"))["metadata"]["ownerReferences"][0]["kind"] == "SellerVM"
    populated = (await stand.get(DATAVOLUME, "whole-disk"))["metadata"]["annotations"]
    assert populated["cdi.kubevirt.io/storage.prePopulated"] == "whole-disk"


async def test_settled_machine_is_written_no_more(stand: Stand) -> None:
    """What KubeVirt's webhooks add to the object is no difference to what is wanted."""
    await _secrets(stand)
    await stand.machine("quiet", **FULL)
    await stand.fill("quiet")
    await stand.run_guest("quiet")
    before = await _versions(stand, "quiet")
    for _ in range(2):
        await stand.settle()
    assert await _versions(stand, "quiet") == before
    manager = (await stand.get(VIRTUALMACHINE, "quiet"))["metadata"]["generation"]
    assert manager == 1


async def _versions(stand: Stand, name: str) -> dict[str, Any]:
    found = {resource.kind: await stand.get(resource, name) for resource in (SERVICE, NETWORKPOLICY, INGRESS, SELLERVM)}
    found["DataVolume"] = await stand.get(DATAVOLUME, f"{name}-disk")
    machine = await stand.get(VIRTUALMACHINE, name)
    return {kind: obj["metadata"]["resourceVersion"] for kind, obj in found.items()} | {"spec": machine["spec"]}


async def test_larger_plan_reaches_the_running_instance_live_and_smaller_waits_for_the_window(stand: Stand) -> None:
    promotion = {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "Promotion",
        "metadata": {"name": "double-12"},
        "spec": {"timeZone": "UTC", "windows": [{"name": "a", "start": "2030-12-12T00:00:00", "duration": "4h"}]},
    }
    await stand.apply(promotion)
    taking_part = [{"name": "double-12", "planRef": {"name": "vm.large"}}]
    await stand.machine("grow", promotions=taking_part)
    await stand.fill("grow")
    started = await stand.run_guest("grow")
    assert started["spec"]["domain"]["cpu"]["maxSockets"] == 4

    await stand.machine("grow", planRef={"name": "vm.large"}, promotions=taking_part)

    async def _grown() -> bool:
        domain = (await stand.get(VMI, "grow"))["spec"]["domain"]
        return bool(domain["cpu"]["sockets"] == 4 and domain["memory"]["guest"] == "4Gi")

    await until("KubeVirt to change the instance", _grown)
    await stand.settle()
    conditions = (await stand.get(VIRTUALMACHINE, "grow"))["status"]["conditions"]
    assert "RestartRequired" not in {one["type"] for one in conditions if one["status"] == "True"}
    assert (await stand.get(VMI, "grow"))["metadata"]["uid"] == started["metadata"]["uid"]
    assert "live migration" in (await stand.condition("grow", "Resized"))["message"]

    await stand.machine("grow", planRef={"name": "vm.small"}, promotions=taking_part)
    assert (await stand.domain("grow"))["cpu"]["sockets"] == 4
    deferred = await stand.condition("grow", "Deferred")
    assert deferred["reason"] == "RestartRequired"
    assert "from 4 vCPU, 4Gi to 1 vCPU, 1Gi: less" in deferred["message"]

    await stand.machine("grow", planRef={"name": "vm.small"}, promotions=taking_part, maintenance=ALWAYS)
    assert (await stand.domain("grow"))["cpu"]["sockets"] == 1
    going = await stand.cluster.get(Ref(VMI, NAMESPACE, "grow"))
    gone = going is None or going["metadata"]["uid"] != started["metadata"]["uid"]
    assert gone or "deletionTimestamp" in going["metadata"]  # type: ignore[index]
    assert not await stand.condition("grow", "Deferred")


async def test_new_port_of_a_running_machine_does_not_block_what_is_live(stand: Stand) -> None:
    await stand.machine("probe")
    await stand.fill("probe")
    await stand.run_guest("probe")
    await stand.machine("probe", ports=[{"name": "web", "port": 80}])
    assert (await stand.get(SERVICE, "probe"))["spec"]["ports"][0]["port"] == 80
    assert "the port that tells readiness" in (await stand.condition("probe", "Deferred"))["message"]
    conditions = (await stand.get(VIRTUALMACHINE, "probe"))["status"].get("conditions", ())
    assert "RestartRequired" not in {one["type"] for one in conditions}


async def test_stopped_machine_has_no_instance_and_is_ready(stand: Stand) -> None:
    await stand.machine("halt", powerState="Stopped")
    await stand.fill("halt")
    assert await stand.cluster.get(Ref(VMI, NAMESPACE, "halt")) is None
    ready = await stand.condition("halt", "Ready")
    assert (ready["status"], ready["reason"]) == ("True", "Stopped")


async def test_platform_without_the_seccomp_profile_is_named(stand: Stand) -> None:
    seccomp(stand.plane, None)
    try:
        await stand.machine("refused")
        await stand.fill("refused")

        async def _told() -> bool:
            await stand.settle()
            return "runtimeDefaultProfile: true" in (await stand.condition("refused", "Ready")).get("message", "")

        await until("the condition", _told, seconds=40)
    finally:
        seccomp(stand.plane, SECCOMP)


def _filler(cpu: str) -> Obj:
    """A pod of the seller's own that takes most of the quota."""
    resources = {"limits": {"cpu": cpu, "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "filler", "namespace": NAMESPACE},
        "spec": {
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "a",
                    "image": "none",
                    "resources": resources,
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }


async def test_quota_too_small_for_the_pod_is_told_with_numbers(stand: Stand) -> None:
    """The quota has room for one machine more than the plan, to migrate to. Two on top of a full plan are too many."""
    for name in ("crowded-1", "crowded-2"):
        await stand.machine(name, powerState="Stopped")
        await stand.fill(name)
    hard = (await stand.get(RESOURCEQUOTA, "cairn"))["spec"]["hard"]["limits.cpu"]
    await stand.apply(_filler(hard))
    try:
        await stand.machine("crowded-1", powerState="Running")
        await until("the first one's pod", lambda: _pod(stand, "crowded-1"))
        await stand.machine("crowded-2", powerState="Running")

        async def _told() -> bool:
            await stand.settle()
            return (await stand.condition("crowded-2", "Ready")).get("reason") == "QuotaExceeded"

        await until("the condition", _told, seconds=40)
        assert "limits.cpu" in (await stand.condition("crowded-2", "Ready"))["message"]
    finally:
        stand.plane.kubectl("-n", NAMESPACE, "delete", "pod", "filler", "--force", "--grace-period=0")


async def test_deleted_machine_leaves_its_disk_and_the_next_one_takes_it_over(stand: Stand) -> None:
    await stand.machine("heir")
    await stand.fill("heir")
    before = await stand.get(DATAVOLUME, "heir-disk")
    live = await stand.get(SELLERVM, "heir")
    await stand.cluster.delete(Ref(SELLERVM, NAMESPACE, "heir"), uid=live["metadata"]["uid"])
    await stand.settle()
    assert await stand.cluster.get(Ref(SELLERVM, NAMESPACE, "heir")) is None
    await stand.machine("heir")
    assert (await stand.condition("heir", "Ready"))["reason"] == "DataExists"
    await stand.machine("heir", adopt=True)
    after = await stand.get(DATAVOLUME, "heir-disk")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    heir = await stand.get(SELLERVM, "heir")
    assert after["metadata"]["labels"]["cairn.dev/owner-uid"] == heir["metadata"]["uid"]
    assert await stand.get(VIRTUALMACHINE, "heir")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        pytest.param({"image": {"http": {"url": "https://x/y"}}}, "checksum", id="no-checksum"),
        pytest.param({"resources": {"cpu": "1.5", "memory": "1Gi"}, "planRef": None}, "whole number", id="half-a-cpu"),
        pytest.param({"expose": {"host": "shop.example.com", "port": "web"}}, "spec.expose.port", id="no-such-port"),
        pytest.param(
            {"promotions": [{"name": "a", "replicas": {"min": 4, "max": 2}}]}, "less than min", id="min-above-max"
        ),
        pytest.param({"disk": {"size": "0"}}, "disk", id="empty-disk"),
    ],
)
async def test_bad_spec_is_refused_with_field_and_remedy(stand: Stand, spec: Obj, words: str) -> None:
    fields: Obj = {"planRef": {"name": "vm.medium"}, "image": {"name": "debian-12"}} | spec
    meta = {"name": "bad", "namespace": NAMESPACE}
    given: Obj = {key: value for key, value in fields.items() if value}
    body = {"apiVersion": "cairn.dev/v1alpha1", "kind": "SellerVM", "metadata": meta, "spec": given}
    with pytest.raises(Exception, match=words):
        stand.plane.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(body))

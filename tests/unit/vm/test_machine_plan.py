# SPDX-License-Identifier: Apache-2.0
"""What a machine consists of, in which order it comes, and what stands in its way."""

from __future__ import annotations

from typing import Any

import pytest

from cairn.api.platform import Gateway, Platform, VirtualMachines
from cairn.api.resources import (
    DATAVOLUME,
    HTTPROUTE,
    KUBEVIRT,
    VIRTUALMACHINE,
    VMI,
    VMPOOL,
    VOLUMESNAPSHOT,
    Obj,
    Ref,
    ref_of,
)
from cairn.engine.kind import Observed
from cairn.vm.kind import SellerVMKind
from unit.vm import machine_world as world

DIGEST = "docker://registry.example.com/debian@sha256:" + "a" * 64
CHECKSUM = "sha256:" + "b" * 64


def test_nothing_there_begins_with_the_disk() -> None:
    got = world.plan(world.vm(), world.seen())
    assert world.kinds(got) == ["NetworkPolicy/shop-import", "DataVolume/shop-disk", "NetworkPolicy/shop"]
    assert world.condition(got, "Ready") == (False, "DiskPending", "disk shop-disk is being made")
    disk = next(child for child in got.children if child.obj["kind"] == "DataVolume")
    assert disk.retain
    assert not disk.adopt


@pytest.mark.parametrize(
    "phase", ["Pending", "ImportInProgress", "CloneInProgress", "WaitForFirstConsumer", "PendingPopulation"]
)
def test_machine_does_not_wait_until_the_disk_is_filled(phase: str) -> None:
    """Storage that binds at first use is filled only once the machine's pod has a node."""
    got = world.plan(world.vm(), world.seen(world.data_volume(phase=phase)))
    assert "VirtualMachine/shop" in world.kinds(got)
    assert "NetworkPolicy/shop-import" in world.kinds(got)


def test_standing_machine_is_ready_and_nothing_is_left_to_do() -> None:
    got = world.plan(world.vm(), world.standing())
    assert world.kinds(got) == ["DataVolume/shop-disk", "VirtualMachine/shop", "NetworkPolicy/shop"]
    assert world.condition(got, "Ready") == (True, "Ready", "")
    assert got.actions == ()
    assert dict(got.status) == {
        "machine": {"ready": True, "phase": "Running", "node": "node-1", "address": "10.0.0.7"},
        "size": {"cpu": "2", "memory": "4Gi"},
        "disks": [{"name": "shop-disk", "phase": "Succeeded", "inUse": True, "size": "10894Mi"}],
        "plan": {"current": "vm.medium"},
        "cost": {"currency": "CNY", "month": "100.00"},
    }


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param(
            {"name": "debian-12"},
            {"sourceRef": {"kind": "DataSource", "name": "debian-12", "namespace": "cairn-images"}},
            id="name",
        ),
        pytest.param({"pvc": "old"}, {"source": {"pvc": {"name": "old", "namespace": world.NAMESPACE}}}, id="pvc"),
        pytest.param(
            {"snapshot": "mine"},
            {"source": {"snapshot": {"name": "mine", "namespace": world.NAMESPACE}}},
            id="snapshot",
        ),
        pytest.param(
            {"registry": {"url": DIGEST, "pullMethod": "Node"}},
            {"source": {"registry": {"url": DIGEST, "pullMethod": "node"}}},
            id="registry",
        ),
        pytest.param(
            {"http": {"url": "https://example.com/d.qcow2", "checksum": CHECKSUM}},
            {"source": {"http": {"url": "https://example.com/d.qcow2", "checksum": CHECKSUM}}},
            id="http",
        ),
    ],
)
def test_each_image_becomes_its_source(image: Obj, expected: Obj) -> None:
    got = world.plan(world.vm(image=image, disk={"storageClass": "fast"}), world.seen(refs=(_claim(), _snapshot())))
    storage = {"resources": {"requests": {"storage": "10Gi"}}, "storageClassName": "fast"}
    assert world.child(got, "DataVolume")["spec"] == expected | {"storage": storage}


def _claim() -> Obj:
    return world.claim(name="old")


def _snapshot(**status: Any) -> Obj:
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {"name": "mine", "namespace": world.NAMESPACE},
        "status": {"readyToUse": True, "restoreSize": "10Gi"} | status,
    }


def _without(observed: Observed, kind: str) -> Observed:
    kept = {ref: obj for ref, obj in observed.refs.items() if ref.resource.kind != kind}
    return Observed(observed.children, kept, missing=observed.missing)


@pytest.mark.parametrize(
    ("image", "refs", "reason", "words"),
    [
        pytest.param({"name": "arch"}, (), "ImageNotFound", "spec.image.name: there is no image arch", id="no-image"),
        pytest.param(
            {"name": "debian-12"}, (world.data_source(ready=False),), "SourceNotReady", "no source PVC", id="not-ready"
        ),
        pytest.param({"pvc": "old"}, (), "ImageNotFound", "spec.image.pvc", id="no-claim"),
        pytest.param({"snapshot": "mine"}, (), "ImageNotFound", "spec.image.snapshot", id="no-snapshot"),
        pytest.param(
            {"snapshot": "mine"},
            (_snapshot(readyToUse=False),),
            "SourceNotReady",
            "is being taken",
            id="snapshot-young",
        ),
        pytest.param(
            {"snapshot": "mine"},
            (_snapshot(readyToUse=False, error={"message": "no default class"}),),
            "SourceNotReady",
            "no default class",
            id="snapshot-failed",
        ),
        pytest.param(
            {"snapshot": "mine"}, (_snapshot(restoreSize="40Gi"),), "InvalidSpec", "set 40Gi", id="snapshot-larger"
        ),
        pytest.param({"fromVM": "other"}, (), "ImageNotFound", "SellerVM other", id="no-machine"),
        pytest.param(
            {"http": {"url": "http://169.254.169.254/x", "checksum": CHECKSUM}},
            (),
            "InvalidSpec",
            "nothing is downloaded from 169.254.169.254",
            id="denied-address",
        ),
    ],
)
def test_image_that_can_not_be_had_is_one_condition(image: Obj, refs: tuple[Obj, ...], reason: str, words: str) -> None:
    got = world.plan(world.vm(image=image), world.seen(refs=refs))
    state = world.condition(got, "Ready")
    assert state is not None
    assert (state[0], state[1]) == (False, reason)
    assert words in state[2]
    assert got.hold
    assert got.children == ()
    assert got.next is not None


def test_image_is_not_asked_for_once_the_disk_stands() -> None:
    observed = _without(world.standing(), "DataSource")
    assert world.condition(world.plan(world.vm(), observed), "Ready") == (True, "Ready", "")


def _other(**status: Any) -> Obj:
    disks = [{"name": "other-disk-r2", "inUse": True, "phase": "Succeeded"}, {"name": "other-disk", "inUse": False}]
    found = world.vm({"disks": disks} | status)
    found["metadata"] |= {"name": "other", "uid": "uid-2"}
    return found


def _taken(**status: Any) -> Obj:
    taken = {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {"name": "shop-from", "namespace": world.NAMESPACE},
        "spec": {"source": {"persistentVolumeClaimName": "other-disk-r2"}},
        "status": status,
    }
    return world.owned(taken)


def test_clone_takes_a_snapshot_of_the_other_machines_disk_first() -> None:
    obj = world.vm(image={"fromVM": "other"})
    platform = Platform(virtual_machines=VirtualMachines(snapshot_class="fast"))
    snapshot_class = {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshotClass",
        "metadata": {"name": "fast"},
    }
    got = world.plan(obj, world.seen(refs=(_other(), snapshot_class)), platform=platform)
    assert world.kinds(got) == ["VolumeSnapshot/shop-from", "NetworkPolicy/shop"]
    made = world.child(got, "VolumeSnapshot")
    assert made["spec"] == {
        "source": {"persistentVolumeClaimName": "other-disk-r2"},
        "volumeSnapshotClassName": "fast",
    }
    assert made["metadata"]["labels"]["vm.cairn.dev/disk-of"] == "other"
    assert made["metadata"]["annotations"]["vm.cairn.dev/by"] == "clone"
    assert world.condition(got, "Ready") is not None
    missing = world.plan(obj, world.seen(refs=(_other(),)), platform=platform)
    assert world.said(missing, "Ready")[1] == "SnapshotsMissing"


def test_clone_makes_its_disk_once_the_snapshot_can_be_used_and_drops_it_afterwards() -> None:
    obj = world.vm(image={"fromVM": "other"})
    young = world.plan(obj, world.seen(_taken(readyToUse=False), refs=(_other(),)))
    assert "DataVolume/shop-disk" not in world.kinds(young)
    ready = world.plan(obj, world.seen(_taken(readyToUse=True, restoreSize="10Gi"), refs=(_other(),)))
    source = {"snapshot": {"name": "shop-from", "namespace": world.NAMESPACE}}
    assert world.child(ready, "DataVolume")["spec"]["source"] == source
    filling = world.plan(obj, world.seen(_taken(readyToUse=True), world.data_volume(phase="CloneInProgress")))
    assert "VolumeSnapshot/shop-from" in world.kinds(filling)
    done = world.plan(obj, world.seen(_taken(readyToUse=True), world.data_volume(), world.claim()))
    assert "VolumeSnapshot/shop-from" not in world.kinds(done)
    assert not done.hold


@pytest.mark.parametrize(
    ("missing", "spec", "reason", "words"),
    [
        pytest.param((VIRTUALMACHINE, VMI, VMPOOL), {}, "KubeVirtMissing", "install KubeVirt 1.7", id="kubevirt"),
        pytest.param((VMPOOL,), {}, "KubeVirtTooOld", "KubeVirt v1.6.2 is too old", id="kubevirt-old"),
        pytest.param((DATAVOLUME,), {}, "CDIMissing", "Containerized Data Importer", id="cdi"),
        pytest.param(
            (VOLUMESNAPSHOT,), {"image": {"snapshot": "x"}}, "SnapshotsMissing", "spec.image.snapshot", id="snapshot"
        ),
        pytest.param(
            (VOLUMESNAPSHOT,), {"deletionPolicy": "Snapshot"}, "SnapshotsMissing", "deletionPolicy", id="deletion"
        ),
        pytest.param((VOLUMESNAPSHOT,), {}, "DiskPending", "being made", id="snapshots-not-needed"),
    ],
)
def test_missing_part_of_the_cluster_is_named_and_nothing_is_half_made(
    missing: tuple[Any, ...], spec: Obj, reason: str, words: str
) -> None:
    old = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "KubeVirt",
        "metadata": {"name": "kubevirt", "namespace": "kubevirt"},
        "status": {"observedKubeVirtVersion": "v1.6.2"},
    }
    got = world.plan(world.vm(**spec), world.seen(refs=(old,), missing=missing))
    state = world.condition(got, "Ready")
    assert state is not None
    assert state[1] == reason
    assert words in state[2]
    if reason != "DiskPending":
        assert got.children == ()
        assert got.hold


def test_version_of_kubevirt_is_asked_for_only_where_it_seems_too_old() -> None:
    kind = SellerVMKind(world.PLATFORM)
    ref = Ref(KUBEVIRT, "kubevirt", "kubevirt")
    assert ref not in set(kind.wants(world.vm(), world.seen()))
    assert ref in set(kind.wants(world.vm(), world.seen(missing=(VMPOOL,))))


def test_stopped_machine_is_ready_once_it_has_stopped() -> None:
    obj = world.vm(powerState="Stopped")
    going = world.plan(obj, world.standing(obj))
    assert world.child(going, "VirtualMachine")["spec"]["runStrategy"] == "Halted"
    assert world.condition(going, "Ready") == (False, "Progressing", "the guest shuts down")
    gone = world.plan(obj, world.standing(obj, gone=("virtualmachineinstance", "pod")))
    assert world.condition(gone, "Ready") == (True, "Stopped", "stopped as asked")


def test_keys_and_init_travel_by_the_users_own_secrets() -> None:
    obj = world.vm(ssh={"keysSecretRef": {"name": "keys"}}, cloudInit={"secretRef": {"name": "init"}})
    refs = (world.secret("keys", a="c3No"), world.secret("init", userdata="I2Nsb3Vk"))
    spec = world.child(world.first(obj, refs=refs), "VirtualMachine")["spec"]["template"]["spec"]
    assert spec["volumes"][1] == {"name": "cloudinit", "cloudInitNoCloud": {"secretRef": {"name": "init"}}}
    assert spec["accessCredentials"][0]["sshPublicKey"]["source"] == {"secret": {"secretName": "keys"}}
    only_keys = world.vm(ssh={"keysSecretRef": {"name": "keys"}})
    spec = world.child(world.first(only_keys, refs=refs), "VirtualMachine")["spec"]["template"]["spec"]
    assert spec["volumes"][1]["cloudInitNoCloud"] == {"userData": "#cloud-config\n"}


@pytest.mark.parametrize(
    ("spec", "refs", "words"),
    [
        pytest.param({"ssh": {"keysSecretRef": {"name": "keys"}}}, (), "spec.ssh.keysSecretRef", id="keys"),
        pytest.param({"cloudInit": {"secretRef": {"name": "init"}}}, (), "Secret init does not exist", id="init"),
        pytest.param(
            {"cloudInit": {"secretRef": {"name": "init"}}},
            (world.secret("init", x="eA=="),),
            "no key userdata",
            id="key",
        ),
    ],
)
def test_missing_secret_is_named_before_a_machine_is_made(spec: Obj, refs: tuple[Obj, ...], words: str) -> None:
    for observed in (world.seen(refs=refs), world.seen(world.data_volume(), world.claim(), refs=refs)):
        state = world.condition(world.plan(world.vm(**spec), observed), "Ready")
        assert state is not None
        assert state[1] == "SecretNotFound"
        assert words in state[2]


@pytest.mark.parametrize(
    "spec",
    [{"ssh": {"keysSecretRef": {"name": "shop-db-admin"}}}, {"cloudInit": {"secretRef": {"name": "shop-db-admin"}}}],
)
def test_guest_is_never_given_a_secret_of_cairns_own(spec: Obj) -> None:
    """Not even one that stands: whoever may change a machine would read a database's password in its guest."""
    own = world.secret("shop-db-admin", password="eA==", userdata="eA==")
    own["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "cairn"}
    obj = world.vm(**spec)
    there = world.standing()
    for observed in (world.seen(refs=(own,)), world.seen(*there.children.values(), refs=(own, world.volume()))):
        got = world.plan(obj, observed)
        assert (got.children, got.actions, got.hold) == ((), (), True)
        assert world.said(got, "Ready")[1] == "SecretNotFound"
        assert "one of Cairn's own" in world.said(got, "Ready")[2]


def test_platform_without_a_gateway_makes_an_ingress() -> None:
    obj = world.vm(ports=[{"name": "web", "port": 80}], expose={"host": "shop.example.com", "port": "web", "tls": True})
    got = world.first(obj, refs=(world.seller("shop.example.com"),))
    assert "Ingress/shop" in world.kinds(got)
    spec = world.child(got, "Ingress")["spec"]
    assert spec["tls"] == [{"hosts": ["shop.example.com"], "secretName": "shop-tls"}]
    assert "HTTPRoute/shop" not in world.kinds(got)


@pytest.mark.parametrize("served", [True, False])
def test_platform_with_a_gateway_makes_a_route_where_that_is_served(served: bool) -> None:
    settings = VirtualMachines(gateway=Gateway(name="edge", namespace="edge-system", tls_section_name="https"))
    obj = world.vm(ports=[{"name": "web", "port": 80}], expose={"host": "shop.example.com", "port": "web", "tls": True})
    refs = (world.seller("shop.example.com"),)
    missing = () if served else (HTTPROUTE,)
    observed = world.seen(world.data_volume(), world.claim(), refs=refs, missing=missing)
    got = world.plan(obj, observed, platform=Platform(virtual_machines=settings))
    assert ("HTTPRoute/shop" in world.kinds(got)) is served
    assert ("Ingress/shop" in world.kinds(got)) is not served
    if served:
        spec = world.child(got, "HTTPRoute")["spec"]
        assert spec["hostnames"] == ["shop.example.com"]
        assert spec["parentRefs"][0]["sectionName"] == "https"
        assert world.condition(got, "Exposed") == (False, "Waiting", "no gateway has taken the route yet")


def test_host_of_another_is_refused_and_nothing_public_is_made() -> None:
    settings = VirtualMachines(edge_namespaces=("edge-system",))
    obj = world.vm(ports=[{"name": "web", "port": 80}], expose={"host": "evil.example.com", "port": "web"})
    refs, platform = (world.seller("shop.example.com"),), Platform(virtual_machines=settings)
    observed = world.standing(obj, refs=refs, platform=platform)
    got = world.plan(obj, observed, platform=platform)
    assert not {"Ingress/shop", "HTTPRoute/shop"} & set(world.kinds(got))
    assert "edge-system" not in str(world.child(got, "NetworkPolicy", "shop"))
    state = world.condition(got, "Ready")
    assert state is not None
    assert (state[0], state[1]) == (False, "NotYourHost")
    assert "evil.example.com is not among the hosts of Seller acme (shop.example.com)" in state[2]
    assert "url" not in got.status


def test_policy_lets_in_the_sellers_pods_who_is_named_and_the_edge() -> None:
    settings = VirtualMachines(edge_namespaces=("edge-system",))
    obj = world.vm(
        ports=[{"name": "web", "port": 80}, {"name": "admin", "port": 8080}],
        access={"fromNamespaces": ["erp"]},
        expose={"host": "shop.example.com", "port": "web"},
    )
    got = world.first(obj, refs=(world.seller("shop.example.com"),), platform=Platform(virtual_machines=settings))
    ingress = world.child(got, "NetworkPolicy", "shop")["spec"]["ingress"]
    named = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "erp"}}}
    edge = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "edge-system"}}}
    ports = [{"protocol": "TCP", "port": 80}, {"protocol": "TCP", "port": 8080}]
    assert ingress == [
        {"from": [{"podSelector": {}}, named], "ports": ports},
        {"from": [edge], "ports": ports[:1]},
    ]


def test_policy_keeps_the_guest_off_the_platforms_networks() -> None:
    egress = world.child(world.first(world.vm()), "NetworkPolicy", "shop")["spec"]["egress"]
    blocks = {block["ipBlock"]["cidr"]: block["ipBlock"]["except"] for block in egress[1]["to"]}
    assert set(blocks) == {"0.0.0.0/0", "::/0"}
    assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= set(blocks["0.0.0.0/0"])


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        pytest.param({"planRef": {"name": "nowhere"}}, "PlanNotFound", "ServicePlan nowhere", id="no-plan"),
        pytest.param({"planRef": {"name": "db.small"}}, "PlanOfAnotherKind", "is for a SellerRDS", id="another-kind"),
        pytest.param({"planRef": {"name": "vm.old"}}, "PlanDeprecated", "takes no new users", id="deprecated"),
    ],
)
def test_plan_that_can_not_be_had_is_one_condition(spec: Obj, reason: str, words: str) -> None:
    others = (
        world.plan_object("db.small", "1", "1Gi", **{"for": "SellerRDS"}),
        world.plan_object("vm.old", "1", "1Gi", deprecated=True),
    )
    got = world.plan(world.vm(**spec), world.seen(refs=others))
    state = world.condition(got, "Ready")
    assert state is not None
    assert state[1] == reason
    assert words in state[2]
    assert got.children == ()


def test_who_has_a_deprecated_plan_keeps_it() -> None:
    old = world.plan_object("vm.medium", "2", "4Gi", deprecated=True)
    got = world.plan(world.vm({"plan": {"current": "vm.medium"}}), world.standing(refs=(old,)))
    assert world.condition(got, "Ready") == (True, "Ready", "")


def test_foreign_namespace_is_refused_and_what_stands_is_left() -> None:
    home = world.namespace()
    home["metadata"]["labels"] = {}
    there = world.standing()
    got = world.plan(world.vm(), Observed(there.children, dict(there.refs) | {ref_of(home): home}))
    assert world.said(got, "Ready")[1] == "NotASellerNamespace"
    assert got.hold
    assert got.status["machine"]["ready"]

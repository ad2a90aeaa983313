# SPDX-License-Identifier: Apache-2.0
"""The pool: what clones are like, and what they never have of their base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cairn.api.resources import Obj
from cairn.vm.pool import pool
from cairn.vm.userdata import IDENTITY
from unit.vm import peaks

GOLDEN = Path(__file__).parent.parent / "golden" / "vm"
INIT: Obj = {"cloudInit": {"secretRef": {"name": "shop-user-data"}}}
KEYS: Obj = {"ssh": {"keysSecretRef": {"name": "shop-keys"}}}


def made(*, init: str | None = None, **spec: Any) -> Obj:
    found: Obj = pool(peaks.clone(init=init, **spec))["spec"]
    return found


def guest(spec: Obj) -> Obj:
    found: Obj = spec["virtualMachineTemplate"]["spec"]["template"]["spec"]
    return found


def test_pool_is_what_it_was() -> None:
    obj = pool(peaks.clone(init="shop-init", **INIT, **KEYS), 20)
    file = GOLDEN / "peak-virtualmachinepool.yaml"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(obj, sort_keys=True, allow_unicode=True), encoding="utf-8")
        pytest.fail(f"{file} was not there and is now: read it")
    assert obj == yaml.safe_load(file.read_text(encoding="utf-8"))


def test_pool_as_it_is_applied_says_nothing_about_replicas() -> None:
    assert "replicas" not in made()
    assert pool(peaks.clone(), 0)["spec"]["replicas"] == 0


def test_pool_scales_in_by_ordinal_updates_nothing_and_heals_nothing() -> None:
    spec = made()

    assert spec["scaleInStrategy"] == {
        "proactive": {"selectionPolicy": {"sortPolicy": "DescendingOrder"}, "statePreservation": "Disabled"}
    }
    assert spec["updateStrategy"] == {"unmanaged": {}}
    assert "autohealing" not in spec, "KubeVirt 1.8 judges every machine of the namespace by it"
    assert spec["nameGeneration"] == {"appendIndexToConfigMapRefs": False, "appendIndexToSecretRefs": False}


def test_clones_have_no_labels_of_the_base_but_their_own() -> None:
    template = made()["virtualMachineTemplate"]

    assert template["metadata"]["labels"] == {"vm.cairn.dev/name": "shop", "vm.cairn.dev/role": "clone"}
    assert template["spec"]["template"]["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "cairn",
        "vm.cairn.dev/name": "shop",
        "vm.cairn.dev/role": "clone",
        "vm.cairn.dev/traffic": "true",
    }


def test_selector_finds_clones_and_never_the_base() -> None:
    spec = made()
    selected = spec["selector"]["matchLabels"].items()

    assert selected <= spec["virtualMachineTemplate"]["metadata"]["labels"].items()
    assert selected <= spec["virtualMachineTemplate"]["spec"]["template"]["metadata"]["labels"].items()
    assert not selected <= peaks.launcher("shop", role="base")["metadata"]["labels"].items()


def test_clone_has_no_identity_of_the_base() -> None:
    found = guest(made(**INIT, **KEYS, init="shop-init"))

    assert not {"hostname", "subdomain"} & set(found)
    assert "firmware" not in found["domain"]
    assert all("macAddress" not in interface for interface in found["domain"]["devices"]["interfaces"])


def test_disk_is_a_copy_of_the_snapshot_of_the_base_s_class_and_modes_and_of_no_named_size() -> None:
    spec = made()

    assert spec["virtualMachineTemplate"]["spec"]["dataVolumeTemplates"] == [
        {
            "metadata": {"name": "shop-peak"},
            "spec": {
                "source": {"snapshot": {"namespace": "seller-2088", "name": "shop-peak-20261111115800"}},
                "storage": {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "volumeMode": "Filesystem"},
            },
        }
    ]
    assert {"name": "disk", "dataVolume": {"name": "shop-peak"}} in guest(spec)["volumes"]
    assert "shop-disk" not in yaml.safe_dump(spec), "the base's disk must not be mounted a second time"


@pytest.mark.parametrize(
    ("spec", "init", "expected"),
    [
        pytest.param(INIT, "shop-init", {"secretRef": {"name": "shop-init"}}, id="the base's user data, amended"),
        pytest.param(KEYS, None, {"userData": IDENTITY}, id="keys alone"),
        pytest.param({}, None, {"userData": IDENTITY}, id="nothing"),
    ],
)
def test_every_clone_has_user_data_that_makes_it_somebody_else(spec: Obj, init: str | None, expected: Obj) -> None:
    found = guest(made(init=init, **spec))
    data = [volume for volume in found["volumes"] if "cloudInitNoCloud" in volume]

    assert data == [{"name": "cloudinit", "cloudInitNoCloud": expected}]
    assert {"name": "cloudinit", "disk": {"bus": "virtio"}} in found["domain"]["devices"]["disks"]


def test_a_clone_gets_traffic_when_it_answers_like_the_base() -> None:
    assert guest(made())["readinessProbe"]["tcpSocket"] == {"port": 80}

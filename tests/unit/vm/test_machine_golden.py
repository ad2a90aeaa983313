# SPDX-License-Identifier: Apache-2.0
"""The objects of a machine, whole: a change to them is a restart of every machine or a new policy. Where a change is
meant, delete the golden file, run the test and read the new one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cairn.api.platform import Gateway, Platform, VirtualMachines
from cairn.api.resources import Obj
from unit.vm import machine_world as world

GOLDEN = Path(__file__).parent.parent / "golden" / "vm"
FULL = world.vm(
    promotions=[{"name": "double-11", "planRef": {"name": "vm.huge"}}],
    ports=[{"name": "web", "port": 80}, {"name": "admin", "port": 8080}],
    ssh={"keysSecretRef": {"name": "keys"}},
    cloudInit={"secretRef": {"name": "init"}},
    access={"fromNamespaces": ["erp"]},
    expose={"host": "shop.example.com", "port": "web", "tls": True},
)
REFS = (
    world.seller("shop.example.com"),
    world.promotion(start="2027-01-01T00:00:00"),
    world.secret("keys", a="eA=="),
    world.secret("init", userdata="eA=="),
)
ROUTED = Platform(
    virtual_machines=VirtualMachines(
        gateway=Gateway(name="edge", namespace="edge-system", tls_section_name="https"),
        edge_namespaces=("edge-system",),
    )
)


def _made() -> dict[str, Obj]:
    """The plan before the disk is there, with the disk, and behind a gateway: each object once."""
    plans = (
        world.plan(FULL, world.seen(refs=REFS)),
        world.first(FULL, refs=REFS),
        world.first(FULL, refs=REFS, platform=ROUTED),
    )
    found = {
        f"{child.obj['kind']}-{child.obj['metadata']['name']}": child.obj for one in plans for child in one.children
    }
    return found | {"DataVolume-shop-disk": world.child(plans[0], "DataVolume")}


@pytest.mark.parametrize("name", sorted(_made()))
def test_object_is_what_it_was(name: str) -> None:
    obj, file = _made()[name], GOLDEN / f"{name.lower()}.yaml"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(obj, sort_keys=True, allow_unicode=True), encoding="utf-8")
        pytest.fail(f"{file} was not there and is now: read it")
    assert obj == yaml.safe_load(file.read_text(encoding="utf-8"))


def test_no_golden_file_is_left_over() -> None:
    mine = {file.stem for file in GOLDEN.glob("*-shop*.yaml") if "peak" not in file.stem}
    assert mine == {name.lower() for name in _made()}

# SPDX-License-Identifier: Apache-2.0
"""A worker's objects, whole. Where a change is meant, delete the golden file, run the test and read the new one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cairn.push import objects
from unit.push import test_plan as world

GOLDEN = Path(__file__).parent.parent / "golden" / "push"


@pytest.mark.parametrize("number", range(3))
def test_worker_is_rendered_as_it_was(number: int) -> None:
    obj = world.plan(world.push(), world.seen(world.credentials())).children[number].obj
    file = GOLDEN / f"{number}-{obj['kind'].lower()}.yaml"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(obj, sort_keys=True, allow_unicode=True), encoding="utf-8")
        pytest.fail(f"{file} was not there and is now: read it")
    assert obj == yaml.safe_load(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("urls", "ports"),
    [
        ("nats://a:4222", [4222]),
        ("nats://a,nats://b:5222", [4222, 5222]),
        ("tls://[::1]:4443", [4443]),
        ("nats://a:x", [4222]),
    ],
)
def test_bus_ports(urls: str, ports: list[int]) -> None:
    assert objects.bus_ports(urls) == ports

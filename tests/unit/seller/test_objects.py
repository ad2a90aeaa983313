# SPDX-License-Identifier: Apache-2.0
"""A Seller's objects, whole. Where a change is meant, delete the golden file, run the test and read the new one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cairn.seller import objects

GOLDEN = Path(__file__).parent.parent / "golden" / "seller"
HARD = {
    "requests.cpu": "4",
    "limits.cpu": "4",
    "requests.memory": "8Gi",
    "limits.memory": "8Gi",
    "requests.storage": "100Gi",
}
BUILT = {
    "namespace": objects.namespace("acme", "2088", "seller-2088"),
    "quota": objects.quota("acme", "seller-2088", HARD),
    "limit-range": objects.limit_range("acme", "seller-2088"),
    "default-deny": objects.default_deny("acme", "seller-2088"),
    "dns": objects.dns("acme", "seller-2088"),
    "role-binding": objects.role_binding("acme", "seller-2088", "cairn-system"),
}


@pytest.mark.parametrize("name", BUILT)
def test_guard_is_rendered_as_it_was(name: str) -> None:
    file = GOLDEN / f"{name}.yaml"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(BUILT[name], sort_keys=True, allow_unicode=True), encoding="utf-8")
        pytest.fail(f"{file} was not there and is now: read it")
    assert BUILT[name] == yaml.safe_load(file.read_text(encoding="utf-8"))

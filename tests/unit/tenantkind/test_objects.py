# SPDX-License-Identifier: Apache-2.0
"""A tenant's objects, whole. Where a change is meant, delete the golden file, run the test and read the new one."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

import pytest
import yaml

from cairn.tenant import objects
from cairn.tenant.objects import Home

GOLDEN = Path(__file__).parent.parent / "golden" / "tenant"
HOME = Home("main", "acme", "2088", "erp-bolt")
SIZE = {"cpu": "1", "memory": "2Gi", "storage": "5Gi", "pods": "20"}
DENIED = (IPv4Network("127.0.0.0/8"), IPv4Network("169.254.0.0/16"), IPv6Network("::1/128"))
OPENINGS = (("203.0.113.0/24", 443), ("0.0.0.0/0", 25), ("169.254.169.254/32", 80), ("2001:db8::/32", 443))
ACCOUNTS = {"lead": "operator", "boss": "owner", "books": "finance", "second": "owner"}
LASTING = objects.lasting(HOME, SIZE)
BUILT = {
    "namespace": objects.namespace(HOME),
    "operator-binding": objects.operator_binding(HOME, "cairn-system"),
    **{f"{one['kind'].lower()}-{one['metadata']['name']}": one for one in LASTING},
    "own-database": objects.way_to_database(HOME, "shop-db", "seller-2088", None, DENIED),
    "external-database": objects.way_to_database(HOME, "shop-db", "seller-2088", ("192.0.2.7", 5433), DENIED),
    "named-database": objects.way_to_database(HOME, "shop-db", "seller-2088", ("db.example.com", 5432), DENIED),
    "sign-on": objects.way_to_sign_on(HOME, "https://id.example.com:8443/x", (IPv4Network("192.0.2.0/28"),)),
    "openings": objects.ways_out(HOME, OPENINGS, DENIED),
    "access": objects.access(HOME, ["ingress"]),
    "ways-in": objects.ways_in("main", "seller-2088", "shop-db", ["cairn-2088-erp-bolt", "cairn-2088-crm"]),
    "developers": objects.developers(HOME, "23456789", ["li", "bolt-dev"]),
    "staff": list(objects.staff("main", "seller-2088", "2088", ACCOUNTS)),
    "contract": objects.contract("main", "seller-2088", "9f2c" * 16, "kind: DataContract\n"),
}


@pytest.mark.parametrize("name", BUILT)
def test_object_is_rendered_as_it_was(name: str) -> None:
    file = GOLDEN / f"{name}.yaml"
    built: Any = BUILT[name]
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(built, sort_keys=True, allow_unicode=True), encoding="utf-8")
        pytest.fail(f"{file} was not there and is now: read it")
    assert built == yaml.safe_load(file.read_text(encoding="utf-8"))


def test_every_guard_selects_every_pod() -> None:
    policies = [one for one in BUILT.values() if isinstance(one, dict) and one["kind"] == "NetworkPolicy"]
    own = [one for one in policies if one["metadata"]["namespace"] == HOME.namespace]
    assert len(own) >= 8
    assert all(one["spec"]["podSelector"] == {} for one in own)


def test_no_opening_leads_where_the_platform_lets_nobody_connect() -> None:
    found = objects.ways_out(HOME, (("169.254.169.254/32", 80), ("127.0.0.1/32", 6443)), DENIED)
    assert found is None


def test_no_group_of_a_vendor_is_one_of_the_staffs() -> None:
    vendor = {one["name"] for one in objects.developers(HOME, "23456789", ["boss", "lead"])["subjects"]}
    staff = {one["name"] for found in objects.staff("main", "s", "2088", ACCOUNTS) for one in found["subjects"]}
    assert not vendor & staff

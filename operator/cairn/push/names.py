# SPDX-License-Identifier: Apache-2.0
"""Names of what a subscription has outside the cluster. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from cairn.bus.credentials import worker_permissions

LOGIN = "cairn_push_"


def consumer(namespace: str, name: str) -> str:
    """The durable consumer on the bus."""
    return f"{namespace}--{name}"


def subjects(seller_id: str, shops: Iterable[str], datasets: Iterable[str]) -> list[str]:
    """What the consumer is filtered by, sorted."""
    names = sorted(datasets)
    return sorted(f"push.{seller_id}.{shop}.{dataset}" for shop in shops for dataset in names)


def rights(stream: str, consumer: str) -> str:
    """A short mark of what the worker may do on the bus: credentials with another mark are of another version."""
    permissions = worker_permissions(stream, consumer)
    return hashlib.sha256(json.dumps([permissions.publish, permissions.subscribe]).encode()).hexdigest()[:16]


def login(namespace: str, name: str, longest: int) -> str:
    """The worker's login. Each subscription has its own: several may write to one server, external ones of several
    namespaces, and none may change another's password. longest: that the engine takes."""
    unique = hashlib.sha256(f"{namespace}/{name}".encode()).hexdigest()[:6]
    told = name.replace("-", "_").replace(".", "_")
    return f"{LOGIN}{told[: longest - len(LOGIN) - len(unique) - 1]}_{unique}"


def reader(database: str) -> str:
    """The login that a SellerRDS gives out for reading."""
    return f"{database}_reader"

# SPDX-License-Identifier: Apache-2.0
"""What a kind gets to see where the operator may not read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from cairn.api.platform import Platform
from cairn.api.resources import NAMESPACE, SECRET, Obj, Ref
from cairn.engine.cluster import Cluster
from cairn.engine.errors import RefusedError
from cairn.engine.gather import Sources, observe
from cairn.engine.kind import Observed
from cairn.engine.store import Store
from cairn.rds.kind import SellerRDSKind

DB: Obj = {
    "apiVersion": "cairn.dev/v1alpha1",
    "kind": "SellerRDS",
    "metadata": {"name": "db", "namespace": "ns", "uid": "u"},
    "spec": {"version": "17", "planRef": {"name": "db.small"}, "databases": [{"name": "shop"}]},
}


class Forbidding:
    """An API server that refuses every Secret, as RBAC does outside Sellers' namespaces."""

    def __init__(self, labels: Mapping[str, str], status: int = 403) -> None:
        self.labels = labels
        self.status = status

    async def get(self, ref: Ref) -> Obj | None:
        if ref.resource == SECRET:
            raise RefusedError(self.status, "secrets is forbidden")
        if ref.resource == NAMESPACE:
            return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns", "labels": dict(self.labels)}}
        return None


async def seen(cluster: Any) -> Observed:
    kind = SellerRDSKind(Platform())
    return await observe(kind, DB, Sources(Store(), cast(Cluster, cluster), (), ()), lambda _: None)


async def test_observe_secrets_forbidden_outside_sellers_namespaces_sees_none() -> None:
    observed = await seen(Forbidding({}))
    assert not observed.children
    assert observed.ref(NAMESPACE, "ns") is not None


@pytest.mark.parametrize(("labels", "status"), [({"cairn.dev/seller": "acme"}, 403), ({}, 422)])
async def test_observe_secrets_refused_otherwise_raises(labels: Mapping[str, str], status: int) -> None:
    with pytest.raises(RefusedError):
        await seen(Forbidding(labels, status))

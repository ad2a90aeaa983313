# SPDX-License-Identifier: Apache-2.0
"""What a kind gets to see where the operator may not read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import pytest

from cairn.api.platform import Platform
from cairn.api.resources import CONFIGMAP, NAMESPACE, SECRET, Obj, Ref, ref_of
from cairn.engine import render
from cairn.engine.cluster import Cluster
from cairn.engine.errors import RefusedError
from cairn.engine.gather import Sources, observe
from cairn.engine.kind import Child, Observed, Want
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


def away(name: str, namespace: str, kind: str = "ConfigMap") -> Obj:
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    made = render.finish(Child({"apiVersion": "v1", "kind": kind, "metadata": meta}), DB)
    made["metadata"] |= {"uid": name, "resourceVersion": "1"}
    return made


@pytest.mark.parametrize("home_is_its_own", [True, False])
async def test_observe_child_in_another_namespace_counts_only_where_the_namespace_is_its_owners_too(
    home_is_its_own: bool,
) -> None:
    store = Store()
    store.put(away("c", "cairn-1-crm"), 0.0)
    home = away("cairn-1-crm", "", "Namespace")
    if not home_is_its_own:
        home["metadata"]["labels"]["cairn.dev/owner-name"] = "other"
    store.put(home, 0.0)
    sources = Sources(store, cast(Cluster, Forbidding({})), (), (CONFIGMAP, NAMESPACE))
    observed = await observe(SellerRDSKind(Platform()), DB, sources, lambda _: None)
    assert (Ref(CONFIGMAP, "cairn-1-crm", "c") in observed.children) is home_is_its_own


class Wanting(SellerRDSKind):
    """A kind that names a child of its own only in what it wants."""

    def wants(self, obj: Obj, seen: Observed) -> Iterable[Want]:
        yield Ref(CONFIGMAP, "ns", "mine")
        yield Ref(CONFIGMAP, "ns", "theirs")


async def test_observe_what_is_wanted_and_ones_own_is_a_child() -> None:
    mine, theirs = away("mine", "ns"), away("theirs", "ns")
    theirs["metadata"]["labels"]["cairn.dev/owner-name"] = "other"

    sources = Sources(Store(), cast(Cluster, Answering([mine, theirs])), (), ())
    observed = await observe(Wanting(Platform()), DB, sources, lambda _: None)
    assert {ref.name for ref in observed.children} == {"mine"}
    assert observed.ref(CONFIGMAP, "theirs", "ns") is not None


class Answering:
    """An API server with these objects."""

    def __init__(self, objects: list[Obj]) -> None:
        self.objects = {ref_of(obj): obj for obj in objects}

    async def get(self, ref: Ref) -> Obj | None:
        return self.objects.get(ref)

# SPDX-License-Identifier: Apache-2.0
"""The cache of what the watches told."""

from __future__ import annotations

import pytest

from cairn.api.resources import CONFIGMAP, SELLERRDS, Obj, Ref, Resource
from cairn.engine.store import Store


def cm(name: str, version: int, owner: str = "db", uid: str = "") -> Obj:
    labels = {
        "app.kubernetes.io/managed-by": "cairn",
        "cairn.dev/owner-kind": "SellerRDS",
        "cairn.dev/owner-name": owner,
    }
    meta = {"name": name, "namespace": "ns", "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**meta, "labels": labels}}


def ref(name: str) -> Ref:
    return Ref(CONFIGMAP, "ns", name)


DB = Ref(SELLERRDS, "ns", "db")


def test_put_older_version_is_not_taken() -> None:
    store = Store()
    assert store.put(cm("a", 10), 0)
    assert not store.put(cm("a", 9), 1)
    assert store.get(ref("a")) == cm("a", 10)


@pytest.mark.parametrize("packed", [(), (CONFIGMAP,)])
def test_owned_by_child_changes_hands(packed: tuple[Resource, ...]) -> None:
    store = Store(packed)
    store.put(cm("a", 1), 0)
    store.put(cm("a", 2, owner="other"), 0)
    assert store.owned_by(DB) == {}
    assert set(store.owned_by(Ref(SELLERRDS, "ns", "other"))) == {ref("a")}


def test_drop_of_an_earlier_namesake_leaves_the_present_one() -> None:
    store = Store()
    store.put(cm("a", 5, uid="second"), 0)
    assert store.drop(ref("a"), uid="first") is None
    assert store.get(ref("a"))
    assert store.drop(ref("a"), uid="second")
    assert store.owned_by(DB) == {}


@pytest.mark.parametrize("packed", [(), (CONFIGMAP,)])
def test_replace_finds_ghosts_missed_changes_and_spares_what_is_newer_than_the_list(
    packed: tuple[Resource, ...],
) -> None:
    store = Store(packed)
    store.put(cm("ghost", 1), at=10)
    store.put(cm("stale", 2), at=10)
    store.put(cm("same", 3), at=10)
    store.put(cm("just-made", 9), at=21)
    changed = store.replace(CONFIGMAP, [cm("stale", 5), cm("same", 3), cm("missed", 4)], started_at=20, at=22)
    assert {obj["metadata"]["name"] for obj in changed} == {"ghost", "stale", "missed"}
    assert store.get(ref("ghost")) is None
    assert store.get(ref("just-made"))

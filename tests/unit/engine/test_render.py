# SPDX-License-Identifier: Apache-2.0
"""What is added to a planned object, and when a live one already holds it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.api.resources import SELLERRDS, Obj, Ref
from cairn.engine import render
from cairn.engine.kind import Child

OWNER: Obj = {
    "apiVersion": SELLERRDS.api_version,
    "kind": "SellerRDS",
    "metadata": {"name": "shop-db", "namespace": "seller-1", "uid": "u-1"},
}


def child(**meta: Any) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "seller-1", **meta}}


def test_finish_child_carries_owner_labels_reference_and_hash() -> None:
    made = render.finish(Child(child(labels={"own": "x"})), OWNER)
    assert made["metadata"]["labels"] == {
        "own": "x",
        "app.kubernetes.io/managed-by": "cairn",
        "app.kubernetes.io/part-of": "cairn",
        "cairn.dev/owner-kind": "SellerRDS",
        "cairn.dev/owner-name": "shop-db",
        "cairn.dev/owner-uid": "u-1",
    }
    assert made["metadata"]["ownerReferences"][0]["uid"] == "u-1"
    assert len(render.applied(made)) == 16
    assert render.owner_of(made) == Ref(SELLERRDS, "seller-1", "shop-db")


def test_finish_retained_child_has_no_owner_reference() -> None:
    made = render.finish(Child(child(), retain=True), OWNER)
    assert "ownerReferences" not in made["metadata"]
    assert render.retained(made)


def test_finish_child_in_another_namespace_is_known_by_labels_alone() -> None:
    made = render.finish(Child(child(namespace="cairn-1-crm")), OWNER)
    assert "ownerReferences" not in made["metadata"]
    assert made["metadata"]["labels"]["cairn.dev/owner-namespace"] == "seller-1"
    assert render.owner_of(made) == Ref(SELLERRDS, "seller-1", "shop-db")


def test_finish_namespace_of_a_namespaced_owner_is_known_by_labels_alone() -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "cairn-1-crm"}}
    made = render.finish(Child(namespace, retain=True), OWNER)
    assert "ownerReferences" not in made["metadata"]
    assert render.owner_of(made) == Ref(SELLERRDS, "seller-1", "shop-db")


@pytest.mark.parametrize("kind", ["ClusterRole", "PersistentVolume", "ServicePlan", "ValidatingWebhookConfiguration"])
def test_finish_refuses_what_has_no_namespace_for_who_has_one(kind: str) -> None:
    """CVE-2026-22872: a tenant's object made things of the whole cluster, with the controller's rights."""
    with pytest.raises(ValueError, match="is in no namespace"):
        render.finish(Child({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}}), OWNER)


def test_finish_changed_content_changes_the_hash_and_leaves_the_plan_alone() -> None:
    planned = child()
    first = render.applied(render.finish(Child(planned), OWNER))
    second = render.applied(render.finish(Child({**planned, "data": {"a": "1"}}), OWNER))
    assert first != second
    assert planned == child()


def test_finish_pod_template_wakes_its_owner_too() -> None:
    workload = {**child(), "kind": "StatefulSet", "spec": {"template": {"metadata": {"labels": {"a": "b"}}}}}
    made = render.finish(Child(workload), OWNER)
    assert made["spec"]["template"]["metadata"]["labels"]["cairn.dev/owner-name"] == "shop-db"
    assert made["spec"]["template"]["metadata"]["labels"]["a"] == "b"


@pytest.mark.parametrize(
    ("desired", "live", "expected"),
    [
        pytest.param({"a": 1}, {"a": 1, "b": 2}, True, id="more-is-fine"),
        pytest.param({"a": 1}, {"a": 2}, False, id="changed"),
        pytest.param({"a": 1}, {}, False, id="missing"),
        pytest.param({"a": {}}, {}, True, id="empty-was-dropped"),
        pytest.param({"a": []}, {}, True, id="empty-list-was-dropped"),
        pytest.param({"a": False}, {}, True, id="false-was-dropped"),
        pytest.param([1, 2], [1, 2, 3], False, id="longer-scalar-list"),
        pytest.param([{"name": "a", "v": 1}], [{"name": "z"}, {"name": "a", "v": 1, "w": 2}], True, id="by-name"),
        pytest.param([{"name": "a", "v": 1}], [{"name": "a", "v": 2}], False, id="by-name-changed"),
        pytest.param([{"port": 1}], [{"port": 1, "protocol": "TCP"}], True, id="by-position"),
        pytest.param([{"port": 1}], [{"port": 1}, {"port": 2}], False, id="one-added"),
        pytest.param({"a": {"b": 1}}, {"a": "text"}, False, id="another-type"),
    ],
)
def test_holds(desired: Any, live: Any, expected: bool) -> None:
    assert render.holds(desired, live) is expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(json_values)
def test_holds_everything_holds_itself(value: Any) -> None:
    assert render.holds(value, value)

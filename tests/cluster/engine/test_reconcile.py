# SPDX-License-Identifier: Apache-2.0
"""The engine against a real API server, driven step by step."""

from __future__ import annotations

from typing import Any

import pytest

from cairn.api.conditions import ready
from cairn.api.resources import CONFIGMAP, EVENT, PVC, SECRET, Obj, Ref
from cairn.engine.cluster import Cluster
from cairn.engine.errors import UnavailableError
from cairn.engine.loop import Engine
from cluster.engine.conftest import settle
from cluster.engine.toy import TOY, ToyKind, toy
from devcluster import ControlPlane


@pytest.fixture
def engine(cluster: Cluster) -> Engine:
    return Engine([ToyKind()], cluster)


async def put(cluster: Cluster, namespace: str, name: str = "one", **spec: Any) -> Ref:
    await cluster.apply(toy(namespace, name, **spec), manager="user")
    return Ref(TOY, namespace, name)


def condition(obj: Obj | None, kind: str = "Ready") -> dict[str, Any]:
    assert obj is not None
    return next((c for c in obj["status"]["conditions"] if c["type"] == kind), {})


async def test_reconcile_new_object_makes_its_children_and_says_ready(
    cluster: Cluster, namespace: str, engine: Engine
) -> None:
    key = await put(cluster, namespace, values={"a": "1", "b": "2"})
    await settle(engine)
    made = {obj["metadata"]["name"]: obj for obj in await cluster.list(CONFIGMAP, namespace=namespace)}
    assert made["one-a"]["data"] == {"value": "1"}
    live = await cluster.get(key)
    assert live
    assert condition(live)["status"] == "True"
    assert live["status"]["observedGeneration"] == live["metadata"]["generation"]
    assert made["one-b"]["metadata"]["ownerReferences"][0]["uid"] == live["metadata"]["uid"]
    events = await cluster.list(EVENT, namespace=namespace)
    assert any(e["reason"] == "Ready" and e["involvedObject"]["name"] == "one" for e in events)


async def test_reconcile_value_changed_twice_ends_in_the_last(cluster: Cluster, namespace: str, engine: Engine) -> None:
    await put(cluster, namespace, values={"a": "1"})
    await settle(engine)
    await put(cluster, namespace, values={"a": "2"})
    await put(cluster, namespace, values={"a": "3"})
    await settle(engine)
    live = await cluster.get(Ref(CONFIGMAP, namespace, "one-a"))
    assert live
    assert live["data"]["value"] == "3"


async def test_prune_value_removed_deletes_its_child_but_no_retained_one(
    cluster: Cluster, namespace: str, engine: Engine
) -> None:
    await put(cluster, namespace, values={"a": "1", "b": "2"}, data=True)
    await settle(engine)
    await put(cluster, namespace, values={"a": "1"}, data=False)
    await settle(engine)
    assert await cluster.get(Ref(CONFIGMAP, namespace, "one-b")) is None
    assert await cluster.get(Ref(PVC, namespace, "one-data")) is not None


async def test_apply_name_taken_by_somebody_else_is_left_alone_and_said(
    cluster: Cluster, namespace: str, engine: Engine
) -> None:
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one-a", "namespace": namespace}}
    await cluster.create({**theirs, "data": {"value": "theirs"}})
    key = await put(cluster, namespace, values={"a": "mine"})
    await settle(engine)
    live = await cluster.get(Ref(CONFIGMAP, namespace, "one-a"))
    assert live
    assert live["data"] == {"value": "theirs"}
    assert "labels" not in live["metadata"]
    said = condition(await cluster.get(key))
    assert (said["status"], said["reason"]) == ("False", "Conflict")
    assert f"ConfigMap {namespace}/one-a" in said["message"]


async def test_apply_child_of_another_toy_is_left_alone(cluster: Cluster, namespace: str, engine: Engine) -> None:
    await put(cluster, namespace, "one-x", values={"y": "theirs"})
    await settle(engine)
    key = await put(cluster, namespace, "one", values={"x-y": "mine"})
    await settle(engine)
    live = await cluster.get(Ref(CONFIGMAP, namespace, "one-x-y"))
    assert live
    assert live["data"] == {"value": "theirs"}
    assert condition(await cluster.get(key))["reason"] == "Conflict"


async def test_delete_object_goes_with_its_finalizer_and_keeps_retained_data(
    cluster: Cluster, namespace: str, engine: Engine
) -> None:
    key = await put(cluster, namespace, values={"a": "1"}, data=True)
    await settle(engine)
    live = await cluster.get(key)
    assert live
    await cluster.delete(key, uid=live["metadata"]["uid"])
    await settle(engine)
    assert await cluster.get(key) is None
    assert await cluster.get(Ref(SECRET, namespace, "one-secret")) is None, "named for deletion"
    kept = await cluster.get(Ref(PVC, namespace, "one-data"))
    assert kept
    assert "ownerReferences" not in kept["metadata"]


async def test_retained_data_of_an_earlier_owner_is_not_taken_over(
    cluster: Cluster, namespace: str, engine: Engine
) -> None:
    key = await put(cluster, namespace, data=True)
    await settle(engine)
    first = await cluster.get(key)
    assert first
    await cluster.delete(key, uid=first["metadata"]["uid"])
    await settle(engine)
    await put(cluster, namespace, data=True)
    await settle(engine)
    assert condition(await cluster.get(key))["reason"] == "Conflict"


async def test_invalid_object_of_an_older_shape_is_a_condition(
    cluster: Cluster, namespace: str, engine: Engine
) -> None:
    old = {**toy(namespace, "old"), "spec": {"values": "a=1"}}
    await cluster.apply(old, manager="user")
    await settle(engine)
    said = condition(await cluster.get(Ref(TOY, namespace, "old")), "Stalled")
    assert (said["status"], said["reason"]) == ("True", "InvalidSpec")
    assert "spec.values" in said["message"]


async def test_suspended_object_is_not_touched_until_it_is_resumed(
    cluster: Cluster, namespace: str, engine: Engine
) -> None:
    key = await put(cluster, namespace, values={"a": "1"})
    await settle(engine)
    await put(cluster, namespace, values={"a": "2"}, suspend=True)
    await settle(engine)
    live, child = await cluster.get(key), await cluster.get(Ref(CONFIGMAP, namespace, "one-a"))
    assert live
    assert child
    assert child["data"]["value"] == "1"
    assert condition(live, "Suspended")["status"] == "True"
    assert condition(live)["status"] == "True", "conditions stay as they were"
    await put(cluster, namespace, values={"a": "2"}, suspend=False)
    await settle(engine)
    live, child = await cluster.get(key), await cluster.get(Ref(CONFIGMAP, namespace, "one-a"))
    assert child
    assert child["data"]["value"] == "2"
    assert condition(live, "Suspended") == {}


async def test_failing_action_is_told_with_its_reason(cluster: Cluster, namespace: str, engine: Engine) -> None:
    key = await put(cluster, namespace, values={"a": "1"}, fails="acts")
    await settle(engine)
    said = condition(await cluster.get(key))
    assert (said["status"], said["reason"]) == ("False", "DatabaseUnreachable")


async def test_action_that_comes_first_holds_up_no_child_and_no_other_condition(
    cluster: Cluster, namespace: str, engine: Engine
) -> None:
    key = await put(cluster, namespace, values={"a": "1"}, fails="acts-first")
    await settle(engine)
    live = await cluster.get(key)
    assert condition(live)["reason"] == "DatabaseUnreachable"
    assert condition(live, "Shiny")["status"] == "True", "what is true beside it is still said"
    assert await cluster.get(Ref(CONFIGMAP, namespace, "one-a")), "its child was applied"
    kind = engine.reconciler.kinds[TOY]
    assert isinstance(kind, ToyKind)
    assert "nothing" not in kind.acted, "what was to follow waits"


async def test_second_pass_over_an_unchanged_world_writes_nothing(
    cluster: Cluster, namespace: str, engine: Engine, toy_plane: ControlPlane
) -> None:
    for n in range(5):
        await put(cluster, namespace, f"toy-{n}", values={"a": "1", "b": "2"}, data=True)
    await settle(engine)
    before = writes(toy_plane, namespace)
    assert before > 20, "the audit log sees writes"
    for fresh in (engine, Engine([ToyKind()], cluster)):  # a restarted operator remembers nothing and writes nothing
        await settle(fresh)
    assert writes(toy_plane, namespace) == before


def writes(plane: ControlPlane, namespace: str) -> int:
    """Writes of this test's client in one namespace, by the API server's own audit log."""
    verbs = {"create", "update", "patch", "delete"}
    return sum(
        1
        for event in plane.audit_events()
        if event["verb"] in verbs
        and event["stage"] == "ResponseComplete"
        and str(event.get("userAgent", "")).startswith("cairn/")
        and event.get("objectRef", {}).get("namespace") == namespace
    )


async def test_invalid_object_keeps_what_its_status_knew(cluster: Cluster, namespace: str, engine: Engine) -> None:
    key = await put(cluster, namespace, values={"a": "1"})
    await settle(engine)
    await cluster.patch(key, {"spec": {"values": "not a map"}})
    await settle(engine)
    live = await cluster.get(key)
    assert condition(live)["reason"] == "InvalidSpec"
    assert live
    assert live["status"]["values"] == 1


async def test_status_of_a_pass_is_not_written_on_a_namesake(cluster: Cluster, namespace: str, engine: Engine) -> None:
    key = await put(cluster, namespace, values={"a": "1"})
    earlier = await cluster.get(key)
    assert earlier
    await cluster.delete(key, uid=earlier["metadata"]["uid"])
    await put(cluster, namespace, values={"a": "2"})
    await engine.reconciler._say(earlier, {"values": 1}, ready())
    live = await cluster.get(key)
    assert live
    assert "status" not in live


async def test_child_deleted_before_its_watch_told_is_no_conflict(
    cluster: Cluster, namespace: str, engine: Engine
) -> None:
    key = await put(cluster, namespace, values={"a": "1"})
    await settle(engine)
    ref = Ref(CONFIGMAP, namespace, "one-a")
    live = await cluster.get(ref)
    assert live
    await cluster.delete(ref, uid=live["metadata"]["uid"])
    await put(cluster, namespace, values={"a": "2"})
    changed = await cluster.get(key)
    assert changed
    engine.seen(changed)
    with pytest.raises(UnavailableError):
        await engine.reconciler.reconcile(key)
    assert condition(await cluster.get(key))["reason"] == "Ready", "nobody's object stands in the way"
    await settle(engine)
    live = await cluster.get(ref)
    assert live
    assert live["data"] == {"value": "2"}


async def test_status_computed_from_an_outdated_object_is_computed_anew(
    cluster: Cluster, namespace: str, engine: Engine
) -> None:
    key = await put(cluster, namespace, values={"a": "1"})
    await settle(engine)
    await put(cluster, namespace, values={"a": "1", "b": "2"})  # the watch has not told yet
    stale = engine.store.get(key)
    assert stale
    assert not await engine.reconciler._say(stale, {"values": 7}, ready())
    assert len((engine.store.get(key) or {})["spec"]["values"]) == 2
    await settle(engine)
    assert ((await cluster.get(key)) or {})["status"]["values"] == 2


async def test_object_that_vanished_without_an_event_is_found_out_by_its_status(
    cluster: Cluster, namespace: str, engine: Engine
) -> None:
    key = await put(cluster, namespace, values={"a": "1"})
    await settle(engine)
    live = await cluster.get(key)
    assert live
    await cluster.patch(key, {"metadata": {"finalizers": []}})
    await cluster.delete(key, uid=live["metadata"]["uid"])
    assert not await engine.reconciler._say(live, {"values": 7}, ready())
    assert engine.store.get(key) is None
    assert (await engine.reconciler.reconcile(key)).gone

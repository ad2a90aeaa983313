# SPDX-License-Identifier: Apache-2.0
"""What holds of a SellerVM's plan whatever was written and whatever was seen."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.api.resources import DATAVOLUME, PVC, Obj, ref_of
from cairn.engine import render
from cairn.engine.kind import Observed, Plan
from cairn.vm.kind import SellerVMKind
from unit.partly import partly_there
from unit.vm import machine_world as world

DIGEST = "docker://registry.example.com/debian@sha256:" + "a" * 64
IMAGES = st.sampled_from(
    [
        {"name": "debian-12"},
        {"name": "nowhere"},
        {"snapshot": "mine"},
        {"pvc": "old"},
        {"fromVM": "other"},
        {"registry": {"url": DIGEST}},
        {"http": {"url": "https://10.0.0.1/x", "checksum": "sha256:" + "b" * 64}},
    ]
)
SPECS = st.fixed_dictionaries(
    {
        "image": IMAGES,
        "adopt": st.booleans(),
        "powerState": st.sampled_from(["Running", "Stopped"]),
        "deletionPolicy": st.sampled_from(["Retain", "Delete", "Snapshot"]),
        "promotions": st.sampled_from(
            [[], [{"name": "double-11"}], [{"name": "double-11", "planRef": {"name": "vm.huge"}}]]
        ),
        "maintenance": st.sampled_from(
            [
                {"timeZone": "UTC", "windows": [{"name": "a", "days": ["Sun"], "start": "11:00", "duration": "2h"}]},
                {
                    "timeZone": "Mars/Olympus",
                    "windows": [{"name": "a", "days": ["Sun"], "start": "11:00", "duration": "2h"}],
                },
            ]
        ),
    },
    optional={
        "planRef": st.sampled_from([{"name": "vm.small"}, {"name": "vm.large"}, {"name": "nowhere"}]),
        "resources": st.sampled_from([{"cpu": "1", "memory": "512Mi"}, {"cpu": "3", "memory": "5Gi"}]),
        "disk": st.fixed_dictionaries({}, optional={"size": st.sampled_from(["5Gi", "10Gi", "40Gi"])}),
        "ssh": st.just({"keysSecretRef": {"name": "keys"}}),
        "ports": st.just([{"name": "web", "port": 80}]),
        "access": st.just({"fromNamespaces": ["erp", "erp"]}),
    },
)
STATUSES = st.fixed_dictionaries(
    {},
    optional={
        "plan": st.just({"current": "vm.medium"}),
        "disks": st.just([{"name": "shop-disk", "inUse": True, "phase": "Succeeded"}]),
        "machine": st.just("of an older shape"),
    },
)
NOTHING: st.SearchStrategy[Any] = st.just({})
EXTRA = (
    world.data_volume(name="shop-disk-r1"),
    world.launcher("virt-launcher-shop-zzzzz", ready=False, node=""),
)
REFS = (world.promotion(freeze=True), world.secret("keys", a="eA=="), world.volume(), world.storage_class())
THERE = world.seen(*world.standing().children.values(), *EXTRA, refs=REFS)


@st.composite
def machines(draw: st.DrawFn) -> Obj:
    obj = world.vm(draw(STATUSES))
    obj["spec"] = draw(SPECS)
    if draw(st.integers(0, 3)) == 0:
        obj["metadata"]["deletionTimestamp"] = "2026-11-22T00:00:00Z"
    if draw(st.booleans()):
        obj["metadata"]["annotations"] = {"cairn.dev/confirm-delete": draw(st.sampled_from(["shop", "other"]))}
    return obj


MOMENTS = st.integers(0, 7 * 24).map(lambda hours: world.NOW + timedelta(hours=hours))


@settings(max_examples=60, deadline=None)
@given(machines(), partly_there(THERE, NOTHING), MOMENTS)
def test_plan_is_total_deterministic_and_stays_in_its_namespace(obj: Obj, observed: Observed, now: datetime) -> None:
    got = world.plan(obj, observed, now)
    assert got == world.plan(copy.deepcopy(obj), observed, now)
    assert got.conditions[0].type == "Ready"
    assert len({condition.type for condition in got.conditions}) == len(got.conditions)
    for child in got.children:
        assert child.obj["metadata"]["namespace"] == world.NAMESPACE
        assert child.obj["kind"] != "Secret"
    assert {ref.namespace for ref in got.delete} <= {world.NAMESPACE}
    assert got.next is None or got.next > now
    kind = SellerVMKind(world.PLATFORM)
    list(kind.wants(obj, observed))
    list(kind.unwatched(obj))


@settings(max_examples=60, deadline=None)
@given(machines(), partly_there(THERE, NOTHING), MOMENTS)
def test_plan_gives_up_no_data_that_was_not_given_up(obj: Obj, observed: Observed, now: datetime) -> None:
    got = world.plan(obj, observed, now)
    meta, spec = obj["metadata"], obj["spec"]
    confirmed = meta.get("annotations", {}).get("cairn.dev/confirm-delete") == "shop"
    allowed = spec["deletionPolicy"] == "Snapshot" or (spec["deletionPolicy"] == "Delete" and confirmed)
    if not ("deletionTimestamp" in meta and allowed):
        assert got.delete == ()
        assert "Delete" not in [action.args.get("policy") for action in got.actions]
    for child in got.children:
        data = child.obj["kind"] in ("DataVolume", "PersistentVolumeClaim")
        taken = child.obj["kind"] == "VolumeSnapshot" and not child.obj["metadata"]["name"].endswith("-from")
        assert child.retain is (data or taken)


@settings(max_examples=60, deadline=None)
@given(machines(), partly_there(THERE, NOTHING), MOMENTS)
def test_inside_a_freeze_nothing_restarts_and_nothing_shrinks(obj: Obj, observed: Observed, now: datetime) -> None:
    if "deletionTimestamp" in obj["metadata"] or not world.NOW <= now < world.NOW + timedelta(hours=2):
        return
    if not obj["spec"]["promotions"] or observed.ref(*_promotion()) is None:
        return
    got = world.plan(obj, observed, now)
    assert "restart" not in [action.name for action in got.actions]
    live = observed.children.get(world.MACHINE_REF) or {}
    instance = next(
        (one for ref, one in observed.children.items() if ref.resource.kind == "VirtualMachineInstance"), {}
    )
    made = next((child.obj for child in got.children if child.obj["kind"] == "VirtualMachine"), None)
    if made and "spec" in live and "spec" in instance and "status" in instance:
        was, now_is = (one["spec"]["template"]["spec"]["domain"]["cpu"]["sockets"] for one in (live, made))
        assert now_is >= was


def _promotion() -> tuple[Any, str]:
    from cairn.api.resources import PROMOTION

    return PROMOTION, "double-11"


def _plain(value: Any) -> Any:
    return yaml.safe_load(yaml.safe_dump(value))


@settings(max_examples=60, deadline=None)
@given(machines(), partly_there(THERE, NOTHING))
def test_plan_is_made_of_plain_values(obj: Obj, observed: Observed) -> None:
    """What is applied and what stands in the status must survive YAML and JSON as it is."""
    got = world.plan(obj, observed)
    for value in (*(child.obj for child in got.children), dict(got.status), *(dict(a.args) for a in got.actions)):
        assert _plain(value) == value


def _applied(obj: Obj, observed: Observed, got: Plan) -> Observed:
    """The world after the engine carried the plan out: children applied and pruned; deeds done by nobody."""
    children = dict(observed.children)
    for child in got.children:
        made = render.finish(child, obj)
        ref = ref_of(made)
        live = children.get(ref, {})
        meta = live.get("metadata", {}) | made["metadata"]
        meta["annotations"] = live.get("metadata", {}).get("annotations", {}) | made["metadata"]["annotations"]
        children[ref] = {**live, **made, "metadata": {"uid": "uid-new", **meta}}
    planned = {ref_of(child.obj) for child in got.children}
    if not got.hold:
        gone = [ref for ref, live in children.items() if ref not in planned and render.applied(live)]
        for ref in gone:
            if not render.retained(children[ref]):
                del children[ref]
    for ref in got.delete:
        children.pop(ref, None)
    return Observed(children, observed.refs, missing=observed.missing)


@settings(max_examples=60, deadline=None)
@given(machines(), partly_there(THERE, NOTHING))
def test_plan_of_its_own_result_asks_for_nothing_more(obj: Obj, observed: Observed) -> None:
    """A few passes bring everything about that does not wait for others; then nothing changes any more."""
    got = world.plan(obj, observed)
    for _ in range(3):
        observed = _applied(obj, observed, got)
        got = world.plan(obj, observed)
    after = world.plan(obj, _applied(obj, observed, got))
    assert [child.obj for child in after.children] == [child.obj for child in got.children]
    assert after.delete == got.delete
    assert after.hold == got.hold


def test_the_worlds_have_disks_in_them() -> None:
    assert {ref.resource for ref in THERE.children} >= {DATAVOLUME, PVC}

# SPDX-License-Identifier: Apache-2.0
"""What holds of a SellerRDS's plan whatever was written and whatever was seen."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.api.conditions import Reason
from cairn.api.resources import PVC, SECRET, Obj
from cairn.engine.kind import Observed
from unit.partly import partly_there
from unit.rds import lived, world

QUANTITIES = st.sampled_from(["100m", "0.5", "2", "1e3", "64Mi", "1536Mi", "1.5Gi", "20Gi", "1000000k"])
PLANS = ("db.large", "db.small", "nowhere")
ENTRIES: st.SearchStrategy[Obj] = st.sampled_from(
    [
        {"name": name} | ({"planRef": {"name": plan}} if plan else {})
        for name in ("double-11", "frozen", "broken", "gone")
        for plan in (*PLANS, "")
    ]
)
SPECS = st.fixed_dictionaries(
    {
        "version": st.sampled_from(["15", "16", "17", "18"]),
        "databases": st.lists(
            st.sampled_from(["a", "shop", "b_c", "_x"]).map(lambda name: {"name": name}),
            unique_by=lambda entry: entry["name"],
            max_size=4,
        ),
        "adopt": st.booleans(),
        "deletionPolicy": st.sampled_from(["Retain", "Delete"]),
    },
    optional={
        "planRef": st.sampled_from([{"name": "db.small"}, {"name": "nowhere"}]),
        "resources": st.fixed_dictionaries({"cpu": QUANTITIES, "memory": QUANTITIES}),
        "storage": st.fixed_dictionaries({}, optional={"size": QUANTITIES, "class": st.just("fast")}),
        "external": st.fixed_dictionaries(
            {"host": st.just("db.example.com"), "adminSecretRef": st.just({"name": "shop-db-admin"})},
            optional={"tls": st.sampled_from(["Require", "VerifyCA"]), "caSecretRef": st.just({"name": "ca"})},
        ),
        "access": st.just({"fromNamespaces": ["erp", "erp"]}),
        "powerState": st.sampled_from(["Running", "Stopped"]),
        "promotions": st.lists(ENTRIES, unique_by=lambda entry: str(entry["name"]), max_size=3),
        "maintenance": st.sampled_from(["UTC", "Mars/Olympus"]).map(
            lambda zone: {
                "timeZone": zone,
                "windows": [{"name": "n", "days": ["Mon", "Sun"], "start": "00:00", "duration": "36h"}],
            }
        ),
    },
)
HELD = {"current": "db.large", "target": "db.large", "reason": "Promotion/gone", "until": "2100-01-01T00:00:00Z"}
STATUSES = st.fixed_dictionaries(
    {},
    optional={
        "systemIdentifier": st.sampled_from([world.IDENTITY, "1"]),
        "rendering": st.sampled_from(["1", "99"]),
        "plan": st.sampled_from(
            [
                {"current": "db.small"},
                {
                    "current": "db.large",
                    "target": "db.large",
                    "reason": "Promotion/gone",
                    "until": "2100-01-01T00:00:00Z",
                },
                {"current": "x", "target": "y", "reason": "Promotion/double-11", "until": "soon"},
            ]
        ),
        "pod": st.just("of an older shape"),
    },
)
FACTS = st.sampled_from(
    [
        {},
        world.facts(),
        {"server": {}},
        {"server": {"version": "17"}},
        world.facts(databases={}, roles={}, connect=[]),
        {"server": {"error": Reason.DATABASE_UNREACHABLE.value}},
    ]
)


HERE = (
    lived.promotion(starts_in=timedelta(hours=1)),
    lived.promotion("frozen", starts_in=timedelta(hours=-1), freeze=True),
    lived.promotion("broken", starts_in=timedelta(), timeZone="Mars/Olympus"),
    lived.plan_of("db.large", "2", "2Gi", 200, rank=10),
)
THERE = world.standing(refs=(*world.REFS, world.volume(), *HERE))


@st.composite
def resources(draw: st.DrawFn) -> Obj:
    obj = world.rds(draw(STATUSES))
    obj["spec"] = draw(SPECS)
    if draw(st.booleans()):
        obj["metadata"]["deletionTimestamp"] = "2026-11-22T00:00:00Z"
    if draw(st.booleans()):
        broken = draw(st.sampled_from([(world.NOW + timedelta(hours=1)).isoformat(), "soon"]))
        confirmed = draw(st.sampled_from(["shop-db", "other"]))
        obj["metadata"]["annotations"] = {"cairn.dev/confirm-delete": confirmed, "cairn.dev/break-freeze": broken}
    return obj


@settings(max_examples=80, deadline=None)
@given(resources(), partly_there(THERE, FACTS))
def test_plan_is_total_deterministic_and_stays_in_its_namespace(obj: Obj, observed: Observed) -> None:
    got = world.plan(obj, observed)
    assert got == world.plan(copy.deepcopy(obj), observed)
    assert got.conditions[0].type == "Ready"
    for child in got.children:
        assert child.obj["metadata"]["namespace"] == world.NAMESPACE
        assert child.obj["kind"] != "Secret"
    assert {ref.namespace for ref in got.delete} <= {world.NAMESPACE}
    list(world.KIND.wants(obj, observed))
    list(world.KIND.unwatched(obj))


@settings(max_examples=80, deadline=None)
@given(resources(), partly_there(THERE, FACTS))
def test_plan_gives_up_no_data_that_was_not_given_up(obj: Obj, observed: Observed) -> None:
    got = world.plan(obj, observed)
    meta, spec = obj["metadata"], obj["spec"]
    confirmed = meta.get("annotations", {}).get("cairn.dev/confirm-delete") == "shop-db"
    given_up = "deletionTimestamp" in meta and spec["deletionPolicy"] == "Delete" and confirmed
    if not given_up:
        assert got.delete == ()
        assert "give-up-volume" not in [action.name for action in got.actions]
    for child in got.children:
        assert child.retain is (child.obj["kind"] == "PersistentVolumeClaim")
    # without the claim in the plan nothing may be pruned either, unless the whole of it was given up
    claims = [ref for ref in observed.children if ref.resource == PVC]
    planned = [child for child in got.children if child.obj["kind"] == "PersistentVolumeClaim"]
    assert not claims or planned or got.hold or given_up


@settings(max_examples=50, deadline=None)
@given(resources(), partly_there(THERE, FACTS))
def test_plan_shows_no_secret(obj: Obj, observed: Observed) -> None:
    text = repr(world.plan(obj, observed))
    for ref, live in observed.children.items():
        if ref.resource == SECRET:
            for key, value in (live.get("data") or {}).items():
                assert key not in ("password", "ca.key", "tls.key", "uri") or value not in text
    assert "secret-of-" not in text
    assert "PRIVATE KEY" not in text


def _plain(value: Any) -> Any:
    return yaml.safe_load(yaml.safe_dump(value))


@settings(max_examples=40, deadline=None)
@given(resources(), partly_there(THERE, FACTS))
def test_plan_is_made_of_plain_values(obj: Obj, observed: Observed) -> None:
    """What is applied and what stands in the status must survive YAML and JSON as it is."""
    got = world.plan(obj, observed)
    for value in (*(child.obj for child in got.children), dict(got.status), *(dict(a.args) for a in got.actions)):
        assert _plain(value) == value

# SPDX-License-Identifier: Apache-2.0
"""What holds of a PushSubscription's plan whatever was written and whatever was seen."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.api.conditions import Reason
from cairn.api.resources import Obj
from cairn.engine.kind import Observed
from unit.partly import partly_there
from unit.push import lived
from unit.push import test_plan as world

ENTRIES: st.SearchStrategy[Obj] = st.sampled_from(
    [
        {"name": name} | ({"planRef": {"name": plan}} if plan else {})
        for name in ("double-11", "gone")
        for plan in ("push.large", "nowhere", "")
    ]
)
ALWAYS: dict[str, st.SearchStrategy[Any]] = {
    "databaseRef": st.just({"name": "shop-db"}),
    "databaseName": st.sampled_from(["shop", "other"]),
    "shops": st.lists(st.sampled_from(["55501", "99999"]), min_size=1, max_size=2, unique=True),
    "paused": st.booleans(),
}
SOMETIMES: dict[str, st.SearchStrategy[Any]] = {
    "datasets": st.lists(st.sampled_from(["trades", "refunds", "weather"]), min_size=1, unique=True),
    "planRef": st.sampled_from(["push.small", "nowhere"]).map(lambda name: {"name": name}),
    "promotions": st.lists(ENTRIES, unique_by=lambda entry: str(entry["name"]), max_size=2),
}
SPECS = st.fixed_dictionaries(ALWAYS, optional=SOMETIMES)
BUS = st.sampled_from(
    [{}, world.facts()["bus"], {"account": "B", "consumer": None}, {"error": Reason.BUS_UNREACHABLE.value}]
)
DATABASE = st.sampled_from(
    [{}, world.facts()["database"], {"missing": ["x"]}, {"error": Reason.DATABASE_UNREACHABLE.value, "message": "x"}]
)
FACTS = st.fixed_dictionaries({"bus": BUS, "database": DATABASE})
PLANS = (lived.plan_of("push.small", "250m", "256Mi"), lived.plan_of("push.large", "2", "1Gi", rank=10))
NOW_ON = (lived.promotion(world.NOW, freeze=True), *PLANS)
CONFIG = world.child(world.plan(world.push(), world.seen(world.credentials())), "ConfigMap")
THERE = world.seen(world.credentials(), world.deployed(), world.pod(), CONFIG, refs=(*world.REFS, *NOW_ON))


@st.composite
def subscriptions(draw: st.DrawFn) -> Obj:
    plan = {
        "current": "push.large",
        "target": "push.large",
        "reason": "Promotion/gone",
        "until": "2100-01-01T00:00:00Z",
    }
    statuses: list[Obj] = [{}, {"worker": {"ready": True}}, {"worker": "of an older shape"}, {"plan": plan}]
    status = draw(st.sampled_from(statuses))
    obj = world.push(status, deleting=draw(st.booleans()))
    obj["spec"] = draw(SPECS)
    return obj


@settings(max_examples=80, deadline=None)
@given(subscriptions(), partly_there(THERE, FACTS))
def test_plan_is_total_deterministic_and_stays_in_its_namespace(obj: Obj, observed: Observed) -> None:
    got = world.plan(obj, observed)
    assert got == world.plan(copy.deepcopy(obj), observed)
    assert got.conditions[0].type == "Ready"
    assert {child.obj["metadata"]["namespace"] for child in got.children} <= {world.NAMESPACE}
    assert not any(child.retain for child in got.children)
    assert got.delete == ()
    text = repr(got)
    assert "secret-word" not in text
    assert "c2VjcmV0LXdvcmQ" not in text
    list(world.KIND.wants(obj, observed))


@settings(max_examples=80, deadline=None)
@given(subscriptions(), partly_there(THERE, FACTS))
def test_plan_serves_no_shop_of_another_seller(obj: Obj, observed: Observed) -> None:
    got = world.plan(obj, observed)
    if "99999" in obj["spec"]["shops"]:
        assert got.children == ()
        assert all("99999" not in repr(action.args) for action in got.actions)

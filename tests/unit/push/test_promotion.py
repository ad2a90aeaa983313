# SPDX-License-Identifier: Apache-2.0
"""A worker through a promotion: raised in place before it, lowered after it, and left alone inside a freeze."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from typing import Any

from cairn.api.conditions import Condition, Reason
from cairn.api.resources import CONFIGMAP, POD, Obj, Ref
from cairn.engine.kind import Plan
from unit.push import test_plan as world
from unit.push.lived import Life, plan_of, promotion
from unit.push.test_plan import NOW

SMALL, LARGE = ("250m", "256Mi"), ("2", "1Gi")
PLANS = (plan_of("push.small", *SMALL), plan_of("push.large", *LARGE, rank=10))
START = NOW + timedelta(hours=10)
WARM_UP, END, DOWN = START - timedelta(hours=6), START + timedelta(hours=28), START + timedelta(hours=40)
A_MOMENT = timedelta(seconds=1)


def life(*, freeze: bool = False, plan: str | None = "push.large", **spec: Any) -> Life:
    entry: Obj = {"name": "double-11"} | ({"planRef": {"name": plan}} if plan else {})
    obj = world.push(planRef={"name": "push.small"}, promotions=[entry], **spec)
    found = Life(obj, (promotion(START, freeze=freeze), *PLANS))
    found.settle(NOW)
    found.done.clear()
    return found


def said(of: Plan, kind: str) -> Condition | None:
    return next((entry for entry in of.conditions if entry.type == kind), None)


def test_worker_is_raised_in_place_and_lowered_again() -> None:
    one = life()
    for moment in (WARM_UP, START, END, DOWN):
        for now in (moment - A_MOMENT, moment, moment + A_MOMENT):
            got = one.settle(now)
            raised = WARM_UP <= now < DOWN
            assert one.size == (LARGE if raised else SMALL), now
            assert got.conditions[0].reason is Reason.READY
            plan = got.status["plan"]
            assert plan["current"] == ("push.large" if raised else "push.small")
            assert plan.get("target") == ("push.large" if raised else None)
    assert one.pods_made == 1, "nobody had to wait for a new pod"
    assert one.template["spec"]["containers"][0]["resources"]["limits"]["cpu"] == SMALL[0]


def test_worker_whose_pod_dies_is_raised_again() -> None:
    one = life()
    one.settle(START)
    deployment = next(obj for ref, obj in one.children.items() if ref.resource.kind == "Deployment")
    assert one.pod
    del one.children[Ref(POD, world.NAMESPACE, one.pod["metadata"]["name"])]
    one._controller(deployment, changed=False)
    assert one.size == SMALL
    one.settle(START + A_MOMENT)
    assert one.size == LARGE


def test_worker_that_holds_on_to_its_memory_is_made_anew_once() -> None:
    one = life()
    one.settle(START)
    one.keeps_memory = True
    one.settle(DOWN)
    assert one.size == SMALL
    assert one.pods_made == 2
    mark = one.template["metadata"]["annotations"]["cairn.dev/renewed-for"]
    assert mark == "pod-1"
    one.settle(DOWN + timedelta(days=1))
    assert one.pods_made == 2, "the mark stays: taking it off would make the pod anew"


def test_worker_takes_part_in_cost_next_and_promotions_resolved() -> None:
    got = life().settle(NOW)
    assert got.status["next"]["at"] == WARM_UP.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert got.status["cost"]["month"] == "73.00"
    resolved = said(got, "PromotionsResolved")
    assert resolved
    assert resolved.status is True
    assert got.next is not None
    assert got.next <= WARM_UP


def test_worker_of_a_promotion_deleted_in_the_middle_is_held() -> None:
    one = life()
    one.settle(START)
    one.refs = [obj for obj in one.refs if obj["kind"] != "Promotion"]
    got = one.settle(START + timedelta(hours=1))
    assert one.size == LARGE
    unresolved = said(got, "PromotionsResolved")
    assert unresolved
    assert unresolved.reason is Reason.PROMOTION_NOT_FOUND
    one.settle(DOWN)
    assert one.size == SMALL


def test_quota_that_is_too_small_is_said_and_the_worker_goes_on() -> None:
    one = life()
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "cairn", "namespace": world.NAMESPACE},
        "status": {"hard": {"limits.cpu": "4"}, "used": {"limits.cpu": "3"}},
    }
    one.refs.append(quota)
    got = one.settle(START)
    assert one.size == SMALL
    resized = said(got, "PodResized")
    assert resized
    assert "1750m more are needed" in resized.message
    assert got.conditions[0].reason is Reason.READY


def changed(one: Life, now: Any, **spec: Any) -> Plan:
    one.obj["spec"] |= spec
    return one.settle(now)


def test_changes_that_make_the_worker_anew_wait_for_the_end_of_a_freeze() -> None:
    one = life(freeze=True, plan=None, shops=["55501"])
    one.settle(START)
    before = copy.deepcopy(one.template)
    got = changed(one, START, datasets=["trades"])
    deferred = said(got, "Deferred")
    assert deferred
    assert deferred.reason is Reason.FROZEN
    assert END.strftime("%Y-%m-%dT%H:%M:%SZ") in deferred.message
    assert one.template == before
    assert one.consumed == world.SUBJECTS, "what runs still reads all of it"
    assert got.conditions[0].reason is Reason.READY
    got = one.settle(END)
    assert said(got, "Deferred") is None
    assert one.pods_made == 2
    assert one.consumed == ["push.2088.55501.trades"]


def test_smaller_plan_pause_and_image_wait_too() -> None:
    one = life(freeze=True, plan=None)
    one.settle(START)
    one.template["spec"]["containers"][0]["image"] = "cairn:older"
    one.refs.append(plan_of("push.tiny", "100m", "128Mi"))
    got = changed(one, START, planRef={"name": "push.tiny"}, paused=True)
    deferred = said(got, "Deferred")
    assert deferred
    for word in ("to stop", "image", "cpu 100m, memory 128Mi"):
        assert word in deferred.message
    assert one.pod
    assert one.size == SMALL
    assert one.template["spec"]["containers"][0]["image"] == "cairn:older"
    assert said(changed(one, END), "Deferred") is None
    assert one.pod is None


def test_larger_plan_is_let_into_a_freeze_without_a_new_pod() -> None:
    one = life(freeze=True, plan=None)
    one.settle(START)
    changed(one, START, planRef={"name": "push.large"})
    assert one.size == LARGE
    assert one.pods_made == 1


def test_shop_that_is_no_longer_the_sellers_leaves_a_frozen_worker_too() -> None:
    one = life(freeze=True, plan=None)
    one.settle(START)
    shops = [{"name": "other", "id": "55502", "nick": "n"}]
    one.refs = [world.seller(shops=shops) if obj["kind"] == "Seller" else obj for obj in one.refs]
    changed(one, START, shops=["55502"])
    settings = json.loads(one.children[Ref(CONFIGMAP, world.NAMESPACE, "orders-push")]["data"]["worker.json"])
    assert set(settings["shops"]) == {"55502"}
    assert one.pods_made == 2


def test_break_freeze_lets_the_change_through_and_is_said() -> None:
    one = life(freeze=True, plan=None)
    one.settle(START)
    one.obj["metadata"]["annotations"] = {"cairn.dev/break-freeze": (START + timedelta(hours=1)).isoformat()}
    got = changed(one, START, datasets=["trades"])
    broken = said(got, "FreezeBroken")
    assert broken
    assert broken.reason is Reason.FREEZE_BROKEN
    assert one.pods_made == 2


def stopped_database(one: Life, ready: str) -> None:
    because = world.condition("Ready", ready) | {"reason": "Stopped"}
    status = world.rds()["status"] | {"conditions": [because]}
    stopped = world.rds(status=status, powerState="Stopped")
    one.refs = [stopped if obj["kind"] == "SellerRDS" else obj for obj in one.refs]


def test_worker_of_a_stopped_database_waits_and_says_where_the_records_are() -> None:
    one = life()
    for word in ("False", "True"):
        stopped_database(one, word)
        got = one.settle(NOW)
        assert one.pod is None
        assert (got.conditions[0].type, got.conditions[0].status, got.conditions[0].reason) == (
            "Ready",
            True,
            Reason.STOPPED,
        )
        assert got.conditions[0].message == "SellerRDS shop-db is stopped: records wait on the bus"
        assert [entry.type for entry in got.conditions if entry.status is False] == []
    one.refs = [world.rds() if obj["kind"] == "SellerRDS" else obj for obj in one.refs]
    assert one.settle(NOW).conditions[0].reason is Reason.READY
    assert one.pods_made == 2


def test_subscription_to_a_database_that_is_stopped_says_how_to_begin() -> None:
    one = Life(world.push(), ())
    stopped_database(one, "True")
    got = one.settle(NOW)
    assert got.conditions[0].reason is Reason.DATABASE_NOT_READY
    assert "spec.powerState: Running" in got.conditions[0].message

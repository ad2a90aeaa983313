# SPDX-License-Identifier: Apache-2.0
"""What a Seller and a ServicePlan become, by what was seen."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from cairn.api.conditions import Condition, Reason
from cairn.api.platform import Platform
from cairn.api.resources import NAMESPACE, PUSHSUBSCRIPTION, SELLER, SELLERRDS, SELLERVM, SERVICEPLAN, Obj, ref_of
from cairn.engine.kind import Observed, Plan, Within
from cairn.seller.kind import SellerKind, ServicePlanKind

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KIND = SellerKind(Platform())
PLANS = ServicePlanKind(Platform())


def seller(name: str = "acme", created: str = "2026-11-01T00:00:00Z", **spec: Any) -> Obj:
    shops = [{"name": "main", "id": "55501", "nick": "taobao001"}]
    fields = {"id": "2088", "namespace": "seller-2088", "shops": shops, "planRef": {"name": "seller.standard"}}
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "Seller",
        "metadata": {"name": name, "uid": f"uid-{name}", "generation": 1, "creationTimestamp": created},
        "spec": fields | spec,
    }


def service_plan(name: str = "seller.standard", **spec: Any) -> Obj:
    size = {"cpu": "4000m", "memory": "8192Mi", "storage": "100Gi"}
    prices = [
        {"name": "2026-11", "from": "2026-11-01", "monthly": "300"},
        {"name": "2027-01", "from": "2027-01-01", "monthly": "330", "hourly": "0.6"},
    ]
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "ServicePlan",
        "metadata": {"name": name, "uid": "uid-plan", "generation": 1, "creationTimestamp": "2026-10-01T00:00:00Z"},
        "spec": {"for": "Seller", "size": size, "prices": prices} | spec,
    }


def owned(obj: Obj, owner: Obj) -> Obj:
    """As the engine would have applied it for `owner`."""
    live = copy.deepcopy(obj)
    live["metadata"].setdefault("labels", {}).update(
        {
            "app.kubernetes.io/managed-by": "cairn",
            "cairn.dev/owner-kind": owner["kind"],
            "cairn.dev/owner-name": owner["metadata"]["name"],
            "cairn.dev/owner-uid": owner["metadata"]["uid"],
        }
    )
    return live


def seen(*refs: Obj, children: tuple[Obj, ...] = ()) -> Observed:
    return Observed(
        children={ref_of(obj): obj for obj in children},
        refs={ref_of(obj): obj for obj in (*refs, *(obj for obj in children if obj["kind"] == "Namespace"))},
    )


def first_pass(owner: Obj) -> Plan:
    return KIND.plan(owner, seen(owner, service_plan()), NOW)


def active_namespace(owner: Obj) -> Obj:
    return owned(first_pass(owner).children[0].obj, owner) | {"status": {"phase": "Active"}}


def standing(owner: Obj) -> Observed:
    """The world after the plan was carried out in full."""
    entered = with_its_binding(owner)
    plan = KIND.plan(owner, entered, NOW)
    home = active_namespace(owner)
    return seen(owner, service_plan(), children=(home, *(owned(child.obj, owner) for child in plan.children[1:])))


def with_its_binding(owner: Obj) -> Observed:
    """The namespace stands, and Cairn has its rights in it."""
    home = active_namespace(owner)
    plan = KIND.plan(owner, seen(owner, service_plan(), children=(home,)), NOW)
    return seen(owner, service_plan(), children=(home, owned(plan.children[1].obj, owner)))


def shown(plan: Plan) -> list[tuple[str, bool | None, Reason]]:
    return [(condition.type, condition.status, condition.reason) for condition in plan.conditions]


def test_seller_in_an_empty_world_makes_only_its_namespace() -> None:
    plan = first_pass(seller())
    assert [child.obj["kind"] for child in plan.children] == ["Namespace"]
    assert plan.children[0].retain
    assert plan.hold
    assert shown(plan) == [("Ready", False, Reason.PROGRESSING), ("Reconciling", True, Reason.PROGRESSING)]


def test_seller_with_an_active_namespace_gives_cairn_its_rights_there_first() -> None:
    owner = seller()
    plan = KIND.plan(owner, seen(owner, service_plan(), children=(active_namespace(owner),)), NOW)
    assert [child.obj["kind"] for child in plan.children] == ["Namespace", "RoleBinding"]
    assert plan.hold
    assert shown(plan) == [("Ready", False, Reason.PROGRESSING), ("Reconciling", True, Reason.PROGRESSING)]


def test_seller_with_cairns_rights_in_its_namespace_makes_its_guards() -> None:
    owner = seller()
    plan = KIND.plan(owner, with_its_binding(owner), NOW)
    assert [(child.obj["kind"], child.obj["metadata"]["name"]) for child in plan.children] == [
        ("Namespace", "seller-2088"),
        ("RoleBinding", "cairn-operator"),
        ("ResourceQuota", "cairn"),
        ("LimitRange", "cairn"),
        ("NetworkPolicy", "cairn-default-deny"),
        ("NetworkPolicy", "cairn-dns"),
    ]
    assert not plan.hold


def test_seller_that_stands_is_ready_with_quota_cost_and_the_next_month() -> None:
    owner = seller()
    plan = KIND.plan(owner, standing(owner), NOW)
    assert plan.conditions == (Condition("Ready", True, Reason.READY),)
    assert plan.status == {
        "namespace": "seller-2088",
        "quota": {
            "cpu": {"hard": "4", "used": "0"},
            "memory": {"hard": "8Gi", "used": "0"},
            "storage": {"hard": "100Gi", "used": "0"},
            "at": "2026-11-22T12:00:00Z",
        },
        "peaks": [],
        "cost": {"currency": "CNY", "month": "300.00"},
    }
    assert plan.next == datetime(2026, 12, 1, tzinfo=UTC)


def namespace(labels: dict[str, str]) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "seller-2088", "labels": labels},
        "status": {"phase": "Active"},
    }


MADE = {"cairn.dev/seller": "acme", "cairn.dev/seller-id": "2088", "cairn.dev/owner-kind": "Seller"}


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param({}, id="somebody-elses"),
        pytest.param(MADE | {"cairn.dev/seller-id": "2089"}, id="another-number"),
        pytest.param(MADE | {"cairn.dev/seller": "other"}, id="another-seller"),
        pytest.param({k: v for k, v in MADE.items() if k != "cairn.dev/owner-kind"}, id="labels-put-on-by-hand"),
    ],
)
def test_seller_whose_namespace_exists_is_stalled_and_touches_nothing(labels: dict[str, str]) -> None:
    there = namespace(labels)
    plan = KIND.plan(seller(), seen(seller(), service_plan(), there), NOW)
    assert shown(plan)[1] == ("Stalled", True, Reason.NAMESPACE_NOT_MADE_BY_CAIRN)
    assert plan.children == ()
    assert plan.hold


def test_seller_that_comes_back_finds_its_namespace_again() -> None:
    there = namespace(MADE | {"cairn.dev/owner-uid": "uid-of-an-earlier-object"})
    plan = KIND.plan(seller(), seen(seller(), service_plan(), there), NOW)
    assert plan.children[0].adopt
    assert [child.obj["kind"] for child in plan.children] == ["Namespace", "RoleBinding"]


def test_seller_whose_namespace_terminates_writes_nothing_into_it() -> None:
    there = active_namespace(seller()) | {"status": {"phase": "Terminating"}}
    plan = KIND.plan(seller(), seen(seller(), service_plan(), children=(there,)), NOW)
    assert plan.children == ()
    assert plan.hold


HOST = "shop.example.com"
OTHER_SHOP = [{"name": "main", "id": "77701", "nick": "other"}]


@pytest.mark.parametrize(
    ("other", "field"),
    [
        pytest.param({"id": "2099", "namespace": "seller-2099"}, "spec.shops", id="shop"),
        pytest.param({"namespace": "seller-2099", "shops": OTHER_SHOP}, "spec.id", id="number"),
        pytest.param(
            {"id": "2099", "namespace": "seller-2099", "shops": OTHER_SHOP, "hosts": ["a.example.com", HOST]},
            f"spec.hosts: {HOST} belongs to Seller acme",
            id="host",
        ),
        pytest.param({"id": "2099", "shops": OTHER_SHOP}, "spec.namespace", id="namespace"),
    ],
)
def test_sellers_that_claim_the_same_thing_the_younger_is_in_conflict(other: dict[str, Any], field: str) -> None:
    younger = seller("younger", "2026-11-02T00:00:00Z", **other)
    older = seller(hosts=[HOST])
    world = seen(older, younger, service_plan())
    plan = KIND.plan(younger, world, NOW)
    assert shown(plan)[1] == ("Stalled", True, Reason.CONFLICT)
    assert plan.conditions[0].message.startswith(field)
    assert plan.children == ()
    assert KIND.plan(older, world, NOW).conditions[0].reason is Reason.PROGRESSING


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        pytest.param(None, Reason.PLAN_NOT_FOUND, id="missing"),
        pytest.param(service_plan(**{"for": "SellerRDS"}), Reason.PLAN_OF_ANOTHER_KIND, id="of-another-kind"),
        pytest.param(service_plan(deprecated=True), Reason.PLAN_DEPRECATED, id="deprecated"),
        pytest.param(service_plan(size={"cpu": "1"}), Reason.INVALID_SPEC, id="without-memory"),
    ],
)
def test_seller_without_a_usable_plan_waits_and_is_not_stalled(plan: Obj | None, reason: Reason) -> None:
    world = seen(seller()) if plan is None else seen(seller(), plan)
    got = KIND.plan(seller(), world, NOW)
    assert shown(got) == [("Ready", False, reason)]
    assert got.hold


def test_seller_keeps_a_plan_that_was_deprecated_later() -> None:
    owner = seller()
    there = standing(owner)
    refs = dict(there.refs) | {ref_of(service_plan()): service_plan(deprecated=True)}
    plan = KIND.plan(owner, Observed(there.children, refs), NOW)
    assert shown(plan) == [("Ready", True, Reason.READY)]


def deleted(obj: Obj) -> Obj:
    obj = copy.deepcopy(obj)
    obj["metadata"]["deletionTimestamp"] = "2026-11-22T11:59:00Z"
    return obj


def rds(name: str, namespace: str = "seller-2088", plan: str = "db.small") -> Obj:
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "SellerRDS",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"planRef": {"name": plan}},
    }


@pytest.mark.parametrize("kind", ["SellerVM", "SellerRDS", "PushSubscription"])
def test_seller_in_deletion_waits_for_what_it_has_and_says_which(kind: str) -> None:
    owner = deleted(seller())
    has = rds("shop") | {"kind": kind}
    world = seen(owner, has, rds("elsewhere", "seller-1"), children=(active_namespace(seller()),))
    plan = KIND.plan(owner, world, NOW)
    assert not plan.released
    assert plan.hold
    assert f"{kind} shop:" in plan.conditions[0].message
    assert "elsewhere" not in plan.conditions[0].message


def test_seller_in_deletion_is_released_and_its_namespace_stays() -> None:
    owner = deleted(seller())
    plan = KIND.plan(owner, seen(owner, rds("elsewhere", "seller-1"), children=(active_namespace(seller()),)), NOW)
    assert plan.released
    assert plan.delete == ()


def test_seller_looks_at_what_it_has_and_at_all_sellers() -> None:
    wanted = list(KIND.wants(seller(), Observed()))
    assert SELLER in wanted
    assert {Within(resource, "seller-2088") for resource in (SELLERVM, SELLERRDS, PUSHSUBSCRIPTION)} <= set(wanted)


def test_seller_of_a_shape_nobody_knows_is_a_condition() -> None:
    broken = seller(id=None)
    plan = KIND.plan(broken, Observed(), NOW)
    assert shown(plan)[1] == ("Stalled", True, Reason.INVALID_SPEC)
    assert plan.conditions[0].message.startswith("spec.id")
    assert list(KIND.wants(broken, Observed())) == []


@pytest.mark.parametrize(
    ("day", "price"),
    [
        pytest.param(datetime(2026, 10, 31, tzinfo=UTC), None, id="before-the-first"),
        pytest.param(datetime(2026, 11, 1, tzinfo=UTC), ("300", "0.4110"), id="first-day"),
        pytest.param(datetime(2026, 12, 31, 23, 59, tzinfo=UTC), ("300", "0.4110"), id="last-minute"),
        pytest.param(datetime(2027, 1, 1, tzinfo=UTC), ("330", "0.6"), id="next-with-an-hourly-one"),
    ],
)
def test_serviceplan_shows_the_price_in_force(day: datetime, price: tuple[str, str] | None) -> None:
    shown = PLANS.plan(service_plan(), Observed(), day).status.get("price")
    assert shown == (price and {"currency": "CNY", "monthly": price[0], "hourly": price[1]})


def test_serviceplan_counts_users_of_its_kind_only() -> None:
    plan = service_plan("db.small", **{"for": "SellerRDS"})
    world = seen(rds("a"), rds("b", "seller-1"), rds("c", plan="db.large"), seller(planRef={"name": "db.small"}))
    assert PLANS.plan(plan, world, NOW).status["usedBy"] == 2


def test_serviceplan_is_used_by_who_takes_it_for_a_promotion() -> None:
    plan = service_plan("vm.large", **{"for": "SellerVM"})
    raised = rds("shop", plan="vm.small") | {"kind": "SellerVM"}
    raised["spec"]["promotions"] = [{"name": "spring"}, {"name": "double-11", "planRef": {"name": "vm.large"}}]
    got = PLANS.plan(deleted(plan), seen(raised, rds("other") | {"kind": "SellerVM"}), NOW)
    assert got.status["usedBy"] == 1
    assert not got.released


def test_serviceplan_in_deletion_waits_while_used_and_names_the_users() -> None:
    plan = deleted(service_plan("db.small", **{"for": "SellerRDS"}))
    got = PLANS.plan(plan, seen(*(rds(f"db-{n}") for n in range(7))), NOW)
    assert not got.released
    assert got.conditions[0].reason is Reason.IN_USE
    assert got.conditions[0].message.endswith("SellerRDS seller-2088/db-4 and 2 more")


def test_serviceplan_in_deletion_goes_when_unused() -> None:
    assert PLANS.plan(deleted(service_plan()), Observed(), NOW).released


def test_wants_name_the_plan_and_the_namespace() -> None:
    wanted = list(KIND.wants(seller(), Observed()))
    assert [(want.resource, want.name) for want in wanted[:2]] == [  # type: ignore[union-attr]
        (NAMESPACE, "seller-2088"),
        (SERVICEPLAN, "seller.standard"),
    ]


def test_deleted_seller_and_plan_of_a_shape_nobody_knows_are_let_go_of() -> None:
    for kind, obj in ((KIND, seller(id=5)), (PLANS, service_plan(size="big"))):
        got = kind.plan(deleted(obj), seen(), NOW)
        assert got.released
        assert got.hold

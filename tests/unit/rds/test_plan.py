# SPDX-License-Identifier: Apache-2.0
"""What a SellerRDS of our own becomes, by what was seen."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest

from cairn.api.conditions import Condition, Reason
from cairn.api.resources import PVC, SECRET, Obj, Ref
from cairn.calendar.price import midnight, month_of, next_month
from cairn.engine.kind import Plan
from cairn.rds import config, objects
from unit.rds import world
from unit.rds.world import NAMESPACE, NOW, child, plan, rds, seen, standing


def shown(of: Plan) -> list[tuple[str, bool | None, Reason]]:
    return [(entry.type, entry.status, entry.reason) for entry in of.conditions]


def named(of: Plan) -> list[str]:
    return [action.name for action in of.actions]


def message(of: Plan, kind: str) -> str:
    return next(entry.message for entry in of.conditions if entry.type == kind)


def test_rds_in_an_empty_world_only_mints() -> None:
    got = plan(rds(), seen())
    assert named(got) == ["mint-ca", "mint-certificate", "mint-login", "mint-login", "mint-login"]
    assert [action.args["secret"] for action in got.actions] == [
        "shop-db-ca", "shop-db-tls", "shop-db-admin", "shop-db-owner", "shop-db-reader",
    ]  # fmt: skip
    assert got.children == ()
    assert got.hold


def test_rds_with_credentials_makes_its_objects_and_waits_for_the_pod() -> None:
    got = world.first_children(rds())
    assert [(entry.obj["kind"], entry.obj["metadata"]["name"], entry.retain) for entry in got.children] == [
        ("PersistentVolumeClaim", "shop-db-data", True),
        ("ConfigMap", "shop-db-config", False),
        ("NetworkPolicy", "shop-db", False),
        ("NetworkPolicy", "shop-db-clients", False),
        ("Service", "shop-db-pods", False),
        ("Service", "shop-db", False),
        ("PodDisruptionBudget", "shop-db", False),
        ("StatefulSet", "shop-db", False),
    ]
    assert shown(got)[0] == ("Ready", False, Reason.PROGRESSING)
    assert got.actions == ()
    assert not got.hold


def test_rds_that_stands_is_ready_and_does_nothing() -> None:
    got = plan(rds(), standing())
    assert got.conditions == (Condition("Ready", True, Reason.READY),)
    assert got.actions == ()
    assert got.status == {
        "endpoint": {"host": "shop-db.seller-2088.svc", "port": 5432},
        "version": "17",
        "size": {"cpu": "500m", "memory": "512Mi", "storage": "1Gi"},
        "systemIdentifier": world.IDENTITY,
        "secrets": {"admin": "shop-db-admin", "owner": "shop-db-owner", "reader": "shop-db-reader"},
        "databases": ["shop"],
        "pod": {"name": "shop-db-0", "ready": True, "restarts": 2, "node": "node-1"},
        "rendering": "1",
        "plan": {"current": "db.small"},
        "cost": {"currency": "CNY", "month": "100.00"},
    }
    assert got.next == midnight(next_month(month_of(NOW))), "another month, another cost"


def test_rds_plan_is_deterministic() -> None:
    assert plan(rds(), standing()) == plan(copy.deepcopy(rds()), standing())


def without(kind: str) -> tuple[Obj, ...]:
    return tuple(obj for obj in world.REFS if obj["kind"] != kind)


@pytest.mark.parametrize(
    ("spec", "refs", "reason", "stalled"),
    [
        pytest.param({}, (), Reason.NOT_A_SELLER_NAMESPACE, True, id="namespace-of-nobody"),
        pytest.param({}, without("Seller"), Reason.SELLER_NOT_FOUND, False, id="no-seller"),
        pytest.param({}, without("ServicePlan"), Reason.PLAN_NOT_FOUND, False, id="no-plan"),
        pytest.param(
            {},
            (*without("ServicePlan"), world.service_plan(**{"for": "Seller"})),
            Reason.PLAN_OF_ANOTHER_KIND,
            False,
            id="plan-of-another-kind",
        ),
        pytest.param(
            {},
            (*without("ServicePlan"), world.service_plan(deprecated=True)),
            Reason.PLAN_DEPRECATED,
            False,
            id="plan-deprecated",
        ),
        pytest.param(
            {},
            (*without("Namespace"), world.namespace(**{"cairn.dev/seller-id": "2089"})),
            Reason.NOT_A_SELLER_NAMESPACE,
            True,
            id="namespace-of-another",
        ),
        pytest.param({"planRef": None}, world.REFS, Reason.INVALID_SPEC, True, id="no-size"),
        pytest.param({"version": "9"}, world.REFS, Reason.INVALID_SPEC, True, id="unknown-shape"),
        pytest.param(
            {"planRef": None, "resources": {"cpu": "1", "memory": "1Gi"}},
            world.REFS,
            Reason.INVALID_SPEC,
            False,
            id="no-storage",
        ),
        pytest.param({"storage": {"size": "200Gi"}}, world.REFS, Reason.QUOTA_EXCEEDED, False, id="storage-over-quota"),
    ],
)
def test_rds_that_can_not_be_made_says_why_and_touches_nothing(
    spec: dict[str, Any], refs: tuple[Obj, ...], reason: Reason, stalled: bool
) -> None:
    got = plan(rds(**spec), seen(*world.secrets(), refs=refs))
    assert shown(got)[0] == ("Ready", False, reason)
    assert ("Stalled" in [entry.type for entry in got.conditions]) is stalled
    assert got.children == ()
    assert got.actions == ()
    assert got.hold


def test_rds_keeps_a_plan_that_was_deprecated_later() -> None:
    refs = (*without("ServicePlan"), world.service_plan(deprecated=True), world.volume())
    assert shown(plan(rds(), standing(refs=refs)))[0] == ("Ready", True, Reason.READY)


def test_rds_finds_retained_data_of_an_earlier_one_and_waits_to_be_told() -> None:
    got = plan(rds(), seen(*world.secrets("uid-0"), world.claim("uid-0")))
    assert shown(got) == [("Ready", False, Reason.DATA_EXISTS)]
    assert "spec.adopt: true" in got.conditions[0].message
    assert got.children == ()
    assert got.hold


def test_rds_adopts_retained_data_when_told() -> None:
    claim = world.claim("uid-0", **{objects.IDENTITY_ANNOTATION: world.IDENTITY})
    got = plan(rds(adopt=True), seen(*world.secrets("uid-0"), claim))
    adopted = next(entry for entry in got.children if entry.obj["kind"] == "PersistentVolumeClaim")
    assert adopted.adopt
    assert adopted.retain
    assert adopted.obj["metadata"]["annotations"][objects.IDENTITY_ANNOTATION] == world.IDENTITY
    assert "mint-login" not in named(got)


@pytest.mark.parametrize("owner", ["uid-0", "uid-1"])
def test_rds_with_a_volume_and_no_password_makes_no_new_one(owner: str) -> None:
    secrets = [obj for obj in world.secrets(owner) if obj["metadata"]["name"] != "shop-db-admin"]
    got = plan(rds(adopt=True), seen(*secrets, world.claim(owner)))
    assert shown(got) == [("Ready", False, Reason.CREDENTIALS_LOST)]
    assert got.actions == ()
    assert got.children == ()


def test_rds_whose_secrets_outlived_their_volume_starts_nothing_empty() -> None:
    got = plan(rds(adopt=True), seen(*world.secrets("uid-0")))
    assert shown(got) == [("Ready", False, Reason.DATA_EXISTS)]
    assert got.children == ()


def test_rds_whose_volume_claim_vanished_starts_nothing_empty() -> None:
    known = rds({"systemIdentifier": world.IDENTITY})
    got = plan(known, seen(*world.secrets()))
    assert shown(got) == [("Ready", False, Reason.VOLUME_LOST)]
    assert got.children == ()
    assert got.actions == ()


def test_rds_whose_engine_is_another_one_says_so_and_stops() -> None:
    got = plan(rds(), standing(found=world.facts(systemIdentifier="1", databases={})))
    assert shown(got) == [("Ready", False, Reason.IDENTITY_MISMATCH)]
    assert got.actions == ()
    assert got.hold


def test_rds_of_another_version_than_its_data_is_stalled() -> None:
    got = plan(rds(version="18"), standing())
    assert shown(got)[1] == ("Stalled", True, Reason.INVALID_SPEC)
    assert '"17"' in got.conditions[0].message
    assert got.hold


def test_rds_writes_the_identity_of_its_engine_down_once_it_is_known() -> None:
    got = plan(rds(), standing(claim=world.claim()))
    annotations = child(got, "PersistentVolumeClaim")["metadata"]["annotations"]
    assert annotations[objects.IDENTITY_ANNOTATION] == world.IDENTITY


@pytest.mark.parametrize(
    ("volume", "actions"),
    [
        pytest.param(world.volume("Delete"), ["keep-volume"], id="to-be-kept"),
        pytest.param(world.volume("Retain"), [], id="kept"),
        pytest.param(world.volume("Delete", claim_uid="other"), [], id="bound-to-another-claim"),
    ],
)
def test_rds_keeps_the_volume_behind_its_own_claim(volume: Obj, actions: list[str]) -> None:
    assert named(plan(rds(), standing(refs=(*world.REFS, volume)))) == actions


@pytest.mark.parametrize(
    ("changes", "actions", "reason"),
    [
        pytest.param({"databases": {}}, ["database"], Reason.PROGRESSING, id="no-database"),
        pytest.param({"connect": []}, ["database"], Reason.PROGRESSING, id="reader-shut-out"),
        pytest.param({"roles": {}}, ["database"], Reason.PROGRESSING, id="no-roles"),
        pytest.param({"databases": {"shop": "somebody"}}, [], Reason.CONFLICT, id="database-of-another"),
        pytest.param(
            {"roles": {"shop_owner": {"ours": False, "password": False}}}, [], Reason.CONFLICT, id="role-of-another"
        ),
        pytest.param({"comments": {}}, ["database"], Reason.PROGRESSING, id="kept-for-nobody"),
        pytest.param({"comments": {"shop": "cairn: seller-1/db"}}, [], Reason.CONFLICT, id="kept-for-another"),
        pytest.param({"inRecovery": True}, [], Reason.PROGRESSING, id="recovering"),
    ],
)
def test_rds_sets_up_what_the_server_lacks(changes: dict[str, Any], actions: list[str], reason: Reason) -> None:
    got = plan(rds(), standing(found=world.facts(**changes)))
    assert named(got) == actions
    assert shown(got)[0] == ("Ready", False, reason)


def test_rds_with_a_comment_of_the_sellers_own_on_its_database_is_ready() -> None:
    got = plan(rds(), standing(found=world.facts(comments={"shop": "all about shoes"})))
    assert shown(got) == [("Ready", True, Reason.READY)]


def test_rds_whose_password_was_changed_in_the_server_sets_it_back() -> None:
    wrong = {f"shop_{role}": {"ours": True, "password": role != "owner"} for role in ("owner", "reader")}
    assert named(plan(rds(), standing(found=world.facts(roles=wrong)))) == ["database"]


@pytest.mark.parametrize("reason", [Reason.DATABASE_UNREACHABLE, Reason.AUTHENTICATION_FAILED])
def test_rds_that_does_not_answer_says_why_and_asks_again(reason: Reason) -> None:
    before = rds({"version": "17", "databases": ["shop"], "systemIdentifier": world.IDENTITY})
    got = plan(before, standing(found={"server": {"error": reason.value, "message": "x"}}))
    assert shown(got) == [("Ready", False, reason)]
    assert got.status["databases"] == ["shop"]
    assert got.next == NOW + timedelta(seconds=15)


def test_rds_that_may_lose_commits_is_ready_and_says_so() -> None:
    got = plan(rds(), standing(found=world.facts(weak=["fsync = off (must be on)"])))
    assert shown(got) == [("Ready", True, Reason.READY), ("DurabilityWeak", True, Reason.DURABILITY_WEAK)]


def pending(reason: str, text: str = "") -> Obj:
    return world.pod(
        conditions=[{"type": "PodScheduled", "status": "False", "reason": reason, "message": text}],
        containerStatuses=[],
        phase="Pending",
    )


def waiting(reason: str, text: str = "", **more: Any) -> Obj:
    state = {"state": {"waiting": {"reason": reason, "message": text}}} | more
    return world.pod(conditions=[{"type": "Ready", "status": "False"}], containerStatuses=[state])


@pytest.mark.parametrize(
    ("pod", "reason", "text"),
    [
        pytest.param(pending("Unschedulable", "0/1 nodes: cpu"), Reason.UNSCHEDULABLE, "cpu", id="unschedulable"),
        pytest.param(waiting("ImagePullBackOff", "no such"), Reason.IMAGE_UNAVAILABLE, "no such", id="image"),
        pytest.param(
            waiting("CrashLoopBackOff", lastState={"terminated": {"exitCode": 1, "message": "the data is of 16"}}),
            Reason.CRASH_LOOPING,
            "the data is of 16",
            id="crash-looping",
        ),
        pytest.param(waiting("ContainerCreating"), Reason.PROGRESSING, "starting", id="starting"),
    ],
)
def test_rds_whose_pod_is_not_up_says_why(pod: Obj, reason: Reason, text: str) -> None:
    got = plan(rds(), standing(pod=pod, found={}))
    assert shown(got)[0] == ("Ready", False, reason)
    assert text in got.conditions[0].message


def test_rds_whose_volume_is_not_there_yet_says_so() -> None:
    claim = world.claim()
    claim["status"] = {"phase": "Pending"}
    got = plan(rds(), standing(claim=claim, pod=pending("Unschedulable", 'persistentvolumeclaim "shop-db-data" …')))
    assert shown(got)[0] == ("Ready", False, Reason.STORAGE_PENDING)


def test_rds_whose_pod_the_quota_refuses_says_how_much_is_missing() -> None:
    refs = (*without("ResourceQuota"), world.quota(**{"limits.cpu": "3700m"}), world.volume())
    children = [obj for ref, obj in standing().children.items() if ref.resource.kind != "Pod"]
    got = plan(rds(), seen(*children, refs=refs))
    assert shown(got)[0] == ("Ready", False, Reason.QUOTA_EXCEEDED)
    assert "limits.cpu: 3700m of 4" in got.conditions[0].message


def test_rds_reads_its_renewed_certificate_once_the_pod_has_it() -> None:
    template = child(world.first_children(rds()), "StatefulSet")["spec"]["template"]
    old = world.pod(template=template, startTime=(NOW - timedelta(days=60)).isoformat())
    loaded = (NOW - timedelta(days=60)).isoformat()
    now = world.KIND.plan(rds(), standing(pod=old, found=world.facts(loadedAt=loaded)), NOW)
    assert named(now) == []
    assert now.next is not None
    assert now.next <= NOW + timedelta(minutes=4)
    later = world.KIND.plan(rds(), standing(pod=old, found=world.facts(loadedAt=loaded)), NOW + timedelta(minutes=4))
    assert named(later) == ["reload"]
    done = world.facts(loadedAt=(NOW + timedelta(minutes=4)).isoformat())
    assert named(world.KIND.plan(rds(), standing(pod=old, found=done), NOW + timedelta(minutes=5))) == []


def test_rds_renews_certificates_before_they_end() -> None:
    got = world.KIND.plan(rds(), standing(), NOW + timedelta(days=61))
    assert named(got) == ["mint-certificate"]
    assert len(got.children) == 8


def test_rds_whose_authority_is_gone_mints_it_and_tells_every_login() -> None:
    there = standing()
    left = {ref: obj for ref, obj in there.children.items() if ref.name != "shop-db-ca"}
    got = plan(rds(), seen(*left.values(), refs=there.refs.values(), found=world.facts()))  # type: ignore[arg-type]
    assert named(got)[:2] == ["mint-ca", "mint-certificate"]
    assert named(got).count("mint-login") == 3


def test_rds_second_database_gets_names_of_its_own_and_order_swaps_nothing() -> None:
    both = rds(databases=[{"name": "erp"}, {"name": "shop"}])
    secrets = [action.args["secret"] for action in plan(both, standing()).actions if action.name == "mint-login"]
    assert secrets == ["shop-db-erp-owner", "shop-db-erp-reader"]


def test_rds_reloads_changed_parameters_at_most_once_a_minute() -> None:
    stale = config.sized(256 << 20, 1 << 30, 50)
    before = world.facts(parameters=stale)
    assert named(plan(rds(), standing(found=before))) == []
    later = NOW + timedelta(seconds=61)
    assert named(world.KIND.plan(rds(), standing(found=before), later)) == ["reload"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("1024MB", "1GB", True), ("64MB", "65536kB", True), ("53", "53", True), ("64MB", "64GB", False)],
)
def test_parameters_are_compared_by_what_they_mean(one: str, other: str, same: bool) -> None:
    assert config.same(one, other) is same


def deleted(obj: Obj, *, confirmed: str | None = None) -> Obj:
    obj["metadata"]["deletionTimestamp"] = "2026-11-22T00:00:00Z"
    if confirmed:
        obj["metadata"]["annotations"] = {"cairn.dev/confirm-delete": confirmed}
    return obj


def test_rds_in_deletion_lets_go_and_keeps_the_data() -> None:
    got = plan(deleted(rds()), standing())
    assert got.released
    assert got.delete == ()


@pytest.mark.parametrize("confirmed", [None, "another-name"])
def test_rds_in_deletion_with_delete_waits_to_be_confirmed(confirmed: str | None) -> None:
    got = plan(deleted(rds(deletionPolicy="Delete"), confirmed=confirmed), standing())
    assert not got.released
    assert got.delete == ()
    assert got.actions == ()
    assert got.hold
    assert "cairn.dev/confirm-delete=shop-db" in got.conditions[0].message


def test_rds_in_deletion_confirmed_gives_up_the_volume_and_then_deletes() -> None:
    confirmed = deleted(rds(deletionPolicy="Delete"), confirmed="shop-db")
    first = plan(confirmed, standing())
    assert named(first) == ["give-up-volume"]
    assert first.delete == ()
    second = plan(confirmed, standing(refs=(*world.REFS, world.volume("Delete"))))
    assert second.delete[0] == Ref(PVC, NAMESPACE, "shop-db-data")
    assert {ref.name for ref in second.delete[1:]} == {
        f"shop-db-{part}" for part in ("admin", "ca", "owner", "reader", "tls")
    }
    assert not second.released
    assert plan(confirmed, seen()).released


def test_rds_in_a_namespace_that_goes_holds_nothing_up() -> None:
    going = world.namespace()
    going["metadata"]["deletionTimestamp"] = "2026-11-22T00:00:00Z"
    got = plan(deleted(rds(deletionPolicy="Delete")), standing(refs=(going,)))
    assert got.released
    assert got.delete == ()


def test_rds_plan_holds_no_secret_value() -> None:
    values = [f"secret-of-{name}" for name in ("shop-db-admin", "shop-db-owner", "shop-db-reader")]
    for observed in (standing(), seen(*world.secrets()), standing(found=world.facts(databases={}))):
        text = repr(plan(rds(), observed))
        assert not [value for value in (*values, world.CA["ca.key"].decode()[40:80]) if value in text]


def test_unwatched_names_every_secret_it_may_make() -> None:
    made = {action.args["secret"] for action in plan(rds(databases=[{"name": "a"}, {"name": "b_c"}]), seen()).actions}
    refs = set(world.KIND.unwatched(rds(databases=[{"name": "a"}, {"name": "b_c"}])))
    assert {Ref(SECRET, NAMESPACE, name) for name in made} <= refs


def test_rds_in_deletion_keeps_its_volume_even_if_it_was_given_up_before() -> None:
    got = plan(deleted(rds()), standing(refs=(*world.REFS, world.volume("Delete"))))
    assert named(got) == ["keep-volume"]
    assert got.released


def test_rds_in_deletion_gives_up_nothing_of_an_earlier_one_that_it_never_took_over() -> None:
    earlier = seen(*world.secrets("uid-0"), world.claim("uid-0"), refs=(*world.REFS, world.volume()))
    got = plan(deleted(rds(deletionPolicy="Delete"), confirmed="shop-db"), earlier)
    assert got.delete == ()
    assert named(got) == []
    assert got.released
    taken_over = plan(deleted(rds(deletionPolicy="Delete", adopt=True), confirmed="shop-db"), earlier)
    assert named(taken_over) == ["give-up-volume"]


def test_rds_in_deletion_of_a_shape_nobody_knows_is_let_go_of_with_its_data() -> None:
    got = plan(deleted(rds(version=17)), standing())
    assert got.released
    assert got.hold
    assert got.delete == ()


def test_rds_whose_seller_is_gone_remembers_whose_data_it_is() -> None:
    known = {"systemIdentifier": world.IDENTITY, "rendering": "1"}
    got = plan(rds(known), standing(refs=(world.namespace(), world.service_plan())))
    assert shown(got)[0] == ("Ready", False, Reason.SELLER_NOT_FOUND)
    assert got.status["systemIdentifier"] == world.IDENTITY
    assert got.status["rendering"] == "1"


def test_rds_of_a_size_that_the_server_rounds_is_done_when_it_runs() -> None:
    finer = rds(planRef=None, resources={"cpu": "100.5m", "memory": "512Mi"}, storage={"size": "1Gi"})
    template = child(world.first_children(finer), "StatefulSet")["spec"]["template"]
    got = plan(finer, standing(finer, pod=world.pod("101m", "512Mi", template=template)))
    assert "resize" not in named(got), "else it is asked for in each pass, for ever"
    assert template["spec"]["containers"][0]["resources"]["limits"]["cpu"] == "101m"

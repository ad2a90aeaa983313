# SPDX-License-Identifier: Apache-2.0
"""What a PushSubscription becomes, by what was seen."""

from __future__ import annotations

import copy
import json
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from cairn.api.conditions import Reason
from cairn.api.platform import Platform
from cairn.api.resources import OPERATION, SECRET, SELLERRDS, Obj, Ref, ref_of
from cairn.datasets import known
from cairn.engine.kind import Observed, Plan, Within
from cairn.push import names
from cairn.push.kind import PushSubscriptionKind
from cairn.worker.config import WorkerConfig

TREE = Path(__file__).resolve().parents[3]

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NAMESPACE = "seller-2088"
KIND = PushSubscriptionKind(Platform())
CA = "-----BEGIN CERTIFICATE-----"
LOGIN = names.login(NAMESPACE, "orders", 63)
SUBJECTS = ["push.2088.55501.refunds", "push.2088.55501.trades"]


def push(status: Obj | None = None, *, deleting: bool = False, annotations: Obj | None = None, **spec: Any) -> Obj:
    fields = {"databaseRef": {"name": "shop-db"}, "databaseName": "shop", "shops": ["55501"]}
    meta: Obj = {"name": "orders", "namespace": NAMESPACE, "uid": "uid-1", "generation": 1}
    if deleting:
        meta["deletionTimestamp"] = "2026-11-22T11:59:00Z"
    if annotations:
        meta["annotations"] = annotations
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "PushSubscription",
        "metadata": meta,
        "spec": fields | spec,
        "status": status or {},
    }


def seller(*conditions: Obj, generation: int = 1, observed: int = 1, **spec: Any) -> Obj:
    shops = [{"name": "main", "id": "55501", "nick": "taobao001"}]
    fields = {"id": "2088", "namespace": NAMESPACE, "shops": shops, "planRef": {"name": "seller.standard"}}
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "Seller",
        "metadata": {"name": "acme", "generation": generation},
        "spec": fields | spec,
        "status": {"observedGeneration": observed, "conditions": list(conditions)},
    }


def condition(kind: str, status: str = "True", message: str = "") -> Obj:
    when = "2026-11-22T00:00:00Z"
    return {"type": kind, "status": status, "reason": "Because", "message": message, "lastTransitionTime": when}


def rds(ready: str = "True", status: Obj | None = None, **spec: Any) -> Obj:
    stands = {
        "endpoint": {"host": f"shop-db.{NAMESPACE}.svc", "port": 5432},
        "secrets": {"admin": "shop-db-admin", "owner": "shop-db-owner", "reader": "shop-db-reader"},
        "databases": ["shop"],
        "conditions": [condition("Ready", ready)],
    }
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "SellerRDS",
        "metadata": {"name": "shop-db", "namespace": NAMESPACE},
        "spec": {"version": "17", "planRef": {"name": "db.small"}, "databases": [{"name": "shop"}]} | spec,
        "status": stands if status is None else status,
    }


def namespace() -> Obj:
    labels = {"cairn.dev/seller": "acme", "cairn.dev/seller-id": "2088"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}


def secret(name: str, **data: str) -> Obj:
    encoded = {key.replace("_", "."): b64encode(value.encode()).decode() for key, value in data.items()}
    meta = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": encoded}


def credentials(**changes: str) -> Obj:
    data = {"username": LOGIN, "password": "secret-word", "user_creds": "creds", "account": "AKEY", "ca_crt": CA}
    data["rights"] = names.rights("PUSH", f"{NAMESPACE}--orders")
    return secret("orders-push", **(data | changes))


def facts(bus: Obj | None = None, database: Obj | None = None) -> Obj:
    consumer = {"filterSubjects": SUBJECTS, "pending": 7, "unacknowledged": 2}
    stands = {
        "missing": [],
        "drift": [],
        "quarantined": 0,
        "tables": ["sys_info.jdp_tb_trade", "platform.trades"],
        "login": {"name": LOGIN, "ours": True, "password": True},
        "granted": True,
    }
    return {"bus": {"account": "AKEY", "consumer": consumer} | (bus or {}), "database": stands | (database or {})}


REFS = (namespace(), seller(), rds(), secret("shop-db-owner", ca_crt=CA))


def seen(*children: Obj, refs: Iterable[Obj] = REFS, found: Obj | None = None) -> Observed:
    return Observed(
        children={ref_of(obj): obj for obj in children},
        refs={ref_of(obj): obj for obj in refs},
        facts=facts() if found is None else found,
    )


def plan(obj: Obj, observed: Observed) -> Plan:
    return KIND.plan(obj, observed, NOW)


def shown(of: Plan) -> list[tuple[str, bool | None, Reason]]:
    return [(entry.type, entry.status, entry.reason) for entry in of.conditions]


def kinds(of: Plan) -> list[str]:
    return [child.obj["kind"] for child in of.children]


def child(of: Plan, kind: str) -> Obj:
    return next(entry.obj for entry in of.children if entry.obj["kind"] == kind)


def pod(*, ready: bool = True, restarts: int = 1, state: Obj | None = None) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "orders-push-x", "namespace": NAMESPACE},
        "spec": {"containers": [{"name": "worker", "image": "cairn"}]},
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [{"restartCount": restarts, "state": state or {"running": {}}}],
        },
    }


def deployed(obj: Obj | None = None, **status: Any) -> Obj:
    live = copy.deepcopy(child(plan(obj or push(), seen(credentials())), "Deployment"))
    live["metadata"]["generation"] = 3
    live["status"] = {"observedGeneration": 3, "updatedReplicas": 1} | status
    return live


def test_push_whose_login_is_not_minted_only_mints() -> None:
    got = plan(push(), seen())
    assert got.children == ()
    assert got.hold
    assert [action.name for action in got.actions] == ["mint"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"username": "somebody"}, id="of-another-login"),
        pytest.param({"password": ""}, id="without-password"),
        pytest.param({"user_creds": ""}, id="without-credentials-for-the-bus"),
        pytest.param({"account": "OLD"}, id="signed-by-an-old-account"),
        pytest.param({"rights": "fewer"}, id="made-by-a-version-with-other-rights-on-the-bus"),
        pytest.param({"ca_crt": "old"}, id="with-an-old-authority"),
    ],
)
def test_push_whose_secret_is_not_as_it_should_be_mints(changes: dict[str, str]) -> None:
    assert [action.name for action in plan(push(), seen(credentials(**changes))).actions] == ["mint"]


def test_push_before_its_tables_stand_has_no_worker_yet() -> None:
    found = facts({"consumer": None}, {"missing": ["table jdp_tb_trade"], "login": None, "granted": False})
    got = plan(push(), seen(credentials(), found=found))
    assert kinds(got) == ["ConfigMap", "NetworkPolicy"]
    assert [action.name for action in got.actions] == ["schema", "consumer"]
    assert shown(got)[0] == ("Ready", False, Reason.PROGRESSING)
    assert got.actions[0].args["shops"] == {"55501": "taobao001"}
    assert got.actions[1].args["subjects"] == SUBJECTS


def test_push_whose_tables_stand_gets_its_worker() -> None:
    got = plan(push(), seen(credentials()))
    assert kinds(got) == ["ConfigMap", "NetworkPolicy", "Deployment"]
    assert got.actions == ()
    assert child(got, "Deployment")["spec"]["replicas"] == 1


def test_push_with_a_ready_worker_is_ready() -> None:
    got = plan(push(), seen(credentials(), deployed(), pod()))
    assert shown(got) == [("Ready", True, Reason.READY)]
    assert got.status == {
        "worker": {"ready": True, "restarts": 1},
        "consumer": "seller-2088--orders",
        "lag": {"pending": 7, "unacknowledged": 2},
        "quarantined": 0,
        "tables": ["platform.trades", "sys_info.jdp_tb_trade"],
    }


def test_push_of_somebody_elses_shop_makes_nothing_and_takes_its_worker_away() -> None:
    got = plan(push(shops=["55501", "99999"]), seen(credentials(), deployed(), pod()))
    assert shown(got)[1] == ("Stalled", True, Reason.NOT_YOUR_SHOP)
    assert "99999" in got.conditions[0].message
    assert got.children == ()
    assert not got.hold
    assert got.actions == ()


def test_push_of_a_seller_in_conflict_makes_nothing() -> None:
    """Two Sellers name the same shop: until that is settled, the younger one's subscriptions read nothing."""
    stuck = seller(condition("Stalled", message="spec.shops: shop 55501 belongs to Seller other"))
    got = plan(push(), seen(credentials(), refs=(namespace(), stuck, rds())))
    assert shown(got)[0] == ("Ready", False, Reason.CONFLICT)
    assert got.children == ()
    assert got.actions == ()


@pytest.mark.parametrize("was_ready", [True, False])
def test_push_whose_seller_was_just_changed_waits_and_keeps_what_it_said(*, was_ready: bool) -> None:
    changed = seller(generation=2, observed=1)
    before = push({"conditions": [condition("Ready", str(was_ready))]})
    got = plan(before, seen(credentials(), refs=(namespace(), changed, rds())))
    assert shown(got)[0] == ("Ready", was_ready, Reason.WAITING)
    assert got.hold
    assert got.children == ()


def without(kind: str) -> tuple[Obj, ...]:
    return tuple(obj for obj in REFS if obj["kind"] != kind)


@pytest.mark.parametrize(
    ("spec", "refs", "reason"),
    [
        pytest.param({}, (), Reason.NOT_A_SELLER_NAMESPACE, id="namespace-of-nobody"),
        pytest.param({}, without("Seller"), Reason.SELLER_NOT_FOUND, id="no-seller"),
        pytest.param({}, without("SellerRDS"), Reason.DATABASE_NOT_FOUND, id="no-database"),
        pytest.param({"databaseName": "other"}, REFS, Reason.DATABASE_NOT_FOUND, id="database-not-declared"),
        pytest.param({}, (*without("SellerRDS"), rds(status={})), Reason.DATABASE_NOT_READY, id="database-being-made"),
        pytest.param({}, (*without("SellerRDS"), rds("False")), Reason.DATABASE_NOT_READY, id="database-not-ready"),
        pytest.param({"datasets": ["trades", "weather"]}, REFS, Reason.DATASET_NOT_FOUND, id="unknown-dataset"),
        pytest.param({"planRef": {"name": "push.x"}}, REFS, Reason.PLAN_NOT_FOUND, id="no-plan"),
    ],
)
def test_push_that_lacks_something_waits_and_prunes_nothing(
    spec: dict[str, Any], refs: tuple[Obj, ...], reason: Reason
) -> None:
    got = plan(push(**spec), seen(credentials(), refs=refs))
    assert shown(got)[0] == ("Ready", False, reason)
    assert got.hold
    assert got.children == ()
    assert got.actions == ()


def test_push_that_is_paused_keeps_everything_but_the_pod() -> None:
    got = plan(push(paused=True), seen(credentials(), deployed()))
    assert child(got, "Deployment")["spec"]["replicas"] == 0
    assert shown(got) == [("Ready", True, Reason.PAUSED)]
    assert got.actions == ()


def test_push_whose_database_restarts_keeps_its_worker() -> None:
    refs = (*without("SellerRDS"), rds("False"))
    down = {"error": "DatabaseUnreachable", "message": "no answer"}
    got = plan(push(), seen(credentials(), deployed(), pod(), refs=refs, found={**facts(), "database": down}))
    assert "Deployment" in kinds(got)
    assert shown(got)[0] == ("Ready", False, Reason.DATABASE_NOT_READY)
    assert got.actions == ()


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        pytest.param({"bus": {"error": "BusUnreachable", "message": "x"}}, Reason.BUS_UNREACHABLE, id="bus-down"),
        pytest.param(
            {"database": {"error": "AuthenticationFailed", "message": "x"}}, Reason.AUTHENTICATION_FAILED, id="password"
        ),
    ],
)
def test_push_that_can_not_see_looks_again(found: Obj, reason: Reason) -> None:
    got = plan(push(), seen(credentials(), deployed(), pod(), found=facts() | found))
    assert shown(got)[0] == ("Ready", False, reason)
    assert got.next is not None
    assert got.next > NOW


@pytest.mark.parametrize(
    ("pending", "seconds"), [pytest.param(3, 60, id="a-backlog"), pytest.param(0, 300, id="caught-up")]
)
def test_push_that_is_served_looks_at_its_lag_again(pending: int, seconds: int) -> None:
    consumer = {"filterSubjects": SUBJECTS, "pending": pending, "unacknowledged": 0}
    got = plan(push(), seen(credentials(), deployed(), pod(), found=facts({"consumer": consumer})))
    assert got.next is not None
    assert (got.next - NOW).total_seconds() == seconds


def test_push_whose_table_was_changed_by_hand_says_what_mends_it() -> None:
    found = facts(database={"drift": ["jdp_tb_trade: column tid is missing: ALTER TABLE"], "missing": ["x"]})
    got = plan(push(), seen(credentials(), deployed(), pod(), found=found))
    assert shown(got)[0] == ("Ready", False, Reason.SCHEMA_DRIFT)
    assert "ALTER TABLE" in got.conditions[0].message
    assert got.actions == ()


def test_push_with_records_in_quarantine_says_so_and_stays_ready() -> None:
    got = plan(push(), seen(credentials(), deployed(), pod(), found=facts(database={"quarantined": 3})))
    assert shown(got) == [("Ready", True, Reason.READY), ("Quarantined", True, Reason.QUARANTINED)]
    assert got.status["quarantined"] == 3


def test_push_with_records_in_quarantine_keeps_saying_so_while_its_database_is_away() -> None:
    down = {"error": "DatabaseUnreachable", "message": "no answer"}
    known = push() | {"status": {"quarantined": 3}}
    got = plan(known, seen(credentials(), deployed(), pod(), found={**facts(), "database": down}))
    assert ("Quarantined", True, Reason.QUARANTINED) in shown(got)


@pytest.mark.parametrize(
    ("live", "status", "reason"),
    [
        pytest.param(None, {}, Reason.PROGRESSING, id="no-pod-yet"),
        pytest.param(
            None,
            {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: cairn"}]},
            Reason.QUOTA_EXCEEDED,
            id="quota",
        ),
        pytest.param(
            pod(ready=False, state={"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}),
            {},
            Reason.IMAGE_UNAVAILABLE,
            id="image",
        ),
        pytest.param(
            pod(ready=False, state={"waiting": {"reason": "CrashLoopBackOff"}}), {}, Reason.CRASH_LOOPING, id="crash"
        ),
        pytest.param(pod(ready=False), {}, Reason.PROGRESSING, id="starting"),
        pytest.param(pod(), {"updatedReplicas": 0}, Reason.PROGRESSING, id="old-pod"),
    ],
)
def test_push_whose_worker_is_not_up_says_why(live: Obj | None, status: Obj, reason: Reason) -> None:
    children = [credentials(), deployed(**status), *([live] if live else [])]
    assert shown(plan(push(), seen(*children)))[0] == ("Ready", False, reason)


def test_push_with_another_dataset_moves_its_consumer_and_its_worker() -> None:
    before = deployed()
    got = plan(push(datasets=["trades"]), seen(credentials(), before, pod()))
    assert [action.name for action in got.actions] == ["consumer"]
    after = child(got, "Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert after["cairn.dev/config"] != before["spec"]["template"]["metadata"]["annotations"]["cairn.dev/config"]


def test_push_whose_password_was_changed_makes_its_worker_anew() -> None:
    one = child(plan(push(), seen(credentials())), "Deployment")["spec"]["template"]["metadata"]["annotations"]
    other = child(plan(push(), seen(credentials(password="new"))), "Deployment")
    assert other["spec"]["template"]["metadata"]["annotations"]["cairn.dev/secret"] != one["cairn.dev/secret"]


def test_push_of_a_declared_dataset_has_it_in_the_workers_settings_and_subjects() -> None:
    declared = yaml.safe_load((TREE / "examples" / "helm" / "datasets.yaml").read_text())
    kind = PushSubscriptionKind(Platform.model_validate(declared))
    got = kind.plan(push(datasets=["payments", "trades"]), seen(credentials()), NOW)
    settings = WorkerConfig.model_validate_json(child(got, "ConfigMap")["data"]["worker.json"])
    assert settings.datasets[0] == known(Platform.model_validate(declared).datasets)["payments"]
    assert [dataset.name for dataset in settings.datasets] == ["payments", "trades"]


def test_push_settings_name_no_secret() -> None:
    settings = json.loads(child(plan(push(), seen(credentials())), "ConfigMap")["data"]["worker.json"])
    assert settings["subscription"] == "seller-2088/orders"
    assert settings["shops"] == {"55501": "taobao001"}
    assert [dataset["name"] for dataset in settings["datasets"]] == ["refunds", "trades"]
    assert settings["database"] == {
        "engine": "postgresql",
        "host": "shop-db.seller-2088.svc",
        "port": 5432,
        "database": "shop",
        "usernameFile": "/etc/cairn/secret/username",
        "passwordFile": "/etc/cairn/secret/password",
        "caFile": "/etc/cairn/secret/ca.crt",
    }


def test_push_to_an_external_server_may_leave_to_it_and_nowhere_denied() -> None:
    external = {"host": "db.example.com", "port": 6432, "adminSecretRef": {"name": "them"}, "tls": "Require"}
    status = rds()["status"] | {"endpoint": {"host": "db.example.com", "port": 6432}}
    theirs = rds(status=status, planRef=None, external=external)
    got = plan(push(), seen(credentials(), refs=(*without("SellerRDS"), theirs)))
    to_database = child(got, "NetworkPolicy")["spec"]["egress"][1]
    assert to_database["ports"] == [{"protocol": "TCP", "port": 6432}]
    assert to_database["to"][0]["ipBlock"] == {"cidr": "0.0.0.0/0", "except": ["127.0.0.0/8", "169.254.0.0/16"]}


def test_push_in_deletion_stops_its_worker_first() -> None:
    got = plan(push(deleting=True), seen(credentials(), deployed(), pod()))
    assert not got.released
    assert not got.hold
    assert got.children == ()
    assert got.actions == ()


def test_push_in_deletion_then_leaves_bus_and_database() -> None:
    got = plan(push(deleting=True), seen(credentials()))
    assert [action.name for action in got.actions] == ["forget-consumer", "drop-login"]
    assert got.actions[1].args == {"login": LOGIN}
    assert not got.released


def test_push_in_deletion_is_released_when_nothing_is_left() -> None:
    got = plan(push(deleting=True), seen(credentials(), found=facts({"consumer": None}, {"login": None})))
    assert got.released
    assert got.actions == ()


def test_push_in_deletion_with_the_database_gone_is_not_held_up() -> None:
    gone = {"error": "DatabaseUnreachable", "message": "no answer"}
    found = {"bus": {"account": "AKEY", "consumer": None}, "database": gone}
    assert plan(push(deleting=True), seen(refs=(), found=found)).released


def test_push_in_deletion_with_the_bus_gone_waits_until_confirmed() -> None:
    found = {"bus": {"error": "BusUnreachable", "message": "no answer"}, "database": {}}
    got = plan(push(deleting=True), seen(found=found))
    assert not got.released
    assert "cairn.dev/confirm-delete=orders" in got.conditions[0].message
    confirmed = push(deleting=True, annotations={"cairn.dev/confirm-delete": "orders"})
    assert plan(confirmed, seen(found=found)).released


def test_subjects_of_a_subscription_are_each_shop_with_each_dataset() -> None:
    assert names.subjects("2088", ["55502", "55501"], ["trades", "refunds"]) == [
        "push.2088.55501.refunds",
        "push.2088.55501.trades",
        "push.2088.55502.refunds",
        "push.2088.55502.trades",
    ]
    assert names.consumer("seller-2088", "orders") == "seller-2088--orders"


@pytest.mark.parametrize("longest", [63, 32])
def test_logins_differ_between_namespaces_and_names_and_fit_the_engine(longest: int) -> None:
    assert names.login("a", "orders", longest) != names.login("b", "orders", longest)
    assert names.login("a", "b" * 39 + "c", longest) != names.login("a", "b" * 40, longest)
    assert len(names.login("a" * 63, "b" * 40, longest)) <= longest


def test_wants_follow_what_was_seen() -> None:
    first = set(KIND.wants(push(), Observed()))
    assert Ref(SELLERRDS, NAMESPACE, "shop-db") in first
    assert Within(OPERATION, NAMESPACE) in first, "the end of a replay, an audit or a backfill wakes it"
    later = set(KIND.wants(push(), seen()))
    assert {Ref(SECRET, NAMESPACE, f"shop-db-{part}") for part in ("admin", "ca", "owner")} <= later


def test_unsafe_bus_is_mended_once_and_then_told() -> None:
    unsafe = {"unsafe": ["stream PUSH: discard is 'old', not 'new'"]}
    first = plan(push(), seen(credentials(), found=facts(unsafe)))
    assert [one.name for one in first.actions] == ["consumer"]
    told = next(one for one in first.conditions if one.type == "BusUnsafe")
    assert (told.status, told.reason) == (True, Reason.BUS_UNSAFE)
    assert "discard is 'old', not 'new'" in told.message
    status = {"conditions": [condition("BusUnsafe")]}
    assert plan(push(status), seen(credentials(), found=facts(unsafe))).actions == ()


def test_backlog_that_is_full_is_told_and_looked_at_again_soon() -> None:
    found = plan(push(), seen(credentials(), found=facts({"full": True})))
    told = next(one for one in found.conditions if one.type == "BacklogFull")
    assert (told.status, told.reason) == (True, Reason.BACKLOG_FULL)
    assert "status.lag" in told.message
    assert found.next is not None
    assert (found.next - NOW).total_seconds() == 60
    quiet = plan(push(), seen(credentials(), found=facts({"full": False})))
    assert not [one for one in quiet.conditions if one.type == "BacklogFull"]


def test_server_that_may_lose_a_commit_is_told() -> None:
    found = plan(push(), seen(credentials(), found=facts(database={"weak": ["fsync = off (must be on)"]}))).conditions
    weak = next(one for one in found if one.type == "DurabilityWeak")
    assert (weak.status, weak.reason) == (True, Reason.DURABILITY_WEAK)
    assert weak.message == "fsync = off (must be on): a commit that was answered can be lost"

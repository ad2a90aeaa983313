# SPDX-License-Identifier: Apache-2.0
"""What an IntegrationTenant becomes, by what was seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from cairn.api.conditions import Reason
from cairn.api.resources import Obj
from cairn.sql.share import names as sql_names
from cairn.sql.share.model import Design
from cairn.sql.share.state import Entry, Observation, Session, State
from cairn.tenant.agreed import agree
from cairn.tenant.case import Case, case_of
from cairn.tenant.facts import Facts, Repair
from cairn.tenant.share import desired
from unit.tenantkind import world
from unit.tenantkind.world import (
    BASE,
    DESIGN,
    HOME,
    LIVE,
    NOW,
    PARTY,
    PLATFORM,
    actions,
    app,
    app_entry,
    binding,
    core,
    going,
    held,
    home,
    kinds,
    looked,
    plan,
    rds,
    seen,
    shown,
    stands,
    tenant,
)

DEVELOPER_SIDE = ["RoleBinding/cairn-developers"]
GUARDS = [
    "ResourceQuota/cairn",
    "LimitRange/cairn",
    "NetworkPolicy/cairn-default-deny",
    "NetworkPolicy/cairn-dns",
    "NetworkPolicy/cairn-within",
]


def design(me: Obj, *refs: Obj, now: datetime = NOW) -> Design:
    from cairn.api.integrationtenant import IntegrationTenant

    found = case_of(IntegrationTenant.model_validate(me), seen(*refs, me=me, facts=looked(State())), now, PLATFORM)
    assert isinstance(found, Case)
    return agree(found).design


def exact(me: Obj, *refs: Obj, now: datetime = NOW) -> State:
    """The database as it should be."""
    return desired(design(me, *refs, now=now))


def with_one_more(state: State) -> State:
    return replace(state, entries=state.entries | {Entry("table x.y", "", "mallory", "SELECT", False, "")})


def message(of: Any, kind: str = "Ready") -> str:
    return next(str(one.message) for one in of.conditions if one.type == kind)


def test_new_tenant_makes_the_apps_namespace_and_names_its_design_before_anything_in_the_database() -> None:
    me = tenant()
    found = plan(me, seen(*BASE, me=me))
    assert kinds(found) == [f"Namespace/{HOME}"]
    assert actions(found) == []
    assert found.status["designId"] == DESIGN
    assert found.next == NOW


def test_rights_come_before_everything_else_in_the_namespace() -> None:
    me = tenant(stands(uid=None, state="Making"))
    found = plan(me, seen(*BASE, home(), me=me))
    assert kinds(found) == [f"Namespace/{HOME}", "RoleBinding/cairn-operator"]
    found = plan(me, seen(*BASE, home(), binding(), me=me))
    assert kinds(found) == [f"Namespace/{HOME}", "RoleBinding/cairn-operator", *GUARDS, *DEVELOPER_SIDE]


def test_everything_that_stays_with_the_namespace_is_retained_and_what_gives_access_is_not() -> None:
    me = tenant(stands(), accounts=[{"name": "boss", "role": "owner"}])
    found = plan(me, seen(me=me))
    kept = [one.obj["metadata"]["name"] for one in found.children if one.retain and one.adopt]
    assert kept == [HOME, "cairn-operator", "cairn", "cairn", "cairn-default-deny", "cairn-dns", "cairn-within"]
    gives = {one.obj["metadata"]["name"] for one in found.children if not one.retain}
    assert gives == {"cairn-main-owner", "cairn-main-apps", "cairn-developers", "cairn-database"}


def test_app_is_announced_before_it_is_served() -> None:
    me = tenant(stands(uid=None, state="NoRequest"))
    state = exact(me)
    found = plan(me, seen(me=me, facts=looked(state)))
    assert found.status["apps"][0]["uid"] == world.APP_UID
    assert found.status["apps"][0]["state"] == "Announced"
    assert actions(found) == [], "nothing is done for it in this pass"
    assert found.next == NOW
    assert f"role g{PARTY}" not in str(state)


def test_served_app_is_made_in_the_database_first_then_gets_its_login() -> None:
    me = tenant(stands())
    found = plan(me, seen(me=me, facts=looked(State())))
    assert actions(found) == ["settle"]
    assert found.actions[0].first
    assert ("AclVerified", False, "VerifyFailed") in shown(found)
    found = plan(me, seen(me=me, facts=looked(exact(me))))
    assert actions(found) == ["rotate"]
    assert found.actions[0].args["apps"] == ["erp-bolt"]


def test_settled_tenant_is_ready_and_looks_again_in_a_minute() -> None:
    me = tenant(stands(credentialGeneration=1))
    refs = (*LIVE, held())
    found = plan(me, seen(*refs, me=me, facts=looked(exact(me, *refs))))
    assert actions(found) == []
    assert shown(found)[:2] == [("Ready", True, "Ready"), ("AclVerified", True, "Verified")]
    assert found.next == NOW + timedelta(seconds=60)
    entry = found.status["apps"][0]
    assert (entry["secretName"], entry["credentialGeneration"]) == ("cairn-db", 1)
    assert entry["verifiedAt"] == "2026-11-23T12:00:00Z"
    again = plan(
        tenant(dict(found.status)), seen(*refs, me=me, facts=looked(exact(me, *refs))), NOW + timedelta(hours=1)
    )
    assert again.status["apps"] == found.status["apps"], "a look that finds nothing writes nothing"


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda o: replace(o, state=State()), id="nothing stands"),
        pytest.param(lambda o: replace(o, state=with_one_more(o.state)), id="a right too many"),
        pytest.param(lambda o: replace(o, sessions=(Session("7", f"u{PARTY}b"),)), id="a session that may not be"),
        pytest.param(lambda o: replace(o, verifiers={f"u{PARTY}a": False}), id="a password that was changed"),
    ],
)
def test_whatever_differs_is_settled_and_not_called_verified(spoil: Any) -> None:
    me = tenant(stands(credentialGeneration=1))
    refs = (*LIVE, held())
    observation = spoil(Observation(exact(me, *refs)))
    found = plan(me, seen(*refs, me=me, facts=Facts(observation)))
    assert actions(found) == ["settle"]
    assert ("AclVerified", False, "VerifyFailed") in shown(found)
    assert "verifiedAt" not in found.status["apps"][0]


def test_password_is_renewed_when_it_is_due_and_the_old_login_ends_after_the_overlap() -> None:
    me = tenant(stands(credentialGeneration=2))
    refs = (*LIVE, held(2, "2026-11-23T00:00:00Z"))
    first = design(me, *refs)
    assert [login.enabled for login in first.parties[0].logins] == [True, True], "within the overlap of 24 h"
    later = NOW + timedelta(days=1)
    assert [login.enabled for login in design(me, *refs, now=later).parties[0].logins] == [False, True]
    due = NOW + timedelta(days=30)
    found = plan(me, seen(*refs, me=me, facts=looked(exact(me, *refs, now=due))), due)
    assert actions(found) == ["rotate"]


def test_lost_secret_is_made_anew_with_the_other_login_and_ends_nobodys_session() -> None:
    me = tenant(stands(credentialGeneration=3))
    logins = design(me).parties[0].logins
    assert [login.enabled for login in logins] == [True, False], "the third login is a, and somebody may hold it"
    found = plan(me, seen(me=me, facts=looked(exact(me))))
    assert actions(found) == ["rotate"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"generation": "9" * 5000}, id="a number too long to read"),
        pytest.param({"generation": "9" * 30}, id="a number that status can't hold"),
        pytest.param({"rotated-at": "9999-12-31T23:59:59Z"}, id="a time that can't be added to"),
        pytest.param({"rotated-at": "0001-01-01T00:00:00+14:00"}, id="a time before all others"),
        pytest.param({"password": "p\u00e4ssword"}, id="a password that no verifier can be made of"),
        pytest.param({"password": "x\0y"}, id="a password that can't be sent"),
        pytest.param({"password": "x" * 5000}, id="a password of any length"),
    ],
)
def test_secret_that_its_vendor_has_spoiled_is_made_anew_and_stops_nothing_else(changes: dict[str, str]) -> None:
    me = tenant(stands(credentialGeneration=2))
    spoiled = held(2)
    spoiled["data"] |= world.secret("cairn-db", HOME, **changes)["data"]
    refs = (*LIVE, spoiled)
    found = plan(me, seen(*refs, me=me, facts=looked(exact(me, *refs))))
    assert actions(found) == ["rotate"]
    assert found.status["apps"][0]["credentialGeneration"] == 2


def test_secret_of_somebody_else_is_left_alone() -> None:
    me = tenant(stands())
    foreign = world.secret("cairn-db", HOME, password="x")
    refs = (*LIVE, foreign)
    found = plan(me, seen(*refs, me=me, facts=looked(exact(me, *refs))))
    assert actions(found) == []
    assert "was not made by Cairn" in found.status["apps"][0]["message"]


def test_secret_that_tells_an_old_address_is_delivered_anew_without_a_new_password() -> None:
    me = tenant(stands(credentialGeneration=1))
    refs = (*LIVE, held(host="elsewhere"))
    found = plan(me, seen(*refs, me=me, facts=looked(exact(me, *refs))))
    assert actions(found) == ["deliver"]


def test_app_of_another_vendor_is_not_admitted() -> None:
    me = tenant(stands(uid=None))
    refs = (*BASE, home(), binding(), app(key="99"))
    found = plan(me, seen(*refs, me=me, facts=looked(exact(me, *refs))))
    entry = found.status["apps"][0]
    assert entry["state"] == "NotAdmitted"
    assert "spec.apps[erp-bolt].vendorAppKey is 23456789" in entry["message"]
    assert "NetworkPolicy/cairn-database" not in kinds(found)
    assert "uid" not in entry
    assert actions(found) == ["record"]
    (told,) = found.actions[0].args["records"]
    assert told[:2] == ("refuse", "app erp-bolt")
    facts = replace(looked(exact(me, *refs)), told=frozenset({told}))
    assert actions(plan(me, seen(*refs, me=me, facts=facts))) == [], "it is told once"


def test_consent_is_told_once_and_again_when_it_changes() -> None:
    grant = {
        "name": "bolt",
        "app": "erp-bolt",
        "contract": {"name": "trade-v3", "sha256": "9f2c" * 16},
        "tables": [{"from": "platform.trades", "columns": [{"name": "tid", "mask": "plain"}]}],
        "rows": {"shops": ["55501"]},
        "purpose": "fulfilment",
        "expiresAt": "2027-05-31T00:00:00Z",
    }
    me = tenant(stands(credentialGeneration=1), grants=[grant])
    refs = (*LIVE, held())
    found = plan(me, seen(*refs, me=me, facts=looked(exact(me, *refs))))
    ((told,),) = (action.args["records"] for action in found.actions)
    assert told[:2] == ("consent", "grant bolt")
    assert "to app erp-bolt for fulfilment until 2027-05-31T00:00:00Z, contract trade-v3 9f2c9f2c9f2c" in told[2]
    assert "consentHash" not in found.status, "it is not said before it stands in the audit"

    facts = replace(looked(exact(me, *refs)), told=frozenset({told}))
    found = plan(me, seen(*refs, me=me, facts=facts))
    assert actions(found) == []
    me["status"]["consentHash"] = found.status["consentHash"]
    assert actions(plan(me, seen(*refs, me=me, facts=looked(exact(me, *refs))))) == []

    me["spec"]["grants"][0]["purpose"] = "analytics"
    found = plan(me, seen(*refs, me=me, facts=looked(exact(me, *refs))))
    assert "for analytics" in found.actions[0].args["records"][0][2]


def test_app_whose_access_is_not_gone_yet_keeps_its_name_in_the_status() -> None:
    me = tenant(stands(), apps=[])
    found = plan(me, seen(*BASE, home(), binding(), held(), me=me, facts=looked(State())))
    said = {"state": "Removed", "message": "its access is being ended"}
    assert found.status["apps"] == [{"name": "erp-bolt", "namespace": HOME, "uid": world.APP_UID, **said}]
    assert actions(found) == ["settle", "withdraw"]
    refs = (*BASE, home(), binding(), held())
    found = plan(me, seen(*refs, me=me, facts=looked(exact(me, *refs))))
    assert "apps" not in found.status
    assert actions(found) == ["record", "withdraw"]
    assert not [one for one in kinds(found) if HOME in one], "what stands there stays as it is"


def test_younger_tenant_on_the_same_database_makes_nothing() -> None:
    older = tenant(name="older", uid="other")
    older["metadata"]["creationTimestamp"] = "2026-10-01T00:00:00Z"
    me = tenant()
    found = plan(me, seen(*LIVE, older, me=me))
    assert shown(found) == [("Ready", False, "Conflict")]
    assert "IntegrationTenant older" in message(found)
    assert not found.children
    assert found.hold


def test_younger_tenant_that_goes_ends_nobodys_access() -> None:
    older = tenant(name="older", uid="other")
    older["metadata"]["creationTimestamp"] = "2026-10-01T00:00:00Z"
    me = going(tenant(stands()))
    found = plan(me, seen(*BASE, older, me=me, facts=looked(State())))
    assert actions(found) == []
    assert found.released


def test_foreign_shop_makes_nothing_and_what_stood_goes_on_without_it() -> None:
    me = tenant(shops=["55501", "66601"])
    found = plan(me, seen(me=me))
    assert (shown(found)[0], found.children) == (("Ready", False, "NotYourShop"), ())
    me = tenant(stands(credentialGeneration=1), shops=["55501", "66601"])
    refs = (*LIVE, held())
    found = plan(me, seen(*refs, me=me, facts=looked(exact(me, *refs))))
    assert shown(found)[0] == ("Ready", False, "NotYourShop")
    assert found.children, "the apps keep what is right"


def test_foreign_namespace_is_never_adopted() -> None:
    me = tenant(stands(uid=None))
    taken = core("Namespace", HOME, status={"phase": "Active"})
    taken["metadata"]["labels"] = {"cairn.dev/seller": "acme"}
    refs = (*BASE, taken)
    found = plan(me, seen(*refs, me=me, facts=looked(exact(me, *refs))))
    assert shown(found)[0] == ("Ready", False, "Conflict")
    assert HOME in message(found)
    assert not [one for one in kinds(found) if "cairn-2088" in one]


def test_missing_plan_makes_no_namespace_and_names_the_field() -> None:
    me = tenant(stands(uid=None), apps=[app_entry(planRef={"name": "none"})])
    refs = tuple(one for one in BASE if one["kind"] != "ServicePlan")
    found = plan(me, seen(*refs, me=me, facts=looked(exact(me, *refs))))
    assert shown(found)[0] == ("Ready", False, "PlanNotFound")
    assert "spec.apps[erp-bolt].planRef" in message(found)
    assert not found.children


def test_database_that_does_not_answer_keeps_what_was_said() -> None:
    me = tenant(stands(secretName="cairn-db", credentialGeneration=1, effectiveHash="sha256:x", id=PARTY))
    facts = Facts(error=(Reason.DATABASE_UNREACHABLE, "no route"))
    found = plan(me, seen(*LIVE, held(), me=me, facts=facts))
    assert shown(found)[:2] == [("Ready", False, "DatabaseUnreachable"), ("AclVerified", None, "DatabaseUnreachable")]
    assert actions(found) == []
    assert found.status["apps"][0]["uid"] == world.APP_UID
    assert found.next == NOW + timedelta(seconds=15)


def test_repaired_drift_is_told_of() -> None:
    me = tenant(stands(credentialGeneration=1))
    refs = (*LIVE, held())
    facts = replace(looked(exact(me, *refs)), repair=Repair(NOW, 2, ("table s.trade",)))
    found = plan(me, seen(*refs, me=me, facts=facts))
    assert ("DriftRepaired", True, "DriftFound") in shown(found)
    assert "2 changes" in message(found, "DriftRepaired")


def test_sessions_of_a_login_about_to_end_are_told_of() -> None:
    me = tenant(stands(credentialGeneration=2))
    refs = (*LIVE, held(2, "2026-11-22T13:00:00Z"))
    old = Session("1", sql_names.logins(PARTY)[0])
    found = plan(me, seen(*refs, me=me, facts=looked(exact(me, *refs), old)))
    assert ("RotationStuck", True, "OldLoginInUse") in shown(found)
    early = (*LIVE, held(2, "2026-11-23T11:00:00Z"))
    found = plan(me, seen(*early, me=me, facts=looked(exact(me, *early), old)))
    assert "RotationStuck" not in [one[0] for one in shown(found)]


def test_tenant_that_goes_ends_access_first_and_takes_secrets_back_at_once() -> None:
    me = going(tenant(stands()))
    found = plan(me, seen(*LIVE, held(), me=me, facts=looked(State(objects={"role gx": "1"}))))
    assert actions(found) == ["end", "withdraw"]
    assert found.actions[0].first
    assert not found.released
    assert not found.hold, "policies and bindings that give access are pruned"


def test_tenant_that_goes_is_released_when_nobody_has_access() -> None:
    me = going(tenant(stands()))
    empty = desired(Design(DESIGN, "shop"))
    found = plan(me, seen(*LIVE, me=me, facts=looked(empty)))
    assert found.released
    assert actions(found) == []


def test_tenant_whose_database_is_gone_says_how_to_let_go() -> None:
    me = going(tenant(stands()))
    facts = Facts(error=(Reason.DATABASE_UNREACHABLE, "no route"))
    found = plan(me, seen(*LIVE, held(), me=me, facts=facts))
    assert shown(found) == [("Ready", False, "DatabaseUnreachable")]
    assert "cairn.dev/confirm-delete=main" in message(found)
    assert not found.released
    assert actions(found) == ["withdraw"], "what can be taken away is"
    confirmed = going(tenant(stands()), **{"cairn.dev/confirm-delete": "main"})
    assert plan(confirmed, seen(*LIVE, me=confirmed, facts=facts)).released


def test_plan_shows_no_password() -> None:
    me = tenant(stands(credentialGeneration=1))
    refs = (*LIVE, held())
    for facts in (looked(State()), looked(exact(me, *refs))):
        assert "s3cr3t-word" not in str(plan(me, seen(*refs, me=me, facts=facts)))


def test_stopped_database_is_named() -> None:
    me = tenant(stands())
    refs = (*(one for one in LIVE if one["kind"] != "SellerRDS"), rds(ready="False"))
    assert shown(plan(me, seen(*refs, me=me)))[0] == ("Ready", False, "DatabaseNotReady")


def test_tenant_on_an_engine_whose_data_can_not_be_shared_is_refused() -> None:
    me = tenant()
    external = {"host": "db.example.com", "adminSecretRef": {"name": "them"}, "tls": "Require"}
    theirs = rds(engine="mysql", version="8.4", planRef=None, external=external)
    got = plan(me, seen(*(one for one in LIVE if one["kind"] != "SellerRDS"), theirs, me=me))
    assert shown(got)[:2] == [("Ready", False, "InvalidSpec"), ("Stalled", True, "InvalidSpec")]
    assert "spec.databaseRef: SellerRDS shop-db is MySQL or MariaDB" in got.conditions[0].message
    assert "of engine postgresql" in got.conditions[0].message
    assert got.actions == ()

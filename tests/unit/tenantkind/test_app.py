# SPDX-License-Identifier: Apache-2.0
"""What an IntegrationApp is told, by what its tenant says."""

from __future__ import annotations

import pytest

from cairn.api.platform import Platform
from cairn.api.resources import Obj
from cairn.engine.kind import Plan
from cairn.tenant.app import IntegrationAppKind
from unit.tenantkind import world
from unit.tenantkind.world import HOME, NOW, PARTY, app, going, home, seen, seller, shown, stands, tenant

KIND = IntegrationAppKind(Platform())
SERVED = {"id": PARTY, "verifiedAt": "2026-11-23T11:00:00Z", "secretName": "cairn-db", "credentialGeneration": 1}


def plan(one: Obj, *refs: Obj) -> Plan:
    return KIND.plan(one, seen(*(refs or (home(), seller()))), NOW)


def told(**entry: object) -> tuple[Obj, ...]:
    return home(), seller(), tenant(stands(**entry))


def test_served_app_is_ready_and_has_what_its_tenant_says() -> None:
    found = plan(app(), *told(**SERVED, denied=["mobile"], granted=["trade-v3"]))
    assert shown(found) == [("Ready", True, "Ready"), ("RequestsGranted", True, "Granted")]
    assert found.status["denied"] == ["mobile"]
    assert (found.status["tenant"], found.status["secretName"]) == ("main", "cairn-db")


@pytest.mark.parametrize("reason", ["NoConsent", "PurposeMismatch"])
def test_app_whose_needs_are_not_met_is_ready_and_says_what_is_missing_and_why(reason: str) -> None:
    found = plan(app(), *told(**SERVED, reason=reason, message="request trades: title not granted", pending=["title"]))
    assert shown(found) == [
        ("Ready", True, "Ready"), ("RequestsGranted", False, reason), ("PendingConsent", True, "NoConsent"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        pytest.param({"state": "NotAdmitted", "uid": None, "message": "no"}, "NotAdmitted", id="of another vendor"),
        pytest.param({"state": "Served", "uid": "another"}, "Waiting", id="one that was deleted is still served"),
        pytest.param({"state": "Announced"}, "Waiting", id="about to be served"),
        pytest.param({**SERVED, "secretName": None}, "Progressing", id="no Secret yet"),
    ],
)
def test_app_that_is_not_served_is_told_why(entry: Obj, reason: str) -> None:
    assert shown(plan(app(), *told(**entry)))[0] == ("Ready", False, reason)


def test_app_in_any_other_namespace_is_refused() -> None:
    found = plan(app(), world.core("Namespace", HOME))
    assert ("Stalled", True, "NotAdmitted") in shown(found)
    other = app()
    other["metadata"]["name"] = "crm"
    assert "name this object erp-bolt" in plan(other, *told()).conditions[0].message


def test_namespace_that_lies_about_its_app_is_none() -> None:
    lying = home(**{"cairn.dev/app": "crm"})
    assert ("Stalled", True, "NotAdmitted") in shown(plan(app(), lying, seller(), tenant(stands())))


def test_app_without_a_tenant_waits_and_goes_at_once() -> None:
    assert shown(plan(app(), home(), seller())) == [("Ready", False, "TenantNotFound")]
    assert plan(going(app()), home(), seller()).released


def test_app_that_goes_waits_until_its_tenant_names_it_no_more() -> None:
    assert not plan(going(app()), *told()).released
    assert plan(going(app()), *told(uid="another")).released
    assert plan(going(app()), home(), seller(), tenant({"designId": "x"})).released


def test_app_that_goes_says_that_its_tenant_is_suspended() -> None:
    held = tenant(stands(), suspend=True)
    assert "spec.suspend" in plan(going(app()), home(), seller(), held).conditions[0].message

# SPDX-License-Identifier: Apache-2.0
"""What a subscription says of its proof and its history."""

from __future__ import annotations

import json
from typing import Any

from cairn.api.conditions import Condition, Reason
from cairn.api.platform import Platform, Push, Source
from cairn.api.pushsubscription import PushSubscription
from cairn.push import proof
from cairn.push.facts import Facts
from cairn.push.kind import PushSubscriptionKind
from unit.push import test_plan as world
from unit.push.test_plan import push

SOURCE = Source(url="https://records.example.com")
COUNTS = {"sent": 10, "stood": 10, "missing": 0, "stale": 0, "wrong": 0, "quarantined": 0, "repaired": 0}


def said(found: Any, source: Source | None = SOURCE, mark: str = "m", **spec: Any) -> dict[str, Condition]:
    facts = Facts(bus={"account": "A"}, database={"proof": found}, source_mark=mark)
    conditions = proof.conditions(PushSubscription.model_validate(push(**spec)), facts, source)
    return {one.type: one for one in conditions}


def book(**counts: int) -> dict[str, Any]:
    return {"proof": {"through": "2026-11-11T12:00:00", "total": COUNTS | counts}}


def test_what_was_compared_and_stands_is_clean() -> None:
    found = said(book())["AuditClean"]
    assert (found.status, found.reason) == (True, Reason.VERIFIED)
    assert found.message == "what the platform sent stands: 10 records, through 2026-11-11T12:00:00"


def test_differences_are_counted_and_the_remedy_is_named() -> None:
    found = said(book(missing=2, wrong=1))["AuditClean"]
    assert (found.status, found.reason) == (False, Reason.DIFFERENT)
    assert found.message.startswith("2 missing, 1 wrong of 10 records: they are brought in again")
    assert "spec.audit.repair is false" in said(book(missing=1), audit={"repair": False})["AuditClean"].message


def test_quarantined_records_are_no_difference() -> None:
    assert said(book(quarantined=3, stood=7))["AuditClean"].status is True


def test_nothing_is_said_before_anything_was_compared() -> None:
    assert said({}) == {}


def test_history_is_pending_until_all_of_it_stands() -> None:
    history = {"since": "2026-11-01T00:00:00", "records": 5, "complete": False}
    pending = said(book() | {"history": history}, history={"days": 10})["HistoryComplete"]
    assert (pending.status, pending.reason) == (False, Reason.HISTORY_PENDING)
    done = said(book() | {"history": history | {"complete": True}}, history={"days": 10})["HistoryComplete"]
    assert (done.status, done.message) == (True, "5 records of the last 10 days were brought in")


def test_history_without_a_platform_that_answers_names_field_and_remedy() -> None:
    found = said({}, None, history={"days": 10})["HistoryComplete"]
    assert (found.status, found.reason) == (False, Reason.SOURCE_NOT_SET)
    assert "spec.history.days" in found.message
    assert "push.source" in found.message
    assert said({}, None) == {}


def test_a_missing_key_names_its_secret() -> None:
    found = said({}, mark="")["AuditClean"]
    assert (found.status, found.reason) == (False, Reason.SECRET_NOT_FOUND)
    assert "cairn-source" in found.message


def test_while_the_database_cannot_be_asked_what_was_said_stays() -> None:
    status = {"proof": {"through": "2026-11-11T12:00:00", "total": COUNTS}}
    subscription = PushSubscription.model_validate(push(status))
    facts = Facts(bus={"account": "A"}, source_mark="m")
    assert [one.type for one in proof.conditions(subscription, facts, SOURCE)] == ["AuditClean"]


def test_worker_is_told_of_the_platform_once_its_key_is_made() -> None:
    kind = PushSubscriptionKind(Platform(push=Push(source=SOURCE)))
    found = world.facts() | {"source": {"mark": "new"}}
    before = kind.plan(push(), world.seen(world.credentials(), found=found), world.NOW)
    assert [(one.name, one.args["source"], one.args["seller"]) for one in before.actions] == [("mint", True, "2088")]
    held = world.credentials(source_key="k")
    held["data"]["source.mark"] = world.secret("x", mark="new")["data"]["mark"]
    spec: dict[str, Any] = {"history": {"days": 30, "maxRowsPerSecond": 200}, "audit": {"repair": False}}
    after = kind.plan(push(**spec), world.seen(held, found=found), world.NOW)
    settings = json.loads(world.child(after, "ConfigMap")["data"]["worker.json"])
    assert settings["proof"] == {
        "url": "https://records.example.com",
        "seller": "2088",
        "keyFile": "/etc/cairn/secret/source.key",
        "caFile": None,
        "historyDays": 30,
        "maxRowsPerSecond": 200,
        "repair": False,
    }


def test_worker_may_connect_to_the_platform_and_nowhere_else_for_it() -> None:
    source = Source.model_validate({"url": "https://records.example.com:8443/x", "networks": ["203.0.113.0/24"]})
    kind = PushSubscriptionKind(Platform(push=Push(source=source)))
    plan = kind.plan(push(), world.seen(world.credentials(), found=world.facts()), world.NOW)
    egress = world.child(plan, "NetworkPolicy")["spec"]["egress"]
    assert egress[-1] == {
        "to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}],
        "ports": [{"protocol": "TCP", "port": 8443}],
    }
    without = world.plan(push(), world.seen(world.credentials()))
    assert egress[:-1] == world.child(without, "NetworkPolicy")["spec"]["egress"]
    assert "proof" not in json.loads(world.child(without, "ConfigMap")["data"]["worker.json"])

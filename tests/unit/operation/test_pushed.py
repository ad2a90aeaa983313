# SPDX-License-Identifier: Apache-2.0
"""replay, discard, audit, backfill: asked of a PushSubscription's worker in the seller's database."""

from __future__ import annotations

from typing import Any

import pytest

from cairn.api.conditions import Reason
from cairn.api.operation import Operation
from cairn.api.platform import Platform
from cairn.api.pushsubscription import PushSubscription
from cairn.api.resources import OPERATION, PUSHSUBSCRIPTION, SECRET, SELLERRDS, Obj, Ref
from cairn.engine.kind import Observed, Plan
from cairn.operation import pushed
from cairn.operation.kind import OperationKind
from cairn.operation.plan import plan_operation
from unit.operation.world import NOW, NS, external, operation, ready

ANSWERING = Platform.model_validate({"push": {"source": {"url": "https://platform.example", "keySecret": "platform"}}})
SINCE = {"since": "2026-11-11T00:00:00+08:00"}


def orders(uid: str = "uid-orders", **spec: Any) -> Obj:
    return ready(
        {
            "apiVersion": "cairn.dev/v1alpha1",
            "kind": "PushSubscription",
            "metadata": {"name": "orders", "namespace": NS, "uid": uid, "generation": 1},
            "spec": {"databaseRef": {"name": "shop-db"}, "databaseName": "shop", "shops": ["55501"]} | spec,
        }
    )


def deed(action: str = "replay", status: Obj | None = None, **args: Any) -> Obj:
    more = {"confirm": "orders"} if action == "discard" else {}
    obj = operation(action, "deed", "PushSubscription", "orders", args=args, **more)
    return obj | {"status": status or {}}


RUNNING = {"phase": "Running", "startedAt": "2026-11-22T12:00:00Z", "before": "uid-orders"}


def plan(op: Obj, *targets: Obj, facts: Obj | None = None, platform: Platform = ANSWERING) -> Plan:
    refs = {Ref(PUSHSUBSCRIPTION, NS, "orders"): target for target in targets}
    return plan_operation(op, Observed(refs=refs, facts=facts or {}), NOW, platform)


def said(found: Plan) -> tuple[str, str]:
    return str((found.status or {}).get("phase")), found.conditions[0].message


def answer(state: str, message: str = "", **counts: int) -> Obj:
    return {"answer": {"state": state, "counts": counts, "message": message}}


def test_deed_is_written_down_before_the_worker_is_asked() -> None:
    begun = plan(deed(), orders())
    assert said(begun)[0] == "Running"
    assert begun.actions == ()
    assert (begun.status or {})["before"] == "uid-orders"
    asked = plan(deed(status=RUNNING), orders(), facts={"answer": None})
    assert [action.name for action in asked.actions] == ["ask"]
    assert asked.next == NOW + pushed.SOON


def test_deed_tells_how_far_the_worker_is_and_what_came_of_it() -> None:
    op = deed(status=RUNNING)
    under_way = plan(op, orders(), facts=answer("open", "no connection", written=3))
    assert said(under_way) == ("Running", "the worker of PushSubscription orders is at it: written 3; no connection")
    assert under_way.actions == ()
    done = plan(op, orders(), facts=answer("done", written=3, refused=1, tried=4))
    assert said(done) == ("Succeeded", "written 3, refused 1, tried 4")
    assert (done.status or {})["result"] == {"written": 3, "refused": 1, "tried": 4}
    Operation.model_validate({**op, "status": dict(done.status or {})})
    assert said(plan(op, orders(), facts=answer("failed", "no such dataset"))) == ("Failed", "no such dataset")
    away = plan(op, orders(), facts={"trouble": "no route"})
    assert said(away) == ("Running", "waits for the database of PushSubscription orders: no route")


@pytest.mark.parametrize(
    ("op", "targets", "told"),
    [
        pytest.param(deed(), (), "does not exist", id="no-target"),
        pytest.param(deed(), (orders(shops=5),), "can't be read", id="unreadable"),
        pytest.param(deed(datasets=["items"]), (orders(),), "has no items; it has refunds, trades", id="dataset"),
        pytest.param(
            deed("audit", since="2026-11-23T00:00:00Z"), (orders(),), "is not before now", id="since-in-the-future"
        ),
        pytest.param(deed("backfill", since="2026-01-01T00:00:00Z"), (orders(),), "90 days ago", id="too-long-ago"),
        pytest.param(
            deed("audit", until="2026-11-22T00:00:00Z", since="2026-11-22T00:00:00Z"),
            (orders(),),
            "is not before 2026-11-22T00:00:00Z",
            id="empty-span",
        ),
        pytest.param(deed(status=RUNNING), (orders("uid-2"),), "made anew", id="made-anew"),
        pytest.param(
            deed(status=RUNNING | {"startedAt": "2026-11-21T11:00:00Z"}), (orders(),), "not done within 24 h", id="late"
        ),
    ],
)
def test_deed_that_can_not_be_done_fails_and_names_field_and_value(
    op: Obj, targets: tuple[Obj, ...], told: str
) -> None:
    phase, message = said(plan(op, *targets, facts=answer("open")))
    assert phase == "Failed"
    assert told in message


def test_audit_without_a_platform_that_answers_fails() -> None:
    assert "push.source" in said(plan(deed("audit"), orders(), platform=Platform()))[1]


@pytest.mark.parametrize(
    ("spec", "reason"), [({"suspend": True}, Reason.SUSPENDED), ({"paused": True}, Reason.WAITING)]
)
def test_deed_waits_while_there_is_no_worker(spec: Obj, reason: Reason) -> None:
    found = plan(deed(), orders(**spec))
    assert said(found)[0] == "Waiting"
    assert found.conditions[0].reason is reason


def test_worker_is_told_moments_and_what_the_subscription_says() -> None:
    push = PushSubscription.model_validate(orders(audit={"repair": False}))
    args = pushed.asked(Operation.model_validate(deed("audit", status=RUNNING)), push)
    assert args == {
        "since": "2026-11-21T12:00:00+00:00", "until": "2026-11-22T12:00:00+00:00", "depth": "deep", "repair": False,
    }  # fmt: skip
    later = deed("backfill", status=RUNNING, **SINCE, until="2027-01-01T00:00:00Z", datasets=["trades"])
    assert pushed.asked(Operation.model_validate(later), push) == {
        "since": "2026-11-11T00:00:00+08:00", "until": "2026-11-22T12:00:00+00:00", "datasets": ["trades"],
    }  # fmt: skip
    given_up = deed("discard", status=RUNNING, ids=[4], because="tests")
    assert pushed.asked(Operation.model_validate(given_up), push) == {"ids": [4], "because": "tests"}


def test_deed_that_failed_or_goes_is_withdrawn_from_the_worker() -> None:
    failed = deed(status=RUNNING | {"phase": "Failed", "endedAt": "2026-11-22T12:00:00Z"})
    assert plan(failed, orders(), facts=answer("open")).actions == (pushed.WITHDRAW,)
    assert plan(failed, orders(), facts=answer("withdrawn")).actions == ()
    going = deed(status=RUNNING)
    going["metadata"] |= {"deletionTimestamp": "2026-11-22T12:00:00Z"}
    assert plan(going, orders(), facts=answer("open")).actions == (pushed.WITHDRAW,)
    for facts in (answer("withdrawn"), {"trouble": "no route"}, {"answer": None}):
        assert plan(going, orders(), facts=facts).released


def test_operator_sees_the_way_into_the_database_of_its_subscription() -> None:
    kind, seen = OperationKind(ANSWERING), Observed(refs={Ref(PUSHSUBSCRIPTION, NS, "orders"): orders()})
    assert Ref(SELLERRDS, NS, "shop-db") in set(kind.wants(deed(), seen))
    seen = Observed(refs={**seen.refs, Ref(SELLERRDS, NS, "shop-db"): external()})
    assert Ref(SECRET, NS, "admin") in set(kind.wants(deed(), seen))
    assert OPERATION not in {getattr(want, "resource", None) for want in kind.wants(deed(), seen)}

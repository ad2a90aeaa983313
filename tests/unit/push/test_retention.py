# SPDX-License-Identifier: Apache-2.0
"""Nothing is deleted that was not confirmed, and what is in force is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cairn.api.conditions import Reason
from cairn.api.resources import Obj
from cairn.engine.kind import Plan
from unit.push.test_plan import child, credentials, deployed, facts, plan, pod, push, seen

CONFIRM = "cairn.dev/confirm-retention"


def planned(days: int, before: int | None, confirmed: str | None, found: Obj | None = None, **spec: Any) -> Plan:
    status = {} if before is None else {"retention": {"days": before}}
    annotations = {CONFIRM: confirmed} if confirmed is not None else None
    obj = push(status, annotations=annotations, retention={"days": days}, **spec)
    return plan(obj, seen(credentials(), deployed(), pod(), found=found))


def told(days_of: Plan) -> int:
    return int(json.loads(child(days_of, "ConfigMap")["data"]["worker.json"]).get("retentionDays", 0))


@pytest.mark.parametrize(
    ("days", "before", "confirmed", "in_force"),
    [
        pytest.param(0, None, None, 0, id="for-ever"),
        pytest.param(30, None, None, 0, id="first-and-not-confirmed"),
        pytest.param(30, 0, None, 0, id="from-for-ever-and-not-confirmed"),
        pytest.param(30, 0, "30", 30, id="from-for-ever-confirmed"),
        pytest.param(30, 0, "300", 0, id="another-number-confirmed"),
        pytest.param(30, 0, "", 0, id="confirmed-without-a-number"),
        pytest.param(30, 30, None, 30, id="as-it-was"),
        pytest.param(20, 30, None, 30, id="fewer-and-not-confirmed"),
        pytest.param(20, 30, "20", 20, id="fewer-confirmed"),
        pytest.param(60, 30, None, 60, id="more-deletes-nothing-more"),
        pytest.param(0, 30, None, 0, id="ended"),
    ],
)
def test_days_in_force(days: int, before: int | None, confirmed: str | None, in_force: int) -> None:
    got = planned(days, before, confirmed)
    assert told(got) == in_force
    assert (got.status.get("retention") or {}).get("days", 0) == in_force
    (action,) = planned(days, before, confirmed, facts(database={"granted": False})).actions
    assert action.args["expiring"] == (["jdp_tb_refund", "jdp_tb_trade"] if in_force else []), "DELETE, and no more"
    conditions = [one for one in got.conditions if one.type == "RetentionInForce"]
    if days != in_force:
        assert [(one.status, one.reason) for one in conditions] == [(False, Reason.RETENTION_UNCONFIRMED)]
        for text in (
            f"spec.retention.days: {days}",
            "kubectl annotate pushsubscription orders -n",
            f"{CONFIRM}={days}",
        ):
            assert text in conditions[0].message
    else:
        assert [one.reason for one in conditions] == ([Reason.RETENTION_SET] if days else [])


def test_state_is_never_deleted_by_its_age() -> None:
    found = facts(database={"granted": False})
    (action,) = (
        one
        for one in planned(9, 9, None, found, datasets=["items", "trades", "members"]).actions
        if one.name == "schema"
    )
    assert action.args["expiring"] == ["jdp_tb_trade"]


def test_horizon_and_rows_are_told_and_stay_told_while_the_database_is_away() -> None:
    book = {"retention": {"horizon": "2026-10-23T00:00:00", "rows": 12}}
    got = planned(30, 30, None, facts(database={"proof": book}))
    assert got.status["retention"] == {"days": 30, "horizon": "2026-10-23T00:00:00", "rows": 12}
    away = {**facts(), "database": {"error": "DatabaseUnreachable", "message": "no answer"}}
    status = {"retention": {"days": 30, "horizon": "2026-10-23T00:00:00", "rows": 12}}
    again = plan(push(status, retention={"days": 30}), seen(credentials(), deployed(), pod(), found=away))
    assert again.status["retention"] == status["retention"]

# SPDX-License-Identifier: Apache-2.0
"""What `make demo-tenant` sends and judges, without a cluster."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from demo.parties import BUYERS, records
from demo.tenant import VIEWS, judged

from cairn.api.record import peeker
from cairn.datasets import shipped


def test_records_of_the_demo_are_what_the_datasets_read() -> None:
    found = records(datetime(2026, 11, 11))  # noqa: DTZ001 -- the platform's wall clock
    assert set(found) == {"members", "trades"}
    for name, envelopes in found.items():
        dataset = shipped()[name]
        peek = peeker(dataset, [column.name for column in dataset.columns])
        rows = [peek(json.dumps(one).encode()) for one in envelopes]
        assert len({row[0] for row in rows}) == len(rows)
        for member in dataset.envelope:
            envelopes = [one[member] for one in envelopes]
        assert {one["ouid"] for one in envelopes} == {ouid for _, ouid, *_ in BUYERS}


def seen() -> dict[str, Any]:
    trades = [{"tid": tid, "nick": f"crm-{tid}"} for tid in (1000, 1001)]
    members = [{"nick": "crm-1000"}, {"nick": "crm-1001"}]
    erp = [{"tid": tid, "nick": f"erp-{tid}"} for tid in (1000, 1001)]
    reviews = [{"tid": 1000, "review_status": "open"}, {"tid": 1001, "review_status": "open"}]
    parcels = [{"tid": 1000, "shipped": True}]
    return {
        "crm-acme": {"trades": trades, "members": members, "parcels": parcels},
        "erp-bolt": {"trades": erp, "reviews": reviews},
    }


SELLER = {"trades": [{"nick": "bob"}, {"nick": "carol"}]}


def test_demo_judges_what_it_is_meant_to_show() -> None:
    assert {app: set(views) for app, views in seen().items()} == {app: set(views) for app, views in VIEWS.items()}
    assert all(judged(SELLER, seen()).values())


@pytest.mark.parametrize(
    ("app", "view", "row", "check"),
    [
        pytest.param("crm-acme", "trades", {"nick": "bob"}, "no_app_sees_a_nick", id="nick"),
        pytest.param("crm-acme", "members", {"nick": "other"}, "crm_joins_orders_and_members", id="join"),
        pytest.param("erp-bolt", "trades", {"nick": "crm-1000"}, "pseudonyms_differ_by_app", id="same-pseudonym"),
        pytest.param("erp-bolt", "reviews", {"tid": 4711}, "published_rows_join_on_tid", id="row-of-no-order"),
        pytest.param("crm-acme", "parcels", {"cost": 1}, "parcels_without_cost", id="cost"),
    ],
)
def test_demo_notices_what_nobody_may_see(app: str, view: str, row: dict[str, Any], check: str) -> None:
    found = seen()
    found[app][view][0] |= row
    assert not judged(SELLER, found)[check]

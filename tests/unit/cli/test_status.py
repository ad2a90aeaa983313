# SPDX-License-Identifier: Apache-2.0
"""The page of `cairn status`: what is wrong, in which order, and what to do."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cairn.cli.judged import BAD_WHEN_TRUE, GOOD_WHEN_TRUE, NEWS_WHEN_TRUE, State, judged, levels
from cairn.cli.status import next_steps, page_of, text

NOW = datetime(2026, 11, 10, 19, 0, tzinfo=UTC)
OPERATOR = Path(__file__).resolve().parents[3] / "operator" / "cairn"
READY = ("Ready", "True", "Ready")
STALLED = (("Ready", "False", "InvalidSpec"), ("Stalled", "True", "InvalidSpec"))
WAY = (("Ready", "False", "Progressing"), ("Reconciling", "True", "Progressing"))


def obj(kind: str, name: str, *conditions: tuple[str, ...], minutes: int = 60, **status: Any) -> dict[str, Any]:
    at = (NOW - timedelta(minutes=minutes)).isoformat()
    found = [
        {"type": one[0], "status": one[1], "reason": one[2], "message": f"of {name}", "lastTransitionTime": at}
        for one in conditions
    ]
    namespaced = {"namespace": "seller-2088"} if kind not in ("Seller", "Promotion") else {}
    meta = {"name": name, "creationTimestamp": at} | namespaced
    return {"kind": kind, "metadata": meta, "status": {"conditions": found} | status}


@pytest.mark.parametrize(
    ("conditions", "minutes", "state", "reason"),
    [
        pytest.param((READY,), 60, State.FINE, None, id="ready"),
        pytest.param(
            (("Ready", "True", "Stopped"), ("Suspended", "True", "Suspended")), 9, State.FINE, None, id="rest"
        ),
        pytest.param(WAY, 2, State.WAY, "Progressing", id="way"),
        pytest.param(WAY, 16, State.WRONG, "Progressing", id="long-way"),
        pytest.param(STALLED, 1, State.WRONG, "InvalidSpec", id="stalled"),
        pytest.param((("Ready", "False", "DatabaseUnreachable"),), 1, State.WRONG, "DatabaseUnreachable", id="down"),
        pytest.param((READY, ("AuditClean", "False", "Different")), 1, State.WRONG, "Different", id="differs"),
        pytest.param((READY, ("Quarantined", "True", "Quarantined")), 1, State.WRONG, "Quarantined", id="quarantine"),
        pytest.param((READY, ("HistoryComplete", "False", "HistoryPending")), 60, State.FINE, None, id="history"),
        pytest.param((READY, ("Deferred", "True", "Frozen")), 60, State.FINE, None, id="deferred"),
        pytest.param((READY, ("PeakFits", "Unknown", "NodesElastic")), 60, State.FINE, None, id="unknown"),
        pytest.param((), 2, State.WAY, "NotSeen", id="new"),
        pytest.param((), 60, State.WRONG, "NotSeen", id="never-seen"),
    ],
)
def test_state_is_that_of_the_conditions(
    conditions: tuple[tuple[str, ...], ...], minutes: int, state: State, reason: str | None
) -> None:
    found = judged(obj("SellerRDS", "shop-db", *conditions, minutes=minutes), NOW)
    assert found.state is state
    assert [one.reason for one in found.findings[:1]] == ([reason] if reason else [])


def test_every_condition_that_the_operator_sets_is_judged() -> None:
    source = "\n".join(path.read_text() for path in OPERATOR.rglob("*.py"))
    types = set(re.findall(r"Condition\(\s*\"([A-Za-z]+)\"", source)) | {"AuditClean", "HistoryComplete", "PeakFits"}
    known = GOOD_WHEN_TRUE | BAD_WHEN_TRUE | NEWS_WHEN_TRUE
    assert types == known & types, types - known
    assert len(known) == len(GOOD_WHEN_TRUE) + len(BAD_WHEN_TRUE) + len(NEWS_WHEN_TRUE), "one is judged two ways"


def test_levels_of_a_subscription_are_what_its_last_look_left() -> None:
    total = {"sent": 100, "missing": 2, "stale": 3, "wrong": 4, "repaired": 9}
    lag = {"pending": 30, "unacknowledged": 10}
    one = levels(obj("PushSubscription", "orders", READY, proof={"total": total}, lag=lag))
    assert (one.lost, one.waiting, one.wrong, one.fetched, one.kept) == (2, 40, 7, True, False)
    unknown = levels(obj("PushSubscription", "orders", ("Ready", "False", "BusUnreachable")))
    assert (unknown.lost, unknown.waiting, unknown.wrong, unknown.fetched) == (None, None, None, False)
    assert levels(obj("PushSubscription", "orders", ("Ready", "True", "Paused"))).kept


def test_page_names_causes_first_and_each_step_once() -> None:
    total = {"sent": 100, "missing": 2}
    window = {"start": "2026-11-10T12:00:00Z", "end": "2026-11-11T16:00:00Z"}
    window |= {"warmUpFrom": "2026-11-10T11:00:00Z", "coolDownUntil": "2026-11-11T17:00:00Z"}
    page = page_of(
        [
            obj("Promotion", "double-11", READY, current=window, phase="Active", participants=12),
            obj("PushSubscription", "orders", ("Ready", "False", "DatabaseNotReady"), proof={"total": total}),
            obj("PushSubscription", "items", READY, ("AuditClean", "False", "Different"), proof={"total": total}),
            obj("SellerRDS", "shop-db", ("Ready", "False", "CrashLooping")),
            obj(
                "SellerVM", "web", ("Ready", "False", "Progressing"), ("Reconciling", "True", "Progressing"), minutes=1
            ),
            obj("Seller", "acme", READY),
        ],
        NOW,
    )
    assert page.wrong
    assert [one.name for one in page.objects] == ["shop-db", "items", "orders", "web", "acme", "double-11"]
    steps = next_steps(page)
    assert steps[0].startswith("kubectl describe sellerrds -n seller-2088 shop-db")
    assert len(steps) == len(set(steps)) == 4
    assert [("shop-db" in one, "items" in one, "orders" in one) for one in steps] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
        (False, False, True),
    ]
    said = text(page)
    assert said.startswith("2026-11-10 19:00:00 UTC: 3 wrong, 1 on its way, 2 ready\n")
    assert re.search(r"^lost +4 +seller-2088/items 2, seller-2088/orders 2$", said, re.M), said
    assert re.search(r"^late, messages that wait +- +not known: seller-2088/items, seller-2088/orders$", said, re.M)
    assert re.search(r"^can't be fetched +1 +seller-2088/orders$", said, re.M)
    assert re.search(r"^double-11 +Active .* 12$", said, re.M)
    assert said.index("WRONG") < said.index("LEVEL") < said.index("KIND  ") < said.index("\n1. ")


def test_page_where_all_is_well_says_so() -> None:
    page = page_of([obj("Seller", "acme", READY)], NOW)
    assert not page.wrong
    assert text(page).endswith("Nothing to do.")

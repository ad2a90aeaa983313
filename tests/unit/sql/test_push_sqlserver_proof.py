# SPDX-License-Identifier: Apache-2.0
"""What a status says of the book in a SQL Server, from answers that were written by hand."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, cast

from cairn.sql.push.sqlserver.proof import BY_DAY, BY_HOUR, HISTORY, RETENTION, TOTAL, proof_facts
from cairn.sql.share.blocking import Blocking

AT = datetime(2026, 11, 11, 1)  # noqa: DTZ001
COUNTS = dict(zip(("sent", "stood", "missing", "stale", "wrong", "quarantined", "repaired"), range(1, 8), strict=True))


class Answering:
    def __init__(self, answers: dict[str, list[tuple[Any, ...]]]) -> None:
        self.answers = answers

    async def fetch(self, statement: str, parameters: tuple[str, str]) -> list[tuple[Any, ...]]:
        assert parameters == ('["jdp_tb_trade"]', '["1"]')
        return self.answers[statement]


async def facts(**rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    answers = {TOTAL: rows["total"], BY_HOUR: rows["hours"], BY_DAY: rows["days"], HISTORY: rows["history"]}
    answers[RETENTION] = rows.get("retention", [(None, None)])
    return await proof_facts(cast("Blocking", Answering(answers)), ["jdp_tb_trade"], ["1"])


async def test_book_is_told_by_hours_and_days_and_in_all() -> None:
    sums = tuple(COUNTS.values())
    found = await facts(
        total=[(AT, *sums)],
        hours=[(AT, *sums)],
        days=[(date(2026, 11, 11), *sums)],
        history=[(AT, 5, 0)],
        retention=[(AT, 7)],
    )
    assert found["proof"] == {
        "through": "2026-11-11T01:00:00",
        "total": COUNTS,
        "hours": [{"start": "2026-11-11T01:00:00", **COUNTS}],
        "days": [{"date": "2026-11-11", **COUNTS}],
    }
    assert found["retention"] == {"horizon": "2026-11-11T01:00:00", "rows": 7}
    assert found["history"] == {"since": "2026-11-11T01:00:00", "records": 5, "complete": False}


async def test_empty_book_tells_nothing() -> None:
    nothing = [(None,) * 8]
    assert await facts(total=nothing, hours=[], days=[], history=[(None, None, None)]) == {
        "proof": None,
        "history": None,
        "retention": None,
    }

# SPDX-License-Identifier: Apache-2.0
"""A day as both sides have it, asked of the worker."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any

from cairn.sql.postgresql import Connection
from data.plane import Plane, Program
from data.proof.platform import Platform, hours_ago, order
from data.proof.test_proof import proven


async def ask(worker: Program, path: str) -> tuple[int, Any]:
    def get() -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{worker.port}{path}", timeout=20) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    return await asyncio.to_thread(get)


async def test_both_sides_of_a_day(platform: Platform, plane: Plane, conn: Connection) -> None:
    start = hours_ago(4)
    date = f"{start:%Y%m%d}"
    platform.take([order(tid, hours_ago(4, seconds=tid)) for tid in range(1, 601)], push=False)
    worker = platform.worker(historyDays=2, maxRowsPerSecond=100_000, repair=False)
    worker.start()
    await proven(conn, 1, missing=0)
    status, found = await ask(worker, f"/v1/statistics?date={date}")
    assert status == 200
    told = [one for one in found["hours"] if one["dataset"] == "trades" and one["sent"]]
    assert [(one["start"], one["sent"], one["stood"]) for one in told] == [(start.isoformat(), 600, 600)]
    diff = f"/v1/statistics/diff?date={date}"
    assert await ask(worker, diff) == (200, {"tids": [], "total_results": 0})

    await conn.execute("UPDATE sys_info.jdp_tb_trade SET jdp_response = '{}' WHERE tid = 530")
    assert await ask(worker, diff) == (200, {"tids": [530], "total_results": 1})
    await conn.execute("DELETE FROM sys_info.jdp_tb_trade WHERE tid <= 520")
    await conn.execute("UPDATE sys_info.jdp_tb_trade SET tid = 9000, jdp_seq = 9000 WHERE tid = 600")
    lacking = [*range(1, 521), 530, 600]
    assert await ask(worker, diff) == (200, {"tids": lacking[:500], "total_results": 522})
    assert await ask(worker, f"{diff}&page_no=2") == (200, {"tids": lacking[500:], "total_results": 522})
    platform.take([order(540, hours_ago(1))], push=False)  # which it now has at another hour
    assert await ask(worker, f"{diff}&pre=destination&post=source") == (200, {"tids": [9000], "total_results": 1})
    assert await ask(worker, f"{diff}&dataset=refunds&shop=55501") == (200, {"tids": [], "total_results": 0})

    platform.authorize(granted=False)
    status, found = await ask(worker, diff)
    assert status == 502
    assert "authorisation" in found["error"]

    for query, says in (
        ("", "YYYYMMDD"),
        ("date=2026-11-11", "YYYYMMDD"),
        (f"date={date}&pre=source&post=source", "the other destination"),
        (f"date={date}&post=target", "neither source nor destination"),
        (f"date={date}&page_no=0", "the first is 1"),
        (f"date={date}&dataset=nothing", "one of"),
        (f"date={date}&shop=1", "one of 55501"),
    ):
        status, found = await ask(worker, f"/v1/statistics/diff?{query}")
        assert (status, says in found["error"]) == (400, True), found

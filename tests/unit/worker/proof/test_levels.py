# SPDX-License-Identifier: Apache-2.0
"""The levels that comparing with the platform tells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from cairn.sql.push.book import Window
from cairn.worker.metrics import Metrics
from cairn.worker.proof.http_source import HttpSource
from cairn.worker.proof.source import SourceError

HOUR = datetime(2026, 11, 11)  # noqa: DTZ001 -- the platform's wall clock
ME = {"subscription": "seller-2088/orders", "dataset": "trades", "shop": "55501"}


def window(hour: int, missing: int = 0, stale: int = 0, wrong: int = 0, repaired: int = 0) -> Window:
    start = HOUR + timedelta(hours=hour)
    counts = (100, 100 - missing, missing, stale, wrong, 3, 0, repaired)
    return Window("jdp_tb_trade", "55501", start, start + timedelta(hours=1), *counts, deep=False, at=datetime.now(UTC))


def test_what_was_mended_or_is_quarantined_is_neither_lost_nor_wrong() -> None:
    metrics = Metrics("seller-2088/orders")
    proof = metrics.proof()
    told = metrics.registry.get_sample_value
    assert told("cairn_level_lost_records", ME) is None, "nobody has looked yet"
    proof.stands(
        "trades", "55501", [window(0, missing=2, wrong=1), window(1, missing=1, stale=4), window(2, repaired=9)]
    )
    assert told("cairn_level_lost_records", ME) == 3
    assert told("cairn_level_wrong_records", ME) == 5
    proof.stands("trades", "55501", [window(0), window(1, repaired=5), window(2)])
    assert told("cairn_level_lost_records", ME) == told("cairn_level_wrong_records", ME) == 0


async def test_source_that_fails_or_refuses_is_told_and_so_is_its_answer() -> None:
    statuses, said = iter((200, 500, 401)), list[bool]()

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=next(statuses))

    app = web.Application()
    app.router.add_post("/{rest:.*}", answer)
    async with TestServer(app) as server:
        url = str(server.make_url("/"))
        async with HttpSource(url, "2088", lambda: b"key", answered=said.append) as source:
            await source.records("55501", "trades", [1])
            for _ in range(2):
                with pytest.raises(SourceError):
                    await source.records("55501", "trades", [1])
            await server.close()
            with pytest.raises(SourceError):
                await source.records("55501", "trades", [1])
    assert said == [True, False, False, False]

# SPDX-License-Identifier: Apache-2.0
"""Brings in what was before the subscription: forward by (modified, key), so that nothing shifts while it is read.

What is pushed meanwhile is newer and wins by the guard. How far it came stands in the database, after the rows do: a
worker that dies reads at most one page again.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import datetime

from cairn.sql.push.book import Progress
from cairn.sql.push.engine import PushLedger
from cairn.worker.decode import Decoded
from cairn.worker.metrics import ProofMetrics
from cairn.worker.proof.sides import Feed
from cairn.worker.proof.source import PlatformSource, SourceError

PAGE = 500


class Intake:
    """Page by page, whoever asks for it. rate: records a second, over all who ask."""

    def __init__(self, source: PlatformSource, rate: int, metrics: ProofMetrics) -> None:
        self._source, self._rate, self._metrics = source, rate, metrics
        self._turn, self._free_at = asyncio.Lock(), 0.0

    async def page(self, feed: Feed, progress: Progress, book: PushLedger) -> Progress:
        """Bring in the next page. How far it came then; the caller notes it."""
        async with self._turn:
            await asyncio.sleep(max(0.0, self._free_at - time.monotonic()))
            begun = time.monotonic()
            after = await self._page(feed, progress, book)
            self._free_at = begun + (after.records - progress.records) / self._rate
            return after

    async def _page(self, feed: Feed, progress: Progress, book: PushLedger) -> Progress:
        limit = min(PAGE, max(1, self._rate))
        kept = await book.horizon(feed.dataset, feed.shop) or progress.since
        span = (max(progress.since, kept), progress.until)
        if span[0] >= span[1]:
            return replace(progress, done=True)
        page = await self._source.history(feed.shop, feed.dataset.name, *span, progress.at, limit)
        done = Decoded()
        at, rows = progress.at, []
        for payload in page:
            row = feed.decoder.read(payload, feed.shop, done)
            if row is None:
                at = _later(at, feed.decoder.place(payload))
                continue
            at = _later(at, (row.order[0], row.key))
            rows.append(row._replace(order=(row.order[0], 1, row.order[2])))
        if page and at == progress.at:
            raise SourceError("history: a page that leads nowhere: none of its records is behind the last one")
        # Retention may have moved on since the platform was asked: what went is not brought in again.
        kept = await book.horizon(feed.dataset, feed.shop) or kept
        rows = [row for row in rows if row.order[0] >= kept]
        if rows or done.poison:
            await feed.lane.bring_in(rows, done.poison)
        self._metrics.backfilled.labels(self._metrics.subscription, feed.dataset.name).inc(len(page))
        return replace(progress, at=at, records=progress.records + len(page), done=len(page) < limit)


class Backfill:
    """For all feeds of a subscription, one after the other."""

    def __init__(self, ledger: PushLedger, intake: Intake) -> None:
        self._ledger, self._intake = ledger, intake

    async def run(self, feed: Feed, since: datetime, until: datetime) -> bool:
        """The history from `since` on stands; whether it did not before. `until`: where what is pushed begins; kept
        from the first run on.

        One that was done for a shorter history begins anew: what stands already is not newer, and stays.
        """
        progress = await self._ledger.progress(feed.dataset, feed.shop)
        if progress is None or since < progress.since:
            first = progress.until if progress else until
            progress = Progress(since, first, None, 0, done=since >= first)
            await self._ledger.advance(feed.dataset, feed.shop, progress)
        lacking = not progress.done
        while not progress.done:
            progress = await self._intake.page(feed, progress, self._ledger)
            await self._ledger.advance(feed.dataset, feed.shop, progress)
        return lacking


def _later(one: tuple[datetime, int] | None, other: tuple[datetime, int] | None) -> tuple[datetime, int] | None:
    return max((x for x in (one, other) if x is not None), default=None)

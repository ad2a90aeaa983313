# SPDX-License-Identifier: Apache-2.0
"""Compares hours and brings in history because an Operation asks for it, beside what is done without being asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from cairn.sql.push.book import Progress
from cairn.worker.desk import NotYetError, Work
from cairn.worker.metrics import ProofMetrics
from cairn.worker.proof.auditor import Auditor
from cairn.worker.proof.backfill import Intake
from cairn.worker.proof.keeper import wall_clock
from cairn.worker.proof.sides import Feed
from cairn.worker.proof.source import PlatformSource
from cairn.worker.proof.windows import DAY, HOUR, SLACK, Depth, Span, floor_hour
from cairn.worker.replay import chosen

LEFT = ("missing", "stale", "wrong")


class Asked:
    """args: since and until (RFC 3339), datasets; of an audit also depth and repair."""

    def __init__(self, source: PlatformSource, feeds: Sequence[Feed], intake: Intake, metrics: ProofMetrics) -> None:
        self._source, self._intake, self._metrics = source, intake, metrics
        self._feeds = sorted(feeds, key=lambda feed: (feed.dataset.name, feed.shop))

    async def audit(self, work: Work) -> None:
        """Counts windows, what the comparison left as it was, and repaired."""
        since, until = _span(work)
        auditor = Auditor(self._source, work.desk, repair=bool(work.args["repair"]))
        work.counts.update(dict.fromkeys(("windows", *LEFT, "repaired"), 0))
        for feed in self._rest(work):
            first, last = await self._hours(feed, work, since, until)
            while first < last:
                after = min(first + DAY, last)
                for window in await auditor.span(feed, Span(first, after, Depth(work.args["depth"]))):
                    self._metrics.repaired.labels(self._metrics.subscription, feed.dataset.name).inc(window.repaired)
                    work.counts["windows"] += 1
                    for name in (*LEFT, "repaired"):
                        work.counts[name] += getattr(window, name)
                first = after
                await work.note(feed.dataset.name, feed.shop, first.isoformat())

    async def _hours(self, feed: Feed, work: Work, since: datetime, until: datetime) -> tuple[datetime, datetime]:
        """Whole hours that have closed, of which everything should stand."""
        progress = await work.desk.progress(feed.dataset, feed.shop)
        if not feed.lane.through_us or progress is None:
            raise NotYetError(f"{feed.dataset.name}: waits until the bus has been read")
        closed = wall_clock(feed.lane.through_us / 1e6) - SLACK
        kept = await work.desk.horizon(feed.dataset, feed.shop)
        begins = max(progress.begins, kept or progress.begins)
        first = floor_hour(since)
        if first < begins:
            first = _next_hour(begins)
        if work.reached and (feed.dataset.name, feed.shop) == tuple(work.reached[:2]):
            first = max(first, datetime.fromisoformat(work.reached[2]))
        return first, floor_hour(min(_next_hour(until), closed))

    async def backfill(self, work: Work) -> None:
        """Counts rows. What is pushed is newer, and wins."""
        since, until = _span(work)
        work.counts["rows"] += 0
        for feed in self._rest(work):
            at = None
            if work.reached and (feed.dataset.name, feed.shop) == tuple(work.reached[:2]):
                modified, key, ended = work.reached[2:]
                at = (datetime.fromisoformat(modified), key) if modified else None
                if ended:
                    continue
            progress = Progress(since, until, at, 0, done=False)
            while not progress.done:
                before = progress.records
                progress = await self._intake.page(feed, progress, work.desk)
                work.counts["rows"] += progress.records - before
                modified, key = (progress.at[0].isoformat(), progress.at[1]) if progress.at else (None, None)
                if progress.done:
                    await _known_from(work, feed, progress)
                await work.note(feed.dataset.name, feed.shop, modified, key, progress.done)

    def _rest(self, work: Work) -> Iterator[Feed]:
        """Those that were not gone through before it was cut off, the one that was under way included."""
        names = chosen(work, {feed.dataset.name for feed in self._feeds})
        done = tuple(work.reached[:2])
        return (f for f in self._feeds if f.dataset.name in names and (f.dataset.name, f.shop) >= done)


async def _known_from(work: Work, feed: Feed, brought: Progress) -> None:
    """Where it joins what stood already, everything stands from there on, and is compared from there on."""
    book = await work.desk.progress(feed.dataset, feed.shop)
    if book is not None and book.done and brought.since < book.since <= brought.until:
        longer = replace(book, since=brought.since, records=book.records + brought.records)
        await work.desk.advance(feed.dataset, feed.shop, longer)


def _next_hour(moment: datetime) -> datetime:
    """The hour that begins at it, or behind it."""
    start = floor_hour(moment)
    return start if start == moment else start + HOUR


def _span(work: Work) -> tuple[datetime, datetime]:
    since, until = (wall_clock(datetime.fromisoformat(work.args[name]).timestamp()) for name in ("since", "until"))
    return since, until

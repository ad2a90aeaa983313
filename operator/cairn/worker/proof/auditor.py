# SPDX-License-Identifier: Apache-2.0
"""Compares one shop's dataset with the platform, hour by hour, and brings in again what is not as it should be.

Hours whose counts and sums are the same are proven by two queries. Others are halved into slices of five minutes, then
into keys; of every key that differs the platform is asked again, and what it says now is held against the row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cairn.api.proof import Head
from cairn.sql.push.book import Window
from cairn.sql.push.engine import PushLedger
from cairn.sql.push.rows import Poison, Row
from cairn.worker.decode import Decoded
from cairn.worker.proof.compare import Verdict, different, judge, suspects, version_over
from cairn.worker.proof.sides import Feed, Sides
from cairn.worker.proof.source import MAX_KEYS, PlatformSource
from cairn.worker.proof.windows import HOUR, Depth, Span

FINE_STEP = timedelta(minutes=5)
MOST_KEYS = 10_000
"""Keys looked at in one hour; more are left for the next look, and the hour stays different until then."""


@dataclass(slots=True)
class _Found:
    """What one hour's keys came to."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    extra: int = 0
    repaired: int = 0
    left: int = 0


class Auditor:
    """repair: whether differences are mended, or told only."""

    def __init__(
        self, source: PlatformSource, ledger: PushLedger, *, repair: bool, now: Callable[[], datetime] | None = None
    ) -> None:
        self._sides = Sides(source, ledger)
        self._source, self._ledger, self._repair = source, ledger, repair
        self._now = now or (lambda: datetime.now(UTC))

    async def span(self, feed: Feed, span: Span) -> list[Window]:
        """Compare these hours, mend what differs, and note each of them."""
        deep = span.depth is Depth.DEEP
        theirs, ours = await self._sides.slices(feed, span.since, span.until, HOUR, deep=deep)
        differing = set(different(theirs, ours))
        sent, stood = ({one.start: one.records for one in side} for side in (theirs, ours))
        windows: list[Window] = []
        start = span.since
        while start < span.until:
            if start in differing:
                windows.append(await self._hour(feed, start))
            else:
                counts = (sent.get(start, 0), stood.get(start, 0))
                windows.append(self._window(feed, start, counts, _Found(), deep=deep))
            start += HOUR
        # Asked after having looked: an hour that retention took rows out of meanwhile says nothing.
        kept = await self._ledger.horizon(feed.dataset, feed.shop)
        windows = [window for window in windows if kept is None or window.start >= kept]
        await self._ledger.note(windows)
        return windows

    async def _hour(self, feed: Feed, start: datetime) -> Window:
        end, found = start + HOUR, _Found()
        theirs, ours = await self._sides.slices(feed, start, end, FINE_STEP, deep=True)
        for piece in different(theirs, ours):
            await self._slice(feed, piece, piece + FINE_STEP, found)
        if found.repaired:
            theirs, ours = await self._sides.slices(feed, start, end, HOUR, deep=True)
        counts = (sum(one.records for one in theirs), sum(one.records for one in ours))
        return self._window(feed, start, counts, found, deep=True)

    async def _slice(self, feed: Feed, since: datetime, until: datetime, found: _Found) -> None:
        theirs, ours = await self._sides.heads(feed, since, until)
        differing, alone = suspects(theirs, ours)
        keys = sorted(differing | alone)
        room = max(0, MOST_KEYS - sum(found.verdicts.values()))
        found.left += len(keys[room:])
        del keys[room:]
        for at in range(0, len(keys), MAX_KEYS):
            await self._keys(feed, keys[at : at + MAX_KEYS], found)

    async def _keys(self, feed: Feed, keys: Sequence[int], found: _Found) -> None:
        """Ask again for these, the row first: what the platform says is then never older than the row that it is held
        against. Mend, and look whether it holds."""
        verdicts, rows, poison = await self._judged(feed, keys)
        found.extra += len(set(keys) - verdicts.keys())
        bad = [key for key, verdict in verdicts.items() if verdict in (Verdict.MISSING, Verdict.STALE, Verdict.WRONG)]
        kept = await self._ledger.horizon(feed.dataset, feed.shop) if bad else None
        if kept is not None:
            bad = [key for key in bad if rows[key].order[0] >= kept]  # what retention took is not brought in again
        if self._repair and (bad or poison):
            await feed.lane.bring_in([rows[key] for key in bad if key in rows], poison)
            after, _, _ = await self._judged(feed, bad) if bad else ({}, {}, [])
            found.repaired += sum(after.get(key) is Verdict.FINE for key in bad)
            verdicts |= after
        found.verdicts.update(verdicts.values())

    async def _judged(
        self, feed: Feed, keys: Sequence[int]
    ) -> tuple[dict[int, Verdict], dict[int, Row], Sequence[Poison]]:
        """What is the matter with each key that the platform has, and the rows that would mend it."""
        standing = await self._ledger.standing(feed.dataset, keys)
        kept = await self._ledger.quarantined(feed.dataset, keys)
        payloads = await self._source.records(feed.shop, feed.dataset.name, keys)
        verdicts: dict[int, Verdict] = {}
        rows: dict[int, Row] = {}
        done = Decoded()
        for payload in payloads:
            row = feed.decoder.read(payload, feed.shop, done)
            if row is not None:
                head = Head(row.key, row.order[0], row.order[2])
                row_there = standing.get(row.key)
                verdicts[row.key] = judge(head, row_there, quarantined=row.key in kept)
                rows[row.key] = row._replace(order=(row.order[0], version_over(row_there, head), row.order[2]))
        for bad in done.poison:
            if bad.object_key is not None:
                verdicts[int(bad.object_key)] = Verdict.KEPT
        asked = set(keys)
        return {key: verdict for key, verdict in verdicts.items() if key in asked}, rows, done.poison

    def _window(self, feed: Feed, start: datetime, counts: tuple[int, int], found: _Found, *, deep: bool) -> Window:
        return Window(
            table=feed.dataset.table,
            shop=feed.shop,
            start=start,
            end=start + HOUR,
            sent=counts[0],
            stood=counts[1],
            missing=found.verdicts[Verdict.MISSING] + found.left,
            stale=found.verdicts[Verdict.STALE],
            wrong=found.verdicts[Verdict.WRONG],
            quarantined=found.verdicts[Verdict.KEPT],
            extra=found.extra,
            repaired=found.repaired,
            deep=deep,
            at=self._now(),
        )

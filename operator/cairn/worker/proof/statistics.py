# SPDX-License-Identifier: Apache-2.0
"""A day as the platform and the database have it: what the book says of its hours, and which records one side lacks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from enum import StrEnum

from cairn.api.proof import Head
from cairn.sql.push.book import Window
from cairn.sql.push.engine import PushLedger
from cairn.worker.proof.compare import Verdict, different, judge, suspects
from cairn.worker.proof.sides import Feed, Sides
from cairn.worker.proof.source import MAX_KEYS, PlatformSource
from cairn.worker.proof.windows import DAY, HOUR


class Side(StrEnum):
    SOURCE = "source"
    DESTINATION = "destination"


class Statistics:
    """Mends nothing, and notes nothing. One question at a time, each with sessions of its own, so that nobody who asks
    can take connections away from what is pushed."""

    def __init__(
        self,
        source: Callable[[], AbstractAsyncContextManager[PlatformSource]],
        ledger: Callable[[], PushLedger],
        feeds: Sequence[Feed],
    ) -> None:
        self._source, self._ledger, self.feeds = source, ledger, feeds
        self._turn = asyncio.Lock()

    async def hours(self, day: datetime) -> list[tuple[Feed, Window]]:
        """What the last look at each hour of the day found. Hours that it has not seen are not there."""
        async with self._session() as ledger:
            return [
                (feed, window)
                for feed in self.feeds
                for window in sorted(await ledger.windows(feed.dataset, feed.shop, day), key=lambda one: one.start)
                if window.start < day + DAY
            ]

    async def lacking(self, feeds: Sequence[Feed], day: datetime, side: Side) -> list[int]:
        """Keys of the day that the other side has and `side` has not, or not as the other has them. Asked now."""
        async with self._session() as ledger, self._source() as source:
            found: set[int] = set()
            for feed in feeds:
                sides = Sides(source, ledger)
                since = max(day, await ledger.horizon(feed.dataset, feed.shop) or day)
                if since >= day + DAY:
                    continue
                for start in different(*await sides.slices(feed, since, day + DAY, HOUR, deep=True)):
                    theirs, ours = await sides.heads(feed, start, start + HOUR)
                    differing, alone = suspects(theirs, ours)
                    if side is Side.DESTINATION:
                        heads = [head for head in theirs if head.key in differing]
                        found |= await _not_as_there(ledger, feed, heads)
                    else:
                        found |= alone - await _known(source, feed, sorted(alone))
            return sorted(found)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[PushLedger]:
        async with self._turn:
            ledger = self._ledger()
            try:
                yield ledger
            finally:
                await ledger.close()


async def _not_as_there(ledger: PushLedger, feed: Feed, heads: Sequence[Head]) -> set[int]:
    """Those that do not stand as their heads say, or newer."""
    found: set[int] = set()
    for at in range(0, len(heads), MAX_KEYS):
        some = heads[at : at + MAX_KEYS]
        standing = await ledger.standing(feed.dataset, [head.key for head in some])
        judged = {head.key: judge(head, standing.get(head.key), quarantined=False) for head in some}
        found |= {key for key, verdict in judged.items() if verdict is not Verdict.FINE}
    return found


async def _known(source: PlatformSource, feed: Feed, keys: Sequence[int]) -> set[int]:
    """Those that the platform has, at whatever time it has them."""
    found: set[int] = set()
    for at in range(0, len(keys), MAX_KEYS):
        payloads = await source.records(feed.shop, feed.dataset.name, keys[at : at + MAX_KEYS])
        found |= {place[1] for payload in payloads if (place := feed.decoder.place(payload)) is not None}
    return found

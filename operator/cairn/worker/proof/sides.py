# SPDX-License-Identifier: Apache-2.0
"""The platform and the database, asked the same question."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cairn.api.dataset import Dataset
from cairn.api.proof import Head, Slice
from cairn.sql.push.engine import PushLedger
from cairn.worker.decode import Decoder
from cairn.worker.lane import Lane
from cairn.worker.proof.source import PlatformSource

PAGE = 2_000


@dataclass(frozen=True, slots=True)
class Feed:
    """One shop's records of one dataset: whose they are, how they are read, and by whom they are written."""

    dataset: Dataset
    shop: str
    nick: str
    decoder: Decoder
    lane: Lane


class Sides:
    """Answers are pairs: theirs, ours."""

    def __init__(self, source: PlatformSource, ledger: PushLedger) -> None:
        self._source, self._ledger = source, ledger

    async def slices(
        self, feed: Feed, since: datetime, until: datetime, step: timedelta, *, deep: bool
    ) -> tuple[Sequence[Slice], Sequence[Slice]]:
        """Counts and sums of the slices that hold any record."""
        theirs = await self._source.statistics(feed.shop, feed.dataset.name, since, until, step)
        return theirs, await self._ledger.slices(feed.dataset, feed.nick, since, until, step, deep=deep)

    async def heads(self, feed: Feed, since: datetime, until: datetime) -> tuple[list[Head], list[Head]]:
        """Every record of the span, by key."""
        span = (since, until)
        theirs = await _all(lambda after: self._source.keys(feed.shop, feed.dataset.name, *span, after, PAGE))
        ours = await _all(lambda after: self._ledger.heads(feed.dataset, feed.nick, *span, after, PAGE, deep=True))
        return theirs, ours


async def _all(page: Callable[[int | None], Awaitable[Sequence[Head]]]) -> list[Head]:
    """Page by page, each behind the last key of the one before."""
    found: list[Head] = []
    while True:
        some = await page(found[-1].key if found else None)
        found += some
        if len(some) < PAGE:
            return found

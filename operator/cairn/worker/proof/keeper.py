# SPDX-License-Identifier: Apache-2.0
"""The task that keeps a subscription proven: its history, and every hour that is due."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from cairn.sql.push.engine import PushLedger
from cairn.worker.config import ProofConfig
from cairn.worker.faults import DATABASE_ERRORS
from cairn.worker.horizon import PLATFORM_ZONE
from cairn.worker.metrics import ProofMetrics
from cairn.worker.proof.auditor import Auditor
from cairn.worker.proof.backfill import Backfill, Intake
from cairn.worker.proof.sides import Feed
from cairn.worker.proof.source import PlatformSource, SourceError
from cairn.worker.proof.windows import DAY, Audited, due

log = logging.getLogger(__name__)

PASS_SECONDS, FIRST_SECONDS = 30.0, 1.0
"""Between two looks for what is due; at first, until it is known how far the bus has been read."""
SOLD_SECONDS = 300.0
"""Between two counts of what is sold above stock: each reads the orders since the items' records."""
LEAST = timedelta(days=7)
"""How far back hours are compared again and again, whatever history was asked for."""
ORDERS, ITEMS = "trades", "items"
_PASSING = (SourceError, *DATABASE_ERRORS)


class Keeper:
    """One subscription's.

    ledgers: two sessions, since history that takes long must not keep hours from being compared
    """

    def __init__(
        self,
        config: ProofConfig,
        source: PlatformSource,
        ledgers: tuple[PushLedger, PushLedger],
        feeds: Sequence[Feed],
        intake: Intake,
        metrics: ProofMetrics,
    ) -> None:
        self._config, self._feeds, self._metrics = config, feeds, metrics
        self._ledger, self._filling = ledgers
        self._auditor = Auditor(source, self._ledger, repair=config.repair)
        self._backfill = Backfill(self._filling, intake)
        self._born = wall_clock(time.time())
        self._look = asyncio.Event()  # set: hours are to be compared now, not when their time comes
        for feed in feeds:
            feed.lane.applier.on_doubt = self._look.set
        self._sold_at = -SOLD_SECONDS

    async def run(self) -> None:
        """Until cancelled. Nothing that goes wrong here stops what is pushed."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._for_ever(self._fill, self._filling, asyncio.Event()))
            group.create_task(self._for_ever(self._audit_all, self._ledger, self._look))

    async def _for_ever(self, step: Callable[[], Awaitable[None]], ledger: PushLedger, woken: asyncio.Event) -> None:
        said = ""
        while True:
            woken.clear()
            try:
                await step()
            except Exception as error:
                if not isinstance(error, _PASSING):
                    log.exception("proof: nobody foresaw this")
                trouble = f"{type(error).__name__}: {error}"[:300]
                if trouble != said:
                    log.warning("proof: %s", trouble)
                said = trouble
                self._metrics.failed.labels(self._metrics.subscription, type(error).__name__).inc()
                await ledger.close()
            else:
                said = ""
            known = all(feed.lane.through_us for feed in self._feeds)
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), PASS_SECONDS if known else FIRST_SECONDS)

    async def _fill(self) -> None:
        since = self._born - self._config.history_days * DAY
        for feed in self._feeds:
            if await self._backfill.run(feed, since, self._born):
                self._look.set()

    async def _audit_all(self) -> None:
        for feed in self._feeds:
            await self._audit(feed)
        if time.monotonic() - self._sold_at >= SOLD_SECONDS:
            self._sold_at = time.monotonic()
            await self._count_sold()

    async def _count_sold(self) -> None:
        """Where both orders and items are pushed."""
        found = {(feed.dataset.name, feed.shop): feed for feed in self._feeds}
        for (name, shop), feed in found.items():
            items = found.get((ITEMS, shop))
            if name == ORDERS and items is not None:
                units = await self._ledger.oversold(feed.dataset, items.dataset, feed.nick)
                if units is not None:
                    self._metrics.oversold.labels(self._metrics.subscription, shop).set(units)

    async def _audit(self, feed: Feed) -> None:
        through_us = feed.lane.through_us
        progress = await self._ledger.progress(feed.dataset, feed.shop)
        if not through_us or progress is None:
            return
        oldest = wall_clock(time.time()) - max(self._config.history_days * DAY, LEAST)
        kept = await self._ledger.horizon(feed.dataset, feed.shop)
        since = max(progress.begins, oldest, kept or oldest)
        book = await self._ledger.windows(feed.dataset, feed.shop, since)
        doubted = feed.lane.applier.doubted
        sure = [one for one in book if doubted is None or one.at > doubted]
        audited = {one.start: Audited(one.at, one.clean, one.deep) for one in sure}
        spans = due(audited, since, wall_clock(through_us / 1e6), datetime.now(UTC))
        for span in spans:
            for window in await self._auditor.span(feed, span):
                self._metrics.repaired.labels(self._metrics.subscription, feed.dataset.name).inc(window.repaired)
        if spans:
            book = await self._ledger.windows(feed.dataset, feed.shop, since)
        self._metrics.stands(feed.dataset.name, feed.shop, book)


def wall_clock(unix: float) -> datetime:
    """The platform's, which has no zone, to the second."""
    return datetime.fromtimestamp(int(unix), PLATFORM_ZONE).replace(tzinfo=None)

# SPDX-License-Identifier: Apache-2.0
"""Takes records out of the pushed tables that are older than the subscription keeps them.

The horizon is committed before the first row behind it goes: whoever compares or brings in history asks for it after
having looked, and so takes nothing for missing that went. Rows go in short transactions, with rests between them; a
worker that dies leaves the rest to the next pass, and so does what is pushed later than it is kept.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from cairn.api.dataset import Dataset
from cairn.sql.push.engine import PushLedger
from cairn.worker.faults import DATABASE_ERRORS, text
from cairn.worker.horizon import horizon
from cairn.worker.metrics import Metrics

log = logging.getLogger(__name__)

CHUNK = 2_000
PASS_SECONDS, RETRY_SECONDS = 600.0, 60.0
REST_SECONDS, REST_TIMES = 0.5, 4.0
"""After each chunk, and how many times as long as it took: the database is others' four fifths of the time."""


class Retention:
    """One subscription's. days: more than 0. shops: nick by id. now: the worker's clock."""

    def __init__(
        self,
        days: int,
        datasets: Sequence[Dataset],
        shops: Mapping[str, str],
        ledger: PushLedger,
        metrics: Metrics,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._days, self._shops, self._ledger, self._metrics, self._now = days, shops, ledger, metrics, now
        self._datasets = [dataset for dataset in datasets if dataset.expires]

    async def run(self) -> None:
        """Until cancelled. Nothing that goes wrong here stops what is pushed."""
        said = ""
        try:
            while True:
                wait = PASS_SECONDS
                try:
                    await self.once()
                    said = ""
                except Exception as error:
                    if not isinstance(error, DATABASE_ERRORS):
                        log.exception("retention: nobody foresaw this")
                    if text(error) != said:
                        log.warning("retention: %s: %s", type(error).__name__, text(error))
                    said, wait = text(error), RETRY_SECONDS
                    await self._ledger.close()
                await asyncio.sleep(wait)
        finally:
            await self._ledger.close()

    async def once(self) -> None:
        """Nothing from before the horizon stands, but what came while this ran."""
        # By the clock that is behind: one that runs ahead must not cost a seller the records of days to come.
        moment = horizon(min(self._now(), await self._ledger.clock()), self._days)
        for dataset in self._datasets:
            for shop, nick in self._shops.items():
                await self._ledger.keep_from(dataset, shop, moment)
                await self._expire(dataset, shop, nick)

    async def _expire(self, dataset: Dataset, shop: str, nick: str) -> None:
        while True:
            begun = time.monotonic()
            found, deleted = await self._ledger.expire(dataset, shop, nick, CHUNK)
            self._metrics.expired(dataset.name, deleted)
            if found < CHUNK:
                return
            await asyncio.sleep(max(REST_SECONDS, REST_TIMES * (time.monotonic() - begun)))

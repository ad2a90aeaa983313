# SPDX-License-Identifier: Apache-2.0
"""`cairn.sql.push.engine.PushLedger` for SQL Server.

A record's hash is of its bytes in UTF-8, and the server keeps UTF-16. From 2019 on it has a collation by which it makes
the one of the other; an older one has none, so there every look is a light one, by the hash that stands beside the
record, and the book says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from cairn.api.dataset import Dataset
from cairn.api.proof import Head, Slice
from cairn.sql.postgresql import Target
from cairn.sql.push.book import Kept, Progress, Stood, Window
from cairn.sql.push.request import Refused
from cairn.sql.push.sqlserver import questions
from cairn.sql.push.sqlserver.faults import translated
from cairn.sql.push.sqlserver.upsert import OLDEST
from cairn.sql.share.blocking import Row
from cairn.sql.share.sqlserver.connection import Session, connect

STATEMENT_SECONDS = 120.0
HASHES_UTF8 = 15
"""SQL Server 2019."""


class Ledger:
    """Opened at the first question, and again after `close`."""

    def __init__(self, target: Callable[[], Target]) -> None:
        self._target = target
        self._session: Session | None = None
        self._deep = True

    async def close(self) -> None:
        if self._session is not None:
            self._session.abort()
            self._session = None

    async def slices(
        self, dataset: Dataset, nick: str, since: datetime, until: datetime, step: timedelta, *, deep: bool
    ) -> list[Slice]:
        """Slices that hold any row."""
        await self._open()
        query = questions.slices(dataset, int(step.total_seconds()), deep=deep and self._deep)
        found = await self._fetch(query, (since, nick, nick, since, until))
        return [Slice(since + int(slot) * step, int(count), int(total)) for slot, count, total in found]

    async def heads(
        self,
        dataset: Dataset,
        nick: str,
        since: datetime,
        until: datetime,
        after: int | None,
        limit: int,
        *,
        deep: bool,
    ) -> list[Head]:
        """At most so many with a key above `after`, by key."""
        await self._open()
        query = questions.heads(dataset, deep=deep and self._deep, after=after is not None)
        above = () if after is None else (after,)
        return [Head(*row) for row in await self._fetch(query, (limit, nick, nick, since, until, *above))]

    async def standing(self, dataset: Dataset, keys: Sequence[int]) -> dict[int, Stood]:
        """Rows of these keys, by key. One from before Cairn without a time counts as older than anything."""
        if not keys:
            return {}
        await self._open()
        found = await self._fetch(questions.standing(dataset, deep=self._deep), (json.dumps(list(keys)),))
        return {
            key: Stood(modified or OLDEST, version, hashed, bool(sound))
            for key, modified, version, hashed, sound in found
        }

    async def quarantined(self, dataset: Dataset, keys: Iterable[int]) -> set[int]:
        """Those of the keys that a record in quarantine has."""
        asked = [str(key) for key in keys]
        if not asked:
            return set()
        return {int(row[0]) for row in await self._fetch(questions.QUARANTINED, (json.dumps(asked), dataset.name))}

    async def refused(self, dataset: Dataset, after: int, limit: int) -> list[Kept]:
        """Records in quarantine because the database refused them, at most so many behind this id, in their order."""
        found = await self._fetch(questions.REFUSED, (limit, dataset.name, after))
        return [Kept(row[0], (row[1], row[2], row[3]), row[4], row[5]) for row in found]

    async def tried(self, kept: Kept, refused: Refused | None, by: str | None = None) -> None:
        """A record of quarantine stands by now, or stays there. by: on whose behalf, by default the login's."""
        if refused is None:
            await self._fetch(questions.STANDS_BY_NOW, (by, kept.id))
        else:
            await self._fetch(questions.REFUSED_AGAIN, (*refused, kept.id))

    async def windows(self, dataset: Dataset, shop: str, since: datetime) -> list[Window]:
        """What the book says of the hours from `since` on."""
        found = await self._fetch(questions.WINDOWS, (dataset.table, shop, since))
        return [Window(*(*row[:12], bool(row[12]), row[13].replace(tzinfo=UTC))) for row in found]

    async def note(self, windows: Iterable[Window]) -> None:
        """Into the book. `repaired` is added to what it says already."""
        await self._open()
        for window in windows:
            table, shop, start, *found, repaired, _, _ = window
            at, deep = window.at.astimezone(UTC).replace(tzinfo=None), int(window.deep and self._deep)
            changes = (*found, deep, repaired, repaired, at, table, shop, start)
            if not (await self._fetch(questions.CHANGE_WINDOW, changes))[0][0]:
                await self._fetch(questions.NEW_WINDOW, (table, shop, start, *found, repaired, deep, at))

    async def progress(self, dataset: Dataset, shop: str) -> Progress | None:
        """How far the history is brought in; None before it was begun."""
        found = await self._fetch(questions.PROGRESS, (dataset.table, shop))
        if not found:
            return None
        since, until, modified, key, records, done = found[0]
        return Progress(since, until, None if modified is None else (modified, key), records, done is not None)

    async def advance(self, dataset: Dataset, shop: str, progress: Progress) -> None:
        """Note it, once what it says stands."""
        at = progress.at or (None, None)
        values = (progress.since, progress.until, *at, progress.records, int(progress.done), dataset.table, shop)
        if not (await self._fetch(questions.CHANGE_PROGRESS, values))[0][0]:
            await self._fetch(questions.NEW_PROGRESS, values)

    async def clock(self) -> float:
        """The server's, in seconds since 1970."""
        return float((await self._fetch(questions.CLOCK, ()))[0][0])

    async def horizon(self, dataset: Dataset, shop: str) -> datetime | None:
        """From when on records are kept. None: all are."""
        found = await self._fetch(questions.HORIZON, (dataset.table, shop))
        return found[0][0] if found else None

    async def keep_from(self, dataset: Dataset, shop: str, horizon: datetime) -> None:
        """Note it, unless a later one is noted."""
        ours = (dataset.table, shop)
        if not (await self._fetch(questions.MOVE_HORIZON, (horizon, horizon, *ours)))[0][0]:
            await self._fetch(questions.NEW_HORIZON, (*ours, horizon))

    async def expire(self, dataset: Dataset, shop: str, nick: str, limit: int) -> tuple[int, int]:
        """How many rows from before the horizon were found, and how many of them deleted."""
        before = await self.horizon(dataset, shop)
        if before is None:
            return 0, 0
        old = (nick, nick, before)
        found = sorted(row[0] for row in await self._fetch(questions.expired(dataset), (limit, *old)))
        if not found:
            return 0, 0
        values = (json.dumps(found), *old, dataset.table, shop)
        return len(found), int((await self._fetch(questions.expire(dataset), values))[0][0])

    async def oversold(self, trades: Dataset, items: Dataset, nick: str) -> int | None:
        """Not counted here yet."""
        return None

    async def _open(self) -> Session:
        with translated():
            if self._session is None or not self._session.open:
                session = await connect(self._target(), statement_timeout=STATEMENT_SECONDS)
                try:
                    self._deep = int((await session.fetch(questions.VERSION))[0][0]) >= HASHES_UTF8
                except BaseException:
                    session.abort()
                    raise
                self._session = session
            return self._session

    async def _fetch(self, statement: str, values: Sequence[object]) -> list[Row]:
        session = await self._open()
        with translated():
            return await session.fetch(statement, values)

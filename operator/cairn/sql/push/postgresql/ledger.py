# SPDX-License-Identifier: Apache-2.0
"""What stands in the pushed tables, to be compared with the platform, and the book of what was found.

One session of its own with the push login: comparing never waits for writing, nor writing for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from cairn.api.dataset import Dataset
from cairn.api.proof import SUMMED_DIGITS, Head, Slice
from cairn.sql.postgresql import Connection, Target, connect
from cairn.sql.push.book import Kept, Progress, Stood, Window
from cairn.sql.push.postgresql import retention
from cairn.sql.push.postgresql.oversold import oversold
from cairn.sql.push.request import Refused
from cairn.sql.quoting import identifier, qualified

STATEMENT_TIMEOUT_MS = 120_000
_MADE = "left(encode(sha256(convert_to(t.jdp_response, 'UTF8')), 'hex'), 32)"
_STORED = "coalesce(t.jdp_hashcode, '')"


class Ledger:
    """Opened at the first question, and again after `close`. Errors of asyncpg and SqlError come as they are."""

    def __init__(self, target: Callable[[], Target], application: str) -> None:
        self._target, self._application = target, application
        self._conn: Connection | None = None

    async def close(self) -> None:
        if self._conn is not None:
            self._conn.terminate()
            self._conn = None

    async def slices(
        self, dataset: Dataset, nick: str, since: datetime, until: datetime, step: timedelta, *, deep: bool
    ) -> list[Slice]:
        """Slices that hold any row. deep: by the hash that the record makes, not by the one that stands beside it."""
        query = (
            f"SELECT date_bin($4, t.{identifier(dataset.modified)}, $2) AS start, count(*) AS count,"
            f" sum({_token(_MADE if deep else _STORED)}) AS total {_rows(dataset)} GROUP BY 1 ORDER BY 1"
        )
        found = await (await self._open()).fetch(query, nick, since, until, step)
        return [Slice(row["start"], row["count"], int(row["total"])) for row in found]

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
        key = identifier(dataset.key)
        query = (
            f"SELECT t.{key} AS key, t.{identifier(dataset.modified)} AS modified, {_MADE if deep else _STORED} AS hash"
            f" {_rows(dataset)} AND ($4::int8 IS NULL OR t.{key} > $4) ORDER BY t.{key} LIMIT $5"
        )
        found = await (await self._open()).fetch(query, nick, since, until, after, limit)
        return [Head(*row) for row in found]

    async def standing(self, dataset: Dataset, keys: Sequence[int]) -> dict[int, Stood]:
        """Rows of these keys, by key. One from before Cairn without a time counts as older than anything."""
        query = (
            f"SELECT t.{identifier(dataset.key)}, coalesce(t.{identifier(dataset.modified)}, '-infinity'),"
            f" coalesce(t.jdp_version, 0), {_STORED}, coalesce({_MADE} = t.jdp_hashcode, false)"
            f" FROM {qualified('sys_info', dataset.table)} t WHERE t.{identifier(dataset.key)} = ANY($1)"
        )
        return {row[0]: Stood(*tuple(row)[1:]) for row in await (await self._open()).fetch(query, list(keys))}

    async def quarantined(self, dataset: Dataset, keys: Iterable[int]) -> set[int]:
        """Those of the keys that a record in quarantine has."""
        query = (
            "SELECT DISTINCT object_key::int8 FROM sys_info.jdp_quarantine WHERE topic = $1 AND state = 'open'"
            " AND object_key = ANY($2::text[])"
        )
        found = await (await self._open()).fetch(query, dataset.name, [str(key) for key in keys])
        return {row[0] for row in found}

    async def refused(self, dataset: Dataset, after: int, limit: int) -> list[Kept]:
        """Records in quarantine because the database refused them, at most so many behind this id, in their order."""
        query = (
            "SELECT id, stream, stream_seq, member_no, payload, reason FROM sys_info.jdp_quarantine"
            " WHERE state = 'open' AND reason = 'ROW_REFUSED' AND topic = $1 AND id > $2 ORDER BY id LIMIT $3"
        )
        found = await (await self._open()).fetch(query, dataset.name, after, limit)
        return [Kept(row[0], (row[1], row[2], row[3]), row[4], row[5]) for row in found]

    async def tried(self, kept: Kept, refused: Refused | None, by: str | None = None) -> None:
        """A record of quarantine stands by now, or stays there. by: on whose behalf, by default the login's."""
        conn = await self._open()
        if refused is None:
            query = (
                "UPDATE sys_info.jdp_quarantine SET attempts = attempts + 1, state = 'retried',"
                " resolved_by = coalesce($2, current_user), resolved_at = pg_catalog.clock_timestamp()"
                " WHERE id = $1 AND state = 'open'"
            )
            await conn.execute(query, kept.id, by)
            return
        query = (
            "UPDATE sys_info.jdp_quarantine SET attempts = attempts + 1, reason = $2, error_code = $3, error_text = $4,"
            " seller_nick = coalesce($5, seller_nick)"
            " WHERE id = $1 AND state = 'open'"
        )
        await conn.execute(query, kept.id, *refused)

    async def windows(self, dataset: Dataset, shop: str, since: datetime) -> list[Window]:
        """What the book says of the hours from `since` on."""
        query = "SELECT * FROM sys_info.jdp_audit WHERE table_name = $1 AND shop_id = $2 AND window_start >= $3"
        return [Window(*row) for row in await (await self._open()).fetch(query, dataset.table, shop, since)]

    async def note(self, windows: Iterable[Window]) -> None:
        """Into the book. `repaired` is added to what it says already."""
        query = (
            "INSERT INTO sys_info.jdp_audit AS a VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
            " ON CONFLICT (table_name, shop_id, window_start) DO UPDATE SET sent = EXCLUDED.sent,"
            " stood = EXCLUDED.stood,"
            " missing = EXCLUDED.missing, stale = EXCLUDED.stale, wrong = EXCLUDED.wrong,"
            " quarantined = EXCLUDED.quarantined, extra = EXCLUDED.extra, repaired = a.repaired + EXCLUDED.repaired,"
            " deep = EXCLUDED.deep OR (a.deep AND EXCLUDED.repaired = 0), audited_at = EXCLUDED.audited_at"
        )
        await (await self._open()).executemany(query, windows)

    async def progress(self, dataset: Dataset, shop: str) -> Progress | None:
        """How far the history is brought in; None before it was begun."""
        query = "SELECT * FROM sys_info.jdp_backfill WHERE table_name = $1 AND shop_id = $2"
        row = await (await self._open()).fetchrow(query, dataset.table, shop)
        if row is None:
            return None
        at = None if row["at_modified"] is None else (row["at_modified"], row["at_key"])
        return Progress(row["since"], row["until"], at, row["records"], row["done_at"] is not None)

    async def advance(self, dataset: Dataset, shop: str, progress: Progress) -> None:
        """Note it, once what it says stands."""
        query = (
            "INSERT INTO sys_info.jdp_backfill VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $8 THEN now() END)"
            " ON CONFLICT (table_name, shop_id) DO UPDATE SET since = EXCLUDED.since, until = EXCLUDED.until,"
            " at_modified = EXCLUDED.at_modified, at_key = EXCLUDED.at_key, records = EXCLUDED.records,"
            " done_at = EXCLUDED.done_at"
        )
        at = progress.at or (None, None)
        arguments = (progress.since, progress.until, *at, progress.records, progress.done)
        await (await self._open()).execute(query, dataset.table, shop, *arguments)

    async def clock(self) -> float:
        """The server's, in seconds since 1970."""
        query = "SELECT extract(epoch FROM pg_catalog.clock_timestamp())::float8"
        return float(await (await self._open()).fetchval(query))

    async def horizon(self, dataset: Dataset, shop: str) -> datetime | None:
        """From when on records are kept. None: all are."""
        return await retention.horizon(await self._open(), dataset, shop)

    async def keep_from(self, dataset: Dataset, shop: str, horizon: datetime) -> None:
        """Note it, unless a later one is noted."""
        await retention.keep_from(await self._open(), dataset, shop, horizon)

    async def expire(self, dataset: Dataset, shop: str, nick: str, limit: int) -> tuple[int, int]:
        """How many rows from before the horizon were found, and how many of them deleted."""
        return await retention.expire(await self._open(), dataset, shop, nick, limit)

    async def oversold(self, trades: Dataset, items: Dataset, nick: str) -> int | None:
        """Units sold above stock; None where this engine does not count them."""
        return await oversold(await self._open(), trades, items, nick)

    async def _open(self) -> Connection:
        if self._conn is None or self._conn.is_closed():
            self._conn = None
            self._conn = await connect(
                self._target(), application=self._application, statement_timeout_ms=STATEMENT_TIMEOUT_MS
            )
        return self._conn


def _rows(dataset: Dataset) -> str:
    modified = f"t.{identifier(dataset.modified)}"
    return (
        f"FROM {qualified('sys_info', dataset.table)} t"
        f" WHERE t.{identifier(dataset.owner)} = $1 AND {modified} >= $2 AND {modified} < $3"
    )


def _token(hashed: str) -> str:
    """The same as `api.proof.token`; a hash that Cairn did not write, in a table from before it, counts as nothing."""
    digits = f"substr({hashed}, 1, {SUMMED_DIGITS})"
    return f"CASE WHEN {digits} ~ '^[0-9a-f]{{{SUMMED_DIGITS}}}$' THEN ('x0' || {digits})::bit(64)::int8 ELSE 0 END"

# SPDX-License-Identifier: Apache-2.0
"""`cairn.sql.push.engine.PushLedger` for MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from cairn.api.dataset import Dataset
from cairn.api.proof import SUMMED_DIGITS, Head, Slice
from cairn.sql.postgresql import Target
from cairn.sql.push.book import Kept, Progress, Stood, Window
from cairn.sql.push.mysql import retention
from cairn.sql.push.mysql.faults import translated
from cairn.sql.push.mysql.oversold import CLOSED, asked, items_sql, sold_sql
from cairn.sql.push.mysql.upsert import OLDEST
from cairn.sql.push.request import Refused
from cairn.sql.share.blocking import Row
from cairn.sql.share.mysql.connection import Session, connect
from cairn.sql.share.mysql.names import identifier, qualified

STATEMENT_SECONDS = 120.0
_MADE = "LEFT(SHA2(CONVERT(t.jdp_response USING utf8mb4), 256), 32)"
_STORED = "COALESCE(t.jdp_hashcode, '')"


class Ledger:
    """Opened at the first question, and again after `close`."""

    def __init__(self, target: Callable[[], Target]) -> None:
        self._target = target
        self._session: Session | None = None

    async def close(self) -> None:
        if self._session is not None:
            self._session.abort()
            self._session = None

    async def slices(
        self, dataset: Dataset, nick: str, since: datetime, until: datetime, step: timedelta, *, deep: bool
    ) -> list[Slice]:
        """Slices that hold any row."""
        seconds = int(step.total_seconds())
        query = (
            f"SELECT TIMESTAMPDIFF(SECOND, %s, t.{identifier(dataset.modified)}) DIV {seconds} AS slot, COUNT(*),"
            f" SUM({_token(_MADE if deep else _STORED)}) {_rows(dataset)} GROUP BY slot ORDER BY slot"
        )
        found = await self._fetch(query, (since, nick, since, until))
        return [Slice(since + int(slot) * step, count, int(total)) for slot, count, total in found]

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
            f"SELECT t.{key}, t.{identifier(dataset.modified)}, {_MADE if deep else _STORED}"
            f" {_rows(dataset)} AND (%s IS NULL OR t.{key} > %s) ORDER BY t.{key} LIMIT %s"
        )
        return [Head(*row) for row in await self._fetch(query, (nick, since, until, after, after, limit))]

    async def standing(self, dataset: Dataset, keys: Sequence[int]) -> dict[int, Stood]:
        """Rows of these keys, by key. One from before Cairn without a time counts as older than anything."""
        if not keys:
            return {}
        key = f"t.{identifier(dataset.key)}"
        query = (
            f"SELECT {key}, t.{identifier(dataset.modified)}, COALESCE(t.jdp_version, 0), {_STORED},"
            f" COALESCE(CAST({_MADE} AS BINARY) = CAST(t.jdp_hashcode AS BINARY), FALSE)"
            f" FROM {qualified('sys_info', dataset.table)} t WHERE {key} IN %s"
        )
        return {
            key: Stood(modified or OLDEST, version, hashed, bool(sound))
            for key, modified, version, hashed, sound in await self._fetch(query, (list(keys),))
        }

    async def quarantined(self, dataset: Dataset, keys: Iterable[int]) -> set[int]:
        """Those of the keys that a record in quarantine has."""
        asked = [str(key) for key in keys]
        if not asked:
            return set()
        query = (
            "SELECT DISTINCT object_key FROM sys_info.jdp_quarantine WHERE topic = %s AND state = 'open'"
            " AND object_key IN %s"
        )
        return {int(row[0]) for row in await self._fetch(query, (dataset.name, asked))}

    async def refused(self, dataset: Dataset, after: int, limit: int) -> list[Kept]:
        """Records in quarantine because the database refused them, at most so many behind this id, in their order."""
        found = await self._fetch(
            "SELECT id, stream, stream_seq, member_no, payload, reason FROM sys_info.jdp_quarantine"
            " WHERE state = 'open' AND reason = 'ROW_REFUSED' AND topic = %s AND id > %s ORDER BY id LIMIT %s",
            (dataset.name, after, limit),
        )
        return [Kept(row[0], (row[1], row[2], row[3]), row[4], row[5]) for row in found]

    async def tried(self, kept: Kept, refused: Refused | None, by: str | None = None) -> None:
        """A record of quarantine stands by now, or stays there. by: on whose behalf, by default the login's."""
        if refused is None:
            await self._fetch(
                "UPDATE sys_info.jdp_quarantine SET attempts = attempts + 1, state = 'retried',"
                " resolved_by = COALESCE(%s, CURRENT_USER()), resolved_at = UTC_TIMESTAMP(6)"
                " WHERE id = %s AND state = 'open'",
                (by, kept.id),
            )
            return
        await self._fetch(
            "UPDATE sys_info.jdp_quarantine SET attempts = attempts + 1, reason = %s, error_code = %s, error_text = %s,"
            " seller_nick = COALESCE(%s, seller_nick)"
            " WHERE id = %s AND state = 'open'",
            (*refused, kept.id),
        )

    async def windows(self, dataset: Dataset, shop: str, since: datetime) -> list[Window]:
        """What the book says of the hours from `since` on."""
        query = "SELECT * FROM sys_info.jdp_audit WHERE table_name = %s AND shop_id = %s AND window_start >= %s"
        found = await self._fetch(query, (dataset.table, shop, since))
        return [Window(*(*row[:12], bool(row[12]), row[13].replace(tzinfo=UTC))) for row in found]

    async def note(self, windows: Iterable[Window]) -> None:
        """Into the book. `repaired` is added to what it says already."""
        query = (
            "INSERT INTO sys_info.jdp_audit VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON DUPLICATE KEY UPDATE deep = VALUES(deep) OR (deep AND VALUES(repaired) = 0),"
            " repaired = repaired + VALUES(repaired), "
            + ", ".join(
                f"{name} = VALUES({name})"
                for name in ("sent", "stood", "missing", "stale", "wrong", "quarantined", "extra", "audited_at")
            )
        )
        for window in windows:
            await self._fetch(query, (*window[:-1], window.at.astimezone(UTC).replace(tzinfo=None)))

    async def progress(self, dataset: Dataset, shop: str) -> Progress | None:
        """How far the history is brought in; None before it was begun."""
        found = await self._fetch(
            "SELECT since, until, at_modified, at_key, records, done_at FROM sys_info.jdp_backfill"
            " WHERE table_name = %s AND shop_id = %s",
            (dataset.table, shop),
        )
        if not found:
            return None
        since, until, modified, key, records, done = found[0]
        return Progress(since, until, None if modified is None else (modified, key), records, done is not None)

    async def advance(self, dataset: Dataset, shop: str, progress: Progress) -> None:
        """Note it, once what it says stands."""
        at = progress.at or (None, None)
        await self._fetch(
            "INSERT INTO sys_info.jdp_backfill VALUES (%s, %s, %s, %s, %s, %s, %s, IF(%s, UTC_TIMESTAMP(6), NULL))"
            " ON DUPLICATE KEY UPDATE "
            + ", ".join(
                f"{name} = VALUES({name})" for name in ("since", "until", "at_modified", "at_key", "records", "done_at")
            ),
            (dataset.table, shop, progress.since, progress.until, *at, progress.records, progress.done),
        )

    async def clock(self) -> float:
        """The server's, in seconds since 1970."""
        return float((await self._fetch("SELECT UNIX_TIMESTAMP(NOW(6))", ()))[0][0])

    async def horizon(self, dataset: Dataset, shop: str) -> datetime | None:
        """From when on records are kept. None: all are."""
        with translated():
            return await retention.horizon(await self._open(), dataset, shop)

    async def keep_from(self, dataset: Dataset, shop: str, horizon: datetime) -> None:
        """Note it, unless a later one is noted."""
        with translated():
            await retention.keep_from(await self._open(), dataset, shop, horizon)

    async def expire(self, dataset: Dataset, shop: str, nick: str, limit: int) -> tuple[int, int]:
        """How many rows from before the horizon were found, and how many of them deleted."""
        with translated():
            return await retention.expire(await self._open(), dataset, shop, nick, limit)

    async def oversold(self, trades: Dataset, items: Dataset, nick: str) -> int | None:
        """Units sold above stock."""
        stocked = await self._fetch(items_sql(items), (nick,))
        if not stocked:
            return 0
        stock: dict[int, int] = {key: units for key, _, units in stocked}
        told = asked((key, at) for key, at, _ in stocked)
        first = min(at for _, at, _ in stocked)
        sold = await self._fetch(sold_sql(trades), (told, nick, CLOSED, first))
        return sum(max(0, int(units or 0) - stock[key]) for key, units in sold)

    async def _fetch(self, statement: str, values: Sequence[object]) -> list[Row]:
        with translated():
            return await (await self._open()).fetch(statement, values)

    async def _open(self) -> Session:
        if self._session is None or not self._session.open:
            self._session = await connect(self._target(), statement_timeout=STATEMENT_SECONDS)
        return self._session


def _rows(dataset: Dataset) -> str:
    modified = f"t.{identifier(dataset.modified)}"
    return (
        f"FROM {qualified('sys_info', dataset.table)} t"
        f" WHERE t.{identifier(dataset.owner)} = %s AND {modified} >= %s AND {modified} < %s"
    )


def _token(hashed: str) -> str:
    """The same as `api.proof.token`; a hash that Cairn did not write, in a table from before it, counts as nothing."""
    digits = f"SUBSTR({hashed}, 1, {SUMMED_DIGITS})"
    good = f"{digits} REGEXP '^[0-9a-f]{{{SUMMED_DIGITS}}}$'"
    return f"CASE WHEN {good} THEN CAST(CONV({digits}, 16, 10) AS UNSIGNED) ELSE 0 END"

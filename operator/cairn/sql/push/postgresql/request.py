# SPDX-License-Identifier: Apache-2.0
"""sys_info.jdp_request in PostgreSQL: asked for by the operator, carried out by the worker with the push login."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cairn.api.dataset import Dataset
from cairn.sql.postgresql import Connection
from cairn.sql.push.book import Kept
from cairn.sql.push.postgresql.ledger import Ledger
from cairn.sql.push.request import Answer, Choice, Request

_CHOSEN = (
    "state = 'open' AND topic = $1 AND (seller_nick IS NULL OR seller_nick = ANY($2::text[]) OR reason ="
    " 'NOT_YOUR_SHOP') AND ($3::int8[] IS NULL OR id = ANY($3)) AND ($4::text IS NULL OR reason = $4)"
)


class Desk(Ledger):
    """A session for whoever carries out requests."""

    async def requests(self, subscription: str) -> list[Request]:
        """Open ones, the oldest first."""
        query = (
            "SELECT id, action, args, counts, reached FROM sys_info.jdp_request"
            " WHERE subscription = $1 AND state = 'open' ORDER BY asked_at, id"
        )
        return [Request.of(tuple(row)) for row in await (await self._open()).fetch(query, subscription)]

    async def mark(self, request: str, counts: Mapping[str, int], reached: Sequence[Any]) -> bool:
        """How far it came. False where nobody asks for it any more."""
        query = (
            "UPDATE sys_info.jdp_request SET counts = $2, reached = $3, message = NULL WHERE id = $1 AND state = 'open'"
        )
        tag = await (await self._open()).execute(query, request, json.dumps(counts), json.dumps(reached))
        return tag.endswith(" 1")

    async def held_up(self, request: str, message: str) -> None:
        """What it waits for."""
        query = "UPDATE sys_info.jdp_request SET message = $2 WHERE id = $1 AND state = 'open'"
        await (await self._open()).execute(query, request, message)

    async def end(self, request: str, counts: Mapping[str, int], failure: str | None = None) -> None:
        query = (
            "UPDATE sys_info.jdp_request SET state = CASE WHEN $3::text IS NULL THEN 'done' ELSE 'failed' END,"
            " counts = $2, message = $3, ended_at = pg_catalog.clock_timestamp() WHERE id = $1 AND state = 'open'"
        )
        await (await self._open()).execute(query, request, json.dumps(counts), failure)

    async def kept(self, dataset: Dataset, choice: Choice, after: int, limit: int) -> list[Kept]:
        """Open records of quarantine, at most so many behind this id, in their order."""
        query = (
            "SELECT id, stream, stream_seq, member_no, payload, reason FROM sys_info.jdp_quarantine"
            f" WHERE {_CHOSEN} AND id > $5 ORDER BY id LIMIT $6"
        )
        found = await (await self._open()).fetch(query, dataset.name, *_values(choice), after, limit)
        return [Kept(row[0], (row[1], row[2], row[3]), row[4], row[5]) for row in found]

    async def discard(self, dataset: Dataset, choice: Choice, by: str) -> None:
        """Open records are given up."""
        query = (
            "UPDATE sys_info.jdp_quarantine SET state = 'discarded', resolved_by = $5,"
            f" resolved_at = pg_catalog.clock_timestamp() WHERE {_CHOSEN}"
        )
        await (await self._open()).execute(query, dataset.name, *_values(choice), by)

    async def resolved(self, by: str) -> int:
        """How many records of quarantine were retried or discarded on this behalf."""
        query = "SELECT count(*) FROM sys_info.jdp_quarantine WHERE resolved_by = $1"
        return int(await (await self._open()).fetchval(query, by))


def _values(choice: Choice) -> tuple[Any, ...]:
    return list(choice.nicks), None if choice.ids is None else list(choice.ids), choice.reason


async def submit(conn: Connection, subscription: str, request: Request) -> None:
    query = (
        "INSERT INTO sys_info.jdp_request (id, subscription, action, args) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (id) DO NOTHING"
    )
    await conn.execute(query, request.id, subscription, request.action, json.dumps(request.args))


async def answer(conn: Connection, request: str) -> Answer | None:
    row = await conn.fetchrow("SELECT state, counts, message FROM sys_info.jdp_request WHERE id = $1", request)
    return None if row is None else Answer.of(tuple(row))


async def withdraw(conn: Connection, request: str) -> None:
    query = (
        "UPDATE sys_info.jdp_request SET state = 'withdrawn', ended_at = pg_catalog.clock_timestamp()"
        " WHERE id = $1 AND state = 'open'"
    )
    await conn.execute(query, request)

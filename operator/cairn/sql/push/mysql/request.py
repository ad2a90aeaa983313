# SPDX-License-Identifier: Apache-2.0
"""sys_info.jdp_request in MySQL and MariaDB: asked for by the operator, carried out by the worker."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cairn.api.dataset import Dataset
from cairn.sql.push.book import Kept
from cairn.sql.push.mysql.ledger import Ledger
from cairn.sql.push.request import Answer, Choice, Request
from cairn.sql.share.mysql.connection import Session


class Desk(Ledger):
    """A session for whoever carries out requests."""

    async def requests(self, subscription: str) -> list[Request]:
        """Open ones, the oldest first."""
        found = await self._fetch(
            "SELECT id, action, args, counts, reached FROM sys_info.jdp_request"
            " WHERE subscription = %s AND state = 'open' ORDER BY asked_at, id",
            (subscription,),
        )
        return [Request.of(row) for row in found]

    async def mark(self, request: str, counts: Mapping[str, int], reached: Sequence[Any]) -> bool:
        """How far it came. False where nobody asks for it any more."""
        await self._fetch(
            "UPDATE sys_info.jdp_request SET counts = %s, reached = %s, message = NULL"
            " WHERE id = %s AND state = 'open'",
            (json.dumps(counts), json.dumps(reached), request),
        )
        found = await self._fetch("SELECT 1 FROM sys_info.jdp_request WHERE id = %s AND state = 'open'", (request,))
        return bool(found)

    async def held_up(self, request: str, message: str) -> None:
        """What it waits for."""
        await self._fetch(
            "UPDATE sys_info.jdp_request SET message = %s WHERE id = %s AND state = 'open'", (message, request)
        )

    async def end(self, request: str, counts: Mapping[str, int], failure: str | None = None) -> None:
        await self._fetch(
            "UPDATE sys_info.jdp_request SET state = %s, counts = %s, message = %s, ended_at = UTC_TIMESTAMP(6)"
            " WHERE id = %s AND state = 'open'",
            ("done" if failure is None else "failed", json.dumps(counts), failure, request),
        )

    async def kept(self, dataset: Dataset, choice: Choice, after: int, limit: int) -> list[Kept]:
        """Open records of quarantine, at most so many behind this id, in their order."""
        chosen, values = _chosen(dataset, choice)
        found = await self._fetch(
            "SELECT id, stream, stream_seq, member_no, payload, reason FROM sys_info.jdp_quarantine"
            f" WHERE {chosen} AND id > %s ORDER BY id LIMIT %s",
            (*values, after, limit),
        )
        return [Kept(row[0], (row[1], row[2], row[3]), row[4], row[5]) for row in found]

    async def discard(self, dataset: Dataset, choice: Choice, by: str) -> None:
        """Open records are given up."""
        chosen, values = _chosen(dataset, choice)
        await self._fetch(
            "UPDATE sys_info.jdp_quarantine SET state = 'discarded', resolved_by = %s,"
            f" resolved_at = UTC_TIMESTAMP(6) WHERE {chosen}",
            (by, *values),
        )

    async def resolved(self, by: str) -> int:
        """How many records of quarantine were retried or discarded on this behalf."""
        found = await self._fetch("SELECT COUNT(*) FROM sys_info.jdp_quarantine WHERE resolved_by = %s", (by,))
        return int(found[0][0])


def _chosen(dataset: Dataset, choice: Choice) -> tuple[str, tuple[Any, ...]]:
    chosen = "state = 'open' AND topic = %s AND (seller_nick IS NULL OR seller_nick IN %s OR reason = 'NOT_YOUR_SHOP')"
    values: tuple[Any, ...] = (dataset.name, list(choice.nicks))
    if choice.ids is not None:
        chosen, values = f"{chosen} AND id IN %s", (*values, list(choice.ids))
    if choice.reason is not None:
        chosen, values = f"{chosen} AND reason = %s", (*values, choice.reason)
    return chosen, values


async def submit(session: Session, subscription: str, request: Request) -> None:
    await session.execute(
        "INSERT INTO sys_info.jdp_request (id, subscription, action, args) VALUES (%s, %s, %s, %s)"
        " ON DUPLICATE KEY UPDATE id = id",
        (request.id, subscription, request.action, json.dumps(request.args)),
    )


async def answer(session: Session, request: str) -> Answer | None:
    found = await session.fetch("SELECT state, counts, message FROM sys_info.jdp_request WHERE id = %s", (request,))
    return Answer.of(found[0]) if found else None


async def withdraw(session: Session, request: str) -> None:
    await session.execute(
        "UPDATE sys_info.jdp_request SET state = 'withdrawn', ended_at = UTC_TIMESTAMP(6)"
        " WHERE id = %s AND state = 'open'",
        (request,),
    )

# SPDX-License-Identifier: Apache-2.0
"""dbo.jdp_request in SQL Server: asked for by the operator, carried out by the worker."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cairn.api.dataset import Dataset
from cairn.sql.push.book import Kept
from cairn.sql.push.request import Answer, Choice, Request
from cairn.sql.push.sqlserver.ddl import EXACT
from cairn.sql.push.sqlserver.ledger import Ledger
from cairn.sql.share.blocking import Blocking

OPEN = (
    "SELECT id, action, args, counts, reached FROM [dbo].[jdp_request] WHERE subscription = %s AND state = 'open'"
    " ORDER BY asked_at, id"
)
MARK = (
    "UPDATE [dbo].[jdp_request] SET counts = %s, reached = %s, message = NULL WHERE id = %s AND state = 'open'"
    "; SELECT @@ROWCOUNT AS n"
)
HELD_UP = "UPDATE [dbo].[jdp_request] SET message = %s WHERE id = %s AND state = 'open'"
END = (
    "UPDATE [dbo].[jdp_request] SET state = %s, counts = %s, message = %s, ended_at = SYSUTCDATETIME()"
    " WHERE id = %s AND state = 'open'"
)
RESOLVED = "SELECT COUNT(*) AS n FROM [dbo].[jdp_quarantine] WHERE resolved_by = %s"
SUBMIT = (
    "INSERT INTO [dbo].[jdp_request] (id, subscription, action, args) SELECT v.id, v.subscription, v.action, v.args"
    " FROM (VALUES (%s, %s, %s, %s)) AS v (id, subscription, action, args)"
    " WHERE NOT EXISTS (SELECT 1 FROM [dbo].[jdp_request] AS r WITH (UPDLOCK, HOLDLOCK) WHERE r.id = %s)"
)
ANSWER = "SELECT state, counts, message FROM [dbo].[jdp_request] WHERE id = %s"
WITHDRAW = (
    "UPDATE [dbo].[jdp_request] SET state = 'withdrawn', ended_at = SYSUTCDATETIME() WHERE id = %s AND state = 'open'"
)
_CHOSEN = (
    "state = 'open' AND topic = %s AND (seller_nick IS NULL OR reason = 'NOT_YOUR_SHOP' OR seller_nick COLLATE "
    f"{EXACT} IN (SELECT n.v COLLATE {EXACT} FROM OPENJSON(%s) WITH (v nvarchar(128) '$') AS n))"
)


class Desk(Ledger):
    """A session for whoever carries out requests."""

    async def requests(self, subscription: str) -> list[Request]:
        """Open ones, the oldest first."""
        return [Request.of(row) for row in await self._fetch(OPEN, (subscription,))]

    async def mark(self, request: str, counts: Mapping[str, int], reached: Sequence[Any]) -> bool:
        """How far it came. False where nobody asks for it any more."""
        return bool((await self._fetch(MARK, (json.dumps(counts), json.dumps(reached), request)))[0][0])

    async def held_up(self, request: str, message: str) -> None:
        """What it waits for."""
        await self._fetch(HELD_UP, (message, request))

    async def end(self, request: str, counts: Mapping[str, int], failure: str | None = None) -> None:
        await self._fetch(END, ("done" if failure is None else "failed", json.dumps(counts), failure, request))

    async def kept(self, dataset: Dataset, choice: Choice, after: int, limit: int) -> list[Kept]:
        """Open records of quarantine, at most so many behind this id, in their order."""
        statement, values = kept(dataset, choice)
        found = await self._fetch(statement, (limit, *values, after))
        return [Kept(row[0], (row[1], row[2], row[3]), row[4], row[5]) for row in found]

    async def discard(self, dataset: Dataset, choice: Choice, by: str) -> None:
        """Open records are given up."""
        statement, values = discard(dataset, choice)
        await self._fetch(statement, (by, *values))

    async def resolved(self, by: str) -> int:
        """How many records of quarantine were retried or discarded on this behalf."""
        return int((await self._fetch(RESOLVED, (by,)))[0][0])


def kept(dataset: Dataset, choice: Choice) -> tuple[str, tuple[Any, ...]]:
    """Wants how many, the values given here, and the id after which."""
    chosen, values = _chosen(dataset, choice)
    statement = (
        "SELECT TOP (%s) id, stream, stream_seq, member_no, payload, reason FROM [dbo].[jdp_quarantine]"
        f" WHERE {chosen} AND id > %s ORDER BY id"
    )
    return statement, values


def discard(dataset: Dataset, choice: Choice) -> tuple[str, tuple[Any, ...]]:
    """Wants on whose behalf, and the values given here."""
    chosen, values = _chosen(dataset, choice)
    statement = (
        "UPDATE [dbo].[jdp_quarantine] SET state = 'discarded', resolved_by = %s, resolved_at = SYSUTCDATETIME()"
        f" WHERE {chosen}"
    )
    return statement, values


def _chosen(dataset: Dataset, choice: Choice) -> tuple[str, tuple[Any, ...]]:
    chosen = _CHOSEN
    values: tuple[Any, ...] = (dataset.name, json.dumps(list(choice.nicks)))
    if choice.ids is not None:
        chosen = f"{chosen} AND id IN (SELECT i.v FROM OPENJSON(%s) WITH (v bigint '$') AS i)"
        values = (*values, json.dumps(list(choice.ids)))
    if choice.reason is not None:
        chosen, values = f"{chosen} AND reason = %s", (*values, choice.reason)
    return chosen, values


async def submit(session: Blocking, subscription: str, request: Request) -> None:
    await session.execute(SUBMIT, (request.id, subscription, request.action, json.dumps(request.args), request.id))


async def answer(session: Blocking, request: str) -> Answer | None:
    found = await session.fetch(ANSWER, (request,))
    return Answer.of(found[0]) if found else None


async def withdraw(session: Blocking, request: str) -> None:
    await session.execute(WITHDRAW, (request,))

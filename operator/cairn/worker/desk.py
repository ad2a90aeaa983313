# SPDX-License-Identifier: Apache-2.0
"""Carries out what Operations ask for. They ask, and are answered, in the seller's database: workers know no cluster.

One request of each action at a time. How far it came stands beside it: whoever is cut off, at whatever moment, goes on
from there, and what is done twice on the way changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from cairn.sql.push.engine import PushDesk
from cairn.sql.push.request import Request
from cairn.worker.faults import DATABASE_ERRORS, text

log = logging.getLogger(__name__)

LOOK_SECONDS, RETRY_SECONDS, SOON_SECONDS = 5.0, 15.0, 1.0


class UndoableError(Exception):
    """It can't be done, however often it is tried. The message says why, in its user's words."""


class WithdrawnError(Exception):
    """Nobody asks for it any more."""


class NotYetError(Exception):
    """It waits for something that comes by itself. The message says for what."""


class Work:
    """A request in hand. counts: what came of it so far; reached: from where to go on, empty at first."""

    def __init__(self, request: Request, desk: PushDesk) -> None:
        self.desk, self.args, self.reached = desk, request.args, request.reached
        self.counts = Counter(request.counts)
        self._id = request.id
        self.by = f"operation {request.id}"

    async def note(self, *reached: Any) -> None:
        """Once what it says stands. Raises WithdrawnError."""
        self.reached = reached
        if not await self.desk.mark(self._id, self.counts, reached):
            raise WithdrawnError


Clerk = Callable[[Work], Awaitable[None]]
"""Carries one request out, from `reached` on, and counts what came of it."""


Ended = Callable[[str, str], None]
"""Told action and state whenever a request is let go of."""


class Desk:
    """One subscription's. passing: errors beside those of the database that go by themselves."""

    def __init__(
        self,
        subscription: str,
        session: Callable[[], PushDesk],
        clerks: Mapping[str, Clerk],
        passing: Sequence[type[Exception]] = (),
        ended: Ended = lambda _action, _state: None,
    ) -> None:
        self._ended = ended
        self._subscription, self._session, self._clerks = subscription, session, clerks
        self._passing = (*DATABASE_ERRORS, *passing, NotYetError)
        self._busy: set[str] = set()
        self._free = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled. Nothing that goes wrong here stops what is pushed."""
        desk, said = self._session(), ""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    try:
                        for request in await desk.requests(self._subscription):
                            if request.action not in self._busy:
                                self._busy.add(request.action)
                                group.create_task(self._take(request))
                        said = ""
                    except Exception as error:
                        if text(error) != said:
                            log.warning("requests: %s: %s", type(error).__name__, text(error))
                        said = text(error)
                        await desk.close()
                    self._free.clear()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._free.wait(), LOOK_SECONDS)
        finally:
            await desk.close()

    async def _take(self, request: Request) -> None:
        desk = self._session()
        try:
            for now in await desk.requests(self._subscription):  # it may have ended since it was seen
                if now.id == request.id:
                    await self._carry_out(now, desk)
        except WithdrawnError:
            log.info("request %s (%s): withdrawn", request.id, request.action)
        except Exception as error:
            if not isinstance(error, self._passing):
                log.exception("request %s (%s): nobody foresaw this", request.id, request.action)
            self._ended(request.action, "interrupted")
            await self._held_up(request, error, desk)
            await asyncio.sleep(SOON_SECONDS if isinstance(error, NotYetError) else RETRY_SECONDS)
        finally:
            await desk.close()
            self._busy.discard(request.action)
            self._free.set()

    async def _carry_out(self, request: Request, desk: PushDesk) -> None:
        work, failure = Work(request, desk), None
        try:
            clerk = self._clerks.get(request.action)
            if clerk is None:
                raise UndoableError(f"this worker knows no {request.action}")  # noqa: TRY301 - one way out
            await clerk(work)
        except UndoableError as error:
            failure = str(error)
        await desk.end(request.id, work.counts, failure)
        self._ended(request.action, "failed" if failure else "done")
        log.info("request %s (%s): %s", request.id, request.action, failure or dict(work.counts))

    async def _held_up(self, request: Request, error: Exception, desk: PushDesk) -> None:
        why = text(error) or type(error).__name__
        log.warning("request %s (%s): %s", request.id, request.action, why)
        await desk.close()
        with suppress(Exception):  # the next look at the database says so
            await desk.held_up(request.id, why)

# SPDX-License-Identifier: Apache-2.0
"""Empties an outbox into the gateway: each batch until it was answered, however often and however long."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import aiohttp

from cairn.api.signing import signature
from cairn.client.outbox import Batch, Lane, Outbox

log = logging.getLogger(__name__)

REQUEST_SECONDS = 30.0
BACKOFF_SECONDS = (0.1, 30.0)
SPLIT = frozenset({400, 413, 422})
"""Answers that no repetition changes, and that may be about some of the records only."""
PARKED = frozenset({404, 405, 415})
"""About all of them. 401 and 403 are in neither: with a clock, a key or a certificate set right, they change."""

Signer = Callable[[str, bytes], Mapping[str, str]]
"""Headers for a path and a body."""


def signer(key: Callable[[], bytes]) -> Signer:
    """By HMAC. key: asked each time, so that a renewed one is used."""

    def sign(path: str, body: bytes) -> Mapping[str, str]:
        stamp = str(int(time.time()))
        return {"X-Cairn-Timestamp": stamp, "X-Cairn-Signature": signature(key(), "POST", path, stamp, body)}

    return sign


@dataclass(slots=True)
class Sender:
    """One process at a time sends from an outbox.

    sign: None where a client certificate in `tls` says who it is
    trouble: why a lane is not getting on, by lane; empty when all is well
    """

    url: str
    outbox: Outbox
    sign: Signer | None = None
    tls: ssl.SSLContext | None = None
    connections: int = 8
    batch_records: int = 500
    backoff: tuple[float, float] = BACKOFF_SECONDS
    trouble: dict[Lane, str] = field(default_factory=dict)

    async def run(self, *, idle_seconds: float = 0.5) -> None:
        """Until cancelled. Cancelling loses nothing: what was not answered is sent again."""
        while True:
            await self.flush()
            await asyncio.sleep(idle_seconds)

    async def flush(self) -> None:
        """Return when there is nothing left to send. In trouble that is not before the trouble is over.

        Each lane has a task of its own: one that is in trouble holds up no other, not even one that begins later.
        """
        connector = aiohttp.TCPConnector(limit=0, ssl=True if self.tls is None else self.tls)
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        slots = asyncio.Semaphore(self.connections)
        sending: dict[Lane, asyncio.Task[None]] = {}
        async with (
            aiohttp.ClientSession(self.url, connector=connector, timeout=timeout) as session,
            asyncio.TaskGroup() as group,
        ):
            while True:
                for lane in self.outbox.lanes():
                    if lane not in sending:
                        sending[lane] = group.create_task(self._lane(session, slots, lane))
                if not sending:
                    return
                await asyncio.wait(sending.values(), timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
                sending = {lane: task for lane, task in sending.items() if not task.done()}

    async def _lane(self, session: aiohttp.ClientSession, slots: asyncio.Semaphore, lane: Lane) -> None:
        failures = 0
        while (batch := self.outbox.batch(lane, self.batch_records)) is not None:
            async with slots:
                wait = await self._try(session, batch)
            if wait is None:
                failures = 0
                self.trouble.pop(lane, None)
                continue
            least, most = self.backoff
            await asyncio.sleep(wait + random.uniform(0, min(most, least * 2**failures)))  # noqa: S311
            failures = min(failures + 1, 30)

    async def _try(self, session: aiohttp.ClientSession, batch: Batch) -> float | None:
        """None when it got on; else at least how long to wait."""
        path = batch.lane.path
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": batch.name}
        headers |= {} if self.sign is None else self.sign(path, batch.body)
        try:
            async with session.post(path, data=batch.body, headers=headers, allow_redirects=False) as response:
                text, status = await response.text(errors="replace"), response.status
                told = response.headers.get("Retry-After", "")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return self._failed(batch.lane, f"no answer: {type(error).__name__}")
        if (refused := verdict(status, text, len(batch.ids))) is not None:
            self.outbox.settle(batch, refused)
            return None
        why = f"{status}: {reason(text)}"
        if status in SPLIT and len(batch.ids) > 1:
            self.outbox.split(batch)
        elif status in SPLIT | PARKED:
            self.outbox.settle(batch, dict.fromkeys(range(len(batch.ids)), why))
        else:
            return self._failed(batch.lane, why, min(float(told), 3600.0) if told.isdigit() else 0.0)
        return None

    def _failed(self, lane: Lane, why: str, wait: float = 0.0) -> float:
        if lane not in self.trouble:
            log.warning("%s: %s", lane.path, why)
        self.trouble[lane] = why
        return wait


def verdict(status: int, text: str, sent: int) -> dict[int, str] | None:
    """Reasons by place of what was refused, when the answer speaks for every record that was sent; else None."""
    if status not in (202, 400):
        return None
    try:
        answer = json.loads(text)
        refused = {int(one["line"]) - 1: str(one["reason"]) for one in answer["rejected"]}
        spoken = int(answer["accepted"]) + len(refused)
    except (ValueError, TypeError, KeyError):
        return None
    whole = spoken == sent and all(0 <= place < sent for place in refused) and (status == 202) is (len(refused) < sent)
    return refused if whole else None


def reason(text: str) -> str:
    """What an answer gives as its reason, in short."""
    try:
        return str(json.loads(text)["error"])[:300]
    except (ValueError, TypeError, KeyError):
        return " ".join(text.split())[:300]

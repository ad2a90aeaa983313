# SPDX-License-Identifier: Apache-2.0
"""Stands in for the platform: sends the demo's records to the gateway and keeps its own log of what was acknowledged.

A request is repeated, byte for byte, until the gateway has answered it: 503, a lost connection and a late answer say
nothing about whether the records were taken on. Prints one line of JSON a second for whoever watches.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TextIO

import aiohttp

from demo.log import Answer, entry, write
from demo.orders import FIRST_DAY, Record, Shop, Stream

BATCH_RECORDS = 400
BATCH_BYTES = 900_000
REQUEST_SECONDS = 30
BACKOFF_SECONDS = (0.1, 5.0)


class RefusedError(Exception):
    """The gateway answered in a way that no repetition will change."""


@dataclass(slots=True)
class Counts:
    total: int
    started: float = field(default_factory=time.monotonic)
    accepted: int = 0
    rejected: int = 0
    retries: int = 0

    def line(self) -> str:
        seconds = time.monotonic() - self.started
        numbers = {"total": self.total, "accepted": self.accepted, "rejected": self.rejected, "retries": self.retries}
        return json.dumps(
            {**numbers, "seconds": round(seconds, 1), "per_s": round(self.accepted / max(seconds, 0.001))}
        )


def batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Records of one dataset together, within the gateway's limits; every record comes out once."""
    open_: dict[str, list[Record]] = {}
    size: dict[str, int] = {}
    for record in records:
        batch = open_.setdefault(record.dataset, [])
        full = len(batch) >= BATCH_RECORDS or size.get(record.dataset, 0) + len(record.line) > BATCH_BYTES
        if batch and full:
            yield batch
            open_[record.dataset], size[record.dataset] = [], 0
        open_[record.dataset].append(record)
        size[record.dataset] = size.get(record.dataset, 0) + len(record.line) + 1
    yield from (batch for batch in open_.values() if batch)


def signed(key: bytes, path: str, body: bytes, now: float) -> dict[str, str]:
    """The two headers by which the gateway knows the platform."""
    stamp = str(int(now))
    text = "\n".join(("POST", path, stamp, hashlib.sha256(body).hexdigest()))
    return {
        "X-Cairn-Timestamp": stamp,
        "X-Cairn-Signature": hmac.new(key, text.encode(), hashlib.sha256).hexdigest(),
        "Content-Type": "application/x-ndjson",
    }


@dataclass(slots=True)
class Sender:
    """Several connections that take batches from one stream. `rate` is in records a second, 0 for no limit."""

    url: str
    key: bytes
    shop: Shop
    log: TextIO
    counts: Counts
    rate: float = 0.0
    give_up_seconds: float = 300.0

    async def run(self, records: Iterable[Record], connections: int) -> None:
        """Return when every record was answered; raise RefusedError, or TimeoutError when the gateway stays away."""
        source = batches(records)
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            watch = asyncio.create_task(self._report())
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(connections):
                        group.create_task(self._connection(session, source))
            finally:
                watch.cancel()

    async def _connection(self, session: aiohttp.ClientSession, source: Iterator[list[Record]]) -> None:
        for batch in source:
            await self._pace()
            async with asyncio.timeout(self.give_up_seconds):
                answer = await self._answered(session, batch)
            write(self.log, answer)
            self.counts.accepted += len(answer.accepted)
            self.counts.rejected += len(answer.rejected)

    async def _pace(self) -> None:
        if self.rate:
            done = self.counts.accepted + self.counts.rejected
            await asyncio.sleep(max(0.0, self.counts.started + done / self.rate - time.monotonic()))

    async def _answered(self, session: aiohttp.ClientSession, batch: list[Record]) -> Answer:
        path = f"/v1/push/{self.shop.seller_id}/{self.shop.shop_id}/{batch[0].dataset}"
        body = b"\n".join(record.line for record in batch) + b"\n"
        attempts, wait = 0, BACKOFF_SECONDS[0]
        while True:
            attempts += 1
            try:
                headers = signed(self.key, path, body, time.time())
                async with session.post(self.url + path, data=body, headers=headers) as response:
                    text = await response.text()
                    if response.status in {202, 400}:
                        return _answer(batch, json.loads(text), attempts)
                    if response.status < 500:
                        raise RefusedError(f"POST {path}: {response.status} {text.strip()[:300]}")
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError):
                pass
            self.counts.retries += 1
            await asyncio.sleep(wait * random.uniform(0.5, 1))
            wait = min(wait * 2, BACKOFF_SECONDS[1])

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(1)
            print(self.counts.line(), flush=True)


def _answer(batch: list[Record], found: dict[str, object], attempts: int) -> Answer:
    at = time.time()
    rejected = found.get("rejected", [])
    if not isinstance(rejected, list):
        raise RefusedError(f"the gateway's answer has no list of rejected lines: {found}")
    reasons = {int(one["line"]): str(one["reason"]) for one in rejected}
    entries = [(number, entry(record)) for number, record in enumerate(batch, 1)]
    accepted = tuple(one for number, one in entries if number not in reasons)
    if found.get("accepted", 0) != len(accepted):
        raise RefusedError(f"{len(batch)} lines, {len(reasons)} rejected, but accepted says {found.get('accepted')}")
    refused = tuple((one, reasons[number]) for number, one in entries if number in reasons)
    return Answer(at, batch[0].dataset, attempts, accepted, refused)


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo.sender", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--url", required=True, help="the gateway, for example http://127.0.0.1:8080")
    parser.add_argument("--key-file", type=Path, required=True, help="the HMAC key; the first line of several")
    parser.add_argument("--log", type=Path, required=True, help="log to append to (JSON lines)")
    parser.add_argument("--run", type=int, required=True, help="first digits of every key")
    parser.add_argument("--orders", type=int, default=160_000, help="generated orders beside the real ones")
    parser.add_argument(
        "--first-day", type=datetime.fromisoformat, default=FIRST_DAY, help="on which generated orders begin"
    )
    parser.add_argument("--seller", default="2088")
    parser.add_argument("--shop", default="55501")
    parser.add_argument("--nick", default="taobao001")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--rate", type=float, default=0.0, help="records a second; 0 for no limit")
    return parser


def main() -> None:
    args = options().parse_args()
    shop = Shop(args.seller, args.shop, args.nick)
    stream = Stream(args.orders, args.run, shop, first_day=args.first_day)
    args.log.parent.mkdir(parents=True, exist_ok=True)
    with args.log.open("a") as log:
        sender = Sender(args.url, args.key_file.read_bytes().split()[0], shop, log, Counts(len(stream)), args.rate)
        asyncio.run(sender.run(stream, args.connections))
    print(sender.counts.line(), flush=True)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Stands in for the platform: signs by itself, and repeats a request until it is answered for good."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from faults.oracle.truth import Sent, Truth


class RefusedError(Exception):
    """An answer that no repetition changes."""


@dataclass
class Sender:
    """Posts to one gateway. `answers` counts statuses; 0 is a connection that told nothing."""

    port: int
    key: bytes
    path: str
    truth: Truth
    stop: threading.Event = field(default_factory=threading.Event)
    answers: Counter[int] = field(default_factory=Counter)

    def deliver(self, batch: Sequence[Sent]) -> None:
        """Until accepted, byte for byte the same; then, and not before, it is true.

        After `stop` no more is tried, but of a batch that nobody knows of whether it was accepted, for a while."""
        body = b"\n".join(one.line for one in batch)
        unknown, patience = False, 200
        while True:
            status, answer = self.post(body)
            self.answers[status] += 1
            if status == 202:
                if answer != {"accepted": len(batch), "rejected": []}:
                    raise RefusedError(f"202, but {answer}")
                self.truth.accept(batch)
                return
            if status not in {0, 408, 429, 503}:
                raise RefusedError(f"{status} {answer}")
            unknown |= status != 429  # a 503 may mean that only the bus's answer was lost
            if self.stop.wait(0.1):
                if not unknown or not patience:
                    return
                patience -= 1
                time.sleep(0.1)

    def post(self, body: bytes, seconds: float = 10) -> tuple[int, dict[str, object]]:
        """One request; 0 when nothing was answered."""
        stamp = str(int(time.time()))
        text = "\n".join(("POST", self.path, stamp, hashlib.sha256(body).hexdigest()))
        headers = {
            "X-Cairn-Timestamp": stamp,
            "X-Cairn-Signature": hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest(),
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request("POST", self.path, body, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError):
            return 0, {}
        finally:
            connection.close()


def order(key: int, modified: str, status: str, nick: str = "taobao001", pad: str = "") -> bytes:
    """A trade as the platform hands it out."""
    trade = {
        "tid": key, "status": status, "type": "fixed", "seller_nick": nick, "buyer_nick": "买家😀",
        "created": "2026-11-11 00:00:00", "modified": modified, "payment": "12.30", "memo": pad,
    }  # fmt: skip
    return json.dumps({"trade_fullinfo_get_response": {"trade": trade}}, ensure_ascii=False).encode()


def orders(seed: int, first: int, keys: int, poison: float = 0.0) -> Iterator[Sent]:
    """Without end: late, repeated and out of order, often two contents of one second, now and then one that is poison.

    first: keys are first … first + keys - 1; poison has keys of its own behind them
    """
    randomly = random.Random(seed)
    past: list[Sent] = []
    number = 0
    while True:
        number += 1
        if past and randomly.random() < 0.2:
            yield randomly.choice(past)
            continue
        key = first + randomly.randrange(keys)
        modified = f"2026-11-11 00:{randomly.randrange(2):02d}:{randomly.randrange(6):02d}"
        if randomly.random() < poison:
            key += keys
            yield Sent(key, modified, order(key, modified, f"P{number}", nick="not-ours"), "NOT_YOUR_SHOP")
            continue
        one = Sent(key, modified, order(key, modified, f"S{seed}_{number}", pad="x" * randomly.randrange(200)))
        past = [*past[-200:], one]
        yield one


class Load:
    """Several senders at once, each with keys of its own, until `end`."""

    def __init__(self, sender: Sender, seed: int, threads: int = 3, keys: int = 150, poison: float = 0.002) -> None:
        self.sender, self.failed = sender, list[BaseException]()
        streams = [orders(seed * 10 + n, 1 + n * 10_000, keys, poison) for n in range(threads)]
        self._threads = [threading.Thread(target=self._run, args=(stream,), daemon=True) for stream in streams]
        for thread in self._threads:
            thread.start()

    def _run(self, stream: Iterable[Sent]) -> None:
        source = iter(stream)
        try:
            while not self.sender.stop.is_set():
                self.sender.deliver([next(source) for _ in range(20)])
                time.sleep(0.02)
        except BaseException as error:
            self.failed.append(error)

    def end(self) -> None:
        self.sender.stop.set()
        for thread in self._threads:
            thread.join(30)
        if self.failed:
            raise self.failed[0]

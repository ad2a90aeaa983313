# SPDX-License-Identifier: Apache-2.0
"""Which sellers are to wait, as the leading operator last told. Pure apart from the clock."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping

SUBJECT = "cairn.backlog"
"""Where it is told: plain messages, kept by nobody. Who joins late hears the next round's."""

ROUND_SECONDS = 30.0
STALE_SECONDS = 2.5 * ROUND_SECONDS
"""Two rounds, and what they take. Older words refuse nobody: the seller may long have caught up, and the stream's own
limit stays."""

RELEASE = 0.8
"""Who was refused is let in again below this part of its quota, so that it does not come and go with every round."""


def over(held: Mapping[str, float], quota: float, before: Iterable[str]) -> frozenset[str]:
    """The sellers to refuse. held: bytes that wait, by seller; before: who is refused now."""
    told = frozenset(before)
    return frozenset(seller for seller, size in held.items() if size > quota * (RELEASE if seller in told else 1))


def seller_of(subject: str) -> str:
    """Of push.<seller>.<shop>.<dataset>."""
    return subject.split(".", 2)[1]


class Verdict:
    """What was told last."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full: frozenset[str] = frozenset()
        self._told = clock()

    @property
    def full(self) -> frozenset[str]:
        """Sellers to refuse; none when nobody has told for long."""
        return self._full if self._clock() - self._told <= STALE_SECONDS else frozenset()

    def tell(self, full: Iterable[str]) -> None:
        self._full, self._told = frozenset(full), self._clock()

    def hear(self, data: bytes) -> None:
        """ValueError for what is no verdict; the one before stays then."""
        try:
            told = json.loads(data)["full"]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no verdict: {type(error).__name__}") from error
        if not isinstance(told, list) or not all(isinstance(seller, str) for seller in told):
            raise ValueError("no verdict: full is no list of sellers")
        self.tell(told)


def encode(full: Iterable[str]) -> bytes:
    return json.dumps({"full": sorted(full)}).encode()

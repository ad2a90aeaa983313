# SPDX-License-Identifier: Apache-2.0
"""The stream of the demo: the real orders and refunds of the sample, generated ones beside them, in many versions,
shuffled, some sent twice, and a handful that no database can take.

Deterministic in (seed, run, orders). Low in memory: only an array of numbers is shuffled, and a record is built when
its turn comes. `run` keeps the keys of one run apart from those of another: the first digits of every key.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from demo import poison
from demo.envelopes import REFUND_STEPS, TRADE_STEPS, Order, Refund, line_of, modified, refund, trade
from demo.retail import SAMPLE, Invoice, Line, invoices

RUN_KEYS = 10**9
"""Keys of one run: run·RUN_KEYS to (run + 1)·RUN_KEYS - 1. An oid has three digits more: a bigint holds nine
million runs."""
GENERATED = 10**7
REFUNDS = 5 * 10**8
POISON = 9 * 10**8
REPEATED = 0.06
VERSIONS = 4
FIRST_DAY = datetime(2026, 11, 1)  # noqa: DTZ001  the platform's wall clock
DAYS = 10
"""Orders are made on so many days from the first one on."""
LOST_PUSH = 1000
"""Of one in so many generated orders the platform fails to push the newest version."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line for the gateway. `key` is None where the line has none; `kind` is real, generated, poison, or, of what
    the platform never pushes, unpushed or history."""

    dataset: str
    key: int | None
    modified: str
    line: bytes
    kind: str


@dataclass(frozen=True, slots=True)
class Shop:
    """Whose orders these are: the ids in the gateway's path, and the shop's nick in every record."""

    seller_id: str = "2088"
    shop_id: str = "55501"
    nick: str = "taobao001"


@dataclass(slots=True)
class Stream:
    """All records of one run; iterate to get them in the order in which they are to be sent."""

    orders: int
    run: int
    shop: Shop = field(default_factory=Shop)
    seed: int = 1
    sample: Path = SAMPLE
    first_day: datetime = FIRST_DAY
    _sources: list[Callable[[int], Record]] = field(default_factory=list)
    _catalogue: list[Line] = field(default_factory=list)
    _codes: array[int] = field(default_factory=lambda: array("L"))

    def __post_init__(self) -> None:
        real = invoices(self.sample)
        self._catalogue = [line for invoice in real for line in invoice.lines if line.price]
        for invoice in real:
            self._sources += self._refunds(invoice, len(self._sources)) if invoice.cancelled else [self._real(invoice)]
        self._codes.extend(source * VERSIONS + v for source in range(len(self._sources)) for v in range(VERSIONS))
        self._codes.extend(self._generated_codes(len(self._sources)))
        chance = random.Random(self.seed)
        self._codes.extend(chance.sample(self._codes, int(len(self._codes) * REPEATED)))
        chance.shuffle(self._codes)

    def __len__(self) -> int:
        return len(self._codes) + len(poison.LINES)

    def __iter__(self) -> Iterator[Record]:
        bad = poison.records(self.run * RUN_KEYS + POISON, self.shop.nick)
        every = max(1, len(self._codes) // (len(bad) + 1))
        for number, code in enumerate(self._codes):
            source, version = divmod(code, VERSIONS)
            if source < len(self._sources):
                yield self._sources[source](version)
            else:
                yield self._generated(source - len(self._sources), version)
            if bad and number % every == every - 1:
                yield Record("trades", *bad.pop(), "poison")
        yield from (Record("trades", *one, "poison") for one in bad)

    def newest(self) -> Iterator[Record]:
        """What the platform itself holds in the end: the newest version of each, the unpushed ones among them."""
        for source in self._sources:
            yield source(VERSIONS - 1)
        for number in range(self.orders):
            record = self._generated(number, _versions(number) - 1)
            yield replace(record, kind="unpushed") if _unpushed(number) else record

    def _generated_codes(self, first: int) -> Iterator[int]:
        for number in range(self.orders):
            for version in range(_versions(number) - _unpushed(number)):
                yield (first + number) * VERSIONS + version

    def _real(self, invoice: Invoice) -> Callable[[int], Record]:
        order = Order(
            self.run * RUN_KEYS + invoice.number,
            self.shop.nick,
            invoice.customer,
            invoice.country,
            invoice.at,
            invoice.lines,
        )
        return partial(_trade, order)

    def _generated(self, number: int, version: int) -> Record:
        chance = random.Random(self.seed << 40 | number)
        order = Order(
            tid=self.run * RUN_KEYS + GENERATED + number,
            seller=self.shop.nick,
            buyer=f"buyer{chance.randrange(self.orders)}",
            country="United Kingdom",
            created=self.first_day + timedelta(seconds=chance.randrange(DAYS * 86_400)),
            lines=chance.choices(self._catalogue, k=1 + chance.randrange(3)),
        )
        return _trade(order, version, kind="generated")

    def _refunds(self, invoice: Invoice, first: int) -> list[Callable[[int], Record]]:
        """A platform refunds article by article, so a cancellation of three lines is three refunds."""
        made: list[Callable[[int], Record]] = []
        for number, (line, (order, position)) in enumerate(zip(invoice.lines, invoice.of, strict=True)):
            tid = self.run * RUN_KEYS + order
            refund_id = self.run * RUN_KEYS + REFUNDS + first + number
            one = Refund(refund_id, tid, tid * 1000 + position, self.shop.nick, invoice.customer, invoice.at, line)
            made.append(partial(_refund, one))
        return made


def _versions(number: int) -> int:
    """Orders end at different steps: two versions in every fourth, three in every second, four in every fourth."""
    return (2, 3, 3, 4)[number % 4]


def _unpushed(number: int) -> bool:
    return number % LOST_PUSH == LOST_PUSH // 2


def _trade(order: Order, version: int, kind: str = "real") -> Record:
    line = line_of(trade(order, version))
    return Record("trades", order.tid, modified(order.created, TRADE_STEPS, version), line, kind)


def _refund(one: Refund, version: int) -> Record:
    line = line_of(refund(one, version))
    return Record("refunds", one.refund_id, modified(one.created, REFUND_STEPS, version), line, "real")

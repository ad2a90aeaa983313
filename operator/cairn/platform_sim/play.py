# SPDX-License-Identifier: Apache-2.0
"""Double 11 as one shop sees it: orders in four versions each, some told late, some twice, all shuffled. Pure.

Deterministic in (orders, day, first, seed). An order's versions differ in status and time; every one is of one article.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

STEPS = (
    ("WAIT_BUYER_PAY", timedelta(0)),
    ("WAIT_SELLER_SEND_GOODS", timedelta(minutes=2)),
    ("WAIT_BUYER_CONFIRM_GOODS", timedelta(hours=5)),
    ("TRADE_FINISHED", timedelta(days=3)),
)
LATE, TWICE = 0.05, 0.03
"""Shares of versions that are told long after they happened, and that are told again."""


@dataclass(frozen=True, slots=True)
class Play:
    """day: when the orders are made. first: the first order's number. withheld: share of versions never pushed.

    items: how many the shop has, each with this stock; every order is of one unit of one of them, and of a few of them
    nearly all are. Nobody stops at the end of the stock.
    """

    orders: int
    nick: str
    day: datetime
    first: int = 1
    seed: int = 11
    withheld: float = 0.0
    items: int = 0
    stock: int = 0

    def told(self) -> list[tuple[int, int]]:
        """(order, step) in the order in which the platform tells them."""
        calls = []
        for number in range(self.first, self.first + self.orders):
            chance = self._chance(number)
            created = self._created(chance)
            for step, (_, behind) in enumerate(STEPS):
                late = timedelta(hours=chance.randrange(1, 48)) if chance.random() < LATE else timedelta(0)
                times = 2 if chance.random() < TWICE else 1
                calls += [(created + behind + late, chance.random(), number, step) for _ in range(times)]
        return [(number, step) for _, _, number, step in sorted(calls)]

    def payload(self, number: int, step: int) -> bytes:
        """One version of an order, as the platform hands it out."""
        created = self._created(self._chance(number))
        status, behind = STEPS[step]
        trade = {
            "tid": number,
            "status": status,
            "type": "fixed",
            "seller_nick": self.nick,
            "buyer_nick": f"buyer{number % 9973}",
            "created": str(created),
            "modified": str(created + behind),
            "num": 1,
            "payment": f"{number % 500 + 1}.00",
            "receiver_address": f"Street {number % 311}",
        }
        if self.items:
            line = {"oid": number, "num_iid": self._item(number), "num": 1, "title": "Down jacket"}
            trade["orders"] = {"order": [line]}
        return json.dumps({"trade_fullinfo_get_response": {"trade": trade}}).encode()

    def __iter__(self) -> Iterator[tuple[bytes, bool]]:
        """Payloads as they are told, and whether each is pushed."""
        return ((self.payload(*one), not self._lost(*one)) for one in self.told())

    def stocked(self) -> Iterator[bytes]:
        """The items, as they stood before the first order."""
        for number in range(1, self.items + 1):
            item = {
                "num_iid": number,
                "nick": self.nick,
                "approve_status": "onsale",
                "created": str(self.day),
                "modified": str(self.day),
                "title": f"Item {number}",
                "num": self.stock,
            }
            yield json.dumps({"item_get_response": {"item": item}}).encode()

    def _item(self, order: int) -> int:
        chance = random.Random(f"{self.seed} item {order}").random()  # noqa: S311 -- a play
        return 1 + int(self.items * chance**3)

    def _lost(self, number: int, step: int) -> bool:
        """However often it is told."""
        return random.Random(f"{self.seed} {number} {step}").random() < self.withheld  # noqa: S311 -- a play

    def _chance(self, number: int) -> random.Random:
        return random.Random(self.seed << 40 | number)  # noqa: S311 -- a play

    def _created(self, chance: random.Random) -> datetime:
        return self.day + timedelta(seconds=chance.randrange(86_400))

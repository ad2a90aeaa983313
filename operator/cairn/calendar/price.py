# SPDX-License-Identifier: Apache-2.0
"""Which price is in force on a day, and when the next one comes. Days are UTC."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time

from cairn.api.serviceplan import Price


def day(price: Price) -> date | None:
    """First day on which a price holds; None where what is written is no date."""
    try:
        return date.fromisoformat(price.from_)
    except ValueError:
        return None


def price_at(prices: Iterable[Price], now: datetime) -> Price | None:
    """The price in force: of those that hold already, the one that came last."""
    today = now.astimezone(UTC).date()
    begun = [(start, n, price) for n, price in enumerate(prices) if (start := day(price)) and start <= today]
    return max(begun, key=lambda entry: entry[:2])[2] if begun else None


def next_price(prices: Iterable[Price], now: datetime) -> datetime | None:
    """The moment at which the price in force changes next."""
    today = now.astimezone(UTC).date()
    coming = [start for price in prices if (start := day(price)) and start > today]
    return datetime.combine(min(coming), time(), UTC) if coming else None

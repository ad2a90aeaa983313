# SPDX-License-Identifier: Apache-2.0
"""Prices by date, discounts by term, months, and amounts of money. Days and months are UTC.

An amount is an exact fraction until `money` writes it: a 30th of a month or a 730th has no end as a decimal number,
and what is rounded on the way shows in a sum.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from math import floor

from cairn.api.serviceplan import Discount, Price

HOURS = 730
"""Hours of a month where a price names none: a twelfth of a year."""
_MONTH = re.compile(r"(2[0-9]{3})-(0[1-9]|1[0-2])\Z")


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
    return midnight(min(coming)) if coming else None


def pieces(prices: Iterable[Price], since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime, Price]]:
    """The price of each part of [since, until); times before the first price are left out: they cost nothing."""
    prices = tuple(prices)
    while since < until:
        edge = min(next_price(prices, since) or until, until)
        if price := price_at(prices, since):
            yield since, edge, price
        since = edge


def hourly(price: Price | None) -> Fraction:
    """What an hour costs."""
    if price is None:
        return Fraction()
    return Fraction(price.monthly) / HOURS if price.hourly is None else Fraction(price.hourly)


def percent_off(discounts: Iterable[Discount], term_months: int) -> int:
    """The discount of the longest term that the seller has agreed to."""
    granted = [(discount.months, discount.percent) for discount in discounts if discount.months <= term_months]
    return max(granted)[1] if granted else 0


def month_of(now: datetime) -> date:
    """A month is named by its first day."""
    return now.astimezone(UTC).date().replace(day=1)


def next_month(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def midnight(when: date) -> datetime:
    """The moment at which a day begins."""
    return datetime.combine(when, time(), UTC)


def parse_month(text: str) -> date:
    """The month that 2026-11 stands for. ValueError that says what to write."""
    found = _MONTH.match(text)
    if not found:
        raise ValueError(f"{text} is no month: write year and month, such as 2026-11")
    return date(int(found[1]), int(found[2]), 1)


def hours(since: datetime, until: datetime) -> Fraction:
    """Exact: microseconds are whole numbers."""
    return Fraction((until - since) // timedelta(microseconds=1), 3_600_000_000)


def money(amount: Fraction, digits: int = 2) -> str:
    """Rounded half up, written with a point whatever the locale."""
    scale = 10**digits
    units = floor(amount * scale + Fraction(1, 2))
    return f"{units // scale}.{units % scale:0{digits}d}"

# SPDX-License-Identifier: Apache-2.0
"""Prices by date, discounts by term, months, and how money is written."""

from __future__ import annotations

import locale
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.api.serviceplan import Discount, Price
from cairn.calendar.price import (
    hourly,
    hours,
    midnight,
    money,
    month_of,
    next_month,
    next_price,
    parse_month,
    percent_off,
    pieces,
    price_at,
)
from unit.calendar.priced import utc

PRICES = (
    Price(name="a", from_="2026-11-01", monthly="300"),
    Price(name="b", from_="2026-11-16", monthly="360", hourly="0.60"),
    Price(name="broken", from_="2026-13-45", monthly="1"),
)


@pytest.mark.parametrize(
    ("now", "name", "then"),
    [
        pytest.param(utc(2026, 10, 31, 23, 59, 59), None, utc(2026, 11, 1), id="before-the-first"),
        pytest.param(utc(2026, 11, 1), "a", utc(2026, 11, 16), id="first-moment"),
        pytest.param(utc(2026, 11, 15, 23, 59, 59), "a", utc(2026, 11, 16), id="last-moment"),
        pytest.param(utc(2026, 11, 16), "b", None, id="the-next"),
        pytest.param(datetime.fromisoformat("2026-11-16T07:59:59+08:00"), "a", utc(2026, 11, 16), id="days-are-utc"),
    ],
)
def test_price_in_force_is_the_one_that_came_last(now: datetime, name: str | None, then: datetime | None) -> None:
    found = price_at(PRICES, now)
    assert (found and found.name, next_price(PRICES, now)) == (name, then)


def test_pieces_leave_out_what_has_no_price() -> None:
    found = [(start, end, price.name) for start, end, price in pieces(PRICES, utc(2026, 10, 1), utc(2026, 12, 1))]
    assert found == [
        (utc(2026, 11, 1), utc(2026, 11, 16), "a"),
        (utc(2026, 11, 16), utc(2026, 12, 1), "b"),
    ]


def test_hour_without_a_price_of_its_own_is_the_month_by_730() -> None:
    assert hourly(PRICES[0]) == Fraction(300, 730)
    assert hourly(PRICES[1]) == Fraction(6, 10)
    assert hourly(None) == 0


@pytest.mark.parametrize(
    ("term", "percent"),
    [(1, 0), (11, 0), (12, 15), (35, 15), (36, 10), (120, 10)],
)
def test_discount_is_that_of_the_longest_term_even_where_a_shorter_one_gives_more(term: int, percent: int) -> None:
    discounts = (Discount(name="long", months=36, percent=10), Discount(name="year", months=12, percent=15))
    assert percent_off(discounts, term) == percent


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00"),
        ("0.005", "0.01"),
        ("0.00499", "0.00"),
        ("0.015", "0.02"),
        ("2.675", "2.68"),
        ("1234567.895", "1234567.90"),
        ("999999999999.9999", "1000000000000.00"),
    ],
)
def test_money_is_rounded_half_up(amount: str, text: str) -> None:
    assert money(Fraction(amount)) == text


def test_money_has_as_many_digits_as_asked_for() -> None:
    assert money(Fraction(300, 730), digits=4) == "0.4110"


@given(st.fractions(min_value=0, max_value=10**15))
def test_money_is_never_more_than_half_a_cent_off(amount: Fraction) -> None:
    assert abs(Fraction(money(amount)) - amount) <= Fraction(1, 200)


@given(st.decimals(min_value=0, max_value=10**12, places=4))
def test_money_rounds_as_decimal_does(amount: Decimal) -> None:
    with localcontext(prec=60):
        assert money(Fraction(amount)) == str(amount.quantize(Decimal("0.01"), ROUND_HALF_UP))


def test_money_is_written_the_same_in_every_locale() -> None:
    before = locale.setlocale(locale.LC_ALL)
    found = set()
    try:
        for name in ("C", "C.UTF-8", "de_DE.UTF-8", "fr_FR.UTF-8"):
            try:
                locale.setlocale(locale.LC_ALL, name)
            except locale.Error:
                continue
            found.add((money(Fraction(1234567, 100)), parse_month("2026-11")))
    finally:
        locale.setlocale(locale.LC_ALL, before)
    assert found == {("12345.67", date(2026, 11, 1))}


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "2026-1", "2026-11-01", "11-2026", "november", "", "1026-11"])
def test_what_is_no_month_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no month: write year and month, such as 2026-11"):
        parse_month(text)


def test_months_are_utc_and_follow_each_other() -> None:
    assert month_of(datetime.fromisoformat("2026-12-01T07:59:59+08:00")) == date(2026, 11, 1)
    assert next_month(date(2026, 12, 1)) == date(2027, 1, 1)
    assert midnight(date(2027, 1, 1)) == utc(2027, 1, 1)


@given(st.dates(date(2000, 1, 1), date(2900, 1, 1)))
def test_next_month_is_the_day_after_this_one(day: date) -> None:
    month = day.replace(day=1)
    assert next_month(month).day == 1
    assert month_of(midnight(next_month(month)) - timedelta(microseconds=1)) == month


@given(st.datetimes(), st.timedeltas(timedelta(), timedelta(days=400)), st.timedeltas(timedelta(), timedelta(days=400)))
def test_hours_are_exact(start: datetime, first: timedelta, second: timedelta) -> None:
    start = start.replace(year=2026, day=1, tzinfo=UTC)
    whole = hours(start, start + first + second)
    assert whole == hours(start, start + first) + hours(start + first, start + first + second)

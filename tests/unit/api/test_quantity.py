# SPDX-License-Identifier: Apache-2.0
"""Quantities as the API server reads and prints them."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.api import quantity

numbers = st.decimals(min_value=0, max_value=10**18, places=3, allow_nan=False)
suffixes = st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "Ti", "e3", "e-2"])


@pytest.mark.parametrize(
    ("text", "number", "printed"),
    [
        pytest.param("500m", "0.5", "500m", id="millicores"),
        pytest.param("1000m", "1", "1", id="millicores-that-are-whole"),
        pytest.param("1.5Gi", str(1536 * 2**20), "1536Mi", id="fraction-of-binary"),
        pytest.param("1024Ki", str(2**20), "1Mi", id="binary-goes-up"),
        pytest.param("0.5Ki", "512", "512", id="binary-below-1024-is-plain"),
        pytest.param("12e4", "120000", "120e3", id="exponent-stays-one"),
        pytest.param("1E", str(10**18), "1E", id="exa-is-no-exponent"),
        pytest.param("2000", "2000", "2k", id="plain"),
        pytest.param("0", "0", "0", id="zero"),
        pytest.param(4, "4", "4", id="integer"),
    ],
)
def test_quantity_written_somehow_is_one_number_and_one_text(text: str | int, number: str, printed: str) -> None:
    assert quantity.parse(text) == Decimal(number)
    assert quantity.canonical(text) == printed


@pytest.mark.parametrize("text", ["", "Gi", "1 Gi", "1gi", "1GiB", "1e", "1e3Gi", "0x10", "1\n", "1,5"])
def test_parse_what_is_no_quantity_says_what_one_is(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity: write a number"):
        quantity.parse(text)
    assert not re.search(quantity.PATTERN.replace("$", r"\Z"), text)


@given(numbers, suffixes)
def test_canonical_of_any_quantity_is_stable_and_equal(number: Decimal, suffix: str) -> None:
    text = f"{number}{suffix}"
    printed = quantity.canonical(text)
    assert re.search(quantity.PATTERN, text)
    assert re.search(quantity.PATTERN, printed)
    assert quantity.compare(text, printed) == 0
    assert quantity.canonical(printed) == printed
    assert "." not in printed


@given(st.integers(0, 2**62), st.integers(0, 2**62))
def test_compare_of_two_numbers_orders_them_however_printed(one: int, other: int) -> None:
    expected = (one > other) - (one < other)
    assert quantity.compare(quantity.show(one, binary=True), quantity.show(other)) == expected


def test_total_of_mixed_suffixes_is_exact() -> None:
    assert quantity.total(["100m", "0.2", "300m", 1]) == Decimal("1.6")
    assert quantity.total([]) == 0

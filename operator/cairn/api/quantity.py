# SPDX-License-Identifier: Apache-2.0
"""Kubernetes quantities (500m, 16Gi, 1e3) as exact decimals, and back in the form the API server prints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_UP, Context, Decimal

PATTERN = r"^([0-9]+(\.[0-9]+)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|e-?[0-9]{1,2})?$"
"""What a user may write: no sign, since nothing here can be negative, and none of the odd spellings (5. and 1E3) that
the API server takes and leaves as they are."""

_BINARY = {suffix: Decimal(1024) ** power for power, suffix in enumerate(("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))}
_DECIMAL = {
    suffix: Decimal(1000) ** power
    for power, suffix in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), start=-3)
}
_EXPONENTS = {f"e{power}" if power else "": Decimal(10) ** power for power in range(-9, 100, 3)}
_SCALE = _DECIMAL | _BINARY
_SHAPE = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?\Z")
_NANO, _MILLI = Decimal("1e-9"), Decimal("1e-3")
_EXACT = Context(prec=80)
"""Room for the 32 characters of a quantity times its suffix: the default of 28 digits would round silently."""


def parse(text: str | int) -> Decimal:
    """The number a quantity stands for, in bytes, cores or pieces. ValueError if it is no quantity."""
    found = _SHAPE.match(str(text))
    if not found:
        raise ValueError(
            f"{text!r} is no quantity: write a number with an optional suffix, such as 500m, 2, 512Mi, 16Gi"
        )
    number, suffix = Decimal(found[1]), found[2] or ""
    if suffix in _SCALE:
        return _EXACT.multiply(number, _SCALE[suffix])
    return number.scaleb(int(suffix[1:]), _EXACT)


def show(value: Decimal | int, *, binary: bool = False) -> str:
    """The shortest form without a fraction, as the API server prints it; rounded up to nano.

    binary: with Ki, Mi, Gi where the value is a whole number of at least 1024
    """
    number = Decimal(value).quantize(_NANO, rounding=ROUND_UP, context=_EXACT)
    whole = number == number.to_integral_value(context=_EXACT)
    return _largest(number, _BINARY if binary and whole and abs(number) >= 1024 else _DECIMAL)


def canonical(text: str | int) -> str:
    """The same quantity in the spelling that the API server keeps: 1000m is 1, 1.5Gi is 1536Mi, 12e4 is 120e3."""
    if re.search(r"[eE][-+]?[0-9]", str(text)):
        return _largest(parse(text).quantize(_NANO, rounding=ROUND_UP, context=_EXACT), _EXPONENTS)
    return show(parse(text), binary=str(text).endswith("i"))


def for_container(text: str | int) -> str:
    """As `canonical`, rounded up to thousandths: the API server does so with what a container asks for."""
    number = parse(text)
    rounded = number.quantize(_MILLI, rounding=ROUND_UP, context=_EXACT)
    return canonical(text) if rounded == number else show(rounded)


def _largest(number: Decimal, scales: Mapping[str, Decimal]) -> str:
    if number == 0:
        return "0"
    whole = ((suffix, scale) for suffix, scale in scales.items() if _EXACT.remainder(number, scale) == 0)
    suffix, scale = max(whole, key=lambda item: item[1])
    return f"{int(_EXACT.divide(number, scale))}{suffix}"


def compare(left: str | int, right: str | int) -> int:
    """-1, 0 or 1 as `left` is less than, equal to or more than `right`, however they are written."""
    one, other = parse(left), parse(right)
    return (one > other) - (one < other)


def total(quantities: Iterable[str | int]) -> Decimal:
    """The sum of quantities; 0 for none."""
    number = Decimal(0)
    for one in quantities:
        number = _EXACT.add(number, parse(one))
    return number

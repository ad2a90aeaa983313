# SPDX-License-Identifier: Apache-2.0
"""What two sides of a push compare: how many records a span of time holds, and a sum over their hashes. Pure.

Time is the platform's wall clock, without a zone; spans are half-open and go by a record's `modified`.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

SUMMED_DIGITS = 15
"""Hex digits of a hash that are summed: 60 bits, which fit every engine's bigint."""


class Slice(NamedTuple):
    """The records of one span. total: the exact sum of `token` over them, whatever their order."""

    start: datetime
    records: int
    total: int


class Head(NamedTuple):
    """What tells one version of a record from another. hash: hex, see `bus.pack.digest`."""

    key: int
    modified: datetime
    hash: str


def token(hashed: str) -> int:
    """What a hash adds to a sum."""
    return int(hashed[:SUMMED_DIGITS], 16)

# SPDX-License-Identifier: Apache-2.0
"""Which of several masks is the stricter, and what a mask can be made of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import lcm
from typing import get_args

from cairn.api.contract import ColumnType, MaskKind

ORDER: tuple[MaskKind, ...] = get_args(MaskKind)
"""The laxest first."""
MADE_OF: Mapping[MaskKind, tuple[ColumnType, ...]] = {
    "partial": ("text",),
    "bucket": ("timestamp", "date", "bigint", "numeric"),
    "hmac": ("text", "bigint"),
    "hmac-shared": ("text", "bigint"),
}
"""The others suit every type."""
WIDEST = 10**12


@dataclass(frozen=True, slots=True)
class Rule:
    """How a column may be shown. bucket: day, month or a whole number, of the mask bucket alone"""

    kind: MaskKind
    bucket: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.bucket}".strip()

    def suits(self, type_: ColumnType) -> bool:
        if type_ not in MADE_OF.get(self.kind, (type_,)):
            return False
        if self.kind != "bucket":
            return True
        return self.bucket in ("day", "month") if type_ in ("timestamp", "date") else _width(self.bucket) > 0


def strictest(rules: Iterable[Rule]) -> Rule:
    """The one rule that keeps them all. Of two buckets neither may tell what the other hides."""
    rules = tuple(rules)
    kind = max((rule.kind for rule in rules), key=ORDER.index)
    if kind != "bucket":
        return Rule(kind)
    buckets = {rule.bucket for rule in rules if rule.kind == "bucket"}
    if buckets <= {"day", "month"}:
        return Rule("bucket", "month" if "month" in buckets else "day")
    widths = [_width(bucket) for bucket in buckets]
    width = lcm(*widths)
    return Rule("bucket", str(width)) if 0 < width < WIDEST else Rule("null")


def at_least(rule: Rule, floor: Rule) -> bool:
    """Whether `rule` shows no more than `floor`."""
    return strictest((rule, floor)) == rule


def _width(bucket: str) -> int:
    return int(bucket) if bucket.isascii() and bucket.isdigit() else 0

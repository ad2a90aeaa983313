# SPDX-License-Identifier: Apache-2.0
"""Rows of text as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from unicodedata import east_asian_width


def table(rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> str:
    """Columns of equal width, two spaces between; those numbered in `right` end together, as numbers should."""
    lines, right = [tuple(row) for row in rows], frozenset(right)
    widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
    out = []
    for line in lines:
        cells = []
        for n, (cell, wide) in enumerate(zip(line, widths, strict=True)):
            space = " " * (wide - width(cell))
            cells.append(space + cell if n in right else cell + space)
        out.append("  ".join(cells).rstrip() + "\n")
    return "".join(out)


def width(text: str) -> int:
    """Columns of a terminal: Chinese characters take two."""
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)

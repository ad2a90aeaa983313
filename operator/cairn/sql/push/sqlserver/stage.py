# SPDX-License-Identifier: Apache-2.0
"""Rows as the stage of SQL Server takes them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from cairn.api.dataset import Dataset
from cairn.sql.push.rows import Row
from cairn.sql.push.sqlserver.ddl import units

MOST_PARAMETERS = 2_098
"""Of one statement: 2,100, two of which are the statement itself and its parameters' types."""
MOST_ROWS = 1_000
"""Of one VALUES."""


def limits(dataset: Dataset) -> tuple[int | None, ...]:
    """How many units of UTF-16 each of `Row.values` may have; None: any, or no text."""
    return (*(units(dataset, column.name) for column in dataset.columns), None, None)


def staged_rows(rows: Sequence[Row], batch: UUID, most: Sequence[int | None]) -> Iterator[tuple[Any, ...]]:
    """In the order of `ddl.staged`; they count from 1."""
    for place, row in enumerate(rows, 1):
        values = (
            fitting(value, limit) if limit is not None and isinstance(value, str) else value
            for value, limit in zip(row.values, most, strict=True)
        )
        yield (batch, place, *values, row.order[1])


def fitting(text: str, most: int) -> str:
    """As much of a text as so many units of UTF-16 hold; a character that takes two is not cut through."""
    if 2 * len(text) <= most or (len(text) <= most and text.isascii()):
        return text
    return text.encode("utf-16-le")[: 2 * most].decode("utf-16-le", "ignore")


def chunks(rows: Sequence[tuple[Any, ...]], width: int) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Neighbours that fit into one INSERT of so many columns."""
    size = max(1, min(MOST_ROWS, MOST_PARAMETERS // width))
    for begin in range(0, len(rows), size):
        yield rows[begin : begin + size]

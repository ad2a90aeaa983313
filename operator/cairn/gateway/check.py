# SPDX-License-Identifier: Apache-2.0
"""From a request's body to records and reasons. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cairn.api.dataset import Dataset
from cairn.api.record import BadRecordError, number, peeker, seconds, wall_clock
from cairn.bus.pack import MAX_RECORDS, Record, digest

MAX_BODY = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Refused:
    """line: counted from 1."""

    line: int
    reason: str


Check = Callable[[bytes], tuple[list[Record], list[Refused]]]


class TooManyError(ValueError):
    """A body with more than MAX_RECORDS records."""


def checker(dataset: Dataset) -> Check:
    """A function from NDJSON to what can be pushed and what can't. Blank lines are passed over. Raises TooManyError."""
    peek = peeker(dataset, (dataset.key, dataset.modified))

    def one(line: bytes) -> Record:
        key, modified = peek(line)
        identity = number(dataset.key, key)
        if identity <= 0:
            raise BadRecordError("BAD_VALUE", f"{dataset.key}: must be above 0")
        return Record(identity, seconds(wall_clock(dataset.modified, modified)), 0, digest(line), line)

    def check(body: bytes) -> tuple[list[Record], list[Refused]]:
        records: list[Record] = []
        refused: list[Refused] = []
        text = _is_text(body)
        for line, raw in enumerate(body.split(b"\n"), 1):
            stripped = raw.strip()
            if not stripped:
                continue
            if len(records) + len(refused) == MAX_RECORDS:
                raise TooManyError(f"more than {MAX_RECORDS} records in one request")
            if not text and not _is_text(stripped):
                refused.append(Refused(line, "not UTF-8"))
                continue
            try:
                records.append(one(stripped))
            except BadRecordError as error:
                refused.append(Refused(line, str(error)))
        return records, refused

    return check


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True

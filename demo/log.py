# SPDX-License-Identifier: Apache-2.0
"""The sender's own log: what the gateway took on, and when. The oracle believes it and the database, nothing else.

One line of JSON per answered request, flushed before the next request of that connection goes out:
{"at": seconds since 1970 when the answer was there, "dataset": "trades", "attempts": 1,
 "accepted": [[key, modified, md5 of the line, kind], …], "rejected": [[key, modified, md5, kind, reason], …]}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TextIO

from demo.orders import Record


class Entry(NamedTuple):
    """One record as the log names it; `key` and `modified` are missing where the record had none."""

    key: int | None
    modified: str
    digest: str
    kind: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One request that the gateway answered with 202, or with 400 where it took none of its records."""

    at: float
    dataset: str
    attempts: int
    accepted: tuple[Entry, ...]
    rejected: tuple[tuple[Entry, str], ...]


def entry(record: Record) -> Entry:
    digest = hashlib.md5(record.line, usedforsecurity=False).hexdigest()
    return Entry(record.key, record.modified, digest, record.kind)


def write(file: TextIO, answer: Answer) -> None:
    """Append one answer and hand it to the operating system."""
    line = {
        "at": answer.at,
        "dataset": answer.dataset,
        "attempts": answer.attempts,
        "accepted": answer.accepted,
        "rejected": [[*one, reason] for one, reason in answer.rejected],
    }
    file.write(json.dumps(line, separators=(",", ":")) + "\n")
    file.flush()


def read(path: Path) -> Iterator[Answer]:
    """The answers in the order in which they were written. ValueError for a line cut short (the sender was killed)."""
    with path.open() as file:
        for line in file:
            found = json.loads(line)
            yield Answer(
                found["at"],
                found["dataset"],
                found["attempts"],
                tuple(_entries(found["accepted"])),
                tuple((Entry(*one[:4]), one[4]) for one in found["rejected"]),
            )


def _entries(rows: Iterable[list[object]]) -> Iterator[Entry]:
    for row in rows:
        yield Entry(*row)  # type: ignore[arg-type]  # what `write` wrote

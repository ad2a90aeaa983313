# SPDX-License-Identifier: Apache-2.0
"""Records that wait to be sent, in one SQLite file. What `put` returned from is on disk, and stays until it was taken.

Several processes may use one file: some put, one sends.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

MAX_RECORDS = 1000
MAX_BYTES = 1024 * 1024
"""What the gateway takes at once."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY AUTOINCREMENT, lane TEXT NOT NULL, payload BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS records_by_lane ON records (lane, id);
CREATE TABLE IF NOT EXISTS batches (lane TEXT PRIMARY KEY, name TEXT NOT NULL, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS parked (
  id INTEGER PRIMARY KEY, lane TEXT NOT NULL, payload BLOB NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL
);
"""
_LANES = """
WITH RECURSIVE found (lane) AS (
  SELECT min(lane) FROM records
  UNION ALL
  SELECT (SELECT min(lane) FROM records WHERE lane > found.lane) FROM found WHERE found.lane IS NOT NULL
)
SELECT lane FROM found WHERE lane IS NOT NULL
"""
"""By leaps over the index: DISTINCT would read as much of it as there is to send."""


class Lane(NamedTuple):
    """Records of one lane are sent one request after the other, in the order they were put in."""

    seller: str
    shop: str
    dataset: str

    @property
    def path(self) -> str:
        return f"/v1/push/{self.seller}/{self.shop}/{self.dataset}"


class Batch(NamedTuple):
    """What is sent as one request, under the same name and with the same bytes until it was answered."""

    lane: Lane
    name: str
    ids: Sequence[int]
    body: bytes


class Parked(NamedTuple):
    """A record that the gateway will not take as it is."""

    id: int
    lane: Lane
    payload: bytes
    reason: str
    at: float


class Outbox:
    """The file. Its methods are short, but wait for the disk."""

    def __init__(self, file: Path | str) -> None:
        self._db = sqlite3.connect(file, timeout=30, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)

    def put(self, lane: Lane, records: Iterable[bytes]) -> None:
        """All of them or none. ValueError for what can't be sent: an empty record, a line break in one, too large."""
        checked = [_checked(record) for record in records]
        if any("/" in part or not part for part in lane):
            raise ValueError(f"{lane}: seller, shop and dataset are ids")
        with self._transaction():
            name = "/".join(lane)
            self._db.executemany("INSERT INTO records (lane, payload) VALUES (?, ?)", ((name, one) for one in checked))

    def lanes(self) -> list[Lane]:
        """Those with something to send."""
        return [_lane(name) for (name,) in self._db.execute(_LANES)]

    def waiting(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM records").fetchone()[0])

    def batch(self, lane: Lane, records: int = MAX_RECORDS) -> Batch | None:
        """The lane's next; the same again until it is settled or split, also after the process died."""
        name = "/".join(lane)
        with self._transaction():
            begun = self._db.execute("SELECT name, last FROM batches WHERE lane = ?", (name,)).fetchone()
            rows = self._db.execute(
                "SELECT id, payload FROM records WHERE lane = ? AND id <= ? ORDER BY id LIMIT ?",
                (name, begun[1] if begun else 2**62, MAX_RECORDS if begun else min(records, MAX_RECORDS)),
            ).fetchall()
            if not begun:
                rows = rows[: _fitting(rows)]
            if not rows:
                return None
            if not begun:
                begun = (uuid4().hex, rows[-1][0])
                self._db.execute("INSERT INTO batches VALUES (?, ?, ?)", (name, *begun))
        return Batch(lane, begun[0], [row[0] for row in rows], b"\n".join(row[1] for row in rows))

    def settle(self, batch: Batch, refused: dict[int, str]) -> None:
        """It was answered: what was refused is parked, the rest is done. refused: reasons by place in the batch."""
        now, lane = time.time(), "/".join(batch.lane)
        with self._transaction():
            parked = ((lane, reason, now, batch.ids[place]) for place, reason in refused.items())
            self._db.executemany("INSERT INTO parked SELECT id, ?, payload, ?, ? FROM records WHERE id = ?", parked)
            span = (lane, batch.ids[0], batch.ids[-1])
            self._db.execute("DELETE FROM records WHERE lane = ? AND id BETWEEN ? AND ?", span)
            self._db.execute("DELETE FROM batches WHERE lane = ?", (lane,))

    def split(self, batch: Batch) -> None:
        """Its first half is the next batch, under a name of its own. Of at least two records."""
        half = (uuid4().hex, batch.ids[len(batch.ids) // 2 - 1], "/".join(batch.lane))
        with self._transaction():
            self._db.execute("UPDATE batches SET name = ?, last = ? WHERE lane = ?", half)

    def parked(self) -> list[Parked]:
        rows = self._db.execute("SELECT id, lane, payload, reason, at FROM parked ORDER BY id")
        return [Parked(id_, _lane(lane), payload, reason, at) for id_, lane, payload, reason, at in rows]

    def release(self, ids: Iterable[int]) -> None:
        """Put parked records at the end of their lanes again."""
        with self._transaction():
            for id_ in ids:
                self._db.execute(
                    "INSERT INTO records (lane, payload) SELECT lane, payload FROM parked WHERE id = ?", (id_,)
                )
                self._db.execute("DELETE FROM parked WHERE id = ?", (id_,))

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _checked(record: bytes) -> bytes:
    stripped = record.strip()
    if not stripped or b"\n" in stripped:
        raise ValueError("a record is one line of JSON")
    if len(stripped) > MAX_BYTES:
        raise ValueError(f"a record of {len(stripped)} bytes: the gateway takes {MAX_BYTES}")
    return stripped


def _lane(name: str) -> Lane:
    return Lane(*name.split("/"))


def _fitting(rows: Sequence[tuple[int, bytes]]) -> int:
    """How many of the first make a body of at most MAX_BYTES."""
    size = 0
    for count, (_, payload) in enumerate(rows):
        size += len(payload) + 1
        if size - 1 > MAX_BYTES:
            return count
    return len(rows)

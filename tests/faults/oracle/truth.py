# SPDX-License-Identifier: Apache-2.0
"""What was accepted, kept in SQLite: of each key every record that the gateway answered with 202, in its order."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sent:
    """A record as it was handed in. poison: the reason that it must end in quarantine with, empty for a good one."""

    key: int
    modified: str
    line: bytes
    poison: str = ""


def fingerprint(payload: bytes) -> str:
    """jdp_hashcode as it is promised: the first 16 bytes of SHA-256, in hex."""
    return hashlib.sha256(payload).hexdigest()[:32]


class Truth:
    """Safe to use from several threads. The order in one key is the sender's: it waits for each answer."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(file, check_same_thread=False)
        self._db.execute(
            "CREATE TABLE accepted"
            " (pos INTEGER PRIMARY KEY, key INTEGER, modified TEXT, hash TEXT, poison TEXT, at REAL)"
        )

    def accept(self, records: Iterable[Sent]) -> None:
        now = time.time()
        rows = [(one.key, one.modified, fingerprint(one.line), one.poison, now) for one in records]
        with self._lock, self._db:
            self._db.executemany("INSERT INTO accepted (key, modified, hash, poison, at) VALUES (?, ?, ?, ?, ?)", rows)

    def count(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM accepted").fetchone()[0])

    def newest(self) -> dict[int, tuple[str, str]]:
        """(modified, hash) that must stand, by key: the newest, and of one second what was accepted last."""
        query = "SELECT key, modified, hash FROM accepted WHERE poison = '' ORDER BY modified, pos"
        with self._lock:
            return {key: (modified, hashed) for key, modified, hashed in self._db.execute(query)}

    def known(self) -> set[tuple[int, str, str]]:
        """Everything good that was ever accepted."""
        with self._lock:
            return set(self._db.execute("SELECT key, modified, hash FROM accepted WHERE poison = ''"))

    def poison(self) -> dict[str, tuple[str, int]]:
        """Reason, and how often it was accepted, by the payload's hash."""
        query = "SELECT hash, max(poison), count(*) FROM accepted WHERE poison != '' GROUP BY hash"
        with self._lock:
            return {hashed: (reason, count) for hashed, reason, count in self._db.execute(query)}

    def close(self) -> None:
        self._db.close()

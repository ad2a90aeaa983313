# SPDX-License-Identifier: Apache-2.0
"""Watches a table through the whole run: a reader by jdp_seq, and looks at all rows that may only ever grow."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import NamedTuple

from faults.oracle.psql import LostError, Psql

COLUMNS = (
    "tid, to_char(modified, 'YYYY-MM-DD HH24:MI:SS'), jdp_version, jdp_hashcode,"
    " left(encode(sha256(convert_to(jdp_response, 'UTF8')), 'hex'), 32), jdp_seq,"
    " to_char(jdp_modified, 'YYYY-MM-DD HH24:MI:SS.US')"
)


class Row(NamedTuple):
    """hash: jdp_hashcode. real: what jdp_response makes."""

    key: int
    modified: str
    version: int
    hash: str
    real: str
    seq: int
    applied: str

    @classmethod
    def of(cls, found: list[str]) -> Row:
        key, modified, version, hashed, real, seq, applied = found
        return cls(int(key), modified, int(version), hashed, real, int(seq), applied)

    @property
    def order(self) -> tuple[str, int, str]:
        return self.modified, self.version, self.hash


@dataclass
class Watch:
    """A thread with a session of its own. `seen`: what the reader got, as (key, jdp_seq, hash)."""

    psql: Psql
    table: str = "sys_info.jdp_tb_trade"
    seen: set[tuple[int, int, str]] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    looks: int = 0
    _cursor: int = 0
    _applied: str = ""
    _before: dict[int, Row] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(0.03):
            self.step()
        self.psql.close()

    def step(self) -> None:
        try:
            self._read()
            self._look()
        except LostError:
            self._ended.wait(0.2)

    def _read(self) -> None:
        """What any reader of the seller's does: everything after the last number."""
        query = f"SELECT {COLUMNS} FROM {self.table} WHERE jdp_seq > {self._cursor} ORDER BY jdp_seq"
        for row in map(Row.of, self.psql.rows(query)):
            if row.applied <= self._applied:
                self._note(f"jdp_modified does not grow: {row.key} at {row.seq}: {self._cursor} {self._applied}, {row}")
            self._cursor, self._applied = row.seq, row.applied
            self.seen.add((row.key, row.seq, row.hash))

    def _look(self) -> None:
        """All rows against what they were at the look before."""
        now = {row.key: row for row in map(Row.of, self.psql.rows(f"SELECT {COLUMNS} FROM {self.table}"))}
        self.looks += 1
        for key, old in self._before.items():
            new = now.get(key)
            if new is None:
                self._note(f"I2: the row of {key} is gone")
            elif new.order < old.order:
                self._note(f"I2: {key} went back from {old.order} to {new.order}")
            elif new.order == old.order and (new.seq, new.applied) != (old.seq, old.applied):
                self._note(f"I3: {key} has a new number or moment, and nothing changed")
        self._before = now

    def _note(self, text: str) -> None:
        if len(self.wrong) < 10:
            self.wrong.append(text)

    def end(self) -> None:
        """One more step, and no other."""
        self._ended.set()
        self._thread.join(30)
        self.step()
        self.psql.close()

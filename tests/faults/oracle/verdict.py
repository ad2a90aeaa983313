# SPDX-License-Identifier: Apache-2.0
"""Holds what stands against what is true: I1 nothing lost, I5 poison kept, and the reader saw every final version."""

from __future__ import annotations

from collections import Counter

from faults.oracle.psql import Psql
from faults.oracle.truth import Truth
from faults.oracle.watch import COLUMNS, Row, Watch

QUARANTINE = "SELECT left(encode(sha256(payload), 'hex'), 32), reason FROM sys_info.jdp_quarantine"
REFUSED = "ROW_REFUSED"


def standing(psql: Psql, table: str = "sys_info.jdp_tb_trade") -> list[Row]:
    return [Row.of(found) for found in psql.rows(f"SELECT {COLUMNS} FROM {table}")]


def unfinished(truth: Truth, psql: Psql, refused: bool = False) -> list[str]:
    """What is not there yet, or not as it must be: empty is the aim, and it must come by itself.

    refused: the case made the database refuse good records: those may lie in quarantine instead
    """
    rows = {row.key: row for row in standing(psql)}
    kept = {hashed: reason for hashed, reason, *_ in psql.rows(QUARANTINE)}
    wrong = []
    for key, (modified, hashed) in truth.newest().items():
        if refused and kept.get(hashed) == REFUSED:
            continue
        row = rows.get(key)
        if row is None:
            wrong.append(f"I1: {key} of {modified} was accepted and is not there")
        elif (row.modified, row.hash) != (modified, hashed):
            wrong.append(f"I1: {key} is {row.modified} {row.hash[:6]}, accepted was {modified} {hashed[:6]}")
    wrong += [f"I5: poison {hashed[:6]} is not in quarantine" for hashed in truth.poison() if hashed not in kept]
    return wrong


def judge(truth: Truth, psql: Psql, watch: Watch, refused: bool = False) -> list[str]:
    """Everything that is wrong, once all has come to rest and the watch has ended."""
    wrong = [*unfinished(truth, psql, refused), *watch.wrong]
    known, poison = truth.known(), truth.poison()
    numbers = Counter[int]()
    for row in standing(psql):
        numbers[row.seq] += 1
        if row.real != row.hash:
            wrong.append(f"{row.key}: jdp_hashcode is not that of jdp_response")
        if (row.key, row.modified, row.hash) not in known:
            wrong.append(f"{row.key}: holds what was never accepted")
        if (row.key, row.seq, row.hash) not in watch.seen:
            wrong.append(f"{row.key}: the reader never got its last version, number {row.seq}")
    wrong += [f"number {number} is given {count} times" for number, count in numbers.items() if count > 1]
    for hashed, reason, *_ in psql.rows(QUARANTINE):
        if hashed not in poison:
            if refused and reason == REFUSED:
                continue
            wrong.append(f"I5: {hashed[:6]} is good and lies in quarantine: {reason}")
        elif poison[hashed][0] != reason:
            wrong.append(f"I5: {hashed[:6]} is {reason}, not {poison[hashed][0]}")
    return wrong

# SPDX-License-Identifier: Apache-2.0
"""Two sides of one span against each other, down to the keys that differ, and what is the matter with each. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from cairn.api.proof import Head, Slice
from cairn.sql.push.book import Stood


class Verdict(StrEnum):
    """Of one record: MISSING has no row, STALE an older one, WRONG one of the same time and other content.

    FINE stands as the platform has it, or newer than it says. KEPT is in quarantine.
    """

    FINE = "fine"
    MISSING = "missing"
    STALE = "stale"
    WRONG = "wrong"
    KEPT = "quarantined"


def different(theirs: Iterable[Slice], ours: Iterable[Slice]) -> list[datetime]:
    """Starts of the slices that are not the same on both sides, in order."""
    there = {one.start: one for one in theirs}
    here = {one.start: one for one in ours}
    return sorted(start for start in there.keys() | here.keys() if there.get(start) != here.get(start))


def suspects(theirs: Iterable[Head], ours: Iterable[Head]) -> tuple[set[int], set[int]]:
    """Keys whose newest version is not the same on both sides, and those that stand here alone."""
    there = {one.key: one for one in theirs}
    here = {one.key: one for one in ours}
    return {key for key, head in there.items() if here.get(key) != head}, here.keys() - there.keys()


def judge(newest: Head, row: Stood | None, *, quarantined: bool) -> Verdict:
    """`newest`: what the platform says of the key now, asked after the row was."""
    if row is None:
        return Verdict.KEPT if quarantined else Verdict.MISSING
    if row.modified > newest.modified:
        return Verdict.FINE
    if row.modified < newest.modified:
        return Verdict.KEPT if quarantined else Verdict.STALE
    return Verdict.FINE if row.hash == newest.hash and row.sound else Verdict.WRONG


def version_over(row: Stood | None, newest: Head) -> int:
    """The version of a record that is brought in anew.

    As low as can be: one of the same second that is pushed meanwhile, with its place in the stream, must win. Only
    where the row has the very time of the record does it take one more than the row's.
    """
    return row.version + 1 if row is not None and row.modified == newest.modified else 1

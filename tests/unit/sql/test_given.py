# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from cairn.sql.push.given import Given


def test_database_that_lost_nothing_did_not_fall_back() -> None:
    given = Given()
    given.connected(500)  # of others, before
    given.begin()
    given.pending = 510
    assert not given.committed()
    given.connected(900)
    assert (given.committed(), given.last) == (False, 510)


def test_database_that_lost_commits_fell_back_once() -> None:
    given = Given(last=510)
    given.connected(509)
    given.connected(600)  # the next session does not undo what was found
    given.begin()
    given.pending = 610
    assert given.committed()
    assert (given.committed(), given.last) == (False, 610)


def test_numbers_that_were_rolled_back_are_not_remembered() -> None:
    given = Given(last=510)
    given.pending = 700
    given.begin()
    assert not given.committed()
    given.connected(510)
    assert (given.committed(), given.last) == (False, 510)

# SPDX-License-Identifier: Apache-2.0
"""From what is found to what should stand: transactions of statements, in the order in which they must happen. Pure.

Locking and taking away come first and wait for nobody; what must wait for readers comes after their sessions are ended.
"""

from __future__ import annotations

from collections.abc import Iterator

from cairn.sql.share.postgresql.case import Batch, Case
from cairn.sql.share.postgresql.clearing import clear
from cairn.sql.share.postgresql.ground import keys, masters, platform
from cairn.sql.share.postgresql.making import party_made, shares_made, tables_made
from cairn.sql.share.postgresql.taking import disowned, revoke, shut_logins


def taking(case: Case) -> list[Batch]:
    """Before sessions are ended: what locks and takes away."""
    return [batch for batch in (shut_logins(case), revoke(case)) if batch]


def undoing(case: Case) -> Iterator[Batch]:
    """Once sessions are ended: what apps gave of their own. It may be more than there is time for in one pass."""
    yield from filter(None, disowned(case))


def giving(case: Case) -> Iterator[Batch]:
    """After: what is made anew and given, then what is cleared away."""
    yield from filter(None, (platform(case), masters(case), keys(case)))
    for party in case.design.parties:
        yield from filter(None, (party_made(case, party),))
    for party in case.design.parties:
        yield from filter(None, (tables_made(case, party),))
    for party in case.design.parties:
        yield from filter(None, shares_made(case, party))
    yield from filter(None, clear(case))

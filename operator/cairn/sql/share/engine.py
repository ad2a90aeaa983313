# SPDX-License-Identifier: Apache-2.0
"""What every database engine does for shared data. One class per engine; nothing outside asks which one it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from cairn.sql.share.model import Design
from cairn.sql.share.state import Observation, State


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the audit: who did what, why, and what stood before and after. Never a value of the seller's data.

    action: grant, revoke, widen, refuse, consent, expire, rotate, repair, erase, admit, remove
    actor: who asked for it, as far as Kubernetes tells (the field manager that wrote the spec), or `cairn`
    before, after: entries as text, one per line
    """

    action: str
    actor: str
    subject: str
    reason: str
    contract: str = ""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one `settle` did.

    statements: how many were sent to change something; 0 where all stood
    ended: how many sessions were ended; verified: a look afterwards found no difference and no session that may not be
    problem: what kept it from being verified, for people
    """

    statements: int
    ended: int
    verified: bool
    at: datetime
    problem: str = ""
    records: tuple[Record, ...] = ()


@dataclass(frozen=True, slots=True)
class Why:
    """What the audit shall say about the changes that a `settle` makes.

    reasons: by a grant's key, else by a party's id; contracts: by a grant's key. Drift needs neither
    """

    actor: str
    tenant: str
    reasons: Mapping[str, str] = field(default_factory=dict)
    contracts: Mapping[str, str] = field(default_factory=dict)


class Share(Protocol):
    """One engine, at one open connection of the operator's."""

    def desired(self, design: Design) -> State:
        """What should stand. Pure."""

    async def observe(self, design: Design, passwords: Mapping[str, str]) -> Observation:
        """Look, change nothing, and run nobody's code: no relation is read that an app owns.

        passwords: of logins, to find out whether they still open (see `Observation.verifiers`)
        """

    async def settle(self, design: Design, why: Why, passwords: Mapping[str, str]) -> Outcome:
        """Make it so: lock logins, change rights, end sessions, verify; each change with its audit record.

        May be killed between any two statements and called again. A second call changes nothing.
        passwords: of the enabled logins; one that is not given stays as it is
        """

    async def erase(self, design: Design, shop: str, ouid: str, why: Why) -> None:
        """Leave a buyer out of every view, for good."""

    async def record(self, design: Design, tenant: str, records: Sequence[Record]) -> None:
        """Append to the audit what is no change of rights: a consent, a refusal."""

    async def audit(
        self, design: Design, since: datetime | None = None, limit: int = 1000
    ) -> list[Mapping[str, object]]:
        """Rows of the audit, oldest first; of many the newest `limit`.

        seq, at, action, actor, tenant, subject, reason, contract, before, after, prev, hash
        """

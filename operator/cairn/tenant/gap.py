# SPDX-License-Identifier: Apache-2.0
"""What lies between what stands in a database and what should. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cairn.sql.share.model import Design
from cairn.sql.share.state import Difference, Observation, Session, State, difference

Desired = Callable[[Design], State]
"""What should stand, in an engine's own words. Pure; given to the plan, which knows no engine."""


@dataclass(frozen=True, slots=True)
class Gap:
    """known: False where nobody could look; sessions: open, and may not be; passwords: enabled logins that their
    Secret's password does not open"""

    known: bool = False
    difference: Difference = field(default_factory=Difference)
    sessions: tuple[Session, ...] = ()
    passwords: tuple[str, ...] = ()

    @property
    def closed(self) -> bool:
        """Somebody looked, and all was exactly as it should be."""
        return self.known and not (self.difference or self.sessions or self.passwords)

    def __str__(self) -> str:
        found = self.difference
        parts = {
            "rights are missing": len(found.missing),
            "rights are too many": len(found.surplus),
            "objects are missing": len(found.absent),
            "objects are too many": len(found.unwanted),
            "objects are made otherwise": len(found.other),
            "tables of Cairn's own hold something else": len(found.rows),
            "sessions are open that may not be": len(self.sessions),
            "logins have another password": len(self.passwords),
        }
        return ", ".join(f"{count} {what}" for what, count in parts.items() if count)


def gap_of(observation: Observation | None, design: Design, desired: Desired) -> Gap:
    if observation is None:
        return Gap()
    enabled = {login.name for party in design.parties for login in party.logins if login.enabled}
    return Gap(
        known=True,
        difference=difference(desired(design), observation.state),
        sessions=tuple(one for one in observation.sessions if one.login not in enabled),
        passwords=tuple(sorted(name for name in enabled if observation.verifiers.get(name) is False)),
    )

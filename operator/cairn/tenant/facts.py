# SPDX-License-Identifier: Apache-2.0
"""What `probe` found out about a shared database, for plans to decide by. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cairn.api.conditions import Reason
from cairn.engine.kind import Observed
from cairn.sql.share.state import Observation

FACTS = "share"


@dataclass(frozen=True, slots=True)
class Repair:
    """Rights or objects that somebody had changed by hand, and that were put back. at: of the last time"""

    at: datetime
    count: int
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """observation: None while nobody was asked, and when there was an error; erased: Operations (by uid) whose buyer
    is left out of every view; told: what the audit has said lately, as (action, subject, reason)"""

    observation: Observation | None = None
    repair: Repair | None = None
    erased: frozenset[str] = frozenset()
    told: frozenset[tuple[str, str, str]] = frozenset()
    error: tuple[Reason, str] | None = None

    @classmethod
    def of(cls, observed: Observed) -> Facts:
        found = observed.facts.get(FACTS)
        return found if isinstance(found, Facts) else cls()

    def as_facts(self) -> Mapping[str, Any]:
        """As the facts of a pass."""
        return {FACTS: self}

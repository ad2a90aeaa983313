# SPDX-License-Identifier: Apache-2.0
"""What `probe` found out about a subscription, for plans to decide by. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cairn.api.conditions import Reason
from cairn.engine.kind import Observed


@dataclass(frozen=True, slots=True)
class Facts:
    """bus: account (the public key that signs credentials), consumer (None, or filterSubjects, pending,
    unacknowledged), unsafe (in words) and full (the gateway refuses the seller's records). database: missing and drift
    (in words), quarantined, tables, login ({name, ours, password}), granted (the login may write, the reader read),
    weak, proof (see `sql.push.engine.Standing`). source_mark: of the key that sellers' keys are made of, empty where
    there is none. Bus and database are empty while nobody was asked, and when there was an error.
    """

    bus: Mapping[str, Any] = field(default_factory=dict)
    database: Mapping[str, Any] = field(default_factory=dict)
    source_mark: str = ""
    bus_error: tuple[Reason, str] | None = None
    database_error: tuple[Reason, str] | None = None

    @classmethod
    def of(cls, observed: Observed) -> Facts:
        bus, database = observed.facts.get("bus") or {}, observed.facts.get("database") or {}
        return cls(
            bus={} if "error" in bus else bus,
            database={} if "error" in database else database,
            source_mark=str((observed.facts.get("source") or {}).get("mark") or ""),
            bus_error=_error(bus),
            database_error=_error(database),
        )

    @property
    def login(self) -> Mapping[str, Any]:
        return self.database.get("login") or {}

    @property
    def unsafe(self) -> Sequence[str]:
        """What of the bus may lose records."""
        return self.bus.get("unsafe") or ()

    @property
    def drift(self) -> Sequence[str]:
        return self.database.get("drift") or ()

    @property
    def schema_stands(self) -> bool:
        """Tables, views, the worker's login with its password, and everybody's grants."""
        opened = bool(self.login.get("ours")) and self.login.get("password") is True
        return bool(self.database.get("granted")) and opened and not self.database.get("missing")

    def consumes(self, subjects: Sequence[str]) -> bool:
        consumer = self.bus.get("consumer") or {}
        return sorted(consumer.get("filterSubjects") or ()) == sorted(subjects)


def _error(found: Mapping[str, Any]) -> tuple[Reason, str] | None:
    return (Reason(found["error"]), str(found.get("message") or "")) if "error" in found else None

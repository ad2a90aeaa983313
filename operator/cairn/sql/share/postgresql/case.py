# SPDX-License-Identifier: Apache-2.0
"""What a plan is made of, and what it is made into: transactions of statements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cairn.sql.share.engine import Record, Why
from cairn.sql.share.model import Design
from cairn.sql.share.names import own_role
from cairn.sql.share.postgresql.facts import Facts
from cairn.sql.share.state import Difference, Entry, State


@dataclass(frozen=True, slots=True)
class Step:
    """A statement, sent as a role: "" is the operator itself."""

    sql: str
    role: str = ""


@dataclass(slots=True)
class Batch:
    """One transaction: all of it or nothing, with its records.

    due: logins whose sessions must end after it
    shut: logins to be kept out where their sessions hold up what takes something from them
    """

    title: str
    steps: list[Step] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    due: set[str] = field(default_factory=set)
    shut: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.steps or self.due)


@dataclass(frozen=True, slots=True)
class Case:
    """All that a plan is made of. verifiers: passwords to be set, as the server stores them, by login"""

    design: Design
    wanted: State
    facts: Facts
    diff: Difference
    why: Why
    verifiers: Mapping[str, str]

    @property
    def own(self) -> str:
        return own_role(self.design.id)

    def off(self, name: str) -> bool:
        """Whether an object is not there, or made otherwise."""
        return name in self.diff.absent or name in self.diff.other

    def missing(self, *prefixes: str) -> list[Entry]:
        return sorted(entry for entry in self.diff.missing if entry.object.startswith(prefixes))

    def owner_of(self, relation: str) -> str:
        """ "" for one that is not there."""
        found = self.facts.relations.get(relation)
        return found.owner if found else ""

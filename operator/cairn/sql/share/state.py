# SPDX-License-Identifier: Apache-2.0
"""What stands in a shared database, as sets that can be compared: the same form for what should be and for what is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One right: on an object (`table s….trade`, `schema p…`, `role g…`, `database shop`), for one grantee, by one
    grantor. column: "" for the whole object. grantor: "" for the object's owner, who alone grants rightly. In the
    engine's own words for objects and privileges."""

    object: str
    column: str
    grantee: str
    privilege: str
    grantable: bool
    grantor: str


@dataclass(frozen=True, slots=True)
class State:
    """One database, as far as it is Cairn's to say.

    entries: every right on what is Cairn's, and every right of Cairn's roles
    objects: what exists, by its name as in `Entry.object`, with a digest of how it is made (owner, kind, text, options,
      flags and settings of a role): two that are made the same way have the same digest
    rows: of Cairn's own small tables, by table: what filters, keys (by name alone, never their value) and ends hold
    """

    entries: frozenset[Entry] = frozenset()
    objects: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, frozenset[tuple[str, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """Each as it stands in one state and not in the other. Empty: exact."""

    missing: frozenset[Entry] = frozenset()
    surplus: frozenset[Entry] = frozenset()
    absent: frozenset[str] = frozenset()
    unwanted: frozenset[str] = frozenset()
    other: frozenset[str] = frozenset()
    rows: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return any((self.missing, self.surplus, self.absent, self.unwanted, self.other, self.rows))


@dataclass(frozen=True, slots=True)
class Session:
    """An open session of one of Cairn's logins. id: as the server names it"""

    id: str
    login: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """How a published table stands. mapped: rows whose key names exactly one; conflicts: several; else unmapped"""

    rows: int
    mapped: int
    unmapped: int
    conflicts: int


@dataclass(frozen=True, slots=True)
class Observation:
    """What a look at the database found.

    ended: keys of grants that the database remembers to have ended
    datasets: those whose view in `platform` is there to be shared: a design with others is not settled whole
    at: the database's clock, or what was last written there by the push if that is later
    verifiers: for each login, whether the password that was given for it opens it
    """

    state: State
    sessions: tuple[Session, ...] = ()
    ended: frozenset[str] = frozenset()
    verifiers: Mapping[str, bool] = field(default_factory=dict)
    publications: Mapping[str, Publication] = field(default_factory=dict)
    at: datetime | None = None
    datasets: frozenset[str] = frozenset()


def difference(wanted: State, found: State) -> Difference:
    """From what is to what should be, in both directions."""
    return Difference(
        missing=wanted.entries - found.entries,
        surplus=found.entries - wanted.entries,
        absent=frozenset(wanted.objects.keys() - found.objects.keys()),
        unwanted=frozenset(found.objects.keys() - wanted.objects.keys()),
        other=frozenset(
            name for name in wanted.objects.keys() & found.objects.keys() if wanted.objects[name] != found.objects[name]
        ),
        rows=frozenset(
            table
            for table in wanted.rows.keys() | found.rows.keys()
            if wanted.rows.get(table, frozenset()) != found.rows.get(table, frozenset())
        ),
    )

# SPDX-License-Identifier: Apache-2.0
"""What a look at the catalogs found: the state, and what `steps` must know besides to change it. Pure data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cairn.sql.share.state import Entry, Session, State

MARK = "managed by cairn: share "
"""Begins the comment on every role of Cairn's; the design's id follows."""
PUBLIC = "PUBLIC"


@dataclass(frozen=True, slots=True)
class Right:
    """An entry as it stands. kind: object, default, member, or lost (an owner's own right that is gone).

    sql: the object, quoted, as GRANT takes it; grantor: the real one
    """

    entry: Entry
    kind: str
    sql: str
    owner: str
    grantor: str


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view of Cairn's schemas. made: digest of a view's definition. columns: name to type and not null.

    aliens: what a plain table has not, as (kind, name)
    """

    kind: str
    owner: str
    columns: Mapping[str, tuple[str, bool]] = field(default_factory=dict)
    aliens: tuple[tuple[str, str], ...] = ()
    key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """What the last `settle` made to stand, as it remembers: what differs from it and was not asked for is drift."""

    entries: frozenset[Entry] = frozenset()
    objects: Mapping[str, str] = field(default_factory=dict)
    views: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def text(self) -> str:
        entries = sorted([e.object, e.column, e.grantee, e.privilege, e.grantable, e.grantor] for e in self.entries)
        return json.dumps({"entries": entries, "objects": dict(self.objects), "views": self.views}, sort_keys=True)

    @classmethod
    def parsed(cls, text: str) -> Applied:
        found = json.loads(text)
        return cls(
            frozenset(Entry(*entry) for entry in found["entries"]),
            found["objects"],
            {name: tuple(lines) for name, lines in found["views"].items()},
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """admin: the operator's own login; witness: the push's clock is there

    roles: of Cairn's, to whether they may log in; members: of each group, who may log in, whoever that is
    datasets: views of `platform` that the operator made
    due: logins whose sessions are still to be ended; databases: in which Cairn's roles have settings of their own
    """

    admin: str
    version: int
    superuser: bool
    witness: bool
    clock: datetime
    state: State
    rights: Mapping[Entry, tuple[Right, ...]] = field(default_factory=dict)
    roles: Mapping[str, bool] = field(default_factory=dict)
    members: Mapping[str, frozenset[str]] = field(default_factory=dict)
    schemas: Mapping[str, str] = field(default_factory=dict)
    relations: Mapping[str, Relation] = field(default_factory=dict)
    sessions: tuple[Session, ...] = ()
    ended: frozenset[str] = frozenset()
    retired: frozenset[str] = frozenset()
    due: frozenset[str] = frozenset()
    applied: Applied = field(default_factory=Applied)
    databases: tuple[str, ...] = ()
    datasets: frozenset[str] = frozenset()

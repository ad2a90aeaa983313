# SPDX-License-Identifier: Apache-2.0
"""What the last pass left, kept on the server: what differs from it and nobody asked for is drift. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field

from cairn.sql.share.state import Entry, State


@dataclass(frozen=True, slots=True)
class Applied:
    """Empty before the first pass ended."""

    objects: Mapping[str, str] = field(default_factory=dict)
    entries: frozenset[Entry] = frozenset()

    @classmethod
    def parsed(cls, text: str) -> Applied:
        try:
            kept = json.loads(text)
            return cls(dict(kept["objects"]), frozenset(Entry(*entry) for entry in kept["entries"]))
        except (ValueError, KeyError, TypeError):
            return cls()

    @classmethod
    def of(cls, state: State) -> Applied:
        return cls(dict(state.objects), state.entries)

    def text(self) -> str:
        entries = sorted(astuple(entry) for entry in self.entries)
        return json.dumps({"objects": dict(self.objects), "entries": entries}, sort_keys=True)

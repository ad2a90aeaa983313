# SPDX-License-Identifier: Apache-2.0
"""What the audit says of a pass: what was asked for, and what was found otherwise and put right. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from cairn.sql.share.applied import Applied
from cairn.sql.share.engine import Record, Why
from cairn.sql.share.model import Design
from cairn.sql.share.names import shares
from cairn.sql.share.state import Difference, Entry, State

DRIFT = "not as it was settled"


def line(entry: Entry) -> str:
    """An entry for people."""
    column = f" ({entry.column})" if entry.column else ""
    option = " with grant option" if entry.grantable else ""
    return f"{entry.privilege}{column} on {entry.object} to {entry.grantee}{option}"


@dataclass(frozen=True, slots=True)
class Words:
    """How an engine names things. view: before a view's name in a right; login: a login among the objects"""

    view: str
    login: Callable[[str], str]


def grouped(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """By object, column and grantee."""
    for _, together in groupby(sorted(entries), key=lambda e: (e.object, e.column, e.grantee)):
        yield list(together)


class Account:
    """Of one pass: `takings` before anything is taken, `givings` before anything is given."""

    def __init__(
        self, design: Design, wanted: State, found: State, diff: Difference, applied: Applied, why: Why, words: Words
    ) -> None:
        self.wanted, self.found, self.diff, self.applied, self.why = wanted, found, diff, applied, why
        self.words = words
        self._logins = [login.name for party in design.parties for login in party.logins]
        self.grants = {f"{shares(view.party)}.{view.name}": view.grant for view in design.views}

    def takings(self, newly_ended: Iterable[str], grants_before: dict[str, str], ended: frozenset[str]) -> list[Record]:
        found = [self._asked("expire", key, "it has ended") for key in sorted(newly_ended)]
        drift = {e for e in self.diff.surplus if self.applied.objects and e not in self.applied.entries}
        found += [_repair(some[0].object, map(line, some), ()) for some in grouped(drift)]
        for some in grouped(self.diff.surplus - drift):
            grant = grants_before.get(some[0].object.removeprefix(self.words.view), "")
            action = "expire" if grant and grant in ended else "revoke"
            reason = self._reason(some[0].grantee, grant)
            found.append(self._asked(action, some[0].object, reason, grant, map(line, some)))
        for name in sorted(self.diff.unwanted):
            if name not in self.applied.objects and self.applied.objects:
                found.append(_repair(name, (self.found.objects[name],), ()))
            else:
                found.append(self._asked("remove", name, self._reason(name.rpartition(" ")[2]), before=(name,)))
        found += [_repair("map.scope", (f"shop {row[1]} for {row[0]}",), ()) for row in self._stray_rows()]
        return found

    def givings(self, passwords: Iterable[str]) -> Iterator[Record]:
        """passwords: of which logins they are set"""
        admitted: dict[str, list[str]] = {}
        for login in sorted(passwords):
            if self.words.login(login) not in self.diff.absent:
                yield self._asked("rotate", login, "its password is set")
        drift = self.diff.missing & self.applied.entries
        yield from (_repair(some[0].object, (), map(line, some)) for some in grouped(drift))
        for some in grouped(self.diff.missing - drift):
            grant = self.grants.get(some[0].object.removeprefix(self.words.view), "")
            reason = self._reason(some[0].grantee, grant)
            yield self._asked("grant", some[0].object, reason, grant, after=map(line, some))
        for name in sorted(self.diff.absent | self.diff.other):
            before = self.found.objects.get(name, "absent")
            if self.applied.objects.get(name) == self.wanted.objects[name]:
                yield _repair(name, (before,), (self.wanted.objects[name],))
            elif name in map(self.words.login, self._logins) and name in self.diff.other:
                yield self._asked("rotate", name, "", before=(before,), after=(self.wanted.objects[name],))
            elif name.startswith("view ") and name in self.diff.other:
                grant = self.grants.get(name[5:], "")
                reason = self._reason(name[5:], grant)
                yield self._asked("grant", name, reason, grant, (before,), (self.wanted.objects[name],))
            else:
                admitted.setdefault(_party(name), []).append(name)
        for party, names in sorted(admitted.items()):
            yield self._asked("admit", party or "map", self.why.reasons.get(party, ""), after=names)

    def _stray_rows(self) -> list[tuple[str, ...]]:
        """Shops that nobody asked for, of views that stand as they were settled."""
        surplus = self.found.rows["map.scope"] - self.wanted.rows["map.scope"]
        settled = {name[5:] for name, made in self.applied.objects.items() if self.wanted.objects.get(name) == made}
        return sorted(row for row in surplus if row[0] in settled and row[1:])

    def _reason(self, name: str, grant: str = "") -> str:
        return self.why.reasons.get(grant) or self.why.reasons.get(_party(name), "")

    def _asked(
        self,
        action: str,
        subject: str,
        reason: str,
        grant: str = "",
        before: Iterable[str] = (),
        after: Iterable[str] = (),
    ) -> Record:
        contract = self.why.contracts.get(grant, "")
        return Record(action, self.why.actor, subject, reason, contract, tuple(before), tuple(after))


def _party(name: str) -> str:
    """Whose a name is: the sixteen characters after its first, or nobody's."""
    word = name.rpartition(" ")[2]
    return word[1:17] if word[:1] in "gupsw" and not word.startswith("own") and len(word) > 16 else ""


def _repair(subject: str, before: Iterable[str], after: Iterable[str]) -> Record:
    return Record("repair", "cairn", subject, DRIFT, before=tuple(before), after=tuple(after))


def told(left: Difference, found: State) -> list[str]:
    """What is still not as it should be, for people."""
    lines = [f"still there: {line(entry)}" for entry in sorted(left.surplus)]
    lines += [f"missing: {line(entry)}" for entry in sorted(left.missing)]
    lines += [f"{name} is not there" for name in sorted(left.absent)]
    lines += [f"{name} is {_in_words(found.objects[name])}" for name in sorted(left.unwanted | left.other)]
    return lines + [f"rows of {name} differ" for name in sorted(left.rows)]


def _in_words(made: str) -> str:
    """A digest tells nobody anything: it is of a text that was asked for once."""
    return (
        "as was asked for before, and can't be changed without its rows" if re.fullmatch("[0-9a-f]{16}", made) else made
    )

# SPDX-License-Identifier: Apache-2.0
"""What every database engine does for pushed data. One class per engine; nothing outside asks which one it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from cairn.api.dataset import Dataset
from cairn.api.proof import Head, Slice
from cairn.sql.postgresql import Target
from cairn.sql.push.book import Kept, Progress, Stood, Window
from cairn.sql.push.request import Answer, Choice, Refused, Request
from cairn.sql.push.rows import Poison, Row, Written


@dataclass(frozen=True, slots=True)
class Asked:
    """What shall stand in a database.

    shops: nick by id
    login: the worker's, with its password; readers: who may read, where such a login of Cairn's exists
    expiring: tables out of which the worker may delete rows; out of no other
    """

    database: str
    datasets: tuple[Dataset, ...]
    shops: Mapping[str, str]
    login: str
    password: str = field(repr=False)
    readers: tuple[str, ...] = ()
    expiring: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoginFact:
    """ours: made by Cairn. opens: with the password asked for."""

    ours: bool
    opens: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands, against what was asked.

    missing: what `settle` would still do, in words
    drift: what keeps the worker from writing, each with the statement that mends it
    quarantined: records in quarantine that nobody has resolved
    tables: tables and views that stand, by their full names
    granted: the login may write, delete where it should and nowhere else, and the readers may read
    weak: settings under which a commit can be lost, as `name = value (must be other)`
    proof: what the book says: `proof` (through, total, hours, days), `history` (since, records, complete) and
    `retention` (horizon, rows), each as the status of a PushSubscription has it and None before there is any; empty
    where there is no book
    """

    missing: tuple[str, ...]
    drift: tuple[str, ...]
    quarantined: int
    tables: tuple[str, ...]
    login: LoginFact | None
    granted: bool
    weak: tuple[str, ...] = ()
    proof: Mapping[str, Any] = field(default_factory=dict)


class PushWriter(Protocol):
    """One session of one lane. Opened at the first write, and again after `close`."""

    async def write(self, rows: Sequence[Row], poison: Sequence[Poison]) -> Written:
        """All of it is committed when this returns. What it raises `worker.faults` knows: an error of asyncpg, an
        SqlError or a WriteError.
        """

    async def close(self) -> None:
        """End the session at once; what was not committed is rolled back."""


class PushLedger(Protocol):
    """What stands in the pushed tables, and the book of what was found. A session of its own with the push login,
    opened at the first question, and again after `close`. deep: by the hash that the record makes, not by the stored.
    """

    async def close(self) -> None: ...

    async def slices(
        self, dataset: Dataset, nick: str, since: datetime, until: datetime, step: timedelta, *, deep: bool
    ) -> list[Slice]:
        """Slices that hold any row."""

    async def heads(
        self,
        dataset: Dataset,
        nick: str,
        since: datetime,
        until: datetime,
        after: int | None,
        limit: int,
        *,
        deep: bool,
    ) -> list[Head]:
        """At most so many with a key above `after`, by key."""

    async def standing(self, dataset: Dataset, keys: Sequence[int]) -> dict[int, Stood]:
        """Rows of these keys, by key. One from before Cairn without a time counts as older than anything."""

    async def quarantined(self, dataset: Dataset, keys: Iterable[int]) -> set[int]:
        """Those of the keys that a record in quarantine has."""

    async def refused(self, dataset: Dataset, after: int, limit: int) -> list[Kept]:
        """Records in quarantine because the database refused them, at most so many behind this id, in their order."""

    async def tried(self, kept: Kept, refused: Refused | None, by: str | None = None) -> None:
        """A record of quarantine stands by now, or stays there. by: on whose behalf, by default the login's."""

    async def windows(self, dataset: Dataset, shop: str, since: datetime) -> list[Window]:
        """What the book says of the hours from `since` on."""

    async def note(self, windows: Iterable[Window]) -> None:
        """Into the book. `repaired` is added to what it says already."""

    async def progress(self, dataset: Dataset, shop: str) -> Progress | None:
        """How far the history is brought in; None before it was begun."""

    async def advance(self, dataset: Dataset, shop: str, progress: Progress) -> None:
        """Note it, once what it says stands."""

    async def clock(self) -> float:
        """The server's, in seconds since 1970."""

    async def horizon(self, dataset: Dataset, shop: str) -> datetime | None:
        """From when on records are kept. None: all are."""

    async def keep_from(self, dataset: Dataset, shop: str, horizon: datetime) -> None:
        """Note it, unless a later one is noted. Committed when this returns, and before anything older is deleted."""

    async def expire(self, dataset: Dataset, shop: str, nick: str, limit: int) -> tuple[int, int]:
        """Look for rows from before the noted horizon, at most so many, and delete those that are still as old, in one
        transaction that counts them. How many were found, and how many deleted.
        """

    async def oversold(self, trades: Dataset, items: Dataset, nick: str) -> int | None:
        """Units sold above stock; None where this engine does not count them."""


class PushDesk(PushLedger, Protocol):
    """A session for whoever carries out what Operations ask for: rows of sys_info.jdp_request, by id."""

    async def requests(self, subscription: str) -> list[Request]:
        """Open ones, the oldest first."""

    async def mark(self, request: str, counts: Mapping[str, int], reached: Sequence[Any]) -> bool:
        """How far it came. False where nobody asks for it any more."""

    async def held_up(self, request: str, message: str) -> None:
        """What it waits for."""

    async def end(self, request: str, counts: Mapping[str, int], failure: str | None = None) -> None:
        """It is done, or can't be done."""

    async def kept(self, dataset: Dataset, choice: Choice, after: int, limit: int) -> list[Kept]:
        """Open records of quarantine, at most so many behind this id, in their order."""

    async def discard(self, dataset: Dataset, choice: Choice, by: str) -> None:
        """Open records are given up."""

    async def resolved(self, by: str) -> int:
        """How many records of quarantine were retried or discarded on this behalf."""


class PushEngine(Protocol):
    """Everything is idempotent and takes over nothing by name. SqlError says what is wrong, in its user's words."""

    def writer(self, target: Callable[[], Target], dataset: Dataset, application: str) -> PushWriter:
        """`target` is asked at every (re)connect, so that a renewed password is used."""

    def ledger(self, target: Callable[[], Target], application: str) -> PushLedger: ...

    def desk(self, target: Callable[[], Target], application: str) -> PushDesk: ...

    async def look(self, target: Target, asked: Asked) -> Standing:
        """Read only."""

    async def settle(self, target: Target, asked: Asked) -> None:
        """Tables, views, shops, the login and who may write and read."""

    async def drop_login(self, target: Target, login: str) -> None:
        """The login is gone with its sessions and grants. Somebody else's stays."""

    async def submit(self, target: Target, subscription: str, request: Request) -> None:
        """Ask that subscription's worker, once for one id."""

    async def answer(self, target: Target, request: str) -> Answer | None:
        """Where it stands; None where nobody has asked."""

    async def withdraw(self, target: Target, request: str) -> None:
        """Nobody asks for it any more. What is done stays done."""

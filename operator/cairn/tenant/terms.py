# SPDX-License-Identifier: Apache-2.0
"""What consent is decided on, and what it comes to: plain data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cairn.api.conditions import Reason
from cairn.api.contract import ColumnType, Contract, ContractError, KeyType
from cairn.api.dataset import Dataset
from cairn.api.integrationapp import IntegrationApp, Publication
from cairn.api.integrationtenant import IntegrationTenant
from cairn.tenant.masks import Rule

LONGEST_DAYS = 366
"""How far ahead a consent may end."""
MOST_TEXTS, MOST_NAMES, LONGEST_TEXT = 20, 10, 400
"""Of what is said: a vendor who asks for a million things must not keep the seller's status from being written."""


def few(texts: Sequence[str], most: int = MOST_TEXTS) -> tuple[str, ...]:
    """The first so many, none of them long, and how many more there are."""
    more = (f"and {len(texts) - most} more",) if len(texts) > most else ()
    return (*(text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…" for text in texts[:most]), *more)


def some(names: Iterable[str]) -> str:
    """Names, sorted; of many the first."""
    return ", ".join(few(sorted(names), MOST_NAMES))


@dataclass(frozen=True, slots=True)
class World:
    """What is decided on. apps: those served, by entry; contracts: by hash; named: hashes by the ConfigMap's name"""

    tenant: IntegrationTenant
    apps: Mapping[str, IntegrationApp]
    contracts: Mapping[str, Contract | ContractError]
    datasets: Mapping[str, Dataset]
    shops: Collection[str]
    now: datetime
    ended: Collection[str]
    named: Mapping[str, Collection[str]]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a grant or a publication, for people."""

    reason: Reason
    text: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it may be shown. name: as the contract calls it; source: the column behind it"""

    name: str
    source: str
    type: ColumnType
    rule: Rule


@dataclass(frozen=True, slots=True)
class Shown:
    """One table as one app may see it. name: of the view; source: platform.<dataset> or <app>.<table>

    key: of the consent; group: for pseudonyms that several apps share; key_type: how a table of another app is joined
    """

    app: str
    name: str
    grant: str
    key: str
    contract: str
    sha256: str
    purpose: str
    source: str
    columns: tuple[Column, ...]
    shops: tuple[str, ...]
    window_days: int | None
    expires_at: datetime
    group: str = ""
    key_type: KeyType | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """A table that an app publishes, with the contract that it is made from."""

    app: str
    publication: Publication
    contract: Contract


@dataclass(frozen=True, slots=True)
class AppConsent:
    """What one app gets.

    granted: contracts of which something is effective; denied: optional columns that it must do without
    pending: what waits for consent; missing: which required columns are not granted, with the reason
    """

    shown: tuple[Shown, ...] = ()
    granted: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    missing: str = ""
    reason: Reason = Reason.GRANTED

    @property
    def tables(self) -> int:
        return len(self.shown)

    @property
    def hash(self) -> str:
        """Of all that the app may see: the same hash, the same rights."""
        said = [
            [one.name, one.key, one.source, one.shops, one.window_days, one.expires_at.isoformat(), one.group]
            + [[c.name, c.source, c.type, c.rule.kind, c.rule.bucket] for c in one.columns]
            for one in self.shown
        ]
        return f"sha256:{hashlib.sha256(json.dumps(said).encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Effective:
    """What tenant, requests and contracts come to at one moment.

    apps: by entry; pending: of all apps; grants, publications: what is wrong with them; tables: those published
    wanted: hashes of the contracts that were consented to or published by: their text is to be kept
    ended: keys of grants past their end; next: when something changes by itself
    """

    apps: Mapping[str, AppConsent] = field(default_factory=dict)
    pending: tuple[str, ...] = ()
    grants: tuple[Problem, ...] = ()
    publications: tuple[Problem, ...] = ()
    tables: tuple[Published, ...] = ()
    wanted: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()
    next: datetime | None = None

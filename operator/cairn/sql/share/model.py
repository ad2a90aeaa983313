# SPDX-License-Identifier: Apache-2.0
"""What should stand in one shared database, in no engine's language. Pure data, made by `cairn.tenant.design`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

ColumnType = Literal["text", "bigint", "numeric", "timestamp", "boolean", "json", "date"]
MaskKind = Literal["plain", "hmac", "hmac-shared", "partial", "bucket", "null"]
KeyType = Literal["tid", "ouid", "omid"]
"""By what rows of different apps join: an order, a buyer within one shop, a member across shops."""


@dataclass(frozen=True, slots=True)
class Mask:
    """How a value is shown.

    key: of hmac and hmac-shared: which key; `<party>.<field>` or `<grant group>.<field>`. The key itself stands in the
      database alone
    bucket: of bucket: `day`, `month` for timestamps, a positive whole number for numbers ("100": 0, 100, 200, …)
    """

    kind: MaskKind
    key: str = ""
    bucket: str = ""


@dataclass(frozen=True, slots=True)
class ShownColumn:
    """A column of a view: as the reader sees it. source: the column of the relation behind"""

    name: str
    source: str
    type: ColumnType
    mask: Mask


@dataclass(frozen=True, slots=True)
class Buyer:
    """Which columns of a source tell whose row it is: by them erased buyers are left out. None where it has none."""

    ouid: str | None = None
    omid: str | None = None
    nick: str | None = None


@dataclass(frozen=True, slots=True)
class Master:
    """A view of `platform` that tells whose an order or a buyer is: what published rows are joined to.

    tid: its column of the order's number, where it is the one that holds orders; at most one master has it
    buyer: with `ouid` it tells buyers
    """

    dataset: str
    time: str
    tid: str | None = None
    buyer: Buyer = field(default_factory=Buyer)


@dataclass(frozen=True, slots=True)
class PlatformSource:
    """`platform.<dataset>`. time: the column that a window of days is counted from; shop_id stands in each row"""

    dataset: str
    time: str
    buyer: Buyer


@dataclass(frozen=True, slots=True)
class PublishedSource:
    """A table that another party publishes, joined through its mapping key to what the platform pushed.

    The row's shop, its time and its buyer are those of the order (tid) or of the buyer (ouid, omid) that the key names;
    a key that names more than one of them is a conflict: such rows are left out and counted. The key itself is shown
    only if it is among the view's columns. A table without a mapping has no shop: all of its rows are shown.
    """

    party: str
    table: str


@dataclass(frozen=True, slots=True)
class View:
    """What one party sees of one source: columns with masks, rows of some shops and days, until it ends.

    name: in the party's share schema
    grant: the key of the consent it stands on; shops: row filter, kept in a table (every role reads a view's text)
    expires_at: None for staff
    """

    party: str
    name: str
    grant: str
    source: PlatformSource | PublishedSource
    columns: tuple[ShownColumn, ...]
    shops: tuple[str, ...]
    window_days: int | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a published table."""

    name: str
    type: ColumnType
    required: bool = False


@dataclass(frozen=True, slots=True)
class Mapping:
    """The column that joins a published table to the platform's data.

    shop_column: for ouid: the column that holds the shop's id; without it an ouid that two shops know is a conflict
    """

    column: str
    key_type: KeyType
    shop_column: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table that a party publishes: made from its contract, owned by the owner role, its party has DML alone."""

    party: str
    name: str
    columns: tuple[TableColumn, ...]
    key: tuple[str, ...]
    mapping: Mapping | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """One of a party's two logins. enabled: may open sessions; one that may not has none"""

    name: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Party:
    """An app, or a role of the seller's staff (`logins` empty: nobody logs in as such; other logins are given it).

    id: [a-z2-7]{16}; its group role is g<id>, its logins u<id>a and u<id>b, its schemas p<id> (published tables),
      s<id> (views), w<id> (its own; staff have none)
    """

    id: str
    logins: tuple[Login, ...] = ()
    connections: int = 20
    statement_timeout_ms: int = 30_000
    staff: bool = False


@dataclass(frozen=True, slots=True)
class Design:
    """All of it, for one database.

    id: of the database in generated names, [a-z2-7]{16}; its owner role is own<id>
    readers: roles that others rightly gave SELECT on platform.* (the SellerRDS's own reader)
    ended: keys of grants that have ended: none of them comes back, whatever a clock says
    masters: where orders and buyers stand
    parties: those admitted. What stands of any other is taken away; tables and work schemas of theirs stay, unreachable
    """

    id: str
    database: str
    parties: tuple[Party, ...] = ()
    tables: tuple[Table, ...] = ()
    views: tuple[View, ...] = ()
    readers: tuple[str, ...] = ()
    ended: frozenset[str] = frozenset()
    masters: tuple[Master, ...] = ()

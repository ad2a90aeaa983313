# SPDX-License-Identifier: Apache-2.0
"""A seller with two shops, two apps and a role of its staff: the mission's own example."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from cairn.sql.share.engine import Why
from cairn.sql.share.model import (
    Buyer,
    Design,
    Login,
    Mapping,
    Mask,
    Master,
    Party,
    PlatformSource,
    PublishedSource,
    ShownColumn,
    Table,
    TableColumn,
    View,
)
from cairn.sql.share.names import logins


def party_id(text: str) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:16].lower()


def crm(database: str) -> str:
    return party_id(f"{database}/crm")


def erp(database: str) -> str:
    return party_id(f"{database}/erp")


def support(database: str) -> str:
    return party_id(f"{database}/staff/support")


BUYER = Buyer(ouid="ouid", nick="buyer_nick")
TRADES = PlatformSource("trades", "created", BUYER)
MASTER = Master("trades", "created", "tid", BUYER)
WHY = Why("kubectl-edit", "tenant-uid")
LATER = datetime(2099, 1, 1, tzinfo=UTC)


def app(party: str, *enabled: bool) -> Party:
    flags = enabled or (True, False)
    return Party(party, tuple(Login(name, flag) for name, flag in zip(logins(party), flags, strict=True)))


def staff(party: str) -> Party:
    return Party(party, staff=True)


def mask(kind: str, party: str, name: str) -> Mask:
    match kind:
        case "hmac":
            return Mask("hmac", f"{party}.{name}")
        case "hmac-shared":
            return Mask("hmac-shared", f"both.{name}")
        case "bucket":
            return Mask("bucket", bucket="100" if name == "payment" else "month")
        case "plain" | "partial" | "null":
            return Mask(kind)
    raise ValueError(kind)


TYPES = {"tid": "bigint", "payment": "numeric", "created": "timestamp", "pay_time": "timestamp", "orders": "json"}


def column(party: str, name: str, kind: str = "plain") -> ShownColumn:
    return ShownColumn(name, name, TYPES.get(name, "text"), mask(kind, party, name))  # type: ignore[arg-type]


def trade_view(
    party: str,
    columns: Iterable[tuple[str, str]] = (("tid", "plain"), ("receiver_mobile", "partial"), ("buyer_nick", "hmac")),
    *,
    shops: tuple[str, ...] = ("55501",),
    days: int | None = None,
    until: datetime | None = LATER,
    grant: str = "",
) -> View:
    shown = tuple(column(party, name, kind) for name, kind in columns)
    return View(party, "trade", grant or f"grant-{party}", TRADES, shown, shops, days, until)


def review(party: str) -> Table:
    columns = (TableColumn("tid", "bigint", required=True), TableColumn("agent", "text"), TableColumn("status", "text"))
    return Table(party, "review", columns, ("tid",), Mapping("tid", "tid"))


def member(party: str) -> Table:
    columns = (TableColumn("ouid", "text", required=True), TableColumn("level", "text"))
    return Table(party, "member", columns, ("ouid",), Mapping("ouid", "ouid"))


def published_view(party: str, table: Table, columns: Iterable[str], *, shops: tuple[str, ...] = ("55501",)) -> View:
    kinds = {c.name: c.type for c in table.columns}
    shown = tuple(ShownColumn(name, name, kinds[name], Mask("plain")) for name in columns)
    source = PublishedSource(table.party, table.name)
    return View(party, table.name, f"grant-{party}-{table.name}", source, shown, shops, None, LATER)


def design(database: str, **changes: object) -> Design:
    """CRM sees trades and publishes reviews; ERP sees trades and those reviews; support sees trades."""
    one, two, clerks = crm(database), erp(database), support(database)
    whole = Design(
        party_id(database),
        database,
        parties=(app(one), app(two), staff(clerks)),
        tables=(review(one),),
        views=(
            trade_view(one),
            trade_view(two, (("tid", "plain"), ("payment", "bucket")), shops=("55501", "55502")),
            published_view(two, review(one), ("tid", "status")),
            trade_view(clerks, (("tid", "plain"), ("receiver_mobile", "partial")), until=None),
        ),
        readers=(f"{database}_reader",),
        masters=(MASTER,),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]  # fields of Design

# SPDX-License-Identifier: Apache-2.0
"""The text of a shared view. Pure: the same view has the same text, and nothing in it is a secret.

A LIMIT keeps the server from merging the view into the reader's query and from pushing the reader's conditions into it:
a condition that raises an error would tell of rows that the filter leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cairn.sql.share.model import (
    Design,
    Mapping,
    Master,
    PlatformSource,
    PublishedSource,
    Table,
    View,
)
from cairn.sql.share.mysql.masks import erased_digest, shown, text
from cairn.sql.share.mysql.names import Flavour, account, identifier, literal, qualified
from cairn.sql.share.names import own_role, published, shares

BUYER = ("ouid", "omid", "nick")
EVERYTHING = 18446744073709551615
NOW = "GREATEST(UNIX_TIMESTAMP(SYSDATE(6)), (SELECT c.seen FROM map.clock c WHERE c.id = 1))"
"""Seconds since 1970 by the server's clock, but never before the last change that was written here.

SYSDATE, since any session may `SET timestamp`, and with it what NOW() and UTC_TIMESTAMP() say; no time zone, since any
may set that too.
"""
SHANGHAI = f"(TIMESTAMP'1970-01-01 08:00:00' + INTERVAL FLOOR({NOW}) SECOND)"
"""The platform's times are those of Shanghai, eight hours ahead since 1991."""


def view_name(view: View) -> str:
    return f"{shares(view.party)}.{view.name}"


def view_sql(design: Design, view: View, flavour: Flavour) -> str:
    """CREATE OR REPLACE: one step for whoever reads it, and what was granted on it stays granted."""
    columns = ", ".join(f"{shown(column, 't', flavour)} AS {identifier(column.name)}" for column in view.columns)
    if isinstance(view.source, PlatformSource):
        relation, where = _platform(view, view.source)
    else:
        relation, where = _published(design, view, view.source)
    conditions = " AND ".join((*where, *_until(view)))
    definer = account(own_role(design.id), "localhost")
    return (
        f"CREATE OR REPLACE ALGORITHM = TEMPTABLE DEFINER = {definer} SQL SECURITY DEFINER"
        f" VIEW {qualified(shares(view.party), view.name)} AS SELECT {columns} FROM {relation}"
        f"{' WHERE ' if conditions else ''}{conditions} LIMIT {EVERYTHING}"
    )


def reads(design: Design, view: View) -> Iterator[str]:
    """Relations outside `map` that the view's definer has to read."""
    if isinstance(view.source, PlatformSource):
        yield f"platform.{view.source.dataset}"
        return
    yield f"{published(view.source.party)}.{view.source.table}"
    if mapping := find_table(design, view.source).mapping:
        yield from (f"platform.{master.dataset}" for master in masters_of(design, mapping))


def find_table(design: Design, source: PublishedSource) -> Table:
    for table in design.tables:
        if (table.party, table.name) == (source.party, source.table):
            return table
    raise ValueError(f"{source.party} publishes no table {source.table}")


def masters_of(design: Design, mapping: Mapping) -> list[Master]:
    """Those that tell whose orders or buyers the rows of a published table are."""
    return [m for m in design.masters if (m.tid if mapping.key_type == "tid" else m.buyer.ouid)]


def keyed(masters: Sequence[Master], mapping: Mapping) -> str:
    """What a mapping key can name: with the shop, the time and the buyer of it, and n: how many it names."""
    each = " UNION ALL ".join(_subjects(master, mapping.key_type) for master in masters)
    several = {"tid": "m.shop_id"}.get(mapping.key_type, "m.shop_id, m.ouid")
    return (
        "SELECT m.k AS k, MIN(m.shop_id) AS shop_id, MAX(m.at) AS at, MIN(m.ouid) AS ouid, MIN(m.omid) AS omid,"
        f" MIN(m.nick) AS nick, COUNT(DISTINCT {several}) AS n FROM ({each}) m"
        f" WHERE m.k IS NOT NULL AND m.shop_id IS NOT NULL GROUP BY m.k{', m.shop_id' if mapping.shop_column else ''}"
    )


def _subjects(master: Master, key_type: str) -> str:
    columns = {"shop_id": "shop_id", **{kind: getattr(master.buyer, kind) for kind in BUYER}}
    columns["k"] = master.tid if key_type == "tid" else columns[key_type]
    selected = [f"{text(f'o.{identifier(c)}') if c else text('NULL')} AS {name}" for name, c in columns.items()]
    return (
        f"SELECT {', '.join(selected)}, o.{identifier(master.time)} AS at FROM platform.{identifier(master.dataset)} o"
    )


def matches(mapping: Mapping) -> str:
    """When a row `t` of the published table is of what `s`, the keyed, names."""
    same = f"s.k = {text(f't.{identifier(mapping.column)}')}"
    if mapping.shop_column:
        same += f" AND s.shop_id = {text(f't.{identifier(mapping.shop_column)}')}"
    return same


def _platform(view: View, source: PlatformSource) -> tuple[str, list[str]]:
    shop = text("t.shop_id")
    known = {kind: f"t.{identifier(name)}" for kind in BUYER if (name := getattr(source.buyer, kind))}
    where = [*_rows(view, shop, f"t.{identifier(source.time)}"), *_not_erased(shop, known)]
    return f"{qualified('platform', source.dataset)} t", where


def _published(design: Design, view: View, source: PublishedSource) -> tuple[str, list[str]]:
    relation = f"{qualified(published(source.party), source.table)} t"
    mapping = find_table(design, source).mapping
    if mapping is None:
        return relation, []
    masters = masters_of(design, mapping)
    if not masters:
        return relation, ["FALSE"]  # nothing tells whose rows these are
    where = ["s.n = 1", *_rows(view, "s.shop_id", "s.at"), *_not_erased("s.shop_id", {k: f"s.{k}" for k in BUYER})]
    return f"{relation} JOIN ({keyed(masters, mapping)}) s ON {matches(mapping)}", where


def _rows(view: View, shop: str, time: str) -> list[str]:
    where = [f"EXISTS (SELECT 1 FROM map.scope f WHERE f.view = {literal(view_name(view))} AND f.shop = {shop})"]
    if view.window_days is not None:
        where.append(f"{time} >= {SHANGHAI} - INTERVAL {int(view.window_days)} DAY")
    return where


def _not_erased(shop: str, known: dict[str, str]) -> list[str]:
    return [
        f"NOT EXISTS (SELECT 1 FROM map.erased e WHERE e.shop = {shop} AND e.digest = {erased_digest(kind, column)})"
        for kind, column in known.items()
    ]


def _until(view: View) -> list[str]:
    where = [f"NOT EXISTS (SELECT 1 FROM map.ended x WHERE x.grantkey = {literal(view.grant)})"]
    if view.expires_at is not None:
        where.append(f"{NOW} < {view.expires_at.timestamp():.6f}")
    return where

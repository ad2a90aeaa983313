# SPDX-License-Identifier: Apache-2.0
"""The text of a shared view in T-SQL. Pure: the same view has the same text, and nothing in it is a secret."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from cairn.sql.share.model import Design, Mapping, Master, PlatformSource, PublishedSource, Table, View
from cairn.sql.share.names import published, shares
from cairn.sql.share.sqlserver.text import compared, erased_digest, identifier, literal, qualified, shown

BUYER = ("ouid", "omid", "nick")
NOW = "(SELECT IIF(c.seen > SYSUTCDATETIME(), c.seen, SYSUTCDATETIME()) FROM map.clock AS c)"
EVERYTHING = 9223372036854775807


def full_name(view: View) -> str:
    return f"{shares(view.party)}.{view.name}"


def view_sql(design: Design, view: View) -> str:
    columns = ", ".join(f"{shown(column, 't')} AS {identifier(column.name)}" for column in view.columns)
    source = view.source
    relation, where = (
        _platform(view, source) if isinstance(source, PlatformSource) else _published(design, view, source)
    )
    where.append(f"NOT EXISTS (SELECT 1 FROM map.ended AS x WHERE x.grantkey = {literal(view.grant)})")
    if view.expires_at is not None:
        until = view.expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
        where.append(f"{NOW} < CAST('{until}' AS datetime2(6))")
    return (
        f"CREATE OR ALTER VIEW {qualified(shares(view.party), view.name)} AS SELECT TOP ({EVERYTHING}) {columns}"
        f" FROM {relation} WHERE {' AND '.join(where)}"
    )


def _platform(view: View, source: PlatformSource) -> tuple[str, list[str]]:
    known = {kind: f"t.{identifier(name)}" for kind in BUYER if (name := getattr(source.buyer, kind))}
    where = [*_rows(view, "t.shop_id", f"t.{identifier(source.time)}"), *_not_erased("t.shop_id", known)]
    return f"{qualified('platform', source.dataset)} AS t", where


def _published(design: Design, view: View, source: PublishedSource) -> tuple[str, list[str]]:
    relation = f"{qualified(published(source.party), source.table)} AS t"
    mapping = _table(design, source).mapping
    if mapping is None:
        return relation, []
    masters = masters_of(design, mapping)
    if not masters:
        return relation, ["1 = 0"]  # nothing tells whose rows these are
    where = ["s.n = 1", *_rows(view, "s.shop_id", "s.at"), *_not_erased("s.shop_id", {k: f"s.{k}" for k in BUYER})]
    return f"{relation} JOIN ({keyed(masters, mapping)}) AS s ON {matches(mapping)}", where


def masters_of(design: Design, mapping: Mapping) -> list[Master]:
    """Those that tell whose orders or buyers the rows of a published table are."""
    return [m for m in design.masters if (m.tid if mapping.key_type == "tid" else m.buyer.ouid)]


def matches(mapping: Mapping) -> str:
    """When a row `t` of the published table is of what `s`, the keyed, names."""
    same = f"s.k = {compared(f't.{identifier(mapping.column)}')}"
    if mapping.shop_column:
        same += f" AND s.shop_id = {compared(f't.{identifier(mapping.shop_column)}')}"
    return same


def _table(design: Design, source: PublishedSource) -> Table:
    for table in design.tables:
        if (table.party, table.name) == (source.party, source.table):
            return table
    raise ValueError(f"{source.party} publishes no table {source.table}")


def keyed(masters: Sequence[Master], mapping: Mapping) -> str:
    """What a mapping key can name: with the shop, the time and the buyer of it, and n: how many it names."""
    each = " UNION ALL ".join(_subjects(master, mapping.key_type) for master in masters)
    several = "m.shop_id" if mapping.key_type == "tid" else "CONCAT(m.shop_id, NCHAR(0), m.ouid)"
    return (
        "SELECT m.k, MIN(m.shop_id) AS shop_id, MAX(m.at) AS at, MIN(m.ouid) AS ouid, MIN(m.omid) AS omid,"
        f" MIN(m.nick) AS nick, COUNT(DISTINCT {several}) AS n FROM ({each}) AS m"
        f" WHERE m.k IS NOT NULL AND m.shop_id IS NOT NULL GROUP BY m.k{', m.shop_id' if mapping.shop_column else ''}"
    )


def _subjects(master: Master, key_type: str) -> str:
    columns = {"shop_id": "shop_id", **{kind: getattr(master.buyer, kind) for kind in BUYER}}
    columns["k"] = master.tid if key_type == "tid" else columns[key_type]
    selected = [f"{compared(f'o.{identifier(c)}' if c else 'NULL')} AS {name}" for name, c in columns.items()]
    relation = qualified("platform", master.dataset)
    return f"SELECT {', '.join(selected)}, o.{identifier(master.time)} AS at FROM {relation} AS o"


def _rows(view: View, shop: str, time: str) -> list[str]:
    name = literal(full_name(view))
    where = [f"EXISTS (SELECT 1 FROM map.scope AS f WHERE f.view_name = {name} AND f.shop = {compared(shop)})"]
    if view.window_days is not None:
        where.append(f"{time} >= DATEADD(day, -{int(view.window_days)}, DATEADD(hour, 8, {NOW}))")
    return where


def _not_erased(shop: str, known: dict[str, str]) -> list[str]:
    return [
        f"NOT EXISTS (SELECT 1 FROM map.erased AS e WHERE e.shop = {compared(shop)}"
        f" AND e.digest = {erased_digest(kind, column)})"
        for kind, column in known.items()
    ]

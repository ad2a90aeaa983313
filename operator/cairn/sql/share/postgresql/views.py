# SPDX-License-Identifier: Apache-2.0
"""The text of views. The same design gives the same text; the text's digest says whether a view is the one wanted.

What rows are filtered by is the owner's to read: which shops, which grants have ended, who is erased stand in tables of
`map`, since every role can read a view's text.
"""

from __future__ import annotations

import hashlib
from datetime import UTC

from cairn.sql.quoting import identifier, literal, qualified
from cairn.sql.share.model import Design, Mapping, Master, PlatformSource, PublishedSource, View
from cairn.sql.share.names import published, shares
from cairn.sql.share.postgresql.masks import TYPES, erased_digest, shown

REVISION = 1
"""Raise it when the text changes its meaning and not its letters."""
BUYER = ("ouid", "omid", "nick")
ZONE = "Asia/Shanghai"
"""In which the platform writes times without one."""


def digest(text: str) -> str:
    return hashlib.sha256(f"{REVISION}:{text}".encode()).hexdigest()[:24]


def full_name(view: View) -> str:
    """As in `map.scope`."""
    return f"{shares(view.party)}.{view.name}"


def view_sql(view: View, design: Design) -> str:
    """CREATE VIEW for what one party sees of one source."""
    columns = ",\n  ".join(f"{shown(column)} AS {identifier(column.name)}" for column in view.columns)
    relation, known, filters = _source(view, design)
    if view.expires_at is not None:
        until = view.expires_at.astimezone(UTC).isoformat()
        filters.append(f"(SELECT c.at FROM map.clock c) < {literal(until)}::pg_catalog.timestamptz")
    filters.append(f"NOT EXISTS (SELECT FROM map.ended e WHERE e.grant_key = {literal(view.grant)})")
    filters += [_not_erased(kind, *where) for kind, where in known.items()]
    where = "\n  AND ".join(filters)
    return f"{_head(shares(view.party), view.name)} SELECT\n  {columns}\nFROM {relation}\nWHERE {where}"


def _head(schema: str, name: str) -> str:
    return f"CREATE VIEW {qualified(schema, name)} WITH (security_barrier = true, security_invoker = false) AS"


def _source(view: View, design: Design) -> tuple[str, dict[str, tuple[str, str]], list[str]]:
    """FROM, where the row's buyer is known by (shop and value of each kind), and which rows."""
    if isinstance(view.source, PlatformSource):
        source = view.source
        buyer = {
            kind: ("t.shop_id", f"t.{identifier(column)}") for kind in BUYER if (column := getattr(source.buyer, kind))
        }
        time = f"t.{identifier(source.time)}" if view.window_days is not None else ""
        return f"platform.{identifier(source.dataset)} t", buyer, _rows(view, "t.shop_id", time)
    table = f"{qualified(published(view.source.party), view.source.table)} t"
    mapping = mapping_of(view.source, design)
    if mapping is None:
        return table, {}, []
    joined = f"{table}\nJOIN ({keyed(mapping)}) b ON {matches(mapping)} AND b.n = 1"
    return joined, {kind: ("b.shop_id", f"b.{kind}") for kind in BUYER}, _rows(view, "b.shop_id", "b.at")


def _rows(view: View, shop: str, time: str) -> list[str]:
    filters = [f"{shop} IN (SELECT s.shop_id FROM map.scope s WHERE s.view_name = {literal(full_name(view))})"]
    if view.window_days is not None:
        now = f"(SELECT c.at AT TIME ZONE '{ZONE}' FROM map.clock c)"
        filters.append(f"{time} >= {now} - pg_catalog.make_interval(days => {view.window_days:d})")
    return filters


def _not_erased(kind: str, shop: str, value: str) -> str:
    wanted = f"e.shop_id = {shop} AND e.digest = {erased_digest(kind, value)}"
    return f"NOT EXISTS (SELECT FROM map.erased e WHERE {wanted})"


def mapping_of(source: PublishedSource, design: Design) -> Mapping | None:
    for table in design.tables:
        if (table.party, table.name) == (source.party, source.table):
            return table.mapping
    raise ValueError(f"{source.party} publishes no table {source.table}")


def keyed(mapping: Mapping) -> str:
    """What a mapping key can name: with the shop, the time and the buyer of it, and n: how many it names."""
    if mapping.key_type == "tid":
        some = "CASE WHEN o.shop_id IS NULL THEN 0 ELSE 1 END"
        return f"SELECT o.tid AS key, o.shop_id, o.at, o.ouid, o.omid, o.nick, {some} AS n FROM map.orders o"
    key = f"b.{mapping.key_type}"
    by = f"{key}, b.shop_id" if mapping.shop_column else key
    several = "b.ouid" if mapping.shop_column else "(b.shop_id, b.ouid)"
    return (
        f"SELECT {key} AS key, pg_catalog.min(b.shop_id) AS shop_id, pg_catalog.max(b.at) AS at,"
        " pg_catalog.min(b.ouid) AS ouid, pg_catalog.min(b.omid) AS omid, pg_catalog.min(b.nick) AS nick,"
        f" pg_catalog.count(DISTINCT {several}) AS n FROM map.buyers b WHERE {key} IS NOT NULL GROUP BY {by}"
    )


def matches(mapping: Mapping) -> str:
    """When a row `t` of the published table is of what `b`, the keyed, names."""
    value = f"t.{identifier(mapping.column)}::pg_catalog.text"
    if mapping.key_type == "tid":
        return f"b.key = CASE WHEN {value} ~ '^[0-9]{{1,18}}$' THEN {value}::pg_catalog.int8 END"
    if mapping.shop_column is None:
        return f"b.key = {value}"
    return f"b.key = {value} AND b.shop_id = t.{identifier(mapping.shop_column)}::pg_catalog.text"


def base_views(design: Design, *, witness: bool) -> dict[str, str]:
    """Views of `map` by name, as CREATE VIEW.

    witness: the push's own clock is there: a server whose clock jumps back does not go behind it
    """
    now = "pg_catalog.statement_timestamp()"
    if witness:
        last = f"(SELECT pg_catalog.max(c.ts) FROM sys_info.jdp_cursor c) AT TIME ZONE '{ZONE}'"
        now = f"GREATEST({now}, {last})"
    orders = [_order(master) for master in design.masters if master.tid]
    if len(orders) > 1:
        raise ValueError("more than one master holds orders")
    buyers = [_row(master) for master in design.masters if master.buyer.ouid]
    nothing = _nothing("shop_id", "ouid", "omid", "nick")
    return {
        "clock": f"{_head('map', 'clock')} SELECT {now} AS at",
        "orders": f"{_head('map', 'orders')} {orders[0] if orders else nothing.replace('SELECT', _NO_TID)}",
        "buyers": f"{_head('map', 'buyers')} " + (" UNION ALL ".join(buyers) or nothing),
    }


_NO_TID = "SELECT NULL::pg_catalog.int8 AS tid,"


def _nothing(*names: str) -> str:
    columns = ", ".join(f"NULL::pg_catalog.text AS {name}" for name in names)
    return f"SELECT {columns}, NULL::pg_catalog.timestamp AS at WHERE false"


def _row(master: Master, more: str = "") -> str:
    columns = ["t.shop_id::pg_catalog.text AS shop_id"]
    for kind in BUYER:
        column = getattr(master.buyer, kind)
        columns.append((f"t.{identifier(column)}" if column else "NULL") + f"::pg_catalog.text AS {kind}")
    time = f"t.{identifier(master.time)}::pg_catalog.timestamp AS at"
    return f"SELECT {more}{', '.join(columns)}, {time} FROM platform.{identifier(master.dataset)} t"


def _order(master: Master) -> str:
    return _row(master, f"t.{identifier(master.tid or '')}::pg_catalog.{TYPES['bigint']} AS tid, ")

# SPDX-License-Identifier: Apache-2.0
"""Units sold above stock, by a seller's own pushed tables."""

from __future__ import annotations

from cairn.api.dataset import Dataset
from cairn.sql.postgresql import Connection
from cairn.sql.quoting import identifier, qualified

CLOSED = ("TRADE_CLOSED", "TRADE_CLOSED_BY_TAOBAO")
"""States of orders that came to nothing: their units are in stock again."""


async def oversold(conn: Connection, trades: Dataset, items: Dataset, nick: str) -> int:
    """Of each item: units in orders made since the item's record told its stock, above that stock. Summed up.

    Items first, as arrays: the server knows next to nothing of how many rows JSON makes, and must not choose to read
    every order anew for each item.
    """
    stocked = await conn.fetch(_items(items), nick)
    if not stocked:
        return 0
    stock = {row["id"]: row["stock"] for row in stocked}
    told = [row["told"] for row in stocked]
    sold = await conn.fetch(_sold(trades), nick, list(CLOSED), list(stock), told, min(told))
    return sum(max(0, int(row["units"]) - stock[row["id"]]) for row in sold)


def _items(items: Dataset) -> str:
    stock = _number(f"t.jdp_response::json #>> '{{{','.join((*items.envelope, 'num'))}}}'")
    gone = f" AND coalesce(t.{identifier(items.deleted)}, 0) = 0" if items.deleted else ""
    return (
        f"SELECT * FROM (SELECT t.{identifier(items.key)} AS id, t.{identifier(items.modified)} AS told,"
        f" {stock} AS stock FROM {qualified('sys_info', items.table)} t WHERE t.{identifier(items.owner)} = $1{gone}"
        ") AS item WHERE stock IS NOT NULL AND told IS NOT NULL"
    )


def _sold(trades: Dataset) -> str:
    created = identifier(trades.created)
    return f"""
WITH made AS MATERIALIZED (
  SELECT t.{created} AS at, t.jdp_response::json #> '{{{",".join(trades.envelope)},orders,order}}' AS lines
  FROM {qualified("sys_info", trades.table)} t
  WHERE t.{identifier(trades.owner)} = $1 AND coalesce(t.status, '') <> ALL($2) AND t.{created} >= $5
), sold AS MATERIALIZED (
  SELECT made.at, {_number("line ->> 'num_iid'")} AS id, {_number("line ->> 'num'")} AS units
  FROM made
  CROSS JOIN LATERAL json_array_elements(CASE json_typeof(lines) WHEN 'array' THEN lines ELSE '[]' END) AS line
)
SELECT item.id, coalesce(sum(sold.units), 0) AS units
FROM sold JOIN unnest($3::int8[], $4::timestamp[]) AS item (id, told) ON sold.id = item.id AND sold.at >= item.told
GROUP BY item.id
"""


def _number(text: str) -> str:
    return f"CASE WHEN {text} ~ '^[0-9]{{1,18}}$' THEN ({text})::int8 END"

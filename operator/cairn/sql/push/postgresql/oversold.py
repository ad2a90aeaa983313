# SPDX-License-Identifier: Apache-2.0
"""Units sold above stock, by a seller's own pushed tables."""

from __future__ import annotations

from cairn.api.dataset import Dataset
from cairn.sql.postgresql import Connection
from cairn.sql.quoting import identifier, qualified

CLOSED = ("TRADE_CLOSED", "TRADE_CLOSED_BY_TAOBAO")
"""States of orders that came to nothing: their units are in stock again."""


async def oversold(conn: Connection, trades: Dataset, items: Dataset, nick: str) -> int:
    """Of each item: units in orders made since the item's record told its stock, above that stock. Summed up."""
    query = f"""
WITH item AS (
  SELECT t.{identifier(items.key)} AS id, t.{identifier(items.modified)} AS told,
    {_number(_field("t.jdp_response", (*items.envelope, "num")))} AS stock
  FROM {qualified("sys_info", items.table)} t
  WHERE t.{identifier(items.owner)} = $1 AND coalesce(t.{identifier(items.deleted or "jdp_delete")}, 0) = 0
), sold AS (
  SELECT {_number("line ->> 'num_iid'")} AS id, {_number("line ->> 'num'")} AS units,
    t.{identifier(trades.created)} AS at
  FROM {qualified("sys_info", trades.table)} t
  CROSS JOIN LATERAL (
    SELECT t.jdp_response::json #> '{{{",".join(trades.envelope)},orders,order}}' AS lines
  ) AS o
  CROSS JOIN LATERAL json_array_elements(CASE json_typeof(o.lines) WHEN 'array' THEN o.lines ELSE '[]' END) AS line
  WHERE t.{identifier(trades.owner)} = $1 AND coalesce(t.status, '') <> ALL($2)
    AND t.{identifier(trades.created)} >= (SELECT min(told) FROM item WHERE stock IS NOT NULL)
)
SELECT coalesce(sum(above), 0)::int8 FROM (
  SELECT greatest(sum(sold.units) - item.stock, 0) AS above
  FROM item JOIN sold ON sold.id = item.id AND sold.at >= item.told
  WHERE item.stock IS NOT NULL GROUP BY item.id, item.stock
) AS each
"""
    return int(await conn.fetchval(query, nick, list(CLOSED)))


def _field(text: str, path: tuple[str, ...]) -> str:
    return f"({text}::json #>> '{{{','.join(path)}}}')"


def _number(text: str) -> str:
    return f"CASE WHEN {text} ~ '^[0-9]{{1,18}}$' THEN ({text})::int8 END"

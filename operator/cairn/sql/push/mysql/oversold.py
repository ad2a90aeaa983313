# SPDX-License-Identifier: Apache-2.0
"""Units sold above stock, by a seller's own pushed tables, as PostgreSQL counts them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from cairn.api.dataset import Dataset
from cairn.sql.share.mysql.names import identifier, literal, qualified

CLOSED = ("TRADE_CLOSED", "TRADE_CLOSED_BY_TAOBAO")
"""States of orders that came to nothing: their units are in stock again."""


def items_sql(items: Dataset) -> str:
    """Of a nick: key, when the record told its stock, stock."""
    gone = f" AND COALESCE(t.{identifier(items.deleted)}, 0) = 0" if items.deleted else ""
    stock = _number(f"JSON_UNQUOTE({_found(items, 'num')})")
    return (
        f"SELECT id, told, stock FROM (SELECT t.{identifier(items.key)} AS id, t.{identifier(items.modified)} AS told,"
        f" {stock} AS stock FROM {qualified('sys_info', items.table)} t WHERE t.{identifier(items.owner)} = %s{gone}"
        ") AS item WHERE stock IS NOT NULL AND told IS NOT NULL"
    )


def sold_sql(trades: Dataset) -> str:
    """Of the first time, a nick, states that do not count, and `asked`: units by item.

    What was sold is summed up before it meets the items, so that the server keeps it with an index: orders are read
    once, however many items there are. MySQL's JSON_TABLE takes no JSON that a derived table made, hence the text.
    """
    created, found = identifier(trades.created), _found(trades, "orders", "order")
    return f"""
SELECT STRAIGHT_JOIN item.id, SUM(sold.units)
FROM JSON_TABLE(%s, '$[*]' COLUMNS (id BIGINT PATH '$[0]', told DATETIME(6) PATH '$[1]')) AS item
JOIN (
  SELECT {_number("line.num_iid")} AS id, made.at, SUM({_number("line.num")}) AS units
  FROM (
    SELECT t.{created} AS at, IF(JSON_TYPE({found}) = 'ARRAY', {found}, JSON_ARRAY()) AS part
    FROM {qualified("sys_info", trades.table)} t
    WHERE t.{identifier(trades.owner)} = %s AND COALESCE(t.status, '') NOT IN %s AND t.{created} >= %s
  ) AS made,
  JSON_TABLE(CAST(made.part AS CHAR), '$[*]' COLUMNS (
    num_iid VARCHAR(64) PATH '$.num_iid', num VARCHAR(64) PATH '$.num'
  )) AS line
  GROUP BY 1, 2
) AS sold ON sold.id = item.id AND sold.at >= item.told
GROUP BY item.id
"""


def asked(stocked: Iterable[tuple[int, datetime]]) -> str:
    """Items with the times from which on their orders count."""
    return json.dumps([(key, told.isoformat(" ")) for key, told in stocked])


def _found(dataset: Dataset, *path: str) -> str:
    where = literal("$" + "".join("." + json.dumps(member) for member in (*dataset.envelope, *path)))
    return f"JSON_EXTRACT(IF(JSON_VALID(t.jdp_response), t.jdp_response, '{{}}'), {where})"


def _number(text: str) -> str:
    return f"CASE WHEN {text} REGEXP '^[0-9]{{1,18}}$' THEN CAST({text} AS SIGNED) END"

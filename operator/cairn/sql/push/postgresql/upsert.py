# SPDX-License-Identifier: Apache-2.0
"""The statements by which PostgreSQL takes rows in: pure text from a dataset's descriptor."""

from __future__ import annotations

from dataclasses import dataclass

from cairn.api.dataset import Dataset
from cairn.sql.quoting import identifier, qualified

_OLDEST = "'-infinity'::pg_catalog.timestamp"

QUARANTINE = (
    "INSERT INTO sys_info.jdp_quarantine (topic, object_key, seller_nick, stream, stream_seq, member_no, reason,"
    " error_code, error_text, payload) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int8[],"
    " $6::int4[], $7::text[], $8::text[], $9::text[], $10::bytea[])"
    " ON CONFLICT (stream, stream_seq, member_no) DO NOTHING RETURNING reason"
)

CURSOR = (
    "UPDATE sys_info.jdp_cursor SET seq = seq + $2, ts = greatest(ts + $2 * interval '1 microsecond',"
    " pg_catalog.clock_timestamp() AT TIME ZONE 'Asia/Shanghai')"
    " WHERE table_name = $1 RETURNING seq - $2 AS base, ts - $2 * interval '1 microsecond' AS start,"
    " pg_catalog.pg_notify($1, '')"
)
"""Gives out the next $2 numbers and moments. Its row stays locked to COMMIT: they become visible in their order.

Who listens to the table's name wakes at that COMMIT: in this statement it takes no round trip of its own.
"""


@dataclass(frozen=True, slots=True)
class Statements:
    """stage: the session's own table, emptied at COMMIT. columns: those that `Row.values` fills, and four more."""

    stage_name: str
    columns: tuple[str, ...]
    create_stage: str
    probe: str
    upsert: str


def statements(dataset: Dataset) -> Statements:
    """For one table. In the stage jdp_seq counts from 1; the upsert adds what the cursor gave out."""
    table, stage = qualified("sys_info", dataset.table), f"stage_{dataset.table}"
    values = (*(column.name for column in dataset.columns), "jdp_hashcode", "jdp_response")
    names = ", ".join(map(identifier, values))
    modified = identifier(dataset.modified)
    same = " AND ".join(f"t.{name} = EXCLUDED.{name}" for name in (modified, "jdp_hashcode", "jdp_response"))
    updates = [f"{identifier(name)} = EXCLUDED.{identifier(name)}" for name in values if name != dataset.key]
    updates += [
        f"{name} = CASE WHEN {same} THEN t.{name} ELSE EXCLUDED.{name} END" for name in ("jdp_modified", "jdp_seq")
    ]
    key = identifier(dataset.key)
    moment = "$1::timestamp + jdp_seq * interval '1 microsecond'"
    upsert = (
        f"INSERT INTO {table} AS t ({names}, jdp_version, jdp_created, jdp_modified, jdp_seq)"
        f" SELECT {names}, jdp_version, {moment}, {moment}, $2::int8 + jdp_seq"
        f" FROM pg_temp.{identifier(stage)} ORDER BY jdp_seq"
        f" ON CONFLICT ({key}) DO UPDATE SET {', '.join(updates)}, jdp_version = EXCLUDED.jdp_version"
        f" WHERE {_order('t', modified)} < {_order('EXCLUDED', modified)}"
    )
    probe = (
        f"SELECT {key}, coalesce({modified}, {_OLDEST}), coalesce(jdp_version, 0), coalesce(jdp_hashcode, '')"
        f" FROM {table} WHERE {key} = ANY($1::pg_catalog.int8[])"
    )
    # not LIKE, which takes over NOT NULL: the stage holds no jdp_created yet, and other columns of the seller's never
    empty = f"ON COMMIT DELETE ROWS AS TABLE {table} WITH NO DATA"
    create = f"CREATE TEMPORARY TABLE IF NOT EXISTS {identifier(stage)} {empty}"
    return Statements(stage, (*values, "jdp_version", "jdp_created", "jdp_modified", "jdp_seq"), create, probe, upsert)


def _order(row: str, modified: str) -> str:
    """What decides which of two rows is newer. Rows from before Cairn may hold NULL: they are older than anything."""
    hashed = f"coalesce({row}.jdp_hashcode, '') COLLATE \"C\""
    return f"(coalesce({row}.{modified}, {_OLDEST}), coalesce({row}.jdp_version, 0), {hashed})"

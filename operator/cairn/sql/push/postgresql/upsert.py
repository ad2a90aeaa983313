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

AT = "SELECT seq FROM sys_info.jdp_cursor WHERE table_name = $1"
CURSOR = (
    "UPDATE sys_info.jdp_cursor SET seq = greatest(seq, $3) + $2, ts = greatest(ts + $2 * interval '1 microsecond',"
    " pg_catalog.clock_timestamp() AT TIME ZONE 'Asia/Shanghai')"
    " WHERE table_name = $1 RETURNING seq - $2 AS base, ts - $2 * interval '1 microsecond' AS start,"
    " pg_catalog.pg_notify($1, '')"
)
"""Gives out the next $2 numbers, above $3, and moments. Its row stays locked to COMMIT: they become visible in their
order.

Who listens to the table's name wakes at that COMMIT: in this statement it takes no round trip of its own.
"""


@dataclass(frozen=True, slots=True)
class Statements:
    """stage: the session's own table, emptied at COMMIT. columns: those that `Row.values` fills, and four more.

    update: of the staged rows that are there, which is quicker than `upsert`; that one takes all, and says
    how many it inserted and updated (a row that it updated was locked first: its xmax is not 0)
    """

    stage_name: str
    columns: tuple[str, ...]
    create_stage: str
    probe: str
    update: str
    upsert: str


def statements(dataset: Dataset) -> Statements:
    """For one table. In the stage jdp_seq counts from 1; the upsert adds what the cursor gave out."""
    table, stage = qualified("sys_info", dataset.table), f"stage_{dataset.table}"
    values = (*(column.name for column in dataset.columns), "jdp_hashcode", "jdp_response")
    names = ", ".join(map(identifier, values))
    modified = identifier(dataset.modified)
    key = identifier(dataset.key)
    moment, number = "$1::timestamp + {} * interval '1 microsecond'", "$2::int8 + {}"
    upsert = (
        f"WITH done AS (INSERT INTO {table} AS t ({names}, jdp_version, jdp_created, jdp_modified, jdp_seq)"
        f" SELECT {names}, jdp_version, {moment.format('jdp_seq')}, {moment.format('jdp_seq')},"
        f" {number.format('jdp_seq')} FROM pg_temp.{identifier(stage)}"
        f" ON CONFLICT ({key}) DO UPDATE"
        f" SET {_changes(dataset, values, 'EXCLUDED', 'EXCLUDED.jdp_modified', 'EXCLUDED.jdp_seq')}"
        f" WHERE {_order('t', modified)} < {_order('EXCLUDED', modified)} RETURNING t.xmax = 0 AS fresh)"
        " SELECT count(*) FILTER (WHERE fresh) AS inserted, count(*) FILTER (WHERE NOT fresh) AS updated FROM done"
    )
    update = (
        f"UPDATE {table} AS t"
        f" SET {_changes(dataset, values, 's', moment.format('s.jdp_seq'), number.format('s.jdp_seq'))}"
        f" FROM pg_temp.{identifier(stage)} AS s"
        f" WHERE t.{key} = s.{key} AND {_order('t', modified)} < {_order('s', modified)}"
    )
    probe = (
        f"SELECT {key}, coalesce({modified}, {_OLDEST}), coalesce(jdp_version, 0), coalesce(jdp_hashcode, '')"
        f" FROM {table} WHERE {key} = ANY($1::pg_catalog.int8[])"
    )
    # not LIKE, which takes over NOT NULL: the stage holds no jdp_created yet, and other columns of the seller's never
    empty = f"ON COMMIT DELETE ROWS AS TABLE {table} WITH NO DATA"
    create = f"CREATE TEMPORARY TABLE IF NOT EXISTS {identifier(stage)} {empty}"
    columns = (*values, "jdp_version", "jdp_created", "jdp_modified", "jdp_seq")
    return Statements(stage, columns, create, probe, update, upsert)


def _changes(dataset: Dataset, values: tuple[str, ...], new: str, moment: str, number: str) -> str:
    """The same content again gets its version, and neither time nor number: no reader need see it."""
    compared = (identifier(dataset.modified), "jdp_hashcode", "jdp_response")
    same = " AND ".join(f"t.{name} = {new}.{name}" for name in compared)
    changes = [f"{identifier(name)} = {new}.{identifier(name)}" for name in values if name != dataset.key]
    changes += [f"jdp_version = {new}.jdp_version"]
    changes += [
        f"{name} = CASE WHEN {same} THEN t.{name} ELSE {value} END"
        for name, value in (("jdp_modified", moment), ("jdp_seq", number))
    ]
    return ", ".join(changes)


def _order(row: str, modified: str) -> str:
    """What decides which of two rows is newer. Rows from before Cairn may hold NULL: they are older than anything."""
    hashed = f"coalesce({row}.jdp_hashcode, '') COLLATE \"C\""
    return f"(coalesce({row}.{modified}, {_OLDEST}), coalesce({row}.jdp_version, 0), {hashed})"

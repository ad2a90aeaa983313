# SPDX-License-Identifier: Apache-2.0
"""The statements by which SQL Server takes rows in: pure text from a dataset's descriptor.

No MERGE: without HOLDLOCK two of them race, with it they deadlock on keys that have nothing in common.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cairn.api.dataset import Dataset
from cairn.sql.push.sqlserver.ddl import EXACT, HASHED, stage_name, staged
from cairn.sql.share.sqlserver.text import identifier, qualified

OLDEST = datetime(1, 1, 1)  # noqa: DTZ001 -- the platform's wall clock has no zone
"""What a row from before Cairn without a time counts as."""

BEGIN, COMMIT = "BEGIN TRANSACTION", "COMMIT TRANSACTION"
ROLLBACK = "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION"
COUNTED = "; SELECT @@ROWCOUNT AS n"
"""Not OUTPUT: a table with a trigger of the seller's takes none."""

_KEPT = "topic, object_key, seller_nick, stream, stream_seq, member_no, reason, error_code, error_text, payload"
QUARANTINE = (
    f"INSERT INTO [dbo].[jdp_quarantine] ({_KEPT}) SELECT {', '.join(f'v.{name}' for name in _KEPT.split(', '))}"
    f" FROM (VALUES ({', '.join(['%s'] * 10)})) AS v ({_KEPT})"
    " WHERE NOT EXISTS (SELECT 1 FROM [dbo].[jdp_quarantine] AS q WITH (UPDLOCK, HOLDLOCK)"
    f" WHERE q.stream = v.stream COLLATE {HASHED} AND q.stream_seq = v.stream_seq AND q.member_no = v.member_no)"
    + COUNTED
)

_CLOCK = "CAST(DATEADD(hour, 8, SYSUTCDATETIME()) AS datetime2(6))"
_NEXT = "DATEADD(microsecond, %s, ts)"
_ABOVE = "CASE WHEN seq > %s THEN seq ELSE %s END"
AT = "SELECT seq FROM [dbo].[jdp_cursor] WHERE table_name = %s"
CURSOR = (
    f"UPDATE [dbo].[jdp_cursor] SET seq = {_ABOVE} + %s,"
    f" ts = CASE WHEN {_NEXT} > {_CLOCK} THEN {_NEXT} ELSE {_CLOCK} END"
    " OUTPUT INSERTED.seq, INSERTED.ts WHERE table_name = %s"
)
"""Gives out the next numbers, above the first two parameters, and moments: the last of them. Its row stays locked to
COMMIT: they become visible in their order.
"""


@dataclass(frozen=True, slots=True)
class Statements:
    """probe: wants a JSON array of keys. head, row: an INSERT into the stage is the head and a row for each.

    update: wants the moment and the number before the first, and the batch; insert, too. clear, orphans: of the stage
    """

    stage: str
    columns: tuple[tuple[str, str], ...]
    probe: str
    head: str
    row: str
    update: str
    insert: str
    clear: str
    orphans: str


def statements(dataset: Dataset) -> Statements:
    """For one table."""
    values = (*(column.name for column in dataset.columns), "jdp_hashcode", "jdp_response")
    key, modified = identifier(dataset.key), identifier(dataset.modified)
    table, stage = qualified("dbo", dataset.table), qualified("dbo", stage_name(dataset))
    columns = staged(dataset)
    given = "CROSS JOIN (SELECT CAST(%s AS datetime2(6)) AS ts, CAST(%s AS bigint) AS seq) AS g"
    moment, number = "DATEADD(microsecond, s.jdp_row, g.ts)", "g.seq + s.jdp_row"
    changes = [f"{identifier(name)} = s.{identifier(name)}" for name in values if name != dataset.key]
    changes.append("jdp_version = s.jdp_version")
    changes += [
        f"{name} = CASE WHEN {_same(modified)} THEN t.{name} ELSE {new} END"
        for name, new in (("jdp_modified", moment), ("jdp_seq", number))
    ]
    names = ", ".join(map(identifier, values))
    return Statements(
        stage=stage_name(dataset),
        columns=columns,
        probe=(
            f"SELECT t.{key}, t.{modified}, COALESCE(t.jdp_version, 0), COALESCE(t.jdp_hashcode, '')"
            f" FROM OPENJSON(%s) WITH (k bigint '$') AS j JOIN {table} AS t ON t.{key} = j.k"
        ),
        head=f"INSERT INTO {stage} ({', '.join(identifier(name) for name, _ in columns)}) VALUES ",
        row="(" + ", ".join(["%s"] * len(columns)) + ")",
        update=(
            f"UPDATE t SET {', '.join(changes)} FROM {table} AS t JOIN {stage} AS s ON s.{key} = t.{key} {given}"
            f" WHERE s.jdp_batch = %s AND {newer(modified)}" + COUNTED
        ),
        insert=(
            f"INSERT INTO {table} ({names}, jdp_version, jdp_created, jdp_modified, jdp_seq)"
            f" SELECT {', '.join(f's.{identifier(name)}' for name in values)}, s.jdp_version, {moment}, {moment},"
            f" {number} FROM {stage} AS s {given} WHERE s.jdp_batch = %s"
            f" AND NOT EXISTS (SELECT 1 FROM {table} AS t WITH (UPDLOCK) WHERE t.{key} = s.{key})" + COUNTED
        ),
        clear=f"DELETE FROM {stage} WHERE jdp_batch = %s",
        orphans=f"DELETE FROM {stage} WHERE jdp_staged < DATEADD(hour, -1, SYSUTCDATETIME())",
    )


def newer(modified: str) -> str:
    """The staged row is newer than the one that stands. T-SQL compares no tuples, and a comparison with NULL is not
    true: rows from before Cairn may hold NULL, and are older than anything.
    """
    version = "COALESCE(t.jdp_version, 0)"
    hashed = f"COALESCE(t.jdp_hashcode, '') COLLATE {HASHED} < s.jdp_hashcode COLLATE {HASHED}"
    return (
        f"(t.{modified} IS NULL OR t.{modified} < s.{modified} OR (t.{modified} = s.{modified}"
        f" AND ({version} < s.jdp_version OR ({version} = s.jdp_version AND {hashed}))))"
    )


def _same(modified: str) -> str:
    """The same content again gets its version, and neither time nor number: no reader need see it. `=` does not see
    blanks at the end.
    """
    whole = f"t.jdp_response COLLATE {EXACT} = s.jdp_response COLLATE {EXACT}"
    return (
        f"t.{modified} = s.{modified} AND t.jdp_hashcode COLLATE {HASHED} = s.jdp_hashcode COLLATE {HASHED}"
        f" AND {whole} AND DATALENGTH(t.jdp_response) = DATALENGTH(s.jdp_response)"
    )

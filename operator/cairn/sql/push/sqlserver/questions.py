# SPDX-License-Identifier: Apache-2.0
"""What the ledger asks a SQL Server, and what it notes there. Pure text."""

from __future__ import annotations

from cairn.api.dataset import Dataset
from cairn.api.proof import SUMMED_DIGITS
from cairn.sql.push.sqlserver.ddl import EXACT, HASHED
from cairn.sql.push.sqlserver.upsert import COUNTED
from cairn.sql.share.sqlserver.text import BINARY, identifier, qualified

VERSION = "SELECT CAST(SERVERPROPERTY('ProductMajorVersion') AS int)"

_UTF8 = f"CAST(CAST(t.jdp_response COLLATE {BINARY} AS varchar(max)) AS varbinary(max))"
MADE = f"LOWER(CONVERT(char(32), SUBSTRING(HASHBYTES('SHA2_256', {_UTF8}), 1, 16), 2))"
"""The first 128 bits of SHA-256 over the record's UTF-8, as hexadecimal."""
STORED = "COALESCE(t.jdp_hashcode, '')"

QUARANTINED = (
    "SELECT DISTINCT q.object_key FROM OPENJSON(%s) WITH (k nvarchar(64) '$') AS j"
    f" JOIN [dbo].[jdp_quarantine] AS q ON q.object_key = j.k COLLATE {EXACT}"
    " WHERE q.topic = %s AND q.state = 'open'"
)
REFUSED = (
    "SELECT TOP (%s) id, stream, stream_seq, member_no, payload, reason FROM [dbo].[jdp_quarantine]"
    " WHERE state = 'open' AND reason = 'ROW_REFUSED' AND topic = %s AND id > %s ORDER BY id"
)
STANDS_BY_NOW = (
    "UPDATE [dbo].[jdp_quarantine] SET attempts = attempts + 1, state = 'retried',"
    " resolved_by = COALESCE(%s, USER_NAME()), resolved_at = SYSUTCDATETIME() WHERE id = %s AND state = 'open'"
)
REFUSED_AGAIN = (
    "UPDATE [dbo].[jdp_quarantine] SET attempts = attempts + 1, reason = %s, error_code = %s, error_text = %s,"
    " seller_nick = COALESCE(%s, seller_nick) WHERE id = %s AND state = 'open'"
)
_WINDOW = (
    "table_name, shop_id, window_start, window_end, sent, stood, missing, stale, wrong, quarantined, extra, repaired,"
    " deep, audited_at"
)
WINDOWS = f"SELECT {_WINDOW} FROM [dbo].[jdp_audit] WHERE table_name = %s AND shop_id = %s AND window_start >= %s"
PROGRESS = (
    "SELECT since, until, at_modified, at_key, records, done_at FROM [dbo].[jdp_backfill]"
    " WHERE table_name = %s AND shop_id = %s"
)

_FOUND = "window_end = %s, sent = %s, stood = %s, missing = %s, stale = %s, wrong = %s, quarantined = %s, extra = %s"
CHANGE_WINDOW = (
    f"UPDATE [dbo].[jdp_audit] SET {_FOUND}, deep = CASE WHEN %s = 1 OR (deep = 1 AND %s = 0) THEN 1 ELSE 0 END,"
    " repaired = repaired + %s, audited_at = %s WHERE table_name = %s AND shop_id = %s AND window_start = %s"
    "; SELECT @@ROWCOUNT AS n"
)
NEW_WINDOW = f"INSERT INTO [dbo].[jdp_audit] ({_WINDOW}) VALUES ({', '.join(['%s'] * 14)})"

CHANGE_PROGRESS = (
    "UPDATE [dbo].[jdp_backfill] SET since = %s, until = %s, at_modified = %s, at_key = %s, records = %s,"
    " done_at = CASE WHEN %s = 1 THEN SYSUTCDATETIME() END WHERE table_name = %s AND shop_id = %s"
    "; SELECT @@ROWCOUNT AS n"
)
NEW_PROGRESS = (
    "INSERT INTO [dbo].[jdp_backfill] (since, until, at_modified, at_key, records, done_at, table_name, shop_id)"
    " VALUES (%s, %s, %s, %s, %s, CASE WHEN %s = 1 THEN SYSUTCDATETIME() END, %s, %s)"
)
"""A row is changed where it is there, else made: one worker writes the book of a subscription."""


CLOCK = "SELECT DATEDIFF_BIG(second, '1970-01-01', SYSUTCDATETIME()) AS n"
HORIZON = "SELECT horizon FROM [dbo].[jdp_retention] WHERE table_name = %s AND shop_id = %s"
MOVE_HORIZON = (
    "UPDATE [dbo].[jdp_retention] SET horizon = CASE WHEN horizon > %s THEN horizon ELSE %s END"
    f" WHERE table_name = %s AND shop_id = %s{COUNTED}"
)
NEW_HORIZON = "INSERT INTO [dbo].[jdp_retention] (table_name, shop_id, horizon) VALUES (%s, %s, %s)"


def expired(dataset: Dataset) -> str:
    """Wants how many, and what `_old` wants."""
    key, modified = f"t.{identifier(dataset.key)}", f"t.{identifier(dataset.modified)}"
    table = qualified("dbo", dataset.table)
    return f"SELECT TOP (%s) {key} FROM {table} AS t WHERE {_old(dataset)} ORDER BY {modified}"


def expire(dataset: Dataset) -> str:
    """Wants a JSON array of keys, what `_old` wants, and table and shop. Whoever was written meanwhile stays."""
    keys = f"t.{identifier(dataset.key)} IN (SELECT j.k FROM OPENJSON(%s) WITH (k bigint '$') AS j)"
    return (
        "DECLARE @n bigint; BEGIN TRANSACTION;"
        f" DELETE t FROM {qualified('dbo', dataset.table)} AS t WHERE {keys} AND {_old(dataset)};"
        " SET @n = @@ROWCOUNT; UPDATE [dbo].[jdp_retention] SET rows_taken = rows_taken + @n"
        " WHERE table_name = %s AND shop_id = %s; COMMIT TRANSACTION; SELECT @n AS n"
    )


def slices(dataset: Dataset, seconds: int, *, deep: bool) -> str:
    """Wants the beginning, then what `_rows` wants."""
    digits = f"CROSS APPLY (SELECT LEFT({_hash(deep=deep)}, {SUMMED_DIGITS}) AS d) AS h"
    # a hash that Cairn did not write, in a table from before it, counts as nothing
    token = f"CASE WHEN LEN(h.d) = {SUMMED_DIGITS} THEN CAST(TRY_CONVERT(binary(8), '0' + h.d, 2) AS bigint) END"
    slot = f"DATEDIFF_BIG(second, %s, t.{identifier(dataset.modified)}) / {seconds}"
    return (
        "SELECT x.slot, COUNT_BIG(*) AS records, SUM(CAST(COALESCE(x.token, 0) AS decimal(38, 0))) AS total"
        f" FROM {qualified('dbo', dataset.table)} AS t {digits}"
        f" CROSS APPLY (SELECT {slot} AS slot, {token} AS token) AS x"
        f" WHERE {_rows(dataset)} GROUP BY x.slot ORDER BY x.slot"
    )


def heads(dataset: Dataset, *, deep: bool, after: bool) -> str:
    """Wants how many, then what `_rows` wants, and the key after which, if any."""
    key = f"t.{identifier(dataset.key)}"
    return (
        f"SELECT TOP (%s) {key}, t.{identifier(dataset.modified)}, {_hash(deep=deep)} AS hash"
        f" FROM {qualified('dbo', dataset.table)} AS t WHERE {_rows(dataset)}"
        f"{f' AND {key} > %s' if after else ''} ORDER BY {key}"
    )


def standing(dataset: Dataset, *, deep: bool) -> str:
    """Wants a JSON array of keys."""
    key = f"t.{identifier(dataset.key)}"
    sound = f"{MADE} = t.jdp_hashcode COLLATE {HASHED}" if deep else "t.jdp_hashcode IS NOT NULL"
    return (
        f"SELECT {key}, t.{identifier(dataset.modified)}, COALESCE(t.jdp_version, 0), {STORED},"
        f" CASE WHEN {sound} THEN 1 ELSE 0 END AS sound"
        f" FROM OPENJSON(%s) WITH (k bigint '$') AS j JOIN {qualified('dbo', dataset.table)} AS t ON {key} = j.k"
    )


def _hash(*, deep: bool) -> str:
    return f"COALESCE({MADE}, '')" if deep else STORED


def _rows(dataset: Dataset) -> str:
    """Wants the nick twice, for the index and by its characters, and from when until when."""
    owner, modified = f"t.{identifier(dataset.owner)}", f"t.{identifier(dataset.modified)}"
    return f"{owner} = %s AND {owner} COLLATE {EXACT} = %s AND {modified} >= %s AND {modified} < %s"


def _old(dataset: Dataset) -> str:
    """Wants the nick twice, for the index and by its characters, and until when."""
    owner, modified = f"t.{identifier(dataset.owner)}", f"t.{identifier(dataset.modified)}"
    return f"{owner} = %s AND {owner} COLLATE {EXACT} = %s AND {modified} < %s"

# SPDX-License-Identifier: Apache-2.0
"""The statements by which MySQL and MariaDB take rows in: pure text from a dataset's descriptor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cairn.api.dataset import Dataset
from cairn.sql.share.mysql.names import Flavour, identifier, qualified
from cairn.sql.share.mysql.upload import LOAD

OLDEST = datetime(1, 1, 1)  # noqa: DTZ001 -- the platform's wall clock has no zone
"""What a row from before Cairn without a time counts as."""
_CONTENT = ("jdp_hashcode", "jdp_response")

QUARANTINE = (
    "INSERT INTO sys_info.jdp_quarantine (topic, object_key, seller_nick, stream, stream_seq, member_no, reason,"
    " error_code, error_text, payload) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
    " ON DUPLICATE KEY UPDATE stream = VALUES(stream)"
)

NO_LOADING = (
    "SHOW VARIABLES WHERE (variable_name, value) IN"
    " (('local_infile', 'OFF'), ('max_error_count', '0'), ('wsrep_load_data_splitting', 'ON'))"
)
"""A row for each setting that forbids LOAD: it is not taken, it keeps silent on values that it cuts, or it commits by
itself every 10,000 rows (Galera).
"""
AT = "SELECT seq FROM sys_info.jdp_cursor WHERE table_name = %s"
CURSOR = (
    "UPDATE sys_info.jdp_cursor SET seq = GREATEST(seq, %s) + %s,"
    " ts = GREATEST(ts + INTERVAL %s MICROSECOND, UTC_TIMESTAMP(6) + INTERVAL 8 HOUR) WHERE table_name = %s"
)
"""Gives out the next numbers, above the first parameter, and moments. Its row stays locked to COMMIT: they become
visible in their order."""
CURSOR_GIVEN = "SELECT seq - %s, ts - INTERVAL %s MICROSECOND FROM sys_info.jdp_cursor WHERE table_name = %s"


@dataclass(frozen=True, slots=True)
class Statements:
    """probe: wants a tuple of keys. load: of rows as `upload.line` makes them.
    head, row, tail: an upsert is the head, a row for each, and the tail.
    """

    probe: str
    load: str
    head: str
    row: str
    tail: str


def statements(dataset: Dataset, flavour: Flavour) -> Statements:
    """For one table. Rows are `Row.values`, then version, created, modified and number."""
    values = (*(column.name for column in dataset.columns), "jdp_hashcode", "jdp_response")
    columns = (*values, "jdp_version", "jdp_created", "jdp_modified", "jdp_seq")
    key, modified = identifier(dataset.key), identifier(dataset.modified)
    table = qualified("sys_info", dataset.table)
    probe = f"SELECT {key}, {modified}, COALESCE(jdp_version, 0), COALESCE(jdp_hashcode, '') FROM {table}"
    return Statements(
        f"{probe} WHERE {key} IN %s",
        LOAD.format(table=table, columns=", ".join(map(identifier, columns))),
        f"INSERT INTO {table} ({', '.join(map(identifier, columns))}) VALUES ",
        "(" + ", ".join(["%s"] * len(columns)) + ")",
        (" " if flavour.mariadb else " AS n ") + "ON DUPLICATE KEY UPDATE " + _assignments(dataset, values, flavour),
    )


def _assignments(dataset: Dataset, values: tuple[str, ...], flavour: Flavour) -> str:
    """There is no WHERE: each column decides for itself. Assignments run from left to right and the later see what the
    earlier did, so what is decided by comes last, the least of it first: hash, version, modified.
    """

    def there(name: str) -> str:
        return f"{identifier(dataset.table)}.{identifier(name)}"

    def sent(name: str) -> str:
        return f"VALUES({identifier(name)})" if flavour.mariadb else f"n.{identifier(name)}"

    newer = _newer(dataset.modified, there, sent)
    same = " AND ".join(
        (
            f"{there(dataset.modified)} = {sent(dataset.modified)}",
            *(f"CAST({there(name)} AS BINARY) = CAST({sent(name)} AS BINARY)" for name in _CONTENT),
        )
    )
    decide = ("jdp_hashcode", "jdp_version", dataset.modified)
    plain = [name for name in values if name not in (*decide, dataset.key)]
    assigned = [
        f"{there(name)} = IF({newer} AND NOT COALESCE({same}, FALSE), {sent(name)}, {there(name)})"
        for name in ("jdp_modified", "jdp_seq")
    ]
    assigned += [f"{there(name)} = IF({newer}, {sent(name)}, {there(name)})" for name in (*plain, *decide)]
    return ", ".join(assigned)


def _newer(modified: str, there: Callable[[str], str], sent: Callable[[str], str]) -> str:
    """Rows from before Cairn may hold NULL: they are older than anything."""
    hashed = f"CAST(COALESCE({there('jdp_hashcode')}, '') AS BINARY) < CAST({sent('jdp_hashcode')} AS BINARY)"
    version = f"COALESCE({there('jdp_version')}, 0)"
    return (
        f"(CASE WHEN {there(modified)} IS NULL OR {there(modified)} < {sent(modified)} THEN TRUE"
        f" WHEN {there(modified)} > {sent(modified)} THEN FALSE"
        f" WHEN {version} <> {sent('jdp_version')} THEN {version} < {sent('jdp_version')} ELSE {hashed} END)"
    )

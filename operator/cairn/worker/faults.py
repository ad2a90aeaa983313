# SPDX-License-Identifier: Apache-2.0
"""What kind of trouble an error is. The kind decides what is done: wait, quarantine a record, or hold the lane."""

from __future__ import annotations

import asyncpg

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.push.fault import Fault, WriteError

DATABASE_ERRORS = (SqlError, WriteError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
"""What a session raises where the database, or the way to it, is at fault."""

_TRANSIENT = ("08", "53", "57", "40001", "40P01", "55P03", "25P03")
_DISK_FULL = "53100"
_ROW = ("22", "23")
_DRIFT = ("22001", "22003", "23502")
"""Too long, too large, NULL where there must be a value: the decoder holds every value to its descriptor, so a table
that refuses one is not the table of the descriptor any more."""


def fault(error: BaseException) -> Fault:
    """The kind of an error that writing raised. What nobody foresaw holds the lane: it must not cost a record."""
    if isinstance(error, WriteError):
        return error.kind
    if isinstance(error, SqlError):
        return Fault.TRANSIENT if error.reason is Reason.DATABASE_UNREACHABLE else Fault.DESTINATION
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return Fault.TRANSIENT
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        if state == _DISK_FULL or state in _DRIFT:
            return Fault.DESTINATION
        if state.startswith(_TRANSIENT):
            return Fault.TRANSIENT
        return Fault.ROW if state.startswith(_ROW) else Fault.DESTINATION
    if isinstance(error, asyncpg.DataError | OverflowError | UnicodeError):
        return Fault.ROW
    if isinstance(error, OSError | TimeoutError | EOFError | asyncpg.InterfaceError | asyncpg.InternalClientError):
        return Fault.TRANSIENT
    return Fault.DESTINATION


def text(error: BaseException) -> str:
    """What may be logged of it: the server's message without its DETAIL, which quotes the row."""
    if isinstance(error, asyncpg.PostgresError) and error.args:
        return str(error.args[0])[:500]
    return str(error)[:500]


def code(error: BaseException) -> str:
    """Short, for metrics and jdp_quarantine.error_code: the SQLSTATE where there is one."""
    if isinstance(error, asyncpg.PostgresError) and error.sqlstate:
        return error.sqlstate
    if isinstance(error, WriteError):
        return error.code
    return error.reason.value if isinstance(error, SqlError) else type(error).__name__

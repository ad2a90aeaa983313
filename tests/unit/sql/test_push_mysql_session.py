# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in the operator's sessions with MySQL and MariaDB is told in its user's words."""

from __future__ import annotations

from typing import Any

import pymysql
import pytest

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Target
from cairn.sql.push.mysql import session as sessions

TARGET = Target("db.example", 3306, "", "dba", "secret")


class Opened:
    closed = False

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("error", "reason", "message"),
    [
        (
            pymysql.err.OperationalError(1142, "SELECT command denied to user 'dba'"),
            Reason.ACTION_FAILED,
            "db.example:3306: SELECT command denied to user 'dba'",
        ),
        (
            pymysql.err.OperationalError(2013, "Lost connection to MySQL server during query"),
            Reason.DATABASE_UNREACHABLE,
            "db.example:3306: Lost connection to MySQL server during query",
        ),
        (pymysql.err.InterfaceError(), Reason.DATABASE_UNREACHABLE, "db.example:3306: InterfaceError"),
    ],
    ids=["refused", "lost", "without-words"],
)
async def test_error_of_the_driver_names_the_server_and_what_it_said(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: Reason, message: str
) -> None:
    opened = Opened()

    async def connect(*_: Any, **__: Any) -> Opened:
        return opened

    monkeypatch.setattr(sessions, "connect", connect)
    with pytest.raises(SqlError) as found:
        async with sessions.told(TARGET, timeout=1, statement_timeout=1):
            raise error
    assert (found.value.reason, found.value.message) == (reason, message)
    assert opened.closed

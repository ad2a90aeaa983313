# SPDX-License-Identifier: Apache-2.0
"""The engines by name. Their drivers are loaded when they are asked for: who has no MySQL needs no driver of it."""

from __future__ import annotations

from typing import Literal

from cairn.sql.push.engine import PushEngine

EngineName = Literal["postgresql", "mysql", "sqlserver"]
"""`mysql` is MariaDB too: a server tells by its version which of the two it is. `sqlserver` is experimental, and its
driver an extra.
"""


def engine(name: EngineName) -> PushEngine:
    if name == "mysql":
        from cairn.sql.push.mysql.engine import MySQLPush

        return MySQLPush()
    if name == "sqlserver":
        from cairn.sql.push.sqlserver.engine import SQLServerPush

        return SQLServerPush()
    from cairn.sql.push.postgresql.engine import PostgreSQLPush

    return PostgreSQLPush()

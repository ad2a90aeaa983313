# SPDX-License-Identifier: Apache-2.0
"""The engines by name. Their drivers are loaded when they are asked for."""

from __future__ import annotations

from cairn.api.engines import EngineName
from cairn.sql.server.engine import ServerEngine


def server(name: EngineName) -> ServerEngine:
    if name == "mysql":
        from cairn.sql.server.mysql import MySQLServer

        return MySQLServer()
    from cairn.sql.server.postgresql import PostgreSQLServer

    return PostgreSQLServer()

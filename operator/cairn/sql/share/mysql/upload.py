# SPDX-License-Identifier: Apache-2.0
"""LOAD DATA LOCAL from memory. In this protocol the *server* names the file that a client sends it, at whatever
statement it likes; PyMySQL would open any. Here nothing is ever opened: a session sends the bytes that it offered for
this one statement, or breaks off.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pymysql import err
from pymysql.connections import Connection, MySQLResult
from pymysql.constants import CR
from pymysql.protocol import LoadLocalPacketWrapper

NAME = "offered"
LOAD = f"LOAD DATA LOCAL INFILE '{NAME}' INTO TABLE {{table}} CHARACTER SET utf8mb4 ({{columns}})"
"""Lines as `line` makes them."""
_CHUNK = 2**14
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\0": "\\0"})


def line(values: Iterable[Any]) -> bytes:
    """A row for LOAD."""
    return ("\t".join(map(_field, values)) + "\n").encode()


def _field(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value.translate(_ESCAPED)
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return str(int(value) if isinstance(value, bool) else value)


class Uploading(Connection):
    """A connection that may be asked for what `load` offers, once."""

    offered: bytes | None = None

    def load(self, statement: str, offered: bytes) -> tuple[int, int]:
        """How many rows it made, and how many warnings it left: what is wrong with a row is no error to LOAD."""
        self.offered = offered
        try:
            with self.cursor() as cursor:
                made = cursor.execute(statement)
                return made, self._result.warning_count
        finally:
            self.offered = None

    def _read_query_result(self, unbuffered: bool = False) -> int:  # noqa: FBT001, FBT002 -- the base's
        self._result = result = _Result(self)
        result.read()
        if result.server_status is not None:
            self.server_status = result.server_status
        return int(result.affected_rows or 0)


class _Result(MySQLResult):
    def _read_load_local_packet(self, first_packet: Any) -> None:
        connection: Any = self.connection
        offered, connection.offered = connection.offered, None
        if offered is None or LoadLocalPacketWrapper(first_packet).filename != NAME.encode():
            connection._force_close()
            raise err.OperationalError(CR.CR_SERVER_LOST, "the server asked for a file that it was not offered")
        for at in range(0, len(offered), _CHUNK):
            connection.write_packet(offered[at : at + _CHUNK])
        connection.write_packet(b"")
        self._read_ok_packet(connection._read_packet())  # type: ignore[attr-defined]  # the stubs lack it

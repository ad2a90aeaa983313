# SPDX-License-Identifier: Apache-2.0
"""Connections to MySQL and MariaDB: always encrypted, one statement at a time.

PyMySQL rather than a faster driver: a server may be hostile, and this one parses what it sends in no language but
Python. It blocks, so each call runs in a thread; the socket's timeouts bound it.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pymysql
from pymysql.connections import Connection

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Target
from cairn.sql.share.blocking import Blocking, Row
from cairn.sql.share.mysql.names import MARIADB, MYSQL, Flavour
from cairn.sql.share.mysql.upload import Uploading

PINNED = (
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ONLY_FULL_GROUP_BY,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'",
    "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
    "SET SESSION time_zone = '+00:00', autocommit = 1, lock_wait_timeout = 5, innodb_lock_wait_timeout = 5",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION foreign_key_checks = 1, unique_checks = 1, group_concat_max_len = 1048576",
)
_DENIED = {1044, 1045, 1698, 3118, 3950, 4151}
"""Access denied, and account locked (MySQL 3118, MariaDB 4151)."""


class _Context(ssl.SSLContext):
    """A client context that holds the server to one name, although the connection goes to an address."""

    expected: str | None = None

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        if self.expected is not None:
            kwargs["server_hostname"] = self.expected
        return super().wrap_socket(*args, **kwargs)


def tls_context(target: Target) -> ssl.SSLContext:
    """TLS 1.2 or newer; verified against `ca` where there is one. ValueError for a `ca` that holds no certificate."""
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.expected = target.host
    if target.ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    context.check_hostname = target.verify_host
    try:
        context.load_verify_locations(cadata=target.ca.decode("ascii"))
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise ValueError(f"the CA file holds no PEM certificate: {error}") from error
    return context


class Session(Blocking):
    """An open session of the operator's. Not for two tasks at once."""

    def __init__(self, connection: Uploading, flavour: Flavour, version: tuple[int, ...]) -> None:
        super().__init__()
        self._connection = connection
        self.flavour = flavour
        self.version = version

    @property
    def open(self) -> bool:
        return self._connection.open

    def abort(self) -> None:
        """Close the socket without a word."""
        self._connection._force_close()  # type: ignore[attr-defined]  # the stubs lack it

    async def load(self, statement: str, offered: bytes) -> tuple[int, int]:
        """`upload.LOAD`, in a session opened with `upload`: how many rows it made, how many warnings it left."""
        return await self._run(self._load, statement, offered)

    def _close(self) -> None:
        self._connection.close()

    def _query(self, statement: str, parameters: tuple[object, ...]) -> list[Row]:
        return _query(self._connection, statement, parameters)

    def _load(self, statement: str, offered: bytes) -> tuple[int, int]:
        return self._connection.load(statement, offered)


def _query(connection: Connection[Any], statement: str, parameters: tuple[object, ...]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return list(cursor.fetchall())


async def connect(
    target: Target,
    *,
    timeout: float = 8.0,  # noqa: ASYNC109 -- the socket's
    statement_timeout: float = 15.0,
    upload: bool = False,
) -> Session:
    """An open session. SqlError (DatabaseUnreachable, AuthenticationFailed, DatabaseNotFound) says why not."""
    where = f"{target.host}:{target.port}/{target.database}"
    try:
        return await asyncio.to_thread(_connect, target, timeout, statement_timeout, upload)
    except pymysql.err.MySQLError as error:
        number = error.args[0] if error.args else 0
        text = str(error.args[1]) if len(error.args) > 1 else str(error)
        if number in _DENIED:
            raise SqlError(Reason.AUTHENTICATION_FAILED, f"{where} refused login {target.user!r}: {text}") from error
        reason = Reason.DATABASE_NOT_FOUND if number == 1049 else Reason.DATABASE_UNREACHABLE
        raise SqlError(reason, f"{where}: {text}") from error
    except (OSError, ValueError) as error:
        raise SqlError(Reason.DATABASE_UNREACHABLE, f"{where}: {str(error) or type(error).__name__}") from error


def _connect(target: Target, timeout: float, statement_timeout: float, upload: bool) -> Session:  # noqa: FBT001
    connection = Uploading(  # without upload, too: a hostile server may ask for a file at any statement
        host=target.address or target.host,
        port=target.port,
        user=target.user,
        password=target.password,
        database=target.database or None,
        ssl=tls_context(target),
        connect_timeout=int(timeout),
        read_timeout=statement_timeout,
        write_timeout=statement_timeout,
        charset="utf8mb4",
        autocommit=True,
        local_infile=upload,
    )
    try:
        for statement in PINNED:
            _query(connection, statement, ())
        text = str(_query(connection, "SELECT VERSION()", ())[0][0])
    except BaseException:
        connection.close()
        raise
    numbers = text.split("-")[0].split(".")
    flavour = MARIADB if "mariadb" in text.lower() else MYSQL
    return Session(connection, flavour, tuple(int(number) for number in numbers if number.isdigit()))

# SPDX-License-Identifier: Apache-2.0
"""Connections to SQL Server: always encrypted, the server always known, one statement at a time.

python-tds: a server may be hostile, and it parses what that sends in no language but Python; the other driver that is
kept can't be given a CA for one connection. It has two limits: a connection needs a CA, and at login a server may name
another host to go to, which is followed as long as that one's certificate is of the same CA.
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytds
from pytds.tds_types import sql_type_by_declaration

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Target
from cairn.sql.share.blocking import Blocking, Row

PINNED = (
    "SET NOCOUNT ON",
    "SET XACT_ABORT ON",
    "SET IMPLICIT_TRANSACTIONS OFF",
    "SET LOCK_TIMEOUT 5000",
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET LANGUAGE us_english",
    "SET DATEFORMAT ymd",
)
_DENIED = {18452, 18456, 18486, 18487, 18488}
_NO_DATABASE = {911, 4060}


class Session(Blocking):
    """An open session of the operator's."""

    def __init__(self, connection: Any, wire: socket.socket) -> None:
        super().__init__()
        self._connection, self._wire = connection, wire
        self._ended = False

    @property
    def open(self) -> bool:
        return not self._ended

    def abort(self) -> None:
        """Close the socket without a word."""
        self._ended = True
        self._wire.close()

    def _close(self) -> None:
        self._ended = True
        self._connection.close()

    def _query(self, statement: str, parameters: tuple[object, ...]) -> list[Row]:
        with self._reached(), self._connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    async def copy_in(
        self, schema: str, table: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[object]]
    ) -> None:
        """Bulk copy, committed by itself. columns: name and type; one that is left out gets its default."""
        await self._run(self._copy_in, schema, table, columns, rows)

    def _copy_in(
        self, schema: str, table: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[object]]
    ) -> None:
        described = [pytds.Column(name=name, type=sql_type_by_declaration(kind)) for name, kind in columns]
        try:
            with self._reached(), self._connection.cursor() as cursor:
                cursor.copy_to(
                    table_or_view=table,
                    schema=schema,
                    columns=described,
                    data=rows,
                    check_constraints=True,  # not to check them takes a right to ALTER the table
                    fire_triggers=True,
                )
        except (SqlError, pytds.DatabaseError):
            raise
        except BaseException:
            self.abort()  # half of a message may be sent
            raise

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except (OSError, pytds.InterfaceError) as error:
            self.abort()
            raise SqlError(Reason.DATABASE_UNREACHABLE, str(error) or type(error).__name__) from error


async def connect(target: Target, *, timeout: float = 8.0, statement_timeout: float = 15.0) -> Session:  # noqa: ASYNC109 -- the socket's
    """An open session. SqlError (DatabaseUnreachable, AuthenticationFailed, DatabaseNotFound) says why not."""
    where = f"{target.host}:{target.port}/{target.database}"
    if target.ca is None:
        raise SqlError(Reason.DATABASE_UNREACHABLE, f"{where}: a SQL Server is connected to with its CA only: give one")
    try:
        return await asyncio.to_thread(_connect, target, target.ca, timeout, statement_timeout)
    except pytds.DatabaseError as error:
        if error.msg_no in _DENIED:
            raise SqlError(Reason.AUTHENTICATION_FAILED, f"{where} refused login {target.user!r}: {error}") from error
        reason = Reason.DATABASE_NOT_FOUND if error.msg_no in _NO_DATABASE else Reason.DATABASE_UNREACHABLE
        raise SqlError(reason, f"{where}: {error}") from error
    except Exception as error:  # the driver lets those of the TLS library through as they are
        raise SqlError(Reason.DATABASE_UNREACHABLE, f"{where}: {str(error) or type(error).__name__}") from error


def _connect(target: Target, ca: bytes, timeout: float, statement_timeout: float) -> Session:
    wire = socket.create_connection((target.address or target.host, target.port), timeout)
    try:
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:  # the driver takes a CA by name alone
            file.write(ca)
            file.flush()
            connection = pytds.connect(
                dsn=target.host,
                port=target.port,
                database=target.database,
                user=target.user,
                password=target.password,
                timeout=statement_timeout,
                login_timeout=timeout,
                appname="cairn-operator",
                autocommit=True,
                cafile=file.name,
                validate_host=target.verify_host,
                disable_connect_retry=True,
                sock=wire,
            )
        session = Session(connection, wire)
        for statement in PINNED:
            session._query(statement, ())
    except BaseException:
        wire.close()
        raise
    return session

# SPDX-License-Identifier: Apache-2.0
"""A hostile server names files that it would like to have."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Target
from cairn.sql.share.mysql import connection as connections
from cairn.sql.share.mysql.upload import NAME, Uploading

_GREETING = (
    b"\x0a9.7.0\0" + struct.pack("<I", 1) + b"saltsalt\0" + struct.pack("<HBHH", 0xF7FF, 45, 2, 0x0008)
    + b"\x15" + b"\0" * 10 + b"saltsaltsalt\0" + b"mysql_native_password\0"
)  # fmt: skip
_OK = b"\x00\x00\x00\x02\x00\x00\x00"


class Hostile:
    """Answers the login and `SET` kindly, and any other statement by asking for a file. got: what was sent for it."""

    def __init__(self, wanted: bytes) -> None:
        self._wanted = wanted
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.got: list[bytes] = []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        accepted, _ = self._listener.accept()
        with self._listener, accepted, accepted.makefile("rb") as stream:

            def send(number: int, body: bytes) -> None:
                accepted.sendall(struct.pack("<I", len(body))[:3] + bytes([number % 256]) + body)

            def receive() -> tuple[int, bytes]:
                head = stream.read(4)
                if len(head) < 4:
                    raise EOFError
                return head[3], stream.read(int.from_bytes(head[:3], "little"))

            try:
                send(0, _GREETING)
                number, _ = receive()
                send(number + 1, _OK)
                while True:
                    number, command = receive()
                    if command[1:].startswith(b"SET"):
                        send(number + 1, _OK)
                        continue
                    send(number + 1, b"\xfb" + self._wanted)
                    while True:
                        number, body = receive()
                        self.got.append(body)
                        if not body:
                            break
                    send(number + 1, _OK)
            except (EOFError, ConnectionError):
                return


@pytest.fixture
def meet() -> Iterator[Callable[[bytes], tuple[Hostile, Uploading]]]:
    opened: list[Any] = []

    def connected(wanted: bytes) -> tuple[Hostile, Uploading]:
        server = Hostile(wanted)
        found = Uploading(
            host="127.0.0.1", port=server.port, user="u", password="p", charset="utf8mb4", local_infile=True,
            connect_timeout=10, read_timeout=10,
        )  # fmt: skip
        opened.append((server, found))
        return server, found

    yield connected
    for server, connection in opened:
        connection._force_close()
        server.thread.join(10)


Meet = Callable[[bytes], tuple[Hostile, Uploading]]


def test_server_that_names_another_file_gets_nothing(meet: Meet, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a secret")
    server, connection = meet(str(secret).encode())
    with pytest.raises(pymysql.err.OperationalError, match="not offered"):
        connection.load("LOAD", b"rows")
    server.thread.join(10)
    assert server.got == []
    assert not connection.open


@pytest.mark.parametrize("wanted", [b"/etc/passwd", NAME.encode()])
def test_server_that_asks_when_nothing_was_offered_gets_nothing(meet: Meet, wanted: bytes) -> None:
    server, connection = meet(wanted)
    with pytest.raises(pymysql.err.OperationalError, match="not offered"), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    server.thread.join(10)
    assert server.got == []
    assert not connection.open


def test_what_was_offered_is_sent_once(meet: Meet) -> None:
    server, connection = meet(NAME.encode())
    rows = bytes(range(256)) * 300
    connection.load("LOAD", rows)
    assert b"".join(server.got) == rows
    with pytest.raises(pymysql.err.OperationalError, match="not offered"), connection.cursor() as cursor:
        cursor.execute("SELECT 1")


@pytest.mark.parametrize("upload", [True, False])
async def test_server_that_asks_a_session_for_a_file_is_told_as_any_other_fault(
    monkeypatch: pytest.MonkeyPatch, upload: bool
) -> None:
    """Whether the session was opened to upload or not: PyMySQL's own connection would raise what nobody expects."""
    monkeypatch.setattr(connections, "tls_context", lambda _: None)
    server = Hostile(b"/etc/passwd")
    target = Target("localhost", server.port, "", "u", "p", address="127.0.0.1")
    with pytest.raises(SqlError, match="not offered") as found:
        await connections.connect(target, upload=upload)
    assert found.value.reason is Reason.DATABASE_UNREACHABLE
    await asyncio.to_thread(server.thread.join, 10)
    assert server.got == []

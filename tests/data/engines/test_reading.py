# SPDX-License-Identifier: Apache-2.0
"""The reader's texts on MySQL and MariaDB, with a plain client, as a seller's program would run them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pymysql
import pytest

from cairn.reader.statements import Source, statements
from data.engines.servers import MySQL

NAME = ("erp", "reading.jdp_tb_trade")
SQL = statements("mysql", Source(NAME[1], "tid", "jdp_tb_trade", "reading", limit=3))


@pytest.fixture
def session(mysql: MySQL) -> Iterator[Any]:
    conn = pymysql.connect(
        host="127.0.0.1",
        port=mysql.port,
        user="admin",
        password="secret",
        ssl_ca=str(mysql.home / "ca.pem"),
        init_command="SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    )
    with conn.cursor() as cursor:
        cursor.execute("CREATE DATABASE reading")
        cursor.execute("CREATE TABLE reading.jdp_tb_trade (tid bigint PRIMARY KEY, jdp_seq bigint, KEY (jdp_seq))")
    yield conn
    conn.rollback()
    with conn.cursor() as cursor:
        cursor.execute("DROP DATABASE reading")
    conn.close()


def step(conn: Any, *, commit: bool = True) -> list[int] | None:
    """One transaction; the keys, None where there was nothing to do."""
    with conn.cursor() as cursor:
        cursor.execute(SQL.lock, NAME)
        seq, old_key = cursor.fetchone()
        cursor.execute(SQL.rows if old_key is None else SQL.old_rows, (seq if old_key is None else old_key,))
        rows = cursor.fetchall()
        if old_key is not None:
            cursor.execute(SQL.advance_old, (rows[-1][0] if rows else None, *NAME))
        elif rows:
            cursor.execute(SQL.advance, (rows[-1][1], *NAME))
    (conn.commit if commit else conn.rollback)()
    return [row[0] for row in rows] if rows or old_key is not None else None


def test_reader_follows_old_rows_then_numbers_and_goes_back_with_its_transaction(session: Any) -> None:
    with session.cursor() as cursor:
        cursor.execute(
            "INSERT INTO reading.jdp_tb_trade VALUES (-5, NULL), (2, 4), (3, NULL), (4, 2), (7, NULL), (8, NULL)"
        )
        for _ in range(2):
            cursor.execute(SQL.create)
            cursor.execute(SQL.begin, NAME)
    session.commit()
    assert step(session, commit=False) == [-5, 3, 7]
    assert [step(session) for _ in range(4)] == [[-5, 3, 7], [8], [], [4, 2]]
    assert step(session) is None
    with session.cursor() as cursor:
        cursor.execute("UPDATE reading.jdp_tb_trade SET jdp_seq = 5 WHERE tid = 3")
    session.commit()
    assert step(session) == [3]

# SPDX-License-Identifier: Apache-2.0
"""Shared data on a SQL Server of one's own: CAIRN_TEST_SQLSERVER=sa:PASSWORD@HOST:PORT. It makes and drops a database.

No registry that we know of has a SQL Server that we could run, so nobody has seen this pass: until somebody has,
`cairn.sql.share.sqlserver` is experimental. Needs `pip install pymssql`.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

import pytest

from cairn.sql.share.model import Design
from cairn.sql.share.sqlserver import steps
from cairn.sql.share.sqlserver.desired import desired
from data.share.designs import design

SERVER = os.environ.get("CAIRN_TEST_SQLSERVER", "")
pytestmark = pytest.mark.skipif(not SERVER, reason="CAIRN_TEST_SQLSERVER names no SQL Server")
DATABASE = "cairntest"
TRADES = (
    "CREATE TABLE platform.trades (tid bigint PRIMARY KEY, shop_id nvarchar(64), created datetime2, pay_time datetime2,"
    " ouid nvarchar(64), omid nvarchar(64), buyer_nick nvarchar(64), receiver_mobile nvarchar(32),"
    " payment decimal(20, 2))"
)


def connect(database: str) -> Any:
    login, _, where = SERVER.rpartition("@")
    user, _, password = login.partition(":")
    host, _, port = where.partition(":")
    driver = importlib.import_module("pymssql")
    return driver.connect(
        server=host, port=port or "1433", user=user, password=password, database=database, autocommit=True
    )


def send(connection: Any, statement: str, parameters: tuple[object, ...] = ()) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def rows(connection: Any, query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def given(connection: Any) -> set[tuple[str, str, str]]:
    """Rights of Cairn's roles and users: object, grantee, privilege."""
    found = {
        (f"object {target}" if kind == "OBJECT_OR_COLUMN" else kind.lower(), grantee, privilege)
        for kind, state, privilege, grantee, _, target, _ in rows(connection, steps.PERMISSIONS)
        if state in ("G", "W") and len(grantee) in (17, 18)
    }
    return found | {
        (f"role {role}", member, "MEMBER") for role, member in rows(connection, steps.MEMBERS) if len(role) == 17
    }


def wanted(whole: Design) -> set[tuple[str, str, str]]:
    return {(entry.object, entry.grantee, entry.privilege) for entry in desired(whole).entries}


def test_check_01_exact_acl_of_the_example_and_a_revoke() -> None:
    master, whole = connect("master"), design(DATABASE)
    send(master, f"DROP DATABASE IF EXISTS {DATABASE}")
    send(master, f"CREATE DATABASE {DATABASE} CONTAINMENT = PARTIAL")
    try:
        connection = connect(DATABASE)
        send(connection, "CREATE SCHEMA platform")
        send(connection, TRADES)
        for statement in steps.ground(whole):
            send(connection, statement)
        for party in whole.parties:
            for statement in steps.admitted(whole, party):
                send(connection, statement)
            for login in party.logins:
                declared = "DECLARE @name sysname = %s, @password nvarchar(128) = %s, @schema sysname = %s; "
                send(connection, declared + steps.CREATE_USER, (login.name, "App-password-1", f"w{party.id}"))
        for table in whole.tables:
            send(connection, steps.table_sql(table))
        for view in whole.views:
            for statement in steps.shown(whole, view):
                send(connection, statement)
        for entry in sorted(desired(whole).entries):
            send(connection, steps.give(entry))
        assert given(connection) == wanted(whole)
        first = next(entry for entry in sorted(desired(whole).entries) if entry.privilege == "SELECT")
        send(connection, steps.take(first))
        assert given(connection) == wanted(whole) - {(first.object, first.grantee, first.privilege)}
        connection.close()
    finally:
        send(master, f"ALTER DATABASE {DATABASE} SET SINGLE_USER WITH ROLLBACK IMMEDIATE")
        send(master, f"DROP DATABASE {DATABASE}")
        master.close()

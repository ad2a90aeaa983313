# SPDX-License-Identifier: Apache-2.0
"""Whether logins work as their Secrets say, on a real PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network, ip_address, ip_network

import pytest

from cairn.api.conditions import Reason
from cairn.datasets import shipped
from cairn.rds import databases
from cairn.sql.errors import SqlError
from cairn.sql.logins import (
    HOLDER,
    comments,
    current_settings,
    grant_connect,
    hold,
    loaded_at,
    may_connect,
    may_push,
    may_read,
    passwords_open,
    refuse_others,
    reload_config,
)
from cairn.sql.postgresql import Connection, Target, connect
from cairn.sql.push.postgresql.schema import ensure_schema
from cairn.sql.reach import allowed_address, is_denied
from cairn.sql.roles import ensure_role, grant_push, grant_reader

DATASETS = tuple(shipped().values())
TABLES = tuple(dataset.table for dataset in DATASETS)


async def test_passwords_open_tells_right_from_wrong_without_a_login(database: Target, admin_conn: Connection) -> None:
    owner = f"{database.database}_owner"
    for password, opens in (("owner-password", True), ("another", False), ("", False), ("päss", False)):
        found = await passwords_open(admin_conn, database, {owner: (password, database.database)})
        assert found == {owner: opens}


async def test_passwords_open_without_the_right_to_read_verifiers_tries(
    database: Target, admin_conn: Connection
) -> None:
    owner = f"{database.database}_owner"
    mine = replace(database, user=owner, password="owner-password")
    conn = await connect(mine)
    try:
        assert await passwords_open(conn, mine, {owner: ("owner-password", database.database)}) == {owner: True}
        assert await passwords_open(conn, mine, {owner: ("wrong", database.database)}) == {owner: False}
    finally:
        await conn.close()


async def test_may_connect_knows_what_was_granted_and_bears_what_is_not_there(
    database: Target, admin_conn: Connection
) -> None:
    name, reader = database.database, f"{database.database}_reader"
    wanted = [(reader, name), (reader, "nowhere"), ("nobody", name)]
    assert await may_connect(admin_conn, wanted) == set()
    await ensure_role(admin_conn, reader, password="x")
    assert await may_connect(admin_conn, wanted) == set()
    await grant_connect(admin_conn, name, reader)
    assert await may_connect(admin_conn, wanted) == {(reader, name)}
    assert await may_connect(admin_conn, []) == set()


async def test_hold_keeps_a_database_for_one(database: Target, admin_conn: Connection) -> None:
    name = database.database
    await refuse_others(admin_conn, name, "seller-1/db")
    await hold(admin_conn, name, "seller-1/db")
    assert (await comments(admin_conn))[name] == "cairn: seller-1/db"
    await refuse_others(admin_conn, name, "seller-1/db")
    with pytest.raises(SqlError) as caught:
        await refuse_others(admin_conn, name, "seller-2/db")
    assert caught.value.reason is Reason.CONFLICT
    await admin_conn.execute(f"COMMENT ON DATABASE {name} IS 'all about shoes'")
    await hold(admin_conn, name, "seller-2/db")
    assert (await comments(admin_conn))[name] == "all about shoes"


async def test_may_push_and_read_know_what_was_granted(database: Target, conn: Connection) -> None:
    login, reader = f"{database.database}_push", f"{database.database}_reader"
    for role in (login, reader):
        await ensure_role(conn, role, password="x")
    assert not await may_push(conn, login, TABLES)
    assert not await may_read(conn, reader, TABLES)
    await ensure_schema(conn, DATASETS, {"1": "nick"})
    assert not await may_push(conn, login, TABLES)
    await grant_push(conn, database.database, login, TABLES)
    await grant_reader(conn, database.database, reader)
    assert await may_push(conn, login, (*TABLES, "jdp_quarantine"))
    assert await may_read(conn, reader, TABLES)
    assert not await may_push(conn, reader, TABLES)
    await conn.execute(f"REVOKE INSERT ON sys_info.{TABLES[0]} FROM {login}")
    assert not await may_push(conn, login, TABLES)


async def test_reload_moves_the_time_of_loading(admin_conn: Connection, admin: Target) -> None:
    before = await loaded_at(admin_conn)
    await reload_config(admin_conn)
    for _ in range(200):  # the signal takes its moment to reach the postmaster
        if await loaded_at(admin_conn) > before:
            return
    pytest.fail("the configuration was not read again")


async def test_current_settings_are_spelled_by_the_server(admin_conn: Connection) -> None:
    found = await current_settings(admin_conn, ["work_mem", "wal_segment_size", "no_such_parameter"])
    assert found == {"work_mem": "4MB", "wal_segment_size": "16MB"}


def test_holder_is_spelled_alike_in_plan_and_adapter() -> None:
    assert databases.HOLDER == HOLDER


@pytest.mark.parametrize(
    ("address", "denied"),
    [
        pytest.param("127.0.0.1", True, id="loopback"),
        pytest.param("::ffff:127.0.0.1", True, id="loopback-inside-ipv6"),
        pytest.param("2002:7f00:1::", True, id="loopback-inside-6to4"),
        pytest.param("0.0.0.0", True, id="this-host"),
        pytest.param("::", True, id="this-host-ipv6"),
        pytest.param("224.0.0.1", True, id="multicast"),
        pytest.param("169.254.169.254", True, id="metadata"),
        pytest.param("64:ff9b::a9fe:a9fe", True, id="metadata-by-nat64"),
        pytest.param("::127.0.0.1", True, id="loopback-in-ipv6"),
        pytest.param("10.0.0.7", False, id="private"),
        pytest.param("2001:db8::1", False, id="ipv6"),
    ],
)
def test_is_denied(address: str, denied: bool) -> None:
    networks = [ip_network("127.0.0.0/8"), ip_network("169.254.0.0/16"), ip_network("::1/128")]
    assert is_denied(ip_address(address), networks) is denied


async def test_allowed_address_refuses_a_name_that_leads_to_a_denied_network() -> None:
    with pytest.raises(SqlError) as caught:
        await allowed_address("localhost", 5432, [IPv4Network("127.0.0.0/8"), ip_network("::1/128")])
    assert caught.value.reason is Reason.DATABASE_ADDRESS_REFUSED
    assert await allowed_address("10.0.0.7", 5432, [IPv4Network("127.0.0.0/8")]) == "10.0.0.7"


async def test_allowed_address_of_a_name_without_one_says_so() -> None:
    with pytest.raises(SqlError) as caught:
        await allowed_address("nowhere.invalid", 5432, [])
    assert caught.value.reason is Reason.DATABASE_UNREACHABLE

# SPDX-License-Identifier: Apache-2.0
"""sys_info and platform on a real PostgreSQL: made, repaired, never taken over."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cairn.api.conditions import Reason
from cairn.datasets import shipped
from cairn.sql.errors import SqlError
from cairn.sql.facts import schema_facts
from cairn.sql.postgresql import Connection, Target, connect
from cairn.sql.push.postgresql.schema import drifted, ensure_schema, missing

DATASETS = tuple(shipped().values())
SHOPS = {"55501": "taobao001"}
TRADE_COLUMNS = (
    "tid,status,type,seller_nick,buyer_nick,created,modified,jdp_hashcode,jdp_response,jdp_created,jdp_modified"
)


async def test_ensure_schema_makes_all_that_was_missing_and_again_changes_nothing(conn: Connection) -> None:
    before = missing(await schema_facts(conn), DATASETS, SHOPS)
    assert {"table jdp_tb_trade", "view platform.refunds", "shops"} <= set(before)
    await ensure_schema(conn, DATASETS, SHOPS)
    facts = await schema_facts(conn)
    assert missing(facts, DATASETS, SHOPS) == ()
    assert drifted(facts, DATASETS) == ()
    snapshot = await conn.fetch("SELECT oid, relname, xmin FROM pg_class WHERE relname ~ 'jdp_|trades|refunds'")
    await ensure_schema(conn, DATASETS, SHOPS)
    assert await conn.fetch("SELECT oid, relname, xmin FROM pg_class WHERE relname ~ 'jdp_|trades|refunds'") == snapshot


async def test_ensure_schema_from_two_sessions_at_once_works(database: Target) -> None:
    conns = [await connect(database) for _ in range(3)]
    await asyncio.gather(*(ensure_schema(conn, DATASETS, SHOPS) for conn in conns))
    assert missing(await schema_facts(conns[0]), DATASETS, SHOPS) == ()
    for conn in conns:
        await conn.close()


async def test_table_of_trades_takes_the_positional_insert_of_old_software_for_its_columns(conn: Connection) -> None:
    await ensure_schema(conn, DATASETS, SHOPS)
    names = [
        row["attname"]
        for row in await conn.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'sys_info.jdp_tb_trade'::regclass AND attnum > 0"
            " ORDER BY attnum"
        )
    ]
    assert names == [*TRADE_COLUMNS.split(","), "jdp_version", "jdp_seq"]
    await conn.execute(
        "INSERT INTO sys_info.jdp_tb_trade VALUES"
        " (1, 's', 't', 'taobao001', 'b', '2026-11-11', '2026-11-11', 'h', '{}', now(), now())"
    )


async def test_ensure_schema_rebuilds_a_dropped_index(conn: Connection) -> None:
    await ensure_schema(conn, DATASETS, SHOPS)
    await conn.execute("DROP INDEX sys_info.ind_jdp_tb_trade_jdp_seq")
    assert missing(await schema_facts(conn), DATASETS, SHOPS) == ("indexes ind_jdp_tb_trade_jdp_seq",)
    await ensure_schema(conn, DATASETS, SHOPS)
    assert missing(await schema_facts(conn), DATASETS, SHOPS) == ()


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        pytest.param("DROP COLUMN jdp_response", 'ADD COLUMN "jdp_response" text', id="dropped"),
        pytest.param("ALTER COLUMN status TYPE varchar(10)", "TYPE varchar(64)", id="narrower"),
        pytest.param("ADD COLUMN mine int NOT NULL", 'ALTER COLUMN "mine" DROP NOT NULL', id="not-null"),
        pytest.param("DROP CONSTRAINT jdp_tb_trade_pkey", 'ADD PRIMARY KEY ("tid")', id="no-key"),
    ],
)
async def test_ensure_schema_of_a_changed_table_names_the_statement_that_mends_it(
    conn: Connection, change: str, remedy: str
) -> None:
    await ensure_schema(conn, DATASETS, SHOPS)
    await conn.execute("DROP VIEW platform.trades")
    await conn.execute(f"ALTER TABLE sys_info.jdp_tb_trade {change}")
    facts = await schema_facts(conn)
    assert len(drifted(facts, DATASETS)) == 1
    assert remedy in drifted(facts, DATASETS)[0]


async def test_ensure_schema_in_a_schema_of_the_seller_is_a_conflict(database: Target, conn: Connection) -> None:
    await conn.execute(f"CREATE SCHEMA sys_info AUTHORIZATION {database.database}_owner")
    with pytest.raises(SqlError) as caught:
        await ensure_schema(conn, DATASETS, SHOPS)
    assert caught.value.reason is Reason.CONFLICT
    assert not (await schema_facts(conn)).ours


async def test_ensure_schema_moves_a_nick_to_its_new_shop(conn: Connection) -> None:
    await ensure_schema(conn, DATASETS, {"1": "a", "2": "b"})
    await ensure_schema(conn, DATASETS, {"2": "a", "1": "b"})
    assert (await schema_facts(conn)).shops == {"2": "a", "1": "b"}


async def _show(conn: Connection, response: str) -> asyncpg.Record:
    await conn.execute(
        "INSERT INTO sys_info.jdp_tb_trade (tid, seller_nick, jdp_response) VALUES (7, 'taobao001', $1)"
        " ON CONFLICT (tid) DO UPDATE SET jdp_response = EXCLUDED.jdp_response",
        response,
    )
    row = await conn.fetchrow("SELECT * FROM platform.trades")
    assert row is not None
    return row


async def test_view_shows_columns_of_their_types(conn: Connection) -> None:
    await ensure_schema(conn, DATASETS, SHOPS)
    trade = {
        "payment": "12.30",
        "num": 3,
        "pay_time": "2026-11-11 00:00:01",
        "title": "热水袋 😀",
        "orders": {"order": [1]},
    }
    row = await _show(conn, json.dumps({"trade_fullinfo_get_response": {"trade": trade}}))
    assert row["payment"] == Decimal("12.30")
    assert row["num"] == 3
    assert row["pay_time"] == datetime(2026, 11, 11, 0, 0, 1)  # noqa: DTZ001
    assert row["title"] == "热水袋 😀"
    assert row["shop_id"] == "55501"
    assert row["orders"] == "[1]"


_odd = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from(["12.30", "0000-00-00 00:00:00", "2026-02-30 00:00:00", "1e999", "NaN", "-", "9" * 40, "\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
_members = ["payment", "num", "pay_time", "title", "orders", "receiver_name", "end_time"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trade=_odd | st.dictionaries(st.sampled_from(_members), _odd), cut=st.integers(0, 30))
def test_view_never_raises_whatever_the_record_holds(view_of: Any, trade: Any, cut: int) -> None:
    text = json.dumps({"trade_fullinfo_get_response": {"trade": trade}})
    view_of(text[: len(text) - cut] if cut < 5 else text)


@pytest.fixture
def view_of(database: Target) -> Any:
    loop = asyncio.new_event_loop()

    async def prepare() -> Connection:
        conn = await connect(database)
        await ensure_schema(conn, DATASETS, SHOPS)
        return conn

    conn = loop.run_until_complete(prepare())
    yield lambda text: loop.run_until_complete(_show(conn, text))
    loop.run_until_complete(conn.close())
    loop.close()

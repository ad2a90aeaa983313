# SPDX-License-Identifier: Apache-2.0
"""A dataset that a platform declared, and the delete flag of items, from bytes to the view of a real PostgreSQL."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from cairn.api.dataset import Dataset
from cairn.sql.facts import schema_facts
from cairn.sql.postgresql import Connection, Target
from cairn.sql.push.postgresql.schema import drifted, ensure_schema, missing
from cairn.sql.push.postgresql.writer import Writer
from data.declared import KNOWN, SHOPS, row


async def pushed(database: Target, dataset: Dataset, key: int, second: int, position: int, **members: Any) -> None:
    writer = Writer(lambda: database, dataset, "test")
    await writer.write([row(dataset, key, second, position, **members)], [])
    await writer.close()


async def test_every_declared_dataset_gets_its_table_and_view(conn: Connection) -> None:
    everything = tuple(KNOWN.values())
    await ensure_schema(conn, everything, SHOPS)
    facts = await schema_facts(conn)
    assert missing(facts, everything, SHOPS) == ()
    assert drifted(facts, everything) == ()
    for dataset in everything:
        found = await conn.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attnum",
            f"sys_info.{dataset.table}",
        )
        assert tuple(one["attname"] for one in found) == dataset.column_names


async def test_record_of_a_declared_dataset_is_read_by_its_view(database: Target, conn: Connection) -> None:
    payments = KNOWN["payments"]
    await ensure_schema(conn, (payments,), SHOPS)
    await pushed(database, payments, 7, 1, 1, tid=99, amount="12.30", payer={"account": "b@example.com"})
    shown = await conn.fetchrow("SELECT payment_id, tid, shop_id, amount, payer, jdp_seq FROM platform.payments")
    assert tuple(shown or ()) == (7, 99, "55501", Decimal("12.30"), "b@example.com", 1)


async def test_deleted_item_stays_deleted_when_an_older_version_comes_late(database: Target, conn: Connection) -> None:
    items = KNOWN["items"]
    await ensure_schema(conn, (items,), SHOPS)

    async def shown() -> list[tuple[Any, ...]]:
        return [tuple(one) for one in await conn.fetch("SELECT num_iid, jdp_delete, title FROM platform.items")]

    await pushed(database, items, 5, 1, 1, title="a")
    assert await shown() == [(5, 0, "a")]
    await pushed(database, items, 5, 3, 2, title="a", jdp_delete=1)
    await pushed(database, items, 5, 2, 3, title="late")
    assert await shown() == [(5, 1, "a")]
    await pushed(database, items, 5, 4, 4, title="back")
    assert await shown() == [(5, 0, "back")]

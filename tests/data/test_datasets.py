# SPDX-License-Identifier: Apache-2.0
"""A dataset that a platform declared, and the delete flag of items, from bytes to the view of a real PostgreSQL."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from cairn.api.dataset import Dataset
from cairn.api.record import seconds
from cairn.bus.pack import Pack, Record, digest, encode
from cairn.bus.pull import Message
from cairn.cli.declared import declared
from cairn.sql.facts import schema_facts
from cairn.sql.postgresql import Connection, Target
from cairn.sql.push.postgresql.schema import drifted, ensure_schema, missing
from cairn.sql.push.postgresql.writer import Writer
from cairn.worker.decode import Decoder, Place

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "helm" / "datasets.yaml"
KNOWN = declared(EXAMPLE)
SHOPS = {"55501": "taobao001"}


async def pushed(database: Target, dataset: Dataset, key: int, second: int, position: int, **members: Any) -> None:
    """One record, as the worker writes it."""
    when = datetime(2026, 11, 11, 0, 0, second)  # noqa: DTZ001
    record: Any = {dataset.key: key, dataset.owner: "taobao001", dataset.modified: str(when), **members}
    for member in reversed(dataset.envelope):
        record = {member: record}
    raw, subject = json.dumps(record).encode(), f"push.2088.55501.{dataset.name}"
    data = encode(Pack(subject, 5, [Record(key, seconds(when), 0, digest(raw), raw)]))
    message = Message(subject, data, "reply", position, 1, redelivered=False)
    decoded = Decoder(dataset, SHOPS).message(message, Place("PUSH", 1_800_000_000, position))
    assert not decoded.poison
    writer = Writer(lambda: database, dataset, "test")
    await writer.write(decoded.rows, [])
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
        assert tuple(row["attname"] for row in found) == dataset.column_names


async def test_record_of_a_declared_dataset_is_read_by_its_view(database: Target, conn: Connection) -> None:
    payments = KNOWN["payments"]
    await ensure_schema(conn, (payments,), SHOPS)
    await pushed(database, payments, 7, 1, 1, tid=99, amount="12.30", payer={"account": "b@example.com"})
    row = await conn.fetchrow("SELECT payment_id, tid, shop_id, amount, payer, jdp_seq FROM platform.payments")
    assert tuple(row or ()) == (7, 99, "55501", Decimal("12.30"), "b@example.com", 1)


async def test_deleted_item_stays_deleted_when_an_older_version_comes_late(database: Target, conn: Connection) -> None:
    items = KNOWN["items"]
    await ensure_schema(conn, (items,), SHOPS)

    async def shown() -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await conn.fetch("SELECT num_iid, jdp_delete, title FROM platform.items")]

    await pushed(database, items, 5, 1, 1, title="a")
    assert await shown() == [(5, 0, "a")]
    await pushed(database, items, 5, 3, 2, title="a", jdp_delete=1)
    await pushed(database, items, 5, 2, 3, title="late")
    assert await shown() == [(5, 1, "a")]
    await pushed(database, items, 5, 4, 4, title="back")
    assert await shown() == [(5, 0, "back")]

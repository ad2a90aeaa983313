# SPDX-License-Identifier: Apache-2.0
"""Records that can never become a row, under load: each is kept once, with its bytes and its reason."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter

import pytest

from cairn.sql.postgresql import Connection
from faults.oracle.sender import order
from faults.oracle.truth import Sent
from faults.run import Run

MODIFIED = "2026-11-11 00:00:07"
IN_THE_INSERT = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = $1"
    " AND query LIKE 'INSERT INTO sys_info.jdp_quarantine%'"
)
POISON = {
    "BAD_VALUE": {"created": "2026-02-30 00:00:00"},
    "NUL_IN_TEXT": {"buyer_nick": "a\0b"},
    "BAD_ENVELOPE": {"status": {"not": "a text"}},
    "NOT_YOUR_SHOP": {"seller_nick": "not-ours"},
}


def poison(key: int, reason: str, pad: int = 0) -> Sent:
    """An order with one member changed, so that this reason must stand beside it."""
    body = json.loads(order(key, MODIFIED, "P", pad="x" * pad))
    body["trade_fullinfo_get_response"]["trade"] |= POISON[reason]
    return Sent(key, MODIFIED, json.dumps(body, ensure_ascii=False).encode(), reason)


def good(key: int) -> Sent:
    return Sent(key, MODIFIED, order(key, MODIFIED, "G"))


async def kept_as_often_as_accepted(run: Run, conn: Connection) -> None:
    """Exactly: nothing may have been taken on without an answer, so that each acceptance is one record on the bus."""
    assert not run.sender.answers.keys() & {0, 408}
    rows = await conn.fetch(
        "SELECT left(encode(sha256(payload), 'hex'), 32) AS hash, reason FROM sys_info.jdp_quarantine"
    )
    kept = Counter((row["hash"], row["reason"]) for row in rows)
    assert kept == {(hashed, reason): count for hashed, (reason, count) in run.truth.poison().items()}


async def test_worker_killed_in_the_insert_of_quarantine(run: Run, conn: Connection) -> None:
    """The batch's rows are written and not committed, its poison waits for a lock: there it is killed."""
    worker = run.worker()
    worker.start()
    run.start_load(seed=71, poison=0.05)
    await run.accepted(300)
    for _ in range(3):
        async with conn.transaction():
            await conn.execute("LOCK TABLE sys_info.jdp_quarantine IN SHARE MODE")
            async with asyncio.timeout(20):
                while not await conn.fetchval(IN_THE_INSERT, run.plane.push.user):
                    await conn.execute("SELECT pg_stat_clear_snapshot()")
            worker.stop(signal.SIGKILL)
        worker.start()
        await run.accepted(100)
    await run.judge()
    await kept_as_often_as_accepted(run, conn)


@pytest.mark.parametrize("pad", [0, 300_000], ids=["small", "large"])
async def test_poison_of_every_kind_stands_in_quarantine_as_often_as_it_was_accepted(
    run: Run, conn: Connection, pad: int
) -> None:
    """Among good orders, and twice: the good ones of the same request stand, and nothing waits behind the bad."""
    worker = run.worker()
    worker.start()
    run.start_load(seed=72, threads=1)
    for again in range(2):
        for number, reason in enumerate(POISON):
            key = 2_000_000 + number * 10
            batch = [good(key), poison(key + 1, reason, pad), good(key + 2), poison(key + 3, reason, pad)]
            await asyncio.to_thread(run.sender.deliver, batch[:: -1 if again else 1])
    await run.judge()
    await kept_as_often_as_accepted(run, conn)
    assert worker.metric("cairn_push_errors_total") == 0

# SPDX-License-Identifier: Apache-2.0
"""The guard, and the numbers in commit order, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cairn.datasets import shipped
from cairn.sql.postgresql import Connection, Target, connect
from cairn.sql.push.postgresql.schema import ensure_schema
from cairn.sql.push.postgresql.writer import Writer
from cairn.sql.push.rows import Order, Poison, Row

TRADES = shipped()["trades"]
BASE = datetime(2026, 11, 11)  # noqa: DTZ001


class Version(NamedTuple):
    """second of `modified`, version and hash of one record."""

    second: int
    version: int
    hash: str


def row(key: int, version: Version, content: str = "") -> Row:
    modified = BASE + timedelta(seconds=version.second)
    values = (key, content, "fixed", "taobao001", "b", BASE, modified, version.hash, content)
    return Row(key, (modified, version.version, version.hash), values, ("s", version.version, 0))


@pytest_asyncio.fixture
async def writer(database: Target, conn: Connection) -> AsyncIterator[Writer]:
    await ensure_schema(conn, (TRADES,), {"1": "taobao001"})
    writer = Writer(lambda: database, TRADES, "test")
    yield writer
    await writer.close()


async def there(conn: Connection) -> dict[int, tuple[Any, ...]]:
    rows = await conn.fetch(
        "SELECT tid, modified, jdp_version, jdp_hashcode, jdp_response, jdp_seq, jdp_modified, jdp_created"
        " FROM sys_info.jdp_tb_trade"
    )
    return {found["tid"]: tuple(found)[1:] for found in rows}


VERSIONS = st.builds(Version, st.integers(0, 2), st.integers(0, 2), st.sampled_from(["", "0a", "9f", "ff"]))
BATCHES = st.lists(st.lists(st.tuples(st.integers(1, 3), VERSIONS), min_size=1, max_size=6), min_size=1, max_size=5)


class BlindWriter(Writer):
    """Looked the keys up before another writer committed them: all is left to the guard."""

    async def _there(self, conn: Connection, rows: Sequence[Row]) -> dict[int, Order]:
        return {}


@pytest.fixture(params=[Writer, BlindWriter])
def world(database: Target, request: pytest.FixtureRequest) -> Any:
    """Run batches from an empty table, and say what stands then."""
    loop = asyncio.new_event_loop()

    async def prepare() -> tuple[Connection, Writer]:
        conn = await connect(database)
        await ensure_schema(conn, (TRADES,), {"1": "taobao001"})
        return conn, request.param(lambda: database, TRADES, "test")

    conn, writer = loop.run_until_complete(prepare())

    async def play(batches: Sequence[Sequence[tuple[int, Version]]], old: dict[int, Any]) -> dict[int, Any]:
        await conn.execute("TRUNCATE sys_info.jdp_tb_trade")
        for key, (second, version, hashed) in old.items():
            modified = None if second is None else BASE + timedelta(seconds=second)
            await conn.execute(
                "INSERT INTO sys_info.jdp_tb_trade (tid, modified, jdp_version, jdp_hashcode) VALUES ($1, $2, $3, $4)",
                key,
                modified,
                version,
                hashed,
            )
        for batch in batches:
            await writer.write([row(key, version) for key, version in batch], ())
        return {key: value[:3] for key, value in (await there(conn)).items()}

    yield lambda batches, old: loop.run_until_complete(play(batches, old))
    loop.run_until_complete(writer.close())
    loop.run_until_complete(conn.close())
    loop.close()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=BATCHES,
    old=st.dictionaries(
        st.integers(1, 3),
        st.tuples(st.none() | st.integers(0, 2), st.integers(0, 2), st.none() | st.sampled_from(["", "0a", "ff"])),
    ),
)
@example(batches=[[(1, Version(1, 1, "0a"))]], old={1: (1, 1, None)})
@example(batches=[[(1, Version(0, 0, ""))]], old={1: (None, 0, None)})
def test_write_of_any_batches_leaves_the_newest_of_each_key(world: Any, batches: Any, old: Any) -> None:
    """Against an oracle: the greatest triple, NULL below everything; rows that were there before Cairn included."""

    def order(triple: Any) -> Any:
        second, version, hashed = triple
        return (-1 if second is None else second, version, hashed or "")

    newest = dict(old)
    for key, version in (item for batch in batches for item in batch):
        if key not in newest or order(newest[key]) < order(version):
            newest[key] = version
    expected = {
        key: (None if second is None else BASE + timedelta(seconds=second), version, hashed)
        for key, (second, version, hashed) in newest.items()
    }
    assert world(batches, old) == expected


async def test_write_again_changes_neither_row_nor_number_nor_cursor(writer: Writer, conn: Connection) -> None:
    batch = [row(key, Version(1, key, "aa"), "x") for key in range(1, 50)]
    assert (await writer.write(batch, ())).inserted == 49
    before = await there(conn), await conn.fetch("SELECT * FROM sys_info.jdp_cursor")
    assert (await writer.write(batch, ())).stale == 49
    assert (await writer.write([row(1, Version(0, 99, "ff"))], ())).stale == 1
    assert (await there(conn), await conn.fetch("SELECT * FROM sys_info.jdp_cursor")) == before


async def test_write_of_the_same_content_handed_in_again_wakes_no_reader(writer: Writer, conn: Connection) -> None:
    """The platform sent it twice: a later place in the stream, but nothing a reader of jdp_seq need see."""
    await writer.write([row(1, Version(1, 1, "aa"), "x")], ())
    before = await there(conn)
    await writer.write([row(1, Version(1, 5, "aa"), "x")], ())
    after = await there(conn)
    assert after[1][1] == 5
    assert after[1][4:] == before[1][4:]
    await writer.write([row(1, Version(1, 3, "bb"), "y")], ())
    assert (await there(conn))[1][3] == "x"


async def test_write_of_what_another_writer_committed_meanwhile_changes_nothing(
    database: Target, writer: Writer, conn: Connection
) -> None:
    blind = BlindWriter(lambda: database, TRADES, "blind")
    await writer.write([row(1, Version(1, 2, "bb"), "x")], ())
    before = await conn.fetch("SELECT *, xmin FROM sys_info.jdp_tb_trade")
    again = [[row(1, Version(1, 2, "bb"), "x")], [row(1, Version(1, 1, "cc"), "y")], [row(1, Version(0, 9, "ff"), "z")]]
    assert [(await blind.write(batch, ())).stale for batch in again] == [1, 1, 1]
    assert await conn.fetch("SELECT *, xmin FROM sys_info.jdp_tb_trade") == before
    await blind.close()


async def test_write_of_newer_content_gives_a_new_number_and_keeps_created(writer: Writer, conn: Connection) -> None:
    await writer.write([row(1, Version(1, 1, "aa"), "x")], ())
    first = (await there(conn))[1]
    written = await writer.write([row(1, Version(2, 2, "bb"), "y"), row(2, Version(1, 1, "aa"))], ())
    assert (written.inserted, written.updated) == (1, 1)
    second = (await there(conn))[1]
    assert second[4] > first[4]
    assert second[5] > first[5]
    assert second[6] == first[6]


async def test_write_after_a_batch_of_newer_rows_takes_new_gone_and_older_ones_as_well(
    writer: Writer, conn: Connection
) -> None:
    """That batch is not looked up: what it holds is left to the guard."""
    for version in (1, 2):
        await writer.write([row(key, Version(version, 1, "aa"), f"v{version}") for key in (1, 2, 3)], ())
    await conn.execute("DELETE FROM sys_info.jdp_tb_trade WHERE tid = 2")
    batch = [row(1, Version(3, 1, "aa"), "v3"), row(2, Version(2, 1, "aa"), "v2"), row(3, Version(1, 9, "ff"), "old")]
    written = await writer.write([*batch, row(4, Version(1, 1, "aa"), "new")], ())
    assert (written.inserted, written.updated, written.stale) == (2, 1, 1)
    assert {key: found[3] for key, found in (await there(conn)).items()} == {1: "v3", 2: "v2", 3: "v2", 4: "new"}
    numbers = [found[4] for found in (await there(conn)).values()]
    assert len(set(numbers)) == 4


async def test_write_after_a_batch_of_new_rows_takes_newer_and_older_ones_as_well_and_skips_no_number(
    writer: Writer, conn: Connection
) -> None:
    """That batch is not looked up: its COPY fails at a row that is there, and is taken back with its numbers."""
    await writer.write([row(key, Version(2, 1, "aa"), "v2") for key in (1, 2)], ())
    batch = [row(0, Version(1, 1, "aa"), "new"), row(1, Version(3, 1, "aa"), "v3"), row(2, Version(1, 9, "ff"), "old")]
    written = await writer.write(batch, ())
    assert (written.inserted, written.updated, written.stale) == (1, 1, 1)
    assert {key: found[3] for key, found in (await there(conn)).items()} == {0: "new", 1: "v3", 2: "v2"}
    assert sorted(found[4] for found in (await there(conn)).values()) == [2, 3, 4]
    assert await conn.fetchval("SELECT seq FROM sys_info.jdp_cursor WHERE table_name = 'jdp_tb_trade'") == 4


async def test_write_to_a_table_that_forbids_null_where_cairn_fills_in_updates(
    writer: Writer, conn: Connection
) -> None:
    """A table from before Cairn may be stricter than ours, and fit all the same."""
    strict = ("jdp_created", "jdp_modified", "jdp_seq", "jdp_hashcode", "status")
    changes = ", ".join(f"ALTER {column} SET NOT NULL" for column in strict)
    await conn.execute(f"ALTER TABLE sys_info.jdp_tb_trade {changes}, ADD mine int NOT NULL DEFAULT 7")
    await writer.write([row(1, Version(1, 1, "aa"), "x")], ())
    assert (await writer.write([row(1, Version(2, 2, "bb"), "y")], ())).updated == 1
    assert (await there(conn))[1][3] == "y"


async def test_write_goes_by_the_bytes_of_a_hash_whatever_the_collation_of_its_column(
    database: Target, writer: Writer, conn: Connection
) -> None:
    """A table from before Cairn may be sorted as a language wants it: there B comes after a."""
    await conn.execute('ALTER TABLE sys_info.jdp_tb_trade ALTER jdp_hashcode TYPE varchar(64) COLLATE "en-x-icu"')
    await writer.write([row(1, Version(1, 1, "B"), "old")], ())
    blind = BlindWriter(lambda: database, TRADES, "blind")
    assert (await blind.write([row(1, Version(1, 1, "a"), "new")], ())).updated == 1
    assert (await there(conn))[1][3] == "new"
    await blind.close()


async def test_write_beside_another_writer_of_the_same_new_keys_leaves_the_newest(
    database: Target, writer: Writer, conn: Connection
) -> None:
    """Both find no row, one of them inserts it first: the other's COPY fails and its rows go through the guard."""
    other = Writer(lambda: database, TRADES, "other")
    for round_ in range(20):
        keys = range(round_ * 100, round_ * 100 + 100)
        batches = [[row(key, Version(1, number, "aa"), f"v{number}") for key in keys] for number in (1, 2)]
        await asyncio.gather(writer.write(batches[0], ()), other.write(batches[1], ()))
    assert {found[3] for found in (await there(conn)).values()} == {"v2"}
    assert len(await there(conn)) == 2000
    await other.close()


async def follow(conn: Connection, seen: set[int], done: asyncio.Event) -> None:
    """A seller's program that asks for everything after the last number it saw."""
    last = 0
    while True:
        finished = done.is_set()
        rows = await conn.fetch(
            "SELECT tid, jdp_seq FROM sys_info.jdp_tb_trade WHERE jdp_seq > $1 ORDER BY jdp_seq", last
        )
        seen.update(found["tid"] for found in rows)
        last = rows[-1]["jdp_seq"] if rows else last
        if finished and not rows:
            return


async def waits(conn: Connection, application: str, writing: asyncio.Task[Any]) -> None:
    """Return once its session waits for a lock, or it has written."""
    waiting = "SELECT FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'"
    while not writing.done() and not await conn.fetch(waiting, application):  # noqa: ASYNC110 -- no event tells it
        await asyncio.sleep(0)


async def test_reader_that_follows_jdp_seq_misses_nothing_of_two_writers(
    database: Target, writer: Writer, conn: Connection
) -> None:
    """The first is held between its numbers and its COMMIT, by a row that a third session may or may not commit."""
    other, holder = Writer(lambda: database, TRADES, "other"), await connect(database)
    done, seen = asyncio.Event(), set[int]()
    await holder.execute("BEGIN")
    await holder.execute("INSERT INTO sys_info.jdp_tb_trade (tid) VALUES (1)")
    first = asyncio.create_task(writer.write([row(1, Version(1, 1, "aa"))], ()))
    await waits(conn, "test", first)
    second = asyncio.create_task(other.write([row(2, Version(1, 1, "aa"))], ()))
    await waits(conn, "other", second)
    reader = asyncio.create_task(follow(conn, seen, done))
    while second.done() and 2 not in seen:  # noqa: ASYNC110 -- what is waited for is what the reader sees
        await asyncio.sleep(0)
    await holder.execute("ROLLBACK")
    await asyncio.gather(first, second)
    done.set()
    await reader
    assert seen == {1, 2}
    await other.close()
    await holder.close()


async def test_reader_of_a_plain_sequence_does_miss_rows(database: Target, writer: Writer, conn: Connection) -> None:
    """Why there is a cursor row: the same reader, numbers from a sequence, one writer slow to commit."""
    slow, fast = await connect(database), await connect(database)
    await conn.execute("CREATE SEQUENCE sys_info.plain")
    insert = "INSERT INTO sys_info.jdp_tb_trade (tid, jdp_seq) VALUES ($1, nextval('sys_info.plain'))"
    await slow.execute("BEGIN")
    await slow.execute(insert, 1)
    await fast.execute(insert, 2)
    seen, done = set[int](), asyncio.Event()
    reader = asyncio.create_task(follow(conn, seen, done))
    while 2 not in seen:  # noqa: ASYNC110 -- what is waited for is what the reader sees
        await asyncio.sleep(0)
    await slow.execute("COMMIT")
    done.set()
    await reader
    assert seen == {2}
    await slow.close()
    await fast.close()


async def test_write_keeps_poison_once_and_in_the_same_transaction(writer: Writer, conn: Connection) -> None:
    poison = Poison("trades", "1", "nick", "PUSH@1", 7, 0, "BAD_JSON", None, "why", b"\x00\xff")
    assert (await writer.write([], [poison])).quarantined == ("BAD_JSON",)
    assert (await writer.write([row(1, Version(1, 1, "aa"))], [poison])).quarantined == ()
    with pytest.raises(asyncpg.DataError):
        await writer.write([row(2, Version(1, 1, "aa"), "nul\0")], [poison._replace(stream_seq=8)])
    await conn.execute("ALTER TABLE sys_info.jdp_quarantine ADD CHECK (stream_seq <> 9)")
    with pytest.raises(asyncpg.CheckViolationError):
        await writer.write([row(3, Version(1, 1, "aa"))], [poison._replace(stream_seq=9)])
    kept = await conn.fetch("SELECT payload, state, stream_seq FROM sys_info.jdp_quarantine")
    assert [tuple(found) for found in kept] == [(b"\x00\xff", "open", 7)]
    assert set(await there(conn)) == {1}


async def test_writer_after_a_lost_session_opens_a_new_one(writer: Writer, conn: Connection) -> None:
    await writer.write([row(1, Version(1, 1, "aa"))], ())
    ended = "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE application_name = 'test'"
    assert await conn.fetchval(ended)
    with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):  # unless it noticed by itself
        await writer.write([row(2, Version(1, 1, "aa"))], ())
    await writer.close()
    await writer.write([row(2, Version(1, 1, "aa"))], ())
    assert set(await there(conn)) == {1, 2}


async def test_clock_of_the_server_set_back_leaves_jdp_modified_growing(writer: Writer, conn: Connection) -> None:
    await conn.execute("UPDATE sys_info.jdp_cursor SET ts = now() + interval '1 hour'")
    await writer.write([row(1, Version(1, 1, "aa")), row(2, Version(1, 1, "aa"))], ())
    await writer.write([row(3, Version(1, 1, "aa"))], ())
    moments = [found[5] for _, found in sorted((await there(conn)).items())]
    assert moments == sorted(set(moments))


async def test_writer_that_began_on_an_empty_table_never_scans_it(writer: Writer, conn: Connection) -> None:
    """The plan of the look-up is made once: a scan, while there is nothing to scan, would stay one at any size."""
    counters = "SELECT seq_scan, idx_scan FROM pg_stat_user_tables WHERE relname = 'jdp_tb_trade'"
    await conn.execute("SELECT pg_stat_force_next_flush()")
    before = await conn.fetchval(counters) or 0
    for number in range(10):
        half_of_them_new = [row(number * 25 + key, Version(number, 1, "aa")) for key in range(50)]
        await writer.write(half_of_them_new, ())
    await (await writer.open()).execute("SELECT pg_stat_force_next_flush()")
    await writer.close()
    async with asyncio.timeout(20):
        while (found := await conn.fetchrow(counters)) is None or found["idx_scan"] < 450:
            await asyncio.sleep(0.05)
            await conn.execute("SELECT pg_stat_clear_snapshot()")
    assert found["seq_scan"] == before

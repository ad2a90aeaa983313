# SPDX-License-Identifier: Apache-2.0
"""The guard, and the numbers in commit order, on each MySQL and MariaDB."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pymysql
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cairn.api.conditions import Reason
from cairn.api.proof import Head, Slice, token
from cairn.datasets import shipped
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Target
from cairn.sql.push.book import Progress, Window
from cairn.sql.push.engine import Asked
from cairn.sql.push.fault import Fault, WriteError
from cairn.sql.push.mysql.durability import durability
from cairn.sql.push.mysql.engine import MySQLPush, end
from cairn.sql.push.mysql.writer import Writer
from cairn.sql.push.request import Answer, Choice, Refused, Request
from cairn.sql.push.rows import Order, Poison, Row
from cairn.sql.share.mysql.connection import Session, connect
from data.engines.pushed import pushed
from data.engines.servers import MySQL

TRADES = shipped()["trades"]
BASE = datetime(2026, 11, 11)  # noqa: DTZ001
ASKED = Asked("sys_info", (TRADES,), {"1": "taobao001"}, "push1", "a'b\\c-secret")


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
async def session(mysql: MySQL) -> AsyncIterator[Session]:
    async with pushed(mysql, ASKED) as session:
        yield session


@pytest.fixture
def login(mysql: MySQL) -> Target:
    """The worker's own: what it may not do fails here as it would there."""
    return replace(mysql.admin, user=ASKED.login, password=ASKED.password)


@pytest_asyncio.fixture
async def writer(session: Session, login: Target) -> AsyncIterator[Writer]:
    writer = Writer(lambda: login, TRADES)
    yield writer
    await writer.close()


async def there(session: Session) -> dict[int, tuple[Any, ...]]:
    rows = await session.fetch(
        "SELECT tid, modified, jdp_version, jdp_hashcode, jdp_response, jdp_seq, jdp_modified, jdp_created"
        " FROM sys_info.jdp_tb_trade"
    )
    return {found[0]: tuple(found)[1:] for found in rows}


class BlindWriter(Writer):
    """Looked the keys up before another writer committed them: all is left to the guard."""

    async def _there(self, session: Session, rows: Sequence[Row]) -> dict[int, Order]:
        return {}


class Loader(Writer):
    """Has the server load however few rows."""

    LOADED_FROM = 1


class BlindLoader(BlindWriter):
    LOADED_FROM = 1


@pytest.fixture(params=[Writer, BlindWriter, Loader, BlindLoader])
def world(mysql: MySQL, login: Target, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Run batches from an empty table, and say what stands then."""
    loop = asyncio.new_event_loop()

    stack = AsyncExitStack()
    session = loop.run_until_complete(stack.enter_async_context(pushed(mysql, ASKED)))
    loop.run_until_complete(session.execute("SET GLOBAL local_infile = ON"))
    writer = request.param(lambda: login, TRADES)

    async def play(batches: Sequence[Sequence[tuple[int, Version]]], old: dict[int, Any]) -> dict[int, Any]:
        await session.execute("DELETE FROM sys_info.jdp_tb_trade")
        for key, (second, version, hashed) in old.items():
            modified = None if second is None else BASE + timedelta(seconds=second)
            await session.execute(
                "INSERT INTO sys_info.jdp_tb_trade (tid, modified, jdp_version, jdp_hashcode) VALUES (%s, %s, %s, %s)",
                (key, modified, version, hashed),
            )
        for batch in batches:
            await writer.write([row(key, version, str(version)) for key, version in batch], ())
        found = await there(session)
        contents = {key: value[3] for key, value in found.items() if value[3] is not None}
        for key, content in contents.items():
            second = int((found[key][0] - BASE).total_seconds())
            assert content == str(Version(second, *found[key][1:3])), "a row is one record's, and no mixture"
        return {key: value[:3] for key, value in found.items()}

    yield lambda batches, old: loop.run_until_complete(play(batches, old))
    loop.run_until_complete(writer.close())
    loop.run_until_complete(stack.aclose())
    loop.close()


VERSIONS = st.builds(Version, st.integers(0, 2), st.integers(0, 2), st.sampled_from(["", "0a", "9f", "ff"]))
BATCHES = st.lists(st.lists(st.tuples(st.integers(1, 3), VERSIONS), min_size=1, max_size=6), min_size=1, max_size=5)
OLD = st.dictionaries(
    st.integers(1, 3),
    st.tuples(st.none() | st.integers(0, 2), st.integers(0, 2), st.none() | st.sampled_from(["", "0a", "ff"])),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=BATCHES, old=OLD)
@example(batches=[[(1, Version(1, 1, "0a"))]], old={1: (1, 1, None)})
@example(batches=[[(1, Version(0, 0, ""))]], old={1: (None, 0, None)})
@example(batches=[[(1, Version(1, 0, "0a"))], [(1, Version(1, 0, "9f"))], [(1, Version(2, 0, ""))]], old={})
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


async def test_write_again_changes_neither_row_nor_number_nor_cursor(
    writer: Writer, login: Target, session: Session
) -> None:
    batch = [row(key, Version(1, key, "aa"), "x") for key in range(1, 50)]
    assert (await writer.write(batch, ())).inserted == 49
    before = await there(session), await session.fetch("SELECT * FROM sys_info.jdp_cursor")
    assert (await writer.write(batch, ())).stale == 49
    assert (await there(session), await session.fetch("SELECT * FROM sys_info.jdp_cursor")) == before
    blind = BlindWriter(lambda: login, TRADES)
    assert (await blind.write(batch, ())).stale == 49
    await blind.close()
    assert await there(session) == before[0]


async def test_write_of_newer_content_gives_a_new_number_and_of_the_same_none(writer: Writer, session: Session) -> None:
    assert (await writer.write([row(1, Version(1, 1, "aa"), "x")], ())).inserted == 1
    first = (await there(session))[1]
    await writer.write([row(1, Version(1, 5, "aa"), "x")], ())
    again = (await there(session))[1]
    assert again[1] == 5
    assert again[4:] == first[4:]
    written = await writer.write([row(1, Version(2, 2, "bb"), "Y😀\0"), row(2, Version(1, 1, "aa"))], ())
    assert (written.inserted, written.updated) == (1, 1)
    second = (await there(session))[1]
    assert second[3] == "Y😀\0"
    assert second[4] > first[4]
    assert second[5] > first[5]
    assert second[6] == first[6]


async def follow(session: Session, seen: set[int], done: asyncio.Event) -> None:
    """A seller's program that asks for everything after the last number it saw."""
    last = 0
    while True:
        finished = done.is_set()
        rows = await session.fetch(
            "SELECT tid, jdp_seq FROM sys_info.jdp_tb_trade WHERE jdp_seq > %s ORDER BY jdp_seq", (last,)
        )
        seen.update(found[0] for found in rows)
        last = rows[-1][1] if rows else last
        if finished and not rows:
            return


async def test_reader_that_follows_jdp_seq_misses_nothing_of_two_writers(
    writer: Writer, login: Target, session: Session
) -> None:
    other, done, seen = Writer(lambda: login, TRADES), asyncio.Event(), set[int]()
    reader = asyncio.create_task(follow(session, seen, done))

    async def write(one: Writer, offset: int) -> None:
        for number in range(30):
            keys = range(number * 40 + offset, number * 40 + 40, 2)
            await one.write([row(key, Version(1, 1, "aa")) for key in keys], ())

    await asyncio.gather(write(writer, 0), write(other, 1))
    done.set()
    await reader
    assert len(seen) == 1200
    await other.close()


async def test_poison_is_kept_once_and_in_the_same_transaction(writer: Writer, session: Session) -> None:
    poison = Poison("trades", "1", "nick", "PUSH@1", 7, 0, "BAD_JSON", None, "why", b"\x00\xff")
    assert (await writer.write([], [poison])).quarantined == ("BAD_JSON",)
    assert (await writer.write([row(1, Version(1, 1, "aa"))], [poison])).quarantined == ()
    await session.execute("ALTER TABLE sys_info.jdp_tb_trade ADD CONSTRAINT low CHECK (tid < 1000)")
    with pytest.raises(WriteError) as refused:
        await writer.write([row(2, Version(1, 1, "aa")), row(1000, Version(1, 1, "aa"))], [poison])
    assert refused.value.kind is Fault.ROW
    kept = await session.fetch("SELECT payload, state, stream_seq FROM sys_info.jdp_quarantine")
    assert kept == [(b"\x00\xff", "open", 7)]
    assert set(await there(session)) == {1}


async def test_writer_after_a_lost_session_opens_a_new_one(writer: Writer, session: Session) -> None:
    await writer.write([row(1, Version(1, 1, "aa"))], ())
    for (number,) in await session.fetch("SELECT id FROM information_schema.processlist WHERE user = 'push1'"):
        await session.execute(f"KILL {number}")
    with pytest.raises(WriteError) as lost:
        await writer.write([row(2, Version(1, 1, "aa"))], ())
    assert lost.value.kind is Fault.TRANSIENT
    await writer.write([row(2, Version(1, 1, "aa"))], ())
    assert set(await there(session)) == {1, 2}


async def test_table_that_became_too_narrow_holds_the_lane(writer: Writer, mysql: MySQL, session: Session) -> None:
    await session.execute("ALTER TABLE sys_info.jdp_tb_trade MODIFY status varchar(1)")
    with pytest.raises(WriteError) as refused:
        await writer.write([row(1, Version(1, 1, "aa"), "long")], ())
    assert refused.value.kind is Fault.DESTINATION
    assert "long" not in str(refused.value).lower().replace("too long", "")
    (drift,) = (await MySQLPush().look(mysql.admin, ASKED)).drift
    await session.execute(drift.split(": ", 2)[2])
    assert (await writer.write([row(1, Version(1, 1, "aa"), "long")], ())).inserted == 1


async def test_login_of_somebody_else_stays_his(mysql: MySQL, session: Session) -> None:
    await session.execute("DROP USER IF EXISTS theirs@'%'")
    await session.execute("CREATE USER theirs@'%' IDENTIFIED BY 'x'")
    with pytest.raises(SqlError, match="is not Cairn's"):
        await MySQLPush().settle(mysql.admin, replace(ASKED, login="theirs"))
    await MySQLPush().drop_login(mysql.admin, "theirs")
    assert await session.fetch("SELECT 1 FROM mysql.user WHERE user = 'theirs'")


async def test_reader_reads_no_database_whose_name_the_grant_would_match_as_a_pattern(
    mysql: MySQL, session: Session
) -> None:
    asked, push = replace(ASKED, readers=("reader1",)), MySQLPush()
    for statement in (
        "DROP USER IF EXISTS reader1@'%'",
        "CREATE USER reader1@'%' IDENTIFIED BY 'x'",
        "REPLACE INTO sys_info.jdp_made VALUES ('login', 'reader1', '')",
        "GRANT SELECT ON `sys_info`.* TO reader1@'%'",  # as it was made once
        "GRANT SELECT ON platform.* TO reader1@'%'",
        "DROP DATABASE IF EXISTS sysXinfo",
        "CREATE DATABASE sysXinfo",
        "CREATE TABLE sysXinfo.theirs (id int)",
    ):
        await session.execute(statement)
    assert not (await push.look(mysql.admin, asked)).granted
    for _ in range(2):
        await push.settle(mysql.admin, asked)
        assert (await push.look(mysql.admin, asked)).granted
    reader = await connect(replace(mysql.admin, user="reader1", password="x", database=""))
    try:
        assert await reader.fetch("SELECT * FROM sys_info.jdp_tb_trade") == []
        assert await reader.fetch("SELECT * FROM platform.trades") == []
        with pytest.raises(pymysql.err.MySQLError, match="denied"):
            await reader.fetch("SELECT * FROM sysXinfo.theirs")
    finally:
        await reader.close()
        await session.execute("DROP DATABASE sysXinfo")
        await session.execute("DROP USER reader1@'%'")


LESSER = (
    "DROP USER IF EXISTS lesser@'%'",
    "CREATE USER lesser@'%' IDENTIFIED BY 'secret'",
    "GRANT CREATE USER, PROCESS ON *.* TO lesser@'%'",
    "GRANT SELECT ON mysql.* TO lesser@'%'",
    "GRANT ALL ON platform.* TO lesser@'%' WITH GRANT OPTION",
)


async def test_login_whose_sessions_may_not_be_ended_is_dropped_and_they_are_named(
    mysql: MySQL, login: Target, session: Session
) -> None:
    for statement in (*LESSER, "GRANT ALL ON `sys\\_info`.* TO lesser@'%' WITH GRANT OPTION"):
        await session.execute(statement)
    lesser, held = replace(mysql.admin, user="lesser"), await connect(login)
    try:
        ((number,),) = await held.fetch("SELECT CONNECTION_ID()")
        right = "CONNECTION ADMIN" if mysql.mariadb else "CONNECTION_ADMIN"
        with pytest.raises(SqlError, match=rf"(?s)dropped.*grant it {right} on.*KILL {number}$") as told:
            await MySQLPush().drop_login(lesser, ASKED.login)
        assert told.value.reason is Reason.ACTION_FAILED
        assert not await session.fetch("SELECT 1 FROM mysql.user WHERE user = 'push1'")
        assert await session.fetch("SELECT 1 FROM sys_info.jdp_made WHERE name = 'push1'"), "it is gone on with"
        await session.execute(f"GRANT {right} ON *.* TO lesser@'%'")
        await MySQLPush().drop_login(lesser, ASKED.login)
        assert not await session.fetch("SELECT 1 FROM sys_info.jdp_made WHERE name = 'push1'")
        with pytest.raises(pymysql.err.MySQLError):
            await held.fetch("SELECT 1")
    finally:
        await held.close()
        await session.execute("DROP USER lesser@'%'")


async def test_look_sees_what_settle_made_and_what_was_taken_away(mysql: MySQL, session: Session) -> None:
    push = MySQLPush()
    found = await push.look(mysql.admin, ASKED)
    assert (found.missing, found.drift, found.granted, found.quarantined) == ((), (), True, 0)
    assert found.login is not None
    assert (found.login.ours, found.login.opens) == (True, True)
    assert "innodb_flush_log_at_trx_commit = 2 (must be 1)" in found.weak, "these test servers flush once a second"
    assert not (await push.look(mysql.admin, replace(ASKED, password="other"))).login.opens  # type: ignore[union-attr]
    await session.execute("DROP VIEW platform.trades")
    await session.execute("DROP INDEX ind_jdp_tb_trade_jdp_seq ON sys_info.jdp_tb_trade")
    await session.execute("REVOKE UPDATE ON sys_info.jdp_cursor FROM push1@'%'")
    found = await push.look(mysql.admin, ASKED)
    assert found.missing == ("indexes ind_jdp_tb_trade_jdp_seq", "view platform.trades")
    assert not found.granted
    await push.settle(mysql.admin, ASKED)
    assert (await push.look(mysql.admin, ASKED)).missing == ()
    await push.drop_login(mysql.admin, "push1")
    assert (await push.look(mysql.admin, ASKED)).login is None


async def test_view_reads_records_and_takes_anything_else_for_null(writer: Writer, session: Session) -> None:
    good = '{"trade_fullinfo_get_response":{"trade":{"tid":1,"payment":"12.50","num":"x"}}}'
    await writer.write([row(1, Version(1, 1, "aa"), ""), row(2, Version(1, 1, "bb"), "")], ())
    await session.execute("UPDATE sys_info.jdp_tb_trade SET jdp_response = IF(tid = 1, %s, '{broken')", (good,))
    rows = await session.fetch("SELECT tid, shop_id, payment, num FROM platform.trades ORDER BY tid")
    assert [(*found[:2], None if found[2] is None else float(found[2]), found[3]) for found in rows] == [
        (1, "1", 12.5, None),
        (2, "1", None, None),
    ]


async def test_ledger_sums_as_the_platform_does_and_sees_what_was_changed_behind_its_back(
    writer: Writer, login: Target, session: Session
) -> None:
    texts = {key: f"记录 {key} 😀" for key in range(1, 8)}
    hashes = {key: hashlib.sha256(text.encode()).hexdigest()[:32] for key, text in texts.items()}
    await writer.write([row(key, Version(key * 600, 1, hashes[key]), texts[key]) for key in texts], ())
    ledger, step = MySQLPush().ledger(lambda: login, "test"), timedelta(hours=1)
    hour = [
        Slice(BASE, 5, sum(token(hashes[key]) for key in range(1, 6))),
        Slice(BASE + step, 2, sum(token(hashes[key]) for key in (6, 7))),
    ]
    for deep in (False, True):
        assert await ledger.slices(TRADES, "taobao001", BASE, BASE + 2 * step, step, deep=deep) == hour
    await session.execute("UPDATE sys_info.jdp_tb_trade SET jdp_response = 'changed' WHERE tid = 6")
    assert await ledger.slices(TRADES, "taobao001", BASE, BASE + 2 * step, step, deep=False) == hour
    assert await ledger.slices(TRADES, "taobao001", BASE, BASE + 2 * step, step, deep=True) != hour
    heads = await ledger.heads(TRADES, "taobao001", BASE, BASE + 2 * step, 5, 10, deep=False)
    assert heads == [Head(key, BASE + timedelta(seconds=key * 600), hashes[key]) for key in (6, 7)]
    standing = await ledger.standing(TRADES, [6, 7, 99])
    assert {key: stood.sound for key, stood in standing.items()} == {6: False, 7: True}
    window = Window("jdp_tb_trade", "1", BASE, BASE + step, 7, 7, 0, 0, 1, 0, 0, 1, True, datetime.now(UTC))
    await ledger.note([window])
    await ledger.note([window._replace(wrong=0)])
    assert await ledger.windows(TRADES, "1", BASE) == [window._replace(wrong=0, repaired=2)]
    progress = Progress(BASE, BASE + step, (BASE, 5), 5, done=False)
    await ledger.advance(TRADES, "1", progress)
    assert await ledger.progress(TRADES, "1") == progress
    await ledger.close()


async def test_settings_that_lose_commits_are_told_with_what_they_must_be(mysql: MySQL, session: Session) -> None:
    async def under(**settings: str) -> tuple[str, ...]:
        for name, value in settings.items():
            await session.execute(f"SET GLOBAL {name} = {value}")
        return await durability(session)

    try:
        assert await under(innodb_flush_log_at_trx_commit="1") == ()
        if mysql.mariadb:
            assert await under(innodb_flush_log_at_trx_commit="3") == ()
        weak = ("innodb_flush_log_at_trx_commit = 0 (must be 1)",)
        assert await under(innodb_flush_log_at_trx_commit="0") == weak
        assert await under(sync_binlog="0") == weak, "without a binary log it says nothing"
        if not mysql.mariadb:
            torn = (*weak, "innodb_doublewrite = DETECT_ONLY (must be ON)")
            assert await under(innodb_doublewrite="DETECT_ONLY") == torn
            assert await under(innodb_doublewrite="DETECT_AND_RECOVER") == weak
    finally:
        await under(innodb_flush_log_at_trx_commit="2", sync_binlog="DEFAULT")


async def test_session_that_ended_by_itself_is_ended(mysql: MySQL, session: Session) -> None:
    other = await connect(mysql.admin)
    ((number,),) = await other.fetch("SELECT CONNECTION_ID()")
    await end(session, number)
    with pytest.raises(pymysql.err.MySQLError):
        await other.fetch("SELECT 1")
    await end(session, 2**31)
    with pytest.raises(pymysql.err.MySQLError):
        await end(other, number)


async def test_look_tells_what_the_book_says(mysql: MySQL, login: Target, session: Session) -> None:
    look, step = MySQLPush().look, timedelta(hours=1)
    assert (await look(mysql.admin, ASKED)).proof == {"proof": None, "history": None, "retention": None}
    ledger = MySQLPush().ledger(lambda: login, "test")
    window = Window("jdp_tb_trade", "1", BASE, BASE + step, 9, 8, 1, 2, 3, 4, 0, 5, True, datetime.now(UTC))
    later = [window._replace(start=BASE + hours * step, end=BASE + (hours + 1) * step) for hours in range(1, 30)]
    foreign = [window._replace(table="jdp_tb_item"), window._replace(shop="2")]
    await ledger.note([window, *later, *foreign])
    for shop, done in (("1", True), ("2", False)):
        await ledger.advance(TRADES, shop, Progress(BASE, BASE + step, (BASE, 5), 7, done=done))
    counts = {"sent": 9, "stood": 8, "missing": 1, "stale": 2, "wrong": 3, "quarantined": 4, "repaired": 5}
    found = json.loads(json.dumps((await look(mysql.admin, ASKED)).proof))
    assert found["proof"]["through"] == "2026-11-12T06:00:00"
    assert found["proof"]["total"] == {name: 30 * count for name, count in counts.items()}
    assert len(found["proof"]["hours"]) == 24
    assert found["proof"]["hours"][0] == {"start": "2026-11-12T05:00:00", **counts}
    assert found["proof"]["days"] == [
        {"date": "2026-11-12", **{name: 6 * count for name, count in counts.items()}},
        {"date": "2026-11-11", **{name: 24 * count for name, count in counts.items()}},
    ]
    assert found["history"] == {"since": "2026-11-11T00:00:00", "records": 7, "complete": True}
    both = await look(mysql.admin, replace(ASKED, shops={"1": "taobao001", "2": "taobao002"}))
    assert both.proof["history"] == {"since": "2026-11-11T00:00:00", "records": 14, "complete": False}
    for nobody in (replace(ASKED, shops={}), replace(ASKED, datasets=())):
        assert (await look(mysql.admin, nobody)).proof == {"proof": None, "history": None, "retention": None}
    await session.execute("DROP TABLE sys_info.jdp_backfill")
    assert (await look(mysql.admin, ASKED)).proof == {}
    await ledger.close()


async def test_refused_records_leave_quarantine_once_they_stand(
    session: Session, writer: Writer, login: Target
) -> None:
    poison = [
        Poison("trades", str(n), None, "PUSH@1", n, 0, reason, "3819", "old", bytes([n]))
        for n, reason in ((1, "ROW_REFUSED"), (2, "BAD_JSON"), (3, "ROW_REFUSED"), (4, "ROW_REFUSED"))
    ]
    await writer.write([], poison)
    ledger = MySQLPush().ledger(lambda: login, "test")
    first = await ledger.refused(TRADES, 0, 2)
    assert [(one.source, one.payload) for one in first] == [(("PUSH@1", 1, 0), b"\x01"), (("PUSH@1", 3, 0), b"\x03")]
    await ledger.tried(first[0], None)
    await ledger.tried(first[1], Refused("ROW_REFUSED", "4025", "new"))
    (last,) = await ledger.refused(TRADES, first[1].id, 2)
    assert last.payload == b"\x04"
    assert [one.payload for one in await ledger.refused(TRADES, 0, 9)] == [b"\x03", b"\x04"]
    await ledger.close()
    found = await session.fetch(
        "SELECT object_key, state, error_text, attempts, resolved_at IS NULL FROM sys_info.jdp_quarantine ORDER BY id"
    )
    assert [tuple(one) for one in found] == [
        ("1", "retried", "old", 2, 0),
        ("2", "open", "old", 1, 1),
        ("3", "open", "new", 2, 1),
        ("4", "open", "old", 1, 1),
    ]


async def test_requests_are_asked_for_once_noted_and_answered(
    mysql: MySQL, session: Session, writer: Writer, login: Target
) -> None:
    engine, order = (
        MySQLPush(),
        "SELECT object_key, state, reason, seller_nick, resolved_by FROM sys_info.jdp_quarantine",
    )
    poison = [
        Poison("trades", str(n), nick, "PUSH@1", n, 0, reason, None, "old", bytes([n]))
        for n, nick, reason in (
            (1, "taobao001", "BAD_JSON"), (2, "taobao009", "BAD_JSON"), (3, "taobao009", "NOT_YOUR_SHOP"),
            (4, None, "BAD_JSON"), (5, "taobao001", "BAD_JSON"),
        )
    ]  # fmt: skip
    await writer.write([], poison)
    request = Request("uid-1", "replay", {"ids": [4], "because": "热水袋"})
    await engine.submit(mysql.admin, "seller/orders", request)
    await engine.submit(mysql.admin, "seller/orders", Request("uid-1", "discard", {}))
    desk = engine.desk(lambda: login, "test")
    assert await desk.requests("seller/other") == []
    assert [(one.id, one.action, dict(one.args)) for one in await desk.requests("seller/orders")] == [
        ("uid-1", "replay", {"ids": [4], "because": "热水袋"})
    ]
    assert await desk.mark("uid-1", {"written": 1}, ["trades", 4])
    assert await desk.mark("uid-1", {"written": 1}, ["trades", 4]), "the same again"
    await desk.held_up("uid-1", "no connection")
    assert await engine.answer(mysql.admin, "uid-1") == Answer("open", {"written": 1}, "no connection")
    (again,) = await desk.requests("seller/orders")
    assert (again.counts, again.reached) == ({"written": 1}, ["trades", 4])
    mine = Choice(["taobao001"])
    first, second = await desk.kept(TRADES, mine, 0, 2)
    assert [(one.source[1], one.reason) for one in (first, second)] == [(1, "BAD_JSON"), (3, "NOT_YOUR_SHOP")]
    assert [one.source[1] for one in await desk.kept(TRADES, mine, second.id, 9)] == [4, 5]
    assert [one.id for one in await desk.kept(TRADES, Choice(["taobao001"], [first.id], "BAD_JSON"), 0, 9)] == [
        first.id
    ]
    assert await desk.kept(TRADES, Choice(["taobao001"], [first.id], "BAD_PACK"), 0, 9) == []
    await desk.tried(first, None, "operation uid-1")
    await desk.tried(second, Refused("ROW_REFUSED", "4025", "new", "taobao001"))
    await desk.discard(TRADES, Choice(["taobao001"], reason="BAD_JSON"), "operation uid-1")
    assert await desk.resolved("operation uid-1") == 3
    await desk.end("uid-1", {"written": 3})
    assert await engine.answer(mysql.admin, "uid-1") == Answer("done", {"written": 3}, "")
    assert not await desk.mark("uid-1", {}, [])
    await engine.submit(mysql.admin, "seller/orders", Request("uid-2", "audit", {}))
    await engine.withdraw(mysql.admin, "uid-2")
    assert not await desk.mark("uid-2", {}, [])
    with pytest.raises(WriteError, match="denied"):
        await desk._fetch("DELETE FROM sys_info.jdp_request", ())
    await desk.close()
    assert [tuple(one) for one in await session.fetch(f"{order} ORDER BY id")] == [
        ("1", "retried", "BAD_JSON", "taobao001", "operation uid-1"),
        ("2", "open", "BAD_JSON", "taobao009", None),
        ("3", "open", "ROW_REFUSED", "taobao001", None),
        ("4", "discarded", "BAD_JSON", None, "operation uid-1"),
        ("5", "discarded", "BAD_JSON", "taobao001", "operation uid-1"),
    ]


@pytest_asyncio.fixture
async def loader(login: Target, session: Session) -> AsyncIterator[Loader]:
    ((before,),) = await session.fetch("SELECT @@GLOBAL.local_infile")
    await session.execute("SET GLOBAL local_infile = ON")
    yield Loader(lambda: login, TRADES)
    await session.execute("SET GLOBAL local_infile = %s", (before,))


async def test_loaded_record_stands_byte_for_byte(loader: Loader, session: Session) -> None:
    texts = ["\t", "\n", "\r\n", "\\", "\\N", "N", "NULL", "\0", "😀\\\t\n\0\\n", "", "'\"", "\x1a", "\\\\t", "x\\"]
    await loader.write([row(key, Version(1, 1, "aa"), text) for key, text in enumerate(texts)], ())
    assert {key: found[3] for key, found in (await there(session)).items()} == dict(enumerate(texts))
    await loader.close()


async def test_row_that_does_not_fit_is_refused_and_not_cut(loader: Loader, session: Session) -> None:
    await session.execute("ALTER TABLE sys_info.jdp_tb_trade MODIFY status varchar(1)")
    with pytest.raises(WriteError) as refused:
        await loader.write([row(1, Version(1, 1, "aa"), "a"), row(2, Version(1, 1, "aa"), "long")], ())
    assert refused.value.kind is Fault.DESTINATION
    assert await there(session) == {}
    await session.execute("ALTER TABLE sys_info.jdp_tb_trade ADD CONSTRAINT low CHECK (tid < 1000)")
    with pytest.raises(WriteError) as refused:
        await loader.write([row(1, Version(1, 1, "aa"), "a"), row(1000, Version(1, 1, "aa"), "a")], ())
    assert refused.value.kind is Fault.ROW
    assert await there(session) == {}
    assert (await loader.write([row(1, Version(1, 1, "aa"), "a")], ())).inserted == 1
    await loader.close()


async def test_server_that_keeps_its_warnings_to_itself_cuts_nothing(loader: Loader, session: Session) -> None:
    ((before,),) = await session.fetch("SELECT @@GLOBAL.max_error_count")
    await session.execute("SET GLOBAL max_error_count = 0")
    try:
        await session.execute("ALTER TABLE sys_info.jdp_tb_trade MODIFY status varchar(1)")
        with pytest.raises(WriteError):
            await loader.write([row(1, Version(1, 1, "aa"), "a"), row(2, Version(1, 1, "aa"), "long")], ())
        assert await there(session) == {}
    finally:
        await session.execute("SET GLOBAL max_error_count = %s", (before,))
        await loader.close()


async def test_server_that_loads_no_more_is_written_to_by_rows(
    loader: Loader, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await loader.write([row(1, Version(1, 1, "aa"))], ())).inserted == 1
    await session.execute("SET GLOBAL local_infile = OFF")
    assert (await loader.write([row(2, Version(1, 1, "aa"))], ())).inserted == 1
    await loader.close()
    with caplog.at_level("INFO", "cairn"):
        assert (await loader.write([row(3, Version(1, 1, "aa"))], ())).inserted == 1
    assert "trades: new rows go by INSERT, more slowly, because of local_infile = OFF" in caplog.text
    assert set(await there(session)) == {1, 2, 3}
    await loader.close()

# SPDX-License-Identifier: Apache-2.0
"""Push into a SQL Server of one's own: CAIRN_TEST_SQLSERVER=LOGIN:PASSWORD@HOST:PORT, a sysadmin's, and
CAIRN_TEST_SQLSERVER_CA, a file with the CA of its certificate. It makes and drops the database `cairnpushtest`; the
server needs `contained database authentication`.

Nobody has seen this pass: until somebody has, `cairn.sql.push.sqlserver` is experimental. Needs the extra `sqlserver`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import pytest_asyncio

from cairn.api.proof import Head, Slice, token
from cairn.datasets import shipped
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Target
from cairn.sql.push.book import Progress, Window
from cairn.sql.push.engine import Asked
from cairn.sql.push.fault import Fault, WriteError
from cairn.sql.push.request import Choice, Refused, Request
from cairn.sql.push.rows import Order, Poison, Row
from cairn.sql.push.sqlserver.engine import SQLServerPush
from cairn.sql.push.sqlserver.writer import Writer
from cairn.sql.share.sqlserver.connection import connect

if TYPE_CHECKING:
    from cairn.sql.share.sqlserver.connection import Session

SERVER, CA = os.environ.get("CAIRN_TEST_SQLSERVER", ""), os.environ.get("CAIRN_TEST_SQLSERVER_CA", "")
pytestmark = [
    pytest.mark.skipif(not SERVER, reason="CAIRN_TEST_SQLSERVER names no SQL Server"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the driver's, about its TLS library
]
DATABASE = "cairnpushtest"
TRADES = shipped()["trades"]
BASE = datetime(2026, 11, 11)  # noqa: DTZ001
ASKED = Asked(DATABASE, (TRADES,), {"1": "taobao001"}, "push1", "a'b]c-Secret-1")
POISON = Poison("trades", "1", "nick", "PUSH@1", 7, 0, "BAD_JSON", None, "why", b"\x00\xff")


class Version(NamedTuple):
    second: int
    version: int
    hash: str


def row(key: int, version: Version, content: str = "") -> Row:
    modified = BASE + timedelta(seconds=version.second)
    values = (key, content, "fixed", "taobao001", "b", BASE, modified, version.hash, content)
    return Row(key, (modified, version.version, version.hash), values, ("s", version.version, 0))


def target(database: str) -> Target:
    login, _, where = SERVER.rpartition("@")
    user, _, password = login.partition(":")
    host, _, port = where.partition(":")
    return Target(host, int(port or 1433), database, user, password, Path(CA).read_bytes() if CA else None)


@pytest_asyncio.fixture
async def session() -> AsyncIterator[Session]:
    """An operator's, in a database where all of it stands."""
    master = await connect(target("master"))
    drop = (
        f"IF DB_ID(N'{DATABASE}') IS NOT NULL BEGIN ALTER DATABASE {DATABASE} SET SINGLE_USER WITH ROLLBACK IMMEDIATE;"
        f" DROP DATABASE {DATABASE} END"
    )
    await master.execute(drop)
    await master.execute(f"CREATE DATABASE {DATABASE} CONTAINMENT = PARTIAL")
    await SQLServerPush().settle(target(DATABASE), ASKED)
    session = await connect(target(DATABASE))
    try:
        yield session
    finally:
        await session.close()
        await master.execute(drop)
        await master.close()


def login() -> Target:
    """The worker's own: what it may not do fails here as it would there."""
    return replace(target(DATABASE), user=ASKED.login, password=ASKED.password)


class BlindWriter(Writer):
    """Looked the keys up before another writer committed them: all is left to the guard."""

    async def _there(self, session: Session, rows: Sequence[Row]) -> dict[int, Order]:
        return {}


class PlainWriter(Writer):
    """On a server that takes no bulk copy."""

    async def open(self) -> Session:
        self._bulk = False
        return await super().open()


@pytest_asyncio.fixture(params=[Writer, BlindWriter, PlainWriter])
async def writer(session: Session, request: pytest.FixtureRequest) -> AsyncIterator[Writer]:
    writer = request.param(login, TRADES)
    yield writer
    await writer.close()


async def there(session: Session) -> dict[int, tuple[Any, ...]]:
    rows = await session.fetch(
        "SELECT tid, modified, jdp_version, jdp_hashcode, jdp_response, jdp_seq, jdp_modified, jdp_created"
        " FROM dbo.jdp_tb_trade"
    )
    return {found[0]: tuple(found)[1:] for found in rows}


async def test_newer_content_gets_a_number_the_same_none_and_older_changes_nothing(
    writer: Writer, session: Session
) -> None:
    await writer.write([row(1, Version(1, 1, "aa"), "x")], ())
    first = (await there(session))[1]
    await writer.write([row(1, Version(1, 5, "aa"), "x")], ())
    again = (await there(session))[1]
    assert (again[1], again[4:]) == (5, first[4:])
    written = await writer.write([row(1, Version(2, 2, "bb"), "Y😀\0 "), row(2, Version(1, 1, "aa"))], ())
    assert (written.inserted, written.updated) == (1, 1)
    second = (await there(session))[1]
    assert second[3] == "Y😀\0 "
    assert (second[4] > first[4], second[5] > first[5], second[6] == first[6]) == (True, True, True)
    assert (await writer.write([row(1, Version(1, 9, "ff"), "old"), row(1, Version(2, 2, "bb"), "no")], ())).stale == 2
    assert (await there(session))[1] == second
    assert await session.fetch("SELECT COUNT(*) FROM dbo.jdp_stage_tb_trade") == [(0,)]


async def test_rows_from_before_cairn_with_nothing_in_them_are_older_than_anything(
    writer: Writer, session: Session
) -> None:
    await session.execute("INSERT INTO dbo.jdp_tb_trade (tid, modified) VALUES (1, NULL), (2, '2026-11-11 00:00:01')")
    assert (await writer.write([row(1, Version(0, 0, "")), row(2, Version(1, 0, "0a"))], ())).updated == 2


async def test_reader_that_follows_jdp_seq_misses_nothing_of_two_writers(session: Session) -> None:
    one, other, done, seen = Writer(login, TRADES), Writer(login, TRADES), asyncio.Event(), set[int]()

    async def follow() -> None:
        last = 0
        while True:
            finished = done.is_set()
            rows = await session.fetch(
                "SELECT tid, jdp_seq FROM dbo.jdp_tb_trade WHERE jdp_seq > %s ORDER BY jdp_seq", (last,)
            )
            seen.update(found[0] for found in rows)
            last = rows[-1][1] if rows else last
            if finished and not rows:
                return

    async def write(writer: Writer, offset: int) -> None:
        for number in range(30):
            keys = range(number * 40 + offset, number * 40 + 40, 2)
            await writer.write([row(key, Version(1, 1, "aa")) for key in keys], ())

    reader = asyncio.create_task(follow())
    await asyncio.gather(write(one, 0), write(other, 1))
    done.set()
    await reader
    assert len(seen) == 1200
    await one.close()
    await other.close()


async def test_poison_is_kept_once_and_in_the_same_transaction(writer: Writer, session: Session) -> None:
    assert (await writer.write([], [POISON])).quarantined == ("BAD_JSON",)
    assert (await writer.write([row(1, Version(1, 1, "aa"))], [POISON])).quarantined == ()
    await session.execute("ALTER TABLE dbo.jdp_tb_trade ADD CONSTRAINT low CHECK (tid < 1000)")
    with pytest.raises(WriteError) as refused:
        await writer.write([row(1000, Version(1, 1, "aa"))], [POISON._replace(stream_seq=8)])
    assert refused.value.kind is Fault.ROW
    kept = await session.fetch("SELECT payload, state, stream_seq FROM dbo.jdp_quarantine")
    assert kept == [(b"\x00\xff", "open", 7)]
    assert set(await there(session)) == {1}


async def test_writer_after_a_lost_session_opens_a_new_one(writer: Writer, session: Session) -> None:
    await writer.write([row(1, Version(1, 1, "aa"))], ())
    for (number,) in await session.fetch(
        "SELECT session_id FROM sys.dm_exec_sessions WHERE original_login_name = %s", (ASKED.login,)
    ):
        await session.execute(f"KILL {int(number)}")
    with pytest.raises((WriteError, SqlError)):
        await writer.write([row(2, Version(1, 1, "aa"))], ())
    await writer.write([row(2, Version(1, 1, "aa"))], ())
    assert set(await there(session)) == {1, 2}


async def test_table_that_became_too_narrow_holds_the_lane(writer: Writer, session: Session) -> None:
    await session.execute("ALTER TABLE dbo.jdp_tb_trade ALTER COLUMN [status] nvarchar(1)")
    with pytest.raises(WriteError) as refused:
        await writer.write([row(1, Version(1, 1, "aa"), "long")], ())
    assert refused.value.kind is Fault.DESTINATION
    (drift,) = (await SQLServerPush().look(target(DATABASE), ASKED)).drift
    await session.execute(drift.split(": ", 2)[2])
    assert (await writer.write([row(1, Version(1, 1, "aa"), "long")], ())).inserted == 1


async def test_login_may_not_what_it_was_not_granted(session: Session) -> None:
    worker = await connect(login())
    for refused in (
        "DELETE FROM dbo.jdp_tb_trade", "DELETE FROM dbo.jdp_quarantine", "DROP TABLE dbo.jdp_stage_tb_trade",
        "SELECT COUNT(*) FROM dbo.jdp_made", "CREATE TABLE dbo.mine (a int)",
    ):  # fmt: skip
        with pytest.raises(Exception, match=r"denied|permission"):
            await worker.execute(refused)
    await worker.close()


async def test_login_of_somebody_else_stays_his(session: Session) -> None:
    await session.execute("CREATE USER theirs WITH PASSWORD = 'Their-password-1'")
    with pytest.raises(SqlError, match="is not Cairn's"):
        await SQLServerPush().settle(target(DATABASE), replace(ASKED, login="theirs"))
    await SQLServerPush().drop_login(target(DATABASE), "theirs")
    assert await session.fetch("SELECT 1 FROM sys.database_principals WHERE name = 'theirs'")


async def test_look_sees_what_settle_made_and_what_was_taken_away(session: Session) -> None:
    push, admin = SQLServerPush(), target(DATABASE)
    found = await push.look(admin, ASKED)
    assert (found.missing, found.drift, found.granted, found.quarantined, found.weak) == ((), (), True, 0, ())
    assert found.login is not None
    assert (found.login.ours, found.login.opens) == (True, True)
    assert not (await push.look(admin, replace(ASKED, password="Other-1"))).login.opens  # type: ignore[union-attr]
    await session.execute("DROP VIEW platform.trades")
    await session.execute("DROP INDEX ind_jdp_tb_trade_jdp_seq ON dbo.jdp_tb_trade")
    await session.execute("DROP TABLE dbo.jdp_stage_tb_trade")
    await session.execute("REVOKE UPDATE ON dbo.jdp_cursor FROM push1")
    await session.execute(f"ALTER DATABASE {DATABASE} SET DELAYED_DURABILITY = FORCED")
    found = await push.look(admin, ASKED)
    assert set(found.missing) == {
        "table jdp_stage_tb_trade", "indexes ind_jdp_tb_trade_jdp_seq", "view platform.trades",
    }  # fmt: skip
    assert (found.granted, found.weak) == (False, ("delayed_durability = FORCED (must be DISABLED)",))
    await push.settle(admin, ASKED)
    found = await push.look(admin, ASKED)
    assert (found.missing, found.granted) == ((), True)
    await push.drop_login(admin, ASKED.login)
    assert (await push.look(admin, ASKED)).login is None


async def test_view_reads_records_and_takes_anything_else_for_null(writer: Writer, session: Session) -> None:
    long = "备" * 5000
    trade = {"tid": 1, "payment": "12.50", "num": "x", "title": long, "orders": {"order": [{"num": 1}]}}
    texts = {1: json.dumps({"trade_fullinfo_get_response": {"trade": trade}}), 2: "{broken", 3: "[1, 2]", 4: "-"}
    await writer.write([row(key, Version(1, 1, "aa"), "") for key in texts], ())
    for key, text in texts.items():
        await session.execute("UPDATE dbo.jdp_tb_trade SET jdp_response = %s WHERE tid = %s", (text, key))
    rows = await session.fetch("SELECT tid, shop_id, payment, num, title, orders FROM platform.trades ORDER BY tid")
    assert (*rows[0][:2], float(rows[0][2]), *rows[0][3:5]) == (1, "1", 12.5, None, long)
    assert json.loads(rows[0][5]) == [{"num": 1}]
    assert [tuple(one) for one in rows[1:]] == [(key, "1", None, None, None, None) for key in (2, 3, 4)]


async def test_ledger_sums_as_the_platform_does_and_sees_what_was_changed_behind_its_back(
    writer: Writer, session: Session
) -> None:
    """On SQL Server 2019 or later: an older one compares by the stored hash alone."""
    texts = {key: f"记录 {key} 😀" for key in range(1, 8)}
    hashes = {key: hashlib.sha256(text.encode()).hexdigest()[:32] for key, text in texts.items()}
    await writer.write([row(key, Version(key * 600, 1, hashes[key]), texts[key]) for key in texts], ())
    ledger, step = SQLServerPush().ledger(login, "test"), timedelta(hours=1)
    hour = [
        Slice(BASE, 5, sum(token(hashes[key]) for key in range(1, 6))),
        Slice(BASE + step, 2, sum(token(hashes[key]) for key in (6, 7))),
    ]
    for deep in (False, True):
        assert await ledger.slices(TRADES, "taobao001", BASE, BASE + 2 * step, step, deep=deep) == hour
    await session.execute("UPDATE dbo.jdp_tb_trade SET jdp_response = N'changed' WHERE tid = 6")
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
    told = (await SQLServerPush().look(target(DATABASE), ASKED)).proof["proof"]
    assert (told["through"], told["total"]["repaired"]) == ("2026-11-11T01:00:00", 2)
    for progress in (Progress(BASE, BASE + step, None, 0, done=False), Progress(BASE, BASE, (BASE, 5), 5, done=True)):
        await ledger.advance(TRADES, "1", progress)
        assert await ledger.progress(TRADES, "1") == progress
    await ledger.close()


async def test_refused_records_leave_quarantine_once_they_stand_or_are_given_up(
    writer: Writer, session: Session
) -> None:
    poison = [POISON._replace(stream_seq=n, reason="ROW_REFUSED", seller_nick="taobao001") for n in (1, 2, 3)]
    await writer.write([], [*poison, POISON])
    desk = SQLServerPush().desk(login, "test")
    first = await desk.refused(TRADES, 0, 2)
    assert [one.source for one in first] == [("PUSH@1", 1, 0), ("PUSH@1", 2, 0)]
    await desk.tried(first[0], None)
    await desk.tried(first[1], Refused("ROW_REFUSED", "547", "new"))
    assert await desk.quarantined(TRADES, [1, 2]) == {1}
    choice = Choice(["taobao001"], None, "ROW_REFUSED")
    assert len(await desk.kept(TRADES, choice, 0, 9)) == 2
    await desk.discard(TRADES, choice, "operation/1")
    assert await desk.resolved("operation/1") == 2
    await desk.close()


async def test_request_is_asked_for_once_and_answered(session: Session) -> None:
    push, admin = SQLServerPush(), target(DATABASE)
    for _ in range(2):
        await push.submit(admin, "shops/one", Request("id-1", "replay", {"datasets": ["trades"]}))
    desk = push.desk(login, "test")
    assert [one.id for one in await desk.requests("shops/one")] == ["id-1"]
    assert await desk.mark("id-1", {"tried": 1}, [7])
    await desk.end("id-1", {"tried": 2})
    answer = await push.answer(admin, "id-1")
    assert answer is not None
    assert (answer.state, answer.counts) == ("done", {"tried": 2})
    await push.withdraw(admin, "id-1")
    assert not await desk.mark("id-1", {}, [])
    await desk.close()

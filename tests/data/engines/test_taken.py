# SPDX-License-Identifier: Apache-2.0
"""What is taken away is gone: open sessions, rights from elsewhere, and wherever a pass breaks."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace

import pymysql
import pytest

from cairn.sql.errors import SqlError
from cairn.sql.share.chain import link
from cairn.sql.share.model import Design, TableColumn
from cairn.sql.share.mysql.connection import Session
from cairn.sql.share.names import group, logins, own_role, published, shares, work
from data.engines.seller import DATABASE, PASSWORD, Seller
from data.engines.servers import MySQL
from data.share.designs import design, trade_view

GONE = pymysql.err.MySQLError


def without_crm_trades(full: Design) -> Design:
    return replace(full, views=full.views[1:])


@pytest.mark.parametrize("removed", [pytest.param(True, id="app removed"), pytest.param(False, id="grant withdrawn")])
async def test_check_02_revoke_bites_whatever_is_open(seller: Seller, removed: bool) -> None:
    full = replace(design(DATABASE), tables=(), views=design(DATABASE).views[:2])
    await seller.settled(full)
    for tid in range(1, 50):
        await seller.trade(tid)
    view = f"{shares(seller.crm)}.trade"
    after = replace(full, views=full.views[1:], parties=full.parties[1:] if removed else full.parties)
    async with AsyncExitStack() as stack:
        running, open_, role, prepared, idle, other = [
            await stack.enter_async_context(seller.as_app(party)) for party in (*[seller.crm] * 5, seller.erp)
        ]
        slow = asyncio.create_task(running.fetch(f"SELECT tid, SLEEP(1) FROM {view}"))
        await open_.execute("SET autocommit = 0")
        assert len(await open_.fetch(f"SELECT * FROM {view}")) == 49  # the transaction holds on to the view
        await role.execute(f"SET ROLE {group(seller.crm)}")
        await prepared.execute(f"PREPARE s FROM 'SELECT COUNT(*) FROM {view}'")
        assert await prepared.fetch("EXECUTE s") == [(49,)]
        assert len(await idle.fetch("SELECT 1")) == 1

        began = time.monotonic()
        outcome = await seller.settle(after)
        assert time.monotonic() - began < 60
        assert outcome.problem == "", outcome.problem
        assert (outcome.verified, outcome.ended) == (True, 5)
        for session, sql in (
            (open_, "SELECT 1"),
            (role, f"SELECT * FROM {view}"),
            (prepared, "EXECUTE s"),
            (idle, "SELECT 1"),
        ):
            with pytest.raises(GONE):
                await session.fetch(sql)
        with pytest.raises(GONE):
            await slow
        assert len(await other.fetch(f"SELECT * FROM {shares(seller.erp)}.trade")) == 49
    if removed:
        with pytest.raises(SqlError, match="refused login"):
            async with seller.as_app(seller.crm):
                pass
    else:
        async with seller.as_app(seller.crm) as app:
            with pytest.raises(GONE, match="denied"):
                await app.fetch(f"SELECT * FROM {view}")
    await seller.settled(after)


async def test_check_02_revoke_bites_a_login_that_is_turned_off(seller: Seller) -> None:
    full = design(DATABASE)
    crm = full.parties[0]
    both = replace(
        full, parties=(replace(crm, logins=tuple(replace(x, enabled=True) for x in crm.logins)), *full.parties[1:])
    )
    second = tuple(replace(x, enabled=not x.enabled) for x in crm.logins)
    await seller.settled(both)
    async with seller.as_app(seller.crm) as old, seller.as_app(seller.crm, 1) as new:
        outcome = await seller.settle(replace(full, parties=(replace(crm, logins=second), *full.parties[1:])))
        assert (outcome.verified, outcome.ended) == (True, 1)
        assert [record.action for record in outcome.records] == ["rotate"]
        with pytest.raises(GONE):
            await old.fetch("SELECT 1")
        assert await new.fetch(f"SELECT COUNT(*) FROM {shares(seller.crm)}.trade") == [(0,)]


async def test_check_02_revoke_bites_after_a_pass_that_broke_before_it_ended_sessions(
    seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = design(DATABASE)
    await seller.settled(full)
    async with seller.as_app(seller.crm) as app:
        await app.fetch(f"SELECT COUNT(*) FROM {shares(seller.crm)}.trade")
        with monkeypatch.context() as patch:
            breaking(patch, seller.session, lambda sql: sql.startswith("KILL"))
            with pytest.raises(BreakError):
                await seller.settle(without_crm_trades(full))
        await app.fetch("SELECT 1")
        outcome = await seller.settle(without_crm_trades(full))
        assert (outcome.verified, outcome.ended) == (True, 1), outcome.problem
        with pytest.raises(GONE):
            await app.fetch("SELECT 1")


async def test_app_that_takes_the_writers_lock_is_thrown_out(seller: Seller) -> None:
    """One session holds it, others wait to."""
    full = design(DATABASE)
    await seller.settled(full)
    async with AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(seller.as_app(seller.crm)) for _ in range(4)]
        assert await sessions[0].fetch("SELECT GET_LOCK('cairn.share', 0)") == [(1,)]
        waiting = [asyncio.create_task(one.fetch("SELECT GET_LOCK('cairn.share', 60)")) for one in sessions[1:]]
        outcome = await seller.settle(without_crm_trades(full))
        await asyncio.gather(*waiting, return_exceptions=True)
        assert outcome.verified, outcome.problem
        for one in sessions:
            with pytest.raises(GONE):
                await one.fetch("SELECT 1")


async def test_check_03_shrink_takes_one_column_and_disturbs_nobody_else(seller: Seller) -> None:
    full = design(DATABASE)
    await seller.settled(full)
    await seller.trade(1)
    narrower = trade_view(seller.crm, (("tid", "plain"), ("buyer_nick", "hmac")))
    async with seller.as_app(seller.erp) as other:
        outcome = await seller.settle(replace(full, views=(narrower, *full.views[1:])))
        assert outcome.verified, outcome.problem
        assert len(await other.fetch(f"SELECT * FROM {shares(seller.erp)}.trade")) == 1
    async with seller.as_app(seller.crm) as app:
        columns = [row[0] for row in await app.fetch(f"SHOW COLUMNS FROM {shares(seller.crm)}.trade")]
    assert columns == ["tid", "buyer_nick"]


async def test_check_04_foreign_rights_are_gone_after_one_pass(seller: Seller) -> None:
    full = design(DATABASE)
    await seller.settled(full)
    role, login, view = seller.share.session.flavour.role(group(seller.crm)), logins(seller.crm)[0], shares(seller.erp)
    mariadb = seller.session.flavour.mariadb
    foreign = [
        f"GRANT SELECT ON {view}.trade TO {login}@'%' WITH GRANT OPTION",
        f"GRANT SELECT (title) ON platform.trades TO {role}",
        f"GRANT ALL ON map.* TO {login}@'%'",
        f"GRANT PROCESS ON *.* TO {login}@'%'",
        f"GRANT SELECT ON `s%`.* TO {login}@'%'",
        "GRANT SELECT ON platform.trades TO platform_reader@'%' WITH GRANT OPTION",
        f"GRANT {seller.session.flavour.role(group(seller.erp))} TO {login}@'%'",
        f"CREATE VIEW {shares(seller.crm)}.more AS SELECT * FROM platform.trades",
        (
            f"CREATE DEFINER = {own_role(full.id)}@localhost TRIGGER {published(seller.crm)}.x BEFORE INSERT ON"
            f" {published(seller.crm)}.review FOR EACH ROW SET NEW.agent = 'x'"
        ),
        f"ALTER USER {login}@'%' REQUIRE NONE WITH MAX_USER_CONNECTIONS 0",
        f"INSERT INTO map.scope VALUES ('{shares(seller.crm)}.trade', '55502')",
    ]
    foreign.append(
        f"GRANT SELECT ON {view}.trade TO PUBLIC" if mariadb else f"GRANT XA_RECOVER_ADMIN ON *.* TO {login}@'%'"
    )
    for statement in foreign:
        await seller.session.execute(statement)
    outcome = await seller.settle(full)
    assert outcome.verified, outcome.problem
    repaired = [record.subject for record in outcome.records if record.action == "repair"]
    assert len(repaired) == len(outcome.records) >= len(foreign) - 1  # two are rights of one account on one object
    await seller.settled(full)


async def test_check_04_what_reaches_further_than_here_is_told_and_not_taken(seller: Seller) -> None:
    full = design(DATABASE)
    await seller.settled(full)
    await seller.session.execute("GRANT SELECT ON `%`.* TO platform_reader@'%'")
    try:
        outcome = await seller.settle(full)
        assert not outcome.verified
        assert "platform_reader@%" in outcome.problem
        assert "REVOKE" in outcome.problem
    finally:
        await seller.session.execute("REVOKE SELECT ON `%`.* FROM platform_reader@'%'")
    await seller.settled(full)


async def test_a_view_that_was_altered_is_made_anew(seller: Seller) -> None:
    full = design(DATABASE)
    await seller.settled(full)
    await seller.trade(1, title="secret")
    view = f"{shares(seller.crm)}.trade"
    await seller.session.execute(f"ALTER VIEW {view} AS SELECT tid, title FROM platform.trades")
    outcome = await seller.settle(full)
    assert outcome.verified, outcome.problem
    assert [record.action for record in outcome.records] == ["repair"]
    async with seller.as_app(seller.crm) as app:
        assert len(await app.fetch(f"SELECT tid, receiver_mobile FROM {view}")) == 1
    await seller.settled(full)


async def test_check_13_a_password_that_the_app_changed_is_set_again_and_stands_nowhere(
    seller: Seller, mysql: MySQL
) -> None:
    full = design(DATABASE)
    await seller.settled(full)
    name = logins(seller.crm)[0]
    await seller.session.execute("SET GLOBAL general_log_file = '/srv/general.log'")
    await seller.session.execute("SET GLOBAL general_log = ON")
    try:
        async with seller.as_app(seller.crm) as app:
            await app.execute(
                "SET PASSWORD = PASSWORD('another')" if seller.session.flavour.mariadb else "SET PASSWORD = 'another'"
            )
        assert (await seller.share.observe(full, {name: PASSWORD})).verifiers == {name: False}
        outcome = await seller.settle(full)
        assert [record.action for record in outcome.records] == ["rotate"]
        assert (await seller.share.observe(full, {name: PASSWORD})).verifiers == {name: True}
        async with seller.as_app(seller.crm):
            pass
    finally:
        await seller.session.execute("SET GLOBAL general_log = OFF")
    log = (mysql.home / "general.log").read_text(errors="replace")
    assert "ALTER USER" in log
    assert PASSWORD not in log


async def test_no_login_gets_in_without_tls(seller: Seller) -> None:
    await seller.settled(design(DATABASE))
    with pytest.raises(pymysql.err.MySQLError, match="denied"):
        pymysql.connect(
            host="127.0.0.1", port=seller.target.port, user=logins(seller.crm)[0], password=PASSWORD, ssl_disabled=True
        )


async def test_the_audit_is_appended_to_and_chained(seller: Seller) -> None:
    full = design(DATABASE)
    await seller.settled(full)
    await seller.settled(without_crm_trades(full))
    rows = await seller.share.audit(full)
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    prev = ""
    for row in rows:
        texts = [
            str(row[name]) for name in ("action", "actor", "tenant", "subject", "reason", "contract", "before", "after")
        ]
        assert row["prev"] == prev
        prev = link(prev, int(str(row["seq"])), row["at"], texts)  # type: ignore[arg-type]  # a datetime
        assert row["hash"] == prev
    revoked = [row for row in rows if row["action"] == "revoke"]
    assert revoked
    for statement in ("UPDATE audit.log SET reason = 'x'", "DELETE FROM audit.log"):
        with pytest.raises(GONE, match="appended"):
            await seller.session.execute(statement)


class BreakError(Exception):
    pass


def breaking(patch: pytest.MonkeyPatch, session: Session, when: object) -> None:
    """Statements that change something go on until one is not sent any more."""
    original = session.execute

    async def execute(sql: str, parameters: tuple[object, ...] = ()) -> None:
        if when(sql):  # type: ignore[operator]  # a predicate
            raise BreakError
        await original(sql, parameters)

    patch.setattr(session, "execute", execute)


async def test_check_01_broken_between_any_two_statements_nobody_may_more_and_the_next_pass_mends(
    seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = design(DATABASE)
    crm, erp, _clerks = one.parties
    closed = replace(erp, logins=tuple(replace(login, enabled=False) for login in erp.logins))
    two = replace(
        one,
        parties=(crm, closed),
        views=(trade_view(seller.crm, (("tid", "plain"), ("title", "plain")), shops=("55502",), grant="new"),),
        ended=frozenset({f"grant-{seller.erp}"}),
    )
    at, broke = 0, True
    allowed = seller.share.desired(one).entries | seller.share.desired(two).entries
    while broke:
        broke = False
        await seller.settled(replace(one, ended=frozenset()))
        for target in (two, one):
            count = 0

            def reached(_: str) -> bool:
                nonlocal count
                count += 1
                return count > at  # noqa: B023 -- read at once

            with monkeypatch.context() as patch:
                breaking(patch, seller.session, reached)
                try:
                    await seller.settle(target)
                except BreakError:
                    broke = True
            found = (await seller.share.observe(two, {})).state
            assert found.entries <= allowed, found.entries - allowed
            await readable(seller)
            await seller.settled(target)
            await seller.session.execute("DELETE FROM map.ended")
        at += 7


async def readable(seller: Seller) -> None:
    """Neither the old columns with the new shops, nor the new ones with the old."""
    rows = await seller.session.fetch("SELECT shop FROM map.scope WHERE view = %s", (f"{shares(seller.crm)}.trade",))
    columns = await seller.session.fetch(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = 'trade'",
        (shares(seller.crm),),
    )
    rights = await seller.session.fetch(
        "SELECT 1 FROM information_schema.table_privileges WHERE table_schema = %s", (shares(seller.crm),)
    )
    if rights and ("title",) in columns:
        assert ("55501",) not in rows
    if rights and ("receiver_mobile",) in columns:
        assert ("55502",) not in rows


async def test_what_an_app_made_of_its_own_stays_when_it_goes(seller: Seller) -> None:
    full = design(DATABASE)
    await seller.settled(full)
    async with seller.as_app(seller.crm) as app:
        await app.execute(f"CREATE TABLE {work(seller.crm)}.kept (a int)")
        await app.execute(f"INSERT INTO {published(seller.crm)}.review (tid) VALUES (1)")
    await seller.settled(design(DATABASE, parties=full.parties[1:], tables=(), views=()))
    assert await seller.session.fetch(f"SELECT COUNT(*) FROM {published(seller.crm)}.review") == [(1,)]
    assert await seller.session.fetch(f"SELECT COUNT(*) FROM {work(seller.crm)}.kept") == [(0,)]
    await seller.settled(full)
    async with seller.as_app(seller.crm) as app:
        assert await app.fetch(f"SELECT COUNT(*) FROM {work(seller.crm)}.kept") == [(0,)]


async def test_a_published_table_gets_what_its_contract_has_more_and_keeps_its_rows(seller: Seller) -> None:
    full = design(DATABASE)
    await seller.settled(full)
    async with seller.as_app(seller.crm) as app:
        await app.execute(f"INSERT INTO {published(seller.crm)}.review VALUES (1, 'Ann', 'good')")
    (table,) = full.tables
    columns = (table.columns[0], TableColumn("score", "bigint"), *table.columns[1:])
    await seller.settled(replace(full, tables=(replace(table, columns=columns),)))
    assert await seller.session.fetch(f"SELECT * FROM {published(seller.crm)}.review") == [(1, None, "Ann", "good")]
    outcome = await seller.settle(full)
    assert not outcome.verified
    assert outcome.problem.startswith(f"table {published(seller.crm)}.review is as was asked for before")

# SPDX-License-Identifier: Apache-2.0
"""What an app can do within its rights to be in the way: it harms nobody else, and goes when it must."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from cairn.sql.errors import SqlError
from cairn.sql.postgresql import connect
from cairn.sql.push.postgresql.schema import ensure_schema
from cairn.sql.share.model import Design
from cairn.sql.share.names import group, logins, shares, work
from cairn.sql.share.postgresql.case import Batch
from cairn.sql.share.postgresql.settle import LOCK, Settling
from data.share.designs import design, trade_view
from data.share.seller import PASSWORD, SHOPS, Seller, datasets


def without_crm(whole: Design) -> Design:
    return replace(whole, parties=whole.parties[1:], tables=(), views=(whole.views[1], whole.views[3]))


async def test_app_that_changes_its_password_gets_the_old_one_back(seller: Seller) -> None:
    whole = design(seller.database)
    await seller.settled(whole)
    (login, _) = logins(seller.crm)
    async with seller.as_app(seller.crm) as app:
        await app.execute(f"SET ROLE NONE; ALTER ROLE {login} PASSWORD 'mine'")
    observed = await seller.share.observe(whole, {login: PASSWORD})
    assert observed.verifiers == {login: False}
    outcome = await seller.settled(whole)
    assert [(one.action, one.subject) for one in outcome.records] == [("rotate", login)]
    async with seller.as_app(seller.crm) as app:
        assert await app.fetchval("SELECT session_user") == login
    with pytest.raises(SqlError, match="password authentication failed"):
        await connect(replace(seller.target, user=login, password="mine"))


async def test_app_that_owns_things_as_a_login_and_elsewhere_still_goes(seller: Seller) -> None:
    """Also its sessions in other databases."""
    whole = design(seller.database)
    await seller.settled(whole)
    login, _ = logins(seller.crm)
    w = work(seller.crm)
    async with seller.as_app(seller.crm) as app:
        await app.execute(
            f"SET ROLE NONE; CREATE TABLE {w}.mine (a int); SELECT lo_create(0);"
            f" CREATE FUNCTION {w}.f() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1';"
            f" GRANT SELECT ON {w}.mine TO {group(seller.erp)}, PUBLIC;"
            f" GRANT EXECUTE ON FUNCTION {w}.f() TO {group(seller.erp)};"
            f" ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {group(seller.erp)};"
            f" ALTER DEFAULT PRIVILEGES IN SCHEMA {w} GRANT ALL ON TABLES TO PUBLIC"
        )
    postgres = replace(seller.target, database="postgres", user=login, password=PASSWORD)
    elsewhere = await connect(postgres)
    await elsewhere.execute("SET ROLE NONE; SELECT lo_create(0)")
    outcome = await seller.settle(without_crm(whole))
    assert outcome.ended == 1
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.InterfaceError)):
        await elsewhere.execute("SELECT 1")
    # The large object in the other database keeps the login: shut, and with nothing it may.
    await seller.settled(without_crm(whole))
    assert await seller.conn.fetchval("SELECT rolcanlogin FROM pg_roles WHERE rolname = $1", login) is False
    with pytest.raises(SqlError):
        await connect(postgres)
    await seller.settled(whole)
    async with seller.as_app(seller.crm) as app:
        await app.execute("SET ROLE NONE")
        assert await app.fetchval(f"SELECT count(*) FROM {w}.mine") == 0


async def test_app_with_strange_names_and_objects_holds_up_nothing(seller: Seller) -> None:
    whole = design(seller.database)
    await seller.settled(whole)
    w, other = work(seller.crm), group(seller.erp)
    async with seller.as_app(seller.crm) as app:
        await app.execute(
            f'CREATE TABLE {w}."x""; DROP SCHEMA map CASCADE; --" ("a\'b" int);'
            f' CREATE TABLE {w}."{"名" * 20}" ("c\nd" int); CREATE TABLE {w}."a.b" ();'
            f" GRANT ALL ON ALL TABLES IN SCHEMA {w} TO {other};"
            f' GRANT SELECT ("a\'b") ON {w}."x""; DROP SCHEMA map CASCADE; --" TO PUBLIC;'
            f" CREATE FUNCTION {w}.sf(float8, float8) RETURNS float8 LANGUAGE sql AS 'SELECT 1.0::float8';"
            f" CREATE AGGREGATE {w}.worst(float8 ORDER BY float8) (SFUNC = {w}.sf, STYPE = float8, FINALFUNC = {w}.sf);"
            f' CREATE FUNCTION {w}."f("(INOUT "a)" int DEFAULT 1, VARIADIC b text[] DEFAULT \'{{}}\') LANGUAGE sql AS'
            " 'SELECT 1';"
            f" CREATE PROCEDURE {w}.p() LANGUAGE sql AS ''; CREATE SEQUENCE {w}.s; CREATE DOMAIN {w}.d AS int;"
            f" CREATE TYPE {w}.r AS RANGE (subtype = int4); CREATE TYPE {w}.c AS (a int);"
            f" GRANT ALL ON ALL ROUTINES IN SCHEMA {w} TO {other}; GRANT ALL ON ALL SEQUENCES IN SCHEMA {w} TO {other};"
            f" GRANT USAGE ON TYPE {w}.d, {w}.r, {w}.c TO {other} WITH GRANT OPTION;"
            f" GRANT USAGE ON SCHEMA {w} TO {other}"
        )
    outcome = await seller.settled(whole)
    assert [one.action for one in outcome.records] == ["repair"]
    await seller.settled(without_crm(whole))


async def test_app_with_thousands_of_grants_is_dealt_with_in_a_few_statements(seller: Seller) -> None:
    whole = design(seller.database)
    await seller.settled(whole)
    w = work(seller.crm)
    async with seller.as_app(seller.crm) as app:
        for start in range(0, 2000, 500):
            await app.execute(
                f"DO $$ BEGIN FOR i IN {start}..{start + 499} LOOP EXECUTE format('CREATE TABLE {w}.t%s (a int);"
                f" CREATE VIEW {w}.v%s AS SELECT tid FROM {shares(seller.crm)}.trade', i, i); END LOOP; END $$"
            )
        await app.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {w} TO {group(seller.erp)}, PUBLIC")
        await app.execute(f"SET ROLE NONE; ALTER ROLE {logins(seller.crm)[0]} SET search_path = '{'y' * 100_000}'")
    started = time.monotonic()
    outcome = await seller.settle(whole)
    assert outcome.verified, outcome.problem
    assert outcome.statements < 30
    assert time.monotonic() - started < 60
    rows: Any = await seller.share.audit(whole)
    assert max(len(str(row)) for row in rows) < 100_000
    narrower = replace(whole, views=(trade_view(seller.crm, (("tid", "plain"),)), *whole.views[1:]))
    await seller.settled(narrower)


async def test_app_that_gave_more_than_a_pass_can_take_loses_its_sessions_first(
    seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large objects are taken one by one: what has no time in one pass goes on in the next."""
    whole = design(seller.database)
    await seller.settled(whole)
    send, parts = Settling._send, []

    async def until_time_is_up(self: Settling, batch: Batch) -> bool:
        if batch.title.endswith(" gave"):
            parts.append(batch)
            if len(parts) == 2:
                raise TimeoutError
        return await send(self, batch)

    async with seller.as_app(seller.crm) as app:
        await app.execute(
            "DO $$ DECLARE n oid; BEGIN FOR i IN 1..1200 LOOP n := lo_create(0);"
            " EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO PUBLIC', n); END LOOP; END $$"
        )
        monkeypatch.setattr(Settling, "_send", until_time_is_up)
        with pytest.raises(TimeoutError):
            await seller.settle(without_crm(whole))
        with pytest.raises((asyncpg.InterfaceError, asyncpg.PostgresError)):
            await app.execute("SELECT 1")
    left = "SELECT count(*) FROM pg_largeobject_metadata, aclexplode(lomacl) a WHERE a.grantee = 0"
    assert 0 < await seller.conn.fetchval(left) < 1200, "what was done stays done"
    monkeypatch.setattr(Settling, "_send", send)
    await seller.settled(without_crm(whole))


async def test_app_that_keeps_the_writers_lock_in_a_prepared_transaction_holds_up_nobody(seller: Seller) -> None:
    """There is no session to end."""
    whole = design(seller.database)
    await seller.settled(whole)
    async with seller.as_app(seller.crm) as app:
        first, second = LOCK
        await app.execute(f"BEGIN; SELECT pg_advisory_xact_lock({first}, {second}); PREPARE TRANSACTION 'mine'")
    await seller.settled(without_crm(whole))
    assert await seller.conn.fetchval("SELECT count(*) FROM pg_prepared_xacts") == 0


async def test_app_that_takes_the_schemas_lock_holds_up_no_push(seller: Seller) -> None:
    await seller.settled(design(seller.database))
    async with seller.as_app(seller.crm) as app:
        await app.execute(f"SELECT pg_advisory_lock({0x636169726E})")
        await ensure_schema(seller.conn, datasets(), SHOPS)


async def test_database_that_makes_everybody_somebody_else_does_not_mislead(seller: Seller) -> None:
    whole = design(seller.database)
    await seller.settled(whole)
    await seller.conn.execute(f"ALTER DATABASE {seller.database} SET role = '{seller.database}_owner'")
    conn = await connect(seller.target)
    try:
        assert await conn.fetchval("SELECT current_user") == f"{seller.database}_owner"
        await Seller(seller.target, conn).settled(without_crm(whole))
    finally:
        await conn.close()


async def test_app_whose_sessions_come_back_at_once_is_kept_out_for_a_change(
    seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first time that its sessions are ended it is as if they were not."""
    whole = design(seller.database)
    await seller.settled(whole)
    mine, ended, calls = f"{work(seller.crm)}.mine", Settling._end, []

    async def end(self: Settling, due: Any) -> set[str]:
        calls.append(set(due))
        return set() if len(calls) == 1 else await ended(self, due)

    monkeypatch.setattr(Settling, "_end", end)
    await seller.conn.execute("SET lock_timeout = '300ms'")
    async with seller.as_app(seller.crm) as app:
        await app.execute(f"CREATE VIEW {mine} AS SELECT * FROM {shares(seller.crm)}.trade")
        await app.execute(f"BEGIN; ALTER VIEW {mine} SET (security_barrier)")
        outcome = await seller.settle(
            replace(whole, views=(trade_view(seller.crm, (("tid", "plain"),)), *whole.views[1:]))
        )
    assert outcome.verified, outcome.problem
    kept_out = [one for one in outcome.records if one.reason.startswith("kept out")]
    assert {one.subject for one in kept_out} == set(logins(seller.crm))
    async with seller.as_app(seller.crm) as app:
        assert await app.fetchval(f"SELECT count(*) FROM {shares(seller.crm)}.trade") == 0

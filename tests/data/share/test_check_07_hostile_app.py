# SPDX-License-Identifier: Apache-2.0
"""An app that knows all of this and means harm."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import asyncpg
import pytest

from cairn.sql.roles import scram_verifier
from cairn.sql.share.names import group, own_role, published, shares, work
from cairn.sql.share.postgresql.settle import LOCK
from data.servers import PostgreSQL
from data.share.designs import WHY, design, published_view, review, trade_view
from data.share.seller import PASSWORD, Seller

EVIL = (
    "CREATE TABLE {w}.loot (who text)",
    (
        "CREATE FUNCTION {w}.evil() RETURNS text LANGUAGE plpgsql COST 0.0001 AS"
        " $$ BEGIN INSERT INTO {w}.loot VALUES (current_user); RETURN ''; END $$"
    ),
    (
        "CREATE FUNCTION {w}.evil_trigger() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM {w}.evil(); RETURN NEW; END $$"
    ),
)
TRAPS = (
    "CREATE VIEW {w}.trade AS SELECT {w}.evil() AS x",
    "CREATE VIEW {w}.mine AS SELECT *, {w}.evil() FROM {s}.trade",
    "CREATE MATERIALIZED VIEW {w}.stored AS SELECT 1 AS a",
    "CREATE TABLE {w}.t (a text DEFAULT {w}.evil(), b int)",
    "CREATE TRIGGER x BEFORE INSERT OR UPDATE OR DELETE ON {w}.t FOR EACH ROW EXECUTE FUNCTION {w}.evil_trigger()",
    "CREATE TRIGGER y AFTER TRUNCATE ON {w}.t FOR EACH STATEMENT EXECUTE FUNCTION {w}.evil_trigger()",
    "ALTER TABLE {w}.t ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY p ON {w}.t USING ({w}.evil() = '')",
    "CREATE RULE r AS ON INSERT TO {w}.t DO ALSO SELECT {w}.evil()",
    "CREATE DOMAIN {w}.d AS text CHECK (VALUE <> {w}.evil())",
    (
        "CREATE FUNCTION {w}.eq(text, text) RETURNS boolean LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM {w}.evil(); RETURN true; END $$"
    ),
    "CREATE OPERATOR {w}.= (LEFTARG = text, RIGHTARG = text, FUNCTION = {w}.eq)",
    "CREATE FUNCTION {w}.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT {w}.evil() $$",
    "SET ROLE NONE",
    "ALTER ROLE {u} SET search_path = {w}, pg_catalog",
    "SET ROLE {g}",
    "GRANT ALL ON ALL TABLES IN SCHEMA {w} TO PUBLIC",
)


def names(seller: Seller) -> dict[str, str]:
    return {
        "w": work(seller.crm),
        "s": shares(seller.crm),
        "p": published(seller.crm),
        "g": group(seller.crm),
        "u": f"u{seller.crm}a",
    }


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE {p}.review ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY x ON {p}.review USING ({w}.evil() = '')",
        "CREATE TRIGGER x BEFORE INSERT ON {p}.review FOR EACH ROW EXECUTE FUNCTION {w}.evil_trigger()",
        "CREATE RULE x AS ON INSERT TO {p}.review DO ALSO SELECT {w}.evil()",
        "CREATE RULE \"_RETURN\" AS ON SELECT TO {p}.review DO INSTEAD SELECT 1::int8 AS tid, {w}.evil() AS agent, ''",
        "ALTER TABLE {p}.review ALTER agent SET DEFAULT {w}.evil()",
        "ALTER TABLE {p}.review ADD CHECK ({w}.evil() = '')",
        "CREATE INDEX ON {p}.review (({w}.evil()))",
        "ALTER TABLE {p}.review RENAME TO gone",
        "ALTER TABLE {p}.review SET SCHEMA {w}",
        "ALTER TABLE {p}.review OWNER TO {g}",
        "DROP TABLE {p}.review CASCADE",
        "DROP SCHEMA {p} CASCADE",
        "TRUNCATE {p}.review",
        "CREATE TABLE {w}.child () INHERITS ({p}.review)",
        "CREATE TABLE {w}.ref (tid bigint REFERENCES {p}.review)",
        "CREATE OR REPLACE VIEW {s}.trade AS SELECT 1",
        "ALTER VIEW {s}.trade SET (security_barrier = false)",
        "DROP VIEW {s}.trade CASCADE",
        "COMMENT ON VIEW {s}.trade IS 'cairn:'",
        "ALTER FUNCTION audit.chain() COST 1",
        "CREATE EVENT TRIGGER x ON ddl_command_end EXECUTE FUNCTION {w}.evil_trigger()",
        "CREATE CAST (text AS int) WITH FUNCTION {w}.evil()",
        "REASSIGN OWNED BY {g} TO postgres",
        "SECURITY LABEL ON ROLE postgres IS 'x'",
    ],
)
async def test_check_07_hostile_app_can_not_do(seller: Seller, sql: str) -> None:
    whole = design(seller.database)
    await seller.settled(whole)
    async with seller.as_app(seller.crm) as app:
        for evil in EVIL:
            await app.execute(evil.format(**names(seller)))
        with pytest.raises(asyncpg.PostgresError) as caught:
            await app.execute(sql.format(**names(seller)))
        assert not isinstance(caught.value, asyncpg.PostgresSyntaxError)
    await seller.settled(whole)


async def test_check_07_hostile_app_whose_work_schema_is_a_trap_is_never_executed(
    seller: Seller, postgresql: PostgreSQL
) -> None:
    whole = design(seller.database)
    await seller.settled(whole)
    await seller.trade(1)
    async with seller.as_app(seller.crm) as app:
        for sql in (*EVIL, *TRAPS):
            await app.execute(sql.format(**names(seller)))
        await app.execute(f"INSERT INTO {published(seller.crm)}.review VALUES (1, 'amy', 'good')")
    await seller.conn.execute("SET log_statement = 'all'")
    start = len(postgresql.log())
    narrower = replace(whole, views=(trade_view(seller.crm, (("tid", "plain"),)), *whole.views[1:]))
    await seller.settled(narrower)
    observed = await seller.share.observe(narrower, {})
    assert observed.publications[f"{seller.crm}.review"].mapped == 1
    await seller.share.erase(narrower, "55501", "nobody", WHY)
    await seller.settled(replace(whole, parties=whole.parties[1:], tables=(), views=(whole.views[1], whole.views[3])))
    await seller.conn.execute("RESET log_statement")
    assert await seller.conn.fetch(f"SELECT * FROM {work(seller.crm)}.loot") == []
    log = [part.strip() for part in re.split(r"\n(?!\t)", postgresql.log()[start:])]
    sent = [re.sub(r"^.*?(statement|execute [^:]*): ", "", part, flags=re.DOTALL) for part in log]
    named = [sql for sql in sent if work(seller.crm) in sql]
    assert named
    bookkeeping = ("INSERT INTO audit.log", "INSERT INTO map.applied")
    strange = [sql for sql in named if not sql.startswith(("REVOKE", "ALTER", "DROP", *bookkeeping))]
    assert strange == []


async def test_check_07_hostile_app_sees_no_other_shops_rows_by_a_leaky_function(seller: Seller) -> None:
    whole = design(seller.database)
    await seller.settled(whole)
    for tid in range(1, 41):
        await seller.trade(tid, "55502" if tid % 2 else "55501", receiver_mobile=f"1380000{tid:04}")
    async with seller.as_app(seller.crm) as app:
        await app.execute(f"CREATE TABLE {work(seller.crm)}.loot (tid bigint)")
        await app.execute(
            f"CREATE FUNCTION {work(seller.crm)}.peep(tid bigint) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS"
            f" $$ BEGIN INSERT INTO {work(seller.crm)}.loot VALUES (tid); RETURN true; END $$"
        )
        # Orders of looking that the app may choose: without an index that leads to the shop's rows, among others.
        for plan in ("nestloop", "indexscan", "bitmapscan"):
            await app.execute(f"SELECT tid FROM {shares(seller.crm)}.trade WHERE {work(seller.crm)}.peep(tid)")
            await app.execute(f"SET enable_{plan} = off")
        loot = {row["tid"] for row in await app.fetch(f"SELECT tid FROM {work(seller.crm)}.loot")}
    assert loot == set(range(2, 41, 2))


async def test_check_07_hostile_app_finds_no_key_and_no_shop_in_any_text(seller: Seller) -> None:
    whole = design(seller.database)
    await seller.settled(whole)
    await seller.trade(1)
    keys = await seller.conn.fetch("SELECT encode(ipad, 'hex') AS a, encode(opad, 'hex') AS b FROM map.key")
    secrets = {row["a"] for row in keys} | {row["b"] for row in keys}
    async with seller.as_app(seller.crm) as app:
        found = await app.fetch(
            "SELECT definition FROM pg_views UNION ALL SELECT prosrc FROM pg_proc"
            " UNION ALL SELECT description FROM pg_description UNION ALL SELECT description FROM pg_shdescription"
            " UNION ALL SELECT s::text FROM pg_stats s UNION ALL SELECT query FROM pg_stat_activity"
        )
        shown = f"SELECT * FROM {shares(seller.crm)}.trade WHERE buyer_nick > ''"
        found += await app.fetch(f"EXPLAIN (VERBOSE, ANALYZE, SETTINGS) {shown}")
        text = "\n".join(str(row[0]) for row in found)
    assert f"{seller.crm}.buyer_nick" in text
    assert "map.key" in text
    assert not [secret for secret in secrets if secret in text]
    assert "55501" not in text
    assert "taobao001" not in text


SWAPS = {
    "policy": "ALTER TABLE {p}.review ENABLE ROW LEVEL SECURITY; CREATE POLICY x ON {p}.review USING ({w}.evil() = '')",
    "trigger": "CREATE TRIGGER x BEFORE INSERT ON {p}.review FOR EACH ROW EXECUTE FUNCTION {w}.evil_trigger()",
    "rule": "CREATE RULE x AS ON INSERT TO {p}.review DO ALSO SELECT {w}.evil()",
    "default": "ALTER TABLE {p}.review ALTER agent SET DEFAULT {w}.evil()",
    "constraint": "ALTER TABLE {p}.review ADD CONSTRAINT x CHECK ({w}.evil() = '')",
    "index": "CREATE INDEX x ON {p}.review (lower(agent))",
    "owner": "ALTER TABLE {p}.review OWNER TO {g}",
    "nullable": "ALTER TABLE {p}.review ALTER agent SET NOT NULL",
    "column of the app's type": "ALTER TABLE {p}.review DROP COLUMN agent CASCADE",
    "dropped": "DROP TABLE {p}.review CASCADE",
    "inheritance": "CREATE TABLE public.child () INHERITS ({p}.review)",
    "view swapped": "CREATE OR REPLACE VIEW {s}.trade WITH (security_barrier, security_invoker = false) AS SELECT tid,"
    " receiver_mobile, buyer_nick::text FROM platform.trades",
    "barrier": "ALTER VIEW {s}.trade RESET (security_barrier)",
    "invoker": "ALTER VIEW {s}.trade SET (security_invoker)",
    "view's owner": "ALTER VIEW {s}.trade OWNER TO postgres",
    "view's rule": "CREATE RULE x AS ON DELETE TO {s}.trade DO INSTEAD NOTHING",
    "view dropped": "DROP VIEW {s}.trade CASCADE",
    "view of theirs": "CREATE VIEW {s}.more AS SELECT * FROM platform.trades",
    "clock": "CREATE OR REPLACE VIEW map.clock AS SELECT '2000-01-01'::timestamptz AS at",
    "share's schema": "ALTER SCHEMA {s} OWNER TO {g}",
    "work schema": "ALTER SCHEMA {w} OWNER TO postgres",
    "log": "ALTER TABLE audit.log DISABLE TRIGGER ALL",
    "log's trigger": "DROP TRIGGER keep ON audit.log",
    "log's function": "CREATE OR REPLACE FUNCTION audit.keep() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RETURN NULL; END $$",
    "key": "DELETE FROM map.key",
}


async def test_check_07_hostile_change_by_whoever_could_is_put_right_and_recorded(seller: Seller) -> None:
    """As a superuser who was talked into it."""
    whole = design(seller.database)
    await seller.settled(whole)
    async with seller.as_app(seller.crm) as app:
        for sql in EVIL:
            await app.execute(sql.format(**names(seller)))
    wrong = []
    for kind, sql in SWAPS.items():
        if kind == "inheritance":
            continue
        await seller.conn.execute(sql.format(**names(seller)))
        outcome = await seller.settled(whole)
        if not outcome.records or {(one.action, one.actor) for one in outcome.records} != {("repair", "cairn")}:
            wrong.append((kind, outcome.records))
    assert wrong == [], wrong
    assert await seller.conn.fetch(f"SELECT * FROM {work(seller.crm)}.loot") == []


async def test_check_07_hostile_table_that_can_not_be_mended_is_said(seller: Seller) -> None:
    whole = design(seller.database)
    await seller.settled(whole)
    await seller.conn.execute(SWAPS["inheritance"].format(**names(seller)))
    outcome = await seller.settle(whole)
    assert not outcome.verified
    assert f"table {published(seller.crm)}.review is made otherwise" in outcome.problem
    await seller.conn.execute("DROP TABLE public.child")
    await seller.settled(whole)


async def test_check_07_hostile_app_that_holds_on_to_its_own_view_is_kept_out(seller: Seller) -> None:
    whole = design(seller.database)
    await seller.settled(whole)
    stop, mine = asyncio.Event(), f"{work(seller.crm)}.mine"
    async with seller.as_app(seller.crm) as app:
        await app.execute(f"CREATE VIEW {mine} AS SELECT * FROM {shares(seller.crm)}.trade")

    async def hold() -> None:
        while not stop.is_set():
            try:
                async with seller.as_app(seller.crm) as app:
                    await app.execute(f"BEGIN; ALTER VIEW {mine} SET (security_barrier); SELECT pg_sleep(20)")
            except Exception:
                await asyncio.sleep(0)

    holders = [asyncio.create_task(hold()) for _ in range(3)]
    await asyncio.sleep(0.3)
    await seller.conn.execute("SET lock_timeout = '300ms'")
    narrower = replace(whole, views=(trade_view(seller.crm, (("tid", "plain"),)), *whole.views[1:]))
    outcome = await seller.settle(narrower)
    stop.set()
    for holder in holders:
        holder.cancel()
    assert outcome.verified, outcome.problem
    async with seller.as_app(seller.crm) as app:
        assert await app.fetchval(f"SELECT count(*) FROM {shares(seller.crm)}.trade") == 0


async def test_check_07_hostile_app_that_takes_the_writers_lock_is_thrown_out(seller: Seller) -> None:
    whole = design(seller.database)
    await seller.settled(whole)
    async with seller.as_app(seller.crm) as app:
        await app.execute("SELECT pg_advisory_lock($1, $2)", *LOCK)
        assert (await seller.settle(whole)).verified


async def test_check_07_hostile_app_that_stores_a_verifier_that_is_slow_to_try_is_put_right(
    seller: Seller,
) -> None:
    whole = design(seller.database)
    await seller.settled(whole)
    login = names(seller)["u"]
    async with seller.as_app(seller.crm) as app:
        verifier = scram_verifier(PASSWORD, iterations=200_000)
        await app.execute(f"SET ROLE NONE; ALTER ROLE {login} PASSWORD '{verifier}'")
    assert (await seller.settle(whole)).verified
    stored = await seller.conn.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = $1", login)
    assert stored.startswith("SCRAM-SHA-256$4096:")


async def test_check_07_hostile_app_runs_nothing_as_the_reader_of_what_it_publishes(seller: Seller) -> None:
    """Values that another app reads are cast and joined without raising, whatever they are."""
    whole = design(seller.database)
    text = replace(review(seller.crm), columns=(*review(seller.crm).columns[1:],), key=(), mapping=None)
    await seller.settled(replace(whole, tables=(text,), views=(published_view(seller.erp, text, ["status"]),)))
    own = own_role(whole.id)
    async with seller.as_app(seller.crm) as app:
        await app.execute(f"INSERT INTO {published(seller.crm)}.review VALUES ('x', '{own}; \\')")
    async with seller.as_app(seller.erp) as app:
        assert await app.fetchval(f"SELECT status FROM {shares(seller.erp)}.review") == f"{own}; \\"

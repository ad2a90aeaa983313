# SPDX-License-Identifier: Apache-2.0
"""Shared data on SQL Server: what a pass sends is golden and read by a parser of T-SQL. No server runs it here."""

from __future__ import annotations

import logging
import secrets
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.share.chain import link
from cairn.sql.share.engine import Outcome, Record, Share
from cairn.sql.share.model import Design, Mask, ShownColumn
from cairn.sql.share.names import group, logins, own_role, shares, work
from cairn.sql.share.sqlserver import audit, passwords, plan, queries, steps, text
from cairn.sql.share.sqlserver.desired import desired
from cairn.sql.share.sqlserver.share import SQLServerShare
from cairn.sql.share.sqlserver.views import full_name, keyed, masters_of, matches, view_sql
from cairn.sql.share.state import Entry, Publication, difference
from data.engines.recorded import AT, EMPTY, PASSWORD, SALT, Answers, BreakError, Recorded, narrower, standing, written
from data.share.designs import WHY, crm, design, erp, member, published_view, trade_view

GOLDEN = Path(__file__).parents[1] / "golden"
QUERIES = [
    queries.PERMISSIONS, queries.MEMBERS, queries.PRINCIPALS, queries.OBJECTS, queries.FLAGS, queries.SESSIONS,
    queries.SCHEMAS, queries.COLUMNS, queries.CLOCK, queries.SEEN, audit.LAST, audit.READ, *queries.ROWS.values(),
]  # fmt: skip
WHOLE = design("shop")
CRM, ERP = crm("shop"), erp("shop")
OWN = own_role(WHOLE.id)
LOGIN = logins(CRM)[0]
REVOKED = replace(WHOLE, parties=WHOLE.parties[1:], tables=(), views=(WHOLE.views[1], WHOLE.views[3]))
SHRUNK = narrower(WHOLE, 2)
DRIFTED = (
    standing(WHOLE)
    .more(
        queries.PERMISSIONS,
        ("OBJECT_OR_COLUMN", "W", "SELECT", "friend", "mid", f"{shares(CRM)}.trade", None),
        ("OBJECT_OR_COLUMN", "G", "SELECT", group(ERP), OWN, "platform.trades", "title"),
        ("OBJECT_OR_COLUMN", "D", "SELECT", group(CRM), "dbo", f"{shares(CRM)}.trade", None),
        ("DATABASE", "G", "CONNECT", "guest", "dbo", "", None),
        ("DATABASE_PRINCIPAL", "G", "CONTROL", LOGIN, "dbo", group(ERP), None),
    )
    .more(queries.MEMBERS, ("db_datareader", LOGIN))
    .more(
        queries.OBJECTS,
        (f"{shares(CRM)}", "more", "V ", OWN, None, "CREATE VIEW x AS SELECT 1 AS a", None),
        (f"p{CRM}", "evil", "TR", OWN, None, "CREATE TRIGGER x", None),
    )
    .more(queries.ROWS["map.scope"], (f"{shares(CRM)}.trade", "55502"))
    .instead(queries.FLAGS, [(True, True, 1)])
    .more(queries.SESSIONS, (61, LOGIN), (62, logins(ERP)[0]))
)


def given(whole: Design) -> dict[str, str]:
    return {login.name: PASSWORD for party in whole.parties for login in party.logins if login.enabled}


@pytest.fixture(autouse=True)
def _no_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "fresh_salt", lambda: SALT)
    monkeypatch.setattr(secrets, "token_urlsafe", lambda _: "spare")


async def settled(whole: Design, *looks: Answers) -> tuple[Outcome, Recorded]:
    server = Recorded(*looks)
    return await SQLServerShare(server).settle(whole, WHY, given(whole)), server


PASSES = {
    "first": (WHOLE, EMPTY, standing(WHOLE, applied=False)),
    "shrink": (SHRUNK, standing(WHOLE).more(queries.SESSIONS, (61, LOGIN), (62, logins(ERP)[0])), standing(SHRUNK)),
    "revoke": (REVOKED, standing(WHOLE).more(queries.SESSIONS, (61, LOGIN), (62, logins(ERP)[0])), standing(REVOKED)),
    "drift": (WHOLE, DRIFTED, standing(WHOLE)),
}


@pytest.mark.parametrize("name", PASSES)
async def test_a_pass_sends_what_was_read(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Written anew by deleting the file and running this once; then read what changed."""
    outcome, server = await settled(*PASSES[name])
    assert outcome.problem == ""
    assert outcome.verified
    assert outcome.statements == len(server.sent)
    now, file = written(server.sent), GOLDEN / f"sqlserver-share-{name}.sql"
    if not file.exists():
        file.write_text(now)
    assert file.read_text() == now
    with caplog.at_level(logging.ERROR, "sqlglot"):
        for sql, _ in server.sent:
            parsed(sql)


def parsed(sql: str) -> None:
    """As the driver sends it: a parameter has a name."""
    statements = sqlglot.parse(sql.replace("%s", "@p"), dialect="tsql", error_level=sqlglot.ErrorLevel.RAISE)
    assert statements, sql
    if sql.startswith(("SELECT", "CREATE TABLE", "CREATE OR ALTER VIEW", "INSERT", "DELETE", "UPDATE", "MERGE")):
        assert not any(isinstance(one, exp.Command) for one in statements), sql


@pytest.mark.parametrize("query", [*QUERIES, audit.APPEND, audit.LOCK, audit.UNLOCK])
def test_queries_are_read_by_a_parser(query: str) -> None:
    parsed(query)


async def test_a_second_pass_sends_nothing() -> None:
    outcome, server = await settled(WHOLE, standing(WHOLE))
    assert server.sent == []
    assert (outcome.statements, outcome.ended, outcome.verified, outcome.records) == (0, 0, True, ())


@pytest.mark.parametrize("whole", [WHOLE, SHRUNK, REVOKED])
async def test_what_is_found_is_told_in_the_words_of_what_should_stand(whole: Design) -> None:
    found = await SQLServerShare(Recorded(_counted(whole))).observe(whole, given(whole))
    assert all(found.verifiers.values())
    assert set(found.publications.values()) == {Publication(3, 1, 1, 1) for _ in whole.tables}
    assert not difference(desired(whole), found.state), difference(desired(whole), found.state)


def _counted(whole: Design) -> Answers:
    """With an answer to the count of what is published."""
    answers = standing(whole)
    for table in whole.tables:
        if table.mapping is None:
            continue
        masters = masters_of(whole, table.mapping)
        joined = (
            f"[p{table.party}].[{table.name}] AS t LEFT JOIN ({keyed(masters, table.mapping)}) AS s"
            f" ON {matches(table.mapping)}"
        )
        counts = "COUNT_BIG(*), COALESCE(SUM(IIF(s.n = 1, 1, 0)), 0), COALESCE(SUM(IIF(s.n > 1, 1, 0)), 0)"
        answers = answers.more(f"SELECT {counts} FROM {joined}", (3, 1, 1))
    return answers


async def test_a_revoke_shuts_takes_ends_and_only_then_drops() -> None:
    _, server = await settled(*PASSES["revoke"])
    sent = [sql for sql, _ in server.sent]
    order = [
        f"REVOKE CONNECT FROM [{LOGIN}] CASCADE",
        f"REVOKE SELECT ON OBJECT::[{shares(CRM)}].[trade] FROM [{group(CRM)}] CASCADE",
        "KILL 61",
        f"DROP VIEW IF EXISTS [{shares(CRM)}].[trade]",
        f"DROP USER IF EXISTS [{LOGIN}]",
        f"ALTER AUTHORIZATION ON SCHEMA::[{work(CRM)}] TO [{OWN}]",
        f"DROP ROLE IF EXISTS [{group(CRM)}]",
    ]
    assert [sql for sql in sent if sql in order] == order
    assert sent.index("KILL 62") > sent.index(
        f"REVOKE SELECT ON OBJECT::[{shares(ERP)}].[review] FROM [{group(ERP)}] CASCADE"
    )


async def test_a_shrink_ends_the_readers_sessions_and_nobody_elses() -> None:
    outcome, server = await settled(*PASSES["shrink"])
    assert outcome.ended == 1
    assert [sql for sql, _ in server.sent if sql.startswith("KILL")] == ["KILL 61"]
    assert not [sql for sql, _ in server.sent if shares(ERP) in sql and sql.startswith(("REVOKE", "CREATE", "GRANT"))]


async def test_drift_has_one_repair_each() -> None:
    outcome, _ = await settled(*PASSES["drift"])
    assert {record.action for record in outcome.records} == {"repair"}
    assert len(outcome.records) == 10


async def test_what_is_left_after_a_pass_keeps_it_from_being_verified() -> None:
    outcome, server = await settled(WHOLE, DRIFTED, DRIFTED)
    assert not outcome.verified
    assert outcome.problem.startswith("still there: ")
    assert steps.KEEP_APPLIED not in [sql for sql, _ in server.sent]


@pytest.mark.parametrize("name", PASSES)
async def test_broken_anywhere_nothing_was_given_before_all_was_taken(name: str) -> None:
    whole, before, after = PASSES[name]
    _, whole_pass = await settled(whole, before, after)
    for number in range(len(whole_pass.sent)):
        server = Recorded(before, after, after=number)
        with pytest.raises(BreakError):
            await SQLServerShare(server).settle(whole, WHY, given(whole))
        assert server.sent == whole_pass.sent[:number]
    sent = [sql for sql, _ in whole_pass.sent]
    gives = [i for i, sql in enumerate(sent) if sql.startswith("GRANT") or " ADD MEMBER " in sql]
    takes = [i for i, sql in enumerate(sent) if sql.startswith(("REVOKE", "KILL")) and f"[{OWN}]" not in sql]
    assert not gives or not takes or max(takes) < min(gives)


async def test_a_password_that_was_changed_is_set_again() -> None:
    found = standing(WHOLE)
    changed = [(*row[:5], AT.replace(year=2027)) if row[0] == LOGIN else row for row in found.rows[queries.PRINCIPALS]]
    outcome, server = await settled(WHOLE, found.instead(queries.PRINCIPALS, changed), found)
    assert [record.action for record in outcome.records] == ["rotate"]
    assert (steps.SET_PASSWORD, (LOGIN, PASSWORD, work(CRM))) in server.sent
    assert not passwords.opens(passwords.Noted(SALT, passwords.salted(PASSWORD, SALT), AT), AT, "another")


async def test_a_database_of_another_tenant_is_refused() -> None:
    theirs = EMPTY.more(queries.SCHEMAS, ("map", "ownaaaaaaaaaaaaaaaa"))
    with pytest.raises(SqlError, match="not this tenant's") as refused:
        await settled(WHOLE, theirs)
    assert refused.value.reason == Reason.CONFLICT


async def test_what_is_not_pushed_yet_is_told() -> None:
    outcome, _ = await settled(WHOLE, EMPTY.instead(queries.OBJECTS, []))
    assert "nothing is pushed yet as platform.trades" in outcome.problem


async def test_the_log_is_chained_and_erasing_names_nobody() -> None:
    server = Recorded(standing(WHOLE))
    share: Share = SQLServerShare(server)
    whole = replace(WHOLE, masters=())
    await share.erase(whole, "55501", "gone", WHY)
    await share.record(whole, "tenant", [Record("consent", "me", "grant", "asked")])
    for sql, _ in server.sent:
        parsed(sql)
    ((_, shop), (_, first), (_, second)) = server.sent
    assert shop == ("55501", "gone")
    assert "gone" not in str(first)
    for row in (first, second):
        assert row[-1] == link("", 1, AT, [str(value) for value in row[2:10]])


@pytest.mark.parametrize("bucket", ["day", "week", "month", "quarter", "year"])
def test_buckets_of_time_are_read_by_a_parser(bucket: str) -> None:
    column = ShownColumn("created", "created", "timestamp", Mask("bucket", bucket=bucket))
    sqlglot.parse_one(f"SELECT {text.shown(column, 't')} FROM t", dialect="tsql")


def test_views_hold_no_literal_of_a_shop_and_read_no_table_twice_named() -> None:
    shop = "55501"
    members = member(CRM)
    whole = replace(
        WHOLE, tables=(members,), views=(trade_view(CRM, days=30), published_view(CRM, members, ("level",)))
    )
    for view in whole.views:
        sql = view_sql(whole, view)
        assert shop not in sql
        found = {
            table.sql(dialect="tsql").split(" AS ")[0]
            for table in sqlglot.parse_one(sql, dialect="tsql").find_all(exp.Table)
        }
        assert {name.replace("[", "").replace("]", "") for name in found} <= {
            "platform.trades", f"p{CRM}.member", full_name(view),
            "map.mac", "map.scope", "map.ended", "map.erased", "map.clock",
        }  # fmt: skip


def test_nothing_is_granted_on_what_views_read() -> None:
    targets = {entry.object for entry in desired(WHOLE).entries}
    assert not [name for name in targets if "platform" in name or "map." in name or "audit" in name]


def test_a_right_with_a_foreign_grantor_is_taken_as_that_grantor() -> None:
    entry = Entry("object s.trade", "", "app", "SELECT", grantable=True, grantor="mid]")
    assert steps.take(entry) == "REVOKE SELECT ON OBJECT::[s].[trade] FROM [app] CASCADE AS [mid]]]"


def test_what_should_stand_is_known_without_a_driver() -> None:
    code = "import sys, cairn.sql.share.sqlserver.share; sys.exit('pytds' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 129])
def test_a_name_that_can_not_be_stored_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a SQL Server name"):
        text.identifier(name)

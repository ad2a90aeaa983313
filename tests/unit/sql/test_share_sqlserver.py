# SPDX-License-Identifier: Apache-2.0
"""Shared data on SQL Server, as far as text goes: golden, and read by a parser of T-SQL. No server runs it."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from cairn.sql.share.model import Design, Mask, ShownColumn
from cairn.sql.share.sqlserver import steps, text
from cairn.sql.share.sqlserver.desired import desired
from cairn.sql.share.sqlserver.views import view_sql
from cairn.sql.share.state import Entry
from data.share.designs import crm, design, member, published_view, trade_view

GOLDEN = Path(__file__).parents[1] / "golden" / "sqlserver-share.sql"
QUERIES = (steps.PERMISSIONS, steps.MEMBERS, steps.PRINCIPALS, steps.OBJECTS, steps.FLAGS, steps.SESSIONS)


def example() -> Design:
    return design("shop")


def statements(whole: Design) -> list[str]:
    found = list(steps.ground(whole))
    for party in whole.parties:
        found += steps.admitted(whole, party)
    found += [steps.table_sql(table) for table in whole.tables]
    for view in whole.views:
        found += steps.shown(whole, view)
    entries = sorted(desired(whole).entries)
    found += map(steps.give, entries)
    found += [steps.shut("uaaaaaaaaaaaaaaaaa"), *map(steps.take, entries), *steps.end([51])]
    for view in whole.views:
        found += steps.hidden(view)
    return found


def test_statements_are_as_they_were_read() -> None:
    """Written anew by deleting the file and running this once; then read what changed."""
    text_now = "\nGO\n".join(statements(example())) + "\n"
    if not GOLDEN.exists():
        GOLDEN.write_text(text_now)
    assert GOLDEN.read_text() == text_now


@pytest.mark.parametrize("statement", [*QUERIES, *statements(example())])
def test_statements_are_read_by_a_parser(statement: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "sqlglot"):
        parsed = sqlglot.parse(statement, dialect="tsql", error_level=sqlglot.ErrorLevel.RAISE)
    assert len(parsed) == 1
    if statement.startswith(("SELECT", "CREATE TABLE", "CREATE OR ALTER VIEW", "INSERT", "DELETE")):
        assert not isinstance(parsed[0], exp.Command), statement


@pytest.mark.parametrize("bucket", ["day", "week", "month", "quarter", "year"])
def test_buckets_of_time_are_read_by_a_parser(bucket: str) -> None:
    column = ShownColumn("created", "created", "timestamp", Mask("bucket", bucket=bucket))
    sqlglot.parse_one(f"SELECT {text.shown(column, 't')} FROM t", dialect="tsql")


def test_views_hold_no_literal_of_a_shop_and_read_no_table_twice_named() -> None:
    shop = "55501"
    party = crm("shop")
    members = member(party)
    whole = replace(
        example(), tables=(members,), views=(trade_view(party, days=30), published_view(party, members, ("level",)))
    )
    for view in whole.views:
        sql = view_sql(whole, view)
        assert shop not in sql
        tables = {
            table.sql(dialect="tsql").split(" AS ")[0]
            for table in sqlglot.parse_one(sql, dialect="tsql").find_all(exp.Table)
        }
        assert {name.replace("[", "").replace("]", "") for name in tables} <= {
            "platform.trades", f"p{party}.member", f"s{party}.trade", f"s{party}.member",
            "map.mac", "map.scope", "map.ended", "map.erased", "map.clock",
        }  # fmt: skip


def test_nothing_is_granted_on_what_views_read() -> None:
    targets = {entry.object for entry in desired(example()).entries}
    assert not [name for name in targets if "platform" in name or "map." in name or "audit" in name]


def test_a_right_with_a_foreign_grantor_is_taken_as_that_grantor() -> None:
    entry = Entry("object s.trade", "", "app", "SELECT", grantable=True, grantor="mid]")
    assert steps.take(entry) == "REVOKE SELECT ON OBJECT::[s].[trade] FROM [app] CASCADE AS [mid]]]"


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 129])
def test_a_name_that_can_not_be_stored_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a SQL Server name"):
        text.identifier(name)

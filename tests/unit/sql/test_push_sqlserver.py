# SPDX-License-Identifier: Apache-2.0
"""Push into SQL Server: every statement is golden and read by a parser of T-SQL. No server runs it here."""

from __future__ import annotations

import logging
import subprocess
import sys
import uuid
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytds
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from cairn.api.dataset import Dataset, StoredColumn
from cairn.datasets import shipped
from cairn.sql.push.engine import Asked
from cairn.sql.push.engines import engine
from cairn.sql.push.fault import Fault, WriteError
from cairn.sql.push.request import Choice
from cairn.sql.push.rows import Row
from cairn.sql.push.sqlserver import engine as push
from cairn.sql.push.sqlserver import logins, observe, proof, questions, request, schema, upsert
from cairn.sql.push.sqlserver.ddl import index_sql, sql_type, stage_name, stage_sql, staged, table_sql
from cairn.sql.push.sqlserver.drift import Column, Database, database_drift, drift
from cairn.sql.push.sqlserver.faults import kind_of, translated
from cairn.sql.push.sqlserver.stage import MOST_PARAMETERS, MOST_ROWS, chunks, fitting, limits, staged_rows
from cairn.sql.push.sqlserver.view import view_digest, view_sql
from cairn.worker.config import DatabaseConfig
from cairn.worker.faults import code, fault
from data.declared import KNOWN

GOLDEN = Path(__file__).parents[1] / "golden"
TRADES = shipped()["trades"]
ASKED = Asked("sys_info", (TRADES,), {"1": "taobao001"}, "push1", "secret", ("reader1",))
CHOICES = (Choice(["taobao001"]), Choice(["taobao001"], [1, 2], "BAD_JSON"))
GOOD = Database(150, contained=True, delayed_durability="DISABLED", snapshots=True)


def of_dataset(dataset: Dataset) -> list[str]:
    made = upsert.statements(dataset)
    two = made.head + ", ".join([made.row] * 2)
    looks = [questions.slices(dataset, 3600, deep=deep) for deep in (False, True)]
    looks += [questions.heads(dataset, deep=deep, after=deep) for deep in (False, True)]
    looks += [questions.standing(dataset, deep=deep) for deep in (False, True)]
    return [
        table_sql(dataset), *(index_sql(dataset, index.name) for index in dataset.indexes), *stage_sql(dataset),
        schema.new_cursor(dataset), view_sql(dataset), made.orphans, made.probe, two, made.update, made.insert,
        made.clear, *looks, questions.expired(dataset), questions.expire(dataset),
    ]  # fmt: skip


def of_all() -> list[str]:
    return [
        schema.LOCK, schema.PLATFORM, schema.NEW_PLATFORM, schema.BOOK, schema.TAKEN_STEPS,
        *(batch for step in schema.STEPS for batch in schema.step_batches(*step)), schema.STEP_TAKEN, schema.NEW_MADE,
        schema.NEW_SHOP, schema.UNLOCK, push.SNAPSHOTS, observe.DATABASE, observe.COLUMNS, observe.INDEXES,
        observe.VIEWS, observe.MADE, observe.SHOPS, observe.QUARANTINED, upsert.BEGIN, upsert.QUARANTINE,
        upsert.AT, upsert.CURSOR, upsert.COMMIT, upsert.ROLLBACK,
        questions.VERSION, questions.QUARANTINED, questions.REFUSED,
        questions.STANDS_BY_NOW, questions.REFUSED_AGAIN, questions.WINDOWS, questions.CHANGE_WINDOW,
        questions.NEW_WINDOW, questions.PROGRESS, questions.CHANGE_PROGRESS, questions.NEW_PROGRESS, logins.EXISTS,
        logins.CREATE_USER, *logins.grants(ASKED, iter(ASKED.readers)), logins.HELD, logins.SESSIONS, logins.FORGET,
        request.OPEN, request.MARK, request.HELD_UP, request.END, request.RESOLVED, request.SUBMIT, request.ANSWER,
        questions.CLOCK, questions.HORIZON, questions.MOVE_HORIZON, questions.NEW_HORIZON, proof.RETENTION,
        proof.TOTAL, proof.BY_HOUR, proof.BY_DAY, proof.HISTORY, request.WITHDRAW,
        *(make(TRADES, choice)[0] for make in (request.kept, request.discard) for choice in CHOICES),
    ]  # fmt: skip


FILES = {"all": of_all(), **{name: of_dataset(dataset) for name, dataset in sorted(KNOWN.items())}}
READ = (
    "SELECT",
    "CREATE TABLE",
    "CREATE INDEX",
    "CREATE OR ALTER VIEW",
    "INSERT",
    "DELETE",
    "UPDATE",
    "BEGIN",
    "COMMIT",
)


@pytest.mark.parametrize("name", ["all", "trades", "items"])
def test_statements_are_those_of_the_golden_file(name: str) -> None:
    file = GOLDEN / f"sqlserver-push-{name}.sql"
    now = "\nGO\n".join(FILES[name]) + "\n"
    if not file.exists():
        file.write_text(now)
    assert file.read_text() == now


@pytest.mark.parametrize("name", FILES)
def test_statements_are_read_by_a_parser(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """As the driver sends them: a parameter has a name."""
    with caplog.at_level(logging.ERROR, "sqlglot"):
        for sql in FILES[name]:
            text = sql.replace("%s", "@p")
            statements = sqlglot.parse(text, dialect="tsql", error_level=sqlglot.ErrorLevel.RAISE)
            assert statements, sql
            if sql.startswith(READ):
                assert not any(isinstance(one, exp.Command) for one in statements), sql


def test_statements_that_take_parameters_hold_no_other_percent_sign() -> None:
    """The driver would take it for one of its own."""
    for sql in (sql for statements in FILES.values() for sql in statements):
        if "%s" in sql:
            assert sql.count("%") == sql.count("%s"), sql


def test_no_statement_merges_and_no_pushed_table_is_asked_for_output() -> None:
    for sql in (sql for statements in FILES.values() for sql in statements):
        assert "MERGE" not in sql
        assert "OUTPUT" not in sql or sql == upsert.CURSOR


def test_login_may_write_pushed_tables_and_empty_its_stage_and_no_more() -> None:
    rights = logins.writer_rights(ASKED)
    assert {table for table, names in rights.items() if "DELETE" in names} == {stage_name(TRADES)}
    assert rights["jdp_tb_trade"] == ("SELECT", "INSERT", "UPDATE")
    expiring = logins.writer_rights(replace(ASKED, expiring=("jdp_tb_trade",)))
    assert {table for table, names in expiring.items() if "DELETE" in names} == {stage_name(TRADES), "jdp_tb_trade"}
    revoked = "REVOKE DELETE ON OBJECT::[dbo].[jdp_tb_trade] FROM [push1]"
    assert revoked in list(logins.grants(ASKED, iter(())))
    assert revoked not in list(logins.grants(replace(ASKED, expiring=("jdp_tb_trade",)), iter(())))
    assert not {"ALTER", "CONTROL"} & {name for names in rights.values() for name in names}
    assert not {stage_name(TRADES), "jdp_quarantine"} & set(logins.reader_rights(ASKED))


def test_columns_of_cairn_are_the_last_and_hashes_compare_by_their_bytes() -> None:
    lines = table_sql(TRADES).splitlines()
    assert [line.split()[0] for line in lines[-3:-1]] == ["[jdp_version]", "[jdp_seq]"]
    assert "[jdp_hashcode] varchar(128) COLLATE Latin1_General_BIN2 NULL," in [line.strip() for line in lines]


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        ("bigint", "bigint"),
        ("int", "int"),
        ("timestamp", "datetime2(0)"),
        ("varchar(4000)", "nvarchar(4000)"),
        ("varchar(4001)", "nvarchar(max)"),
    ],
)
def test_type_takes_every_value_of_the_descriptors(declared: str, kind: str) -> None:
    column = StoredColumn(name="extra", type=declared)
    dataset = TRADES.model_copy(update={"columns": (*TRADES.columns, column)})
    assert sql_type(dataset, "extra") == kind
    assert limits(dataset)[-3] == (4000 if kind == "nvarchar(4000)" else None)


@given(st.text(), st.integers(1, 40))
def test_fitting_keeps_as_much_as_fits_and_cuts_no_character(text: str, most: int) -> None:
    kept = fitting(text, most)
    assert text.startswith(kept)
    size = len(kept.encode("utf-16-le")) // 2
    assert size <= most
    if kept != text:
        assert size + len(text[len(kept)].encode("utf-16-le")) // 2 > most


@given(st.integers(0, 3000), st.integers(1, 70))
def test_chunks_hold_every_row_once_and_no_more_than_a_statement_takes(count: int, width: int) -> None:
    rows = [(number,) for number in range(count)]
    parts = list(chunks(rows, width))
    assert [one for part in parts for one in part] == rows
    assert all(len(part) <= MOST_ROWS and len(part) * width <= MOST_PARAMETERS < 2_100 for part in parts)


def test_staged_row_has_a_value_for_each_column_and_its_record_whole() -> None:
    at, long, response = datetime(2026, 11, 11), "😀" * 64, "😀" * 5000  # noqa: DTZ001
    row = Row(1, (at, 7, "aa"), (1, "s", "t", long, "b", at, at, "aa", response), ("s", 1, 0))
    batch = uuid.UUID(int=1)
    (found,) = staged_rows([row], batch, limits(TRADES))
    named = dict(zip((name for name, _ in staged(TRADES)), found, strict=True))
    assert (named["jdp_batch"], named["jdp_row"], named["jdp_version"]) == (batch, 1, 7)
    assert len(named["seller_nick"].encode("utf-16-le")) // 2 <= TRADES.column("seller_nick").length  # type: ignore[operator]
    assert named["jdp_response"] == response


def table(**changes: str | None) -> dict[str, Column]:
    kinds = {name: sql_type(TRADES, name).split(" ")[0] for name in TRADES.column_names} | changes
    return {
        name: Column(kind, False, True, False, name == TRADES.key) for name, kind in kinds.items() if kind is not None
    }


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({}, ""),
        ({"status": "nvarchar(max)", "tid": "bigint", "modified": "datetime", "jdp_modified": "datetime2(7)"}, ""),
        ({"jdp_hashcode": "nvarchar(128)"}, ""),
        ({"status": "varchar(64)"}, "column status is varchar(64), not nvarchar(64): ALTER TABLE [dbo].[jdp_tb_trade]"),
        ({"status": "nvarchar(8)"}, "ALTER COLUMN [status] nvarchar(64)"),
        ({"jdp_modified": "datetime"}, "column jdp_modified is datetime, not datetime2(6)"),
        ({"modified": "smalldatetime"}, "column modified is smalldatetime"),
        ({"jdp_response": "ntext"}, "column jdp_response is ntext, not nvarchar(max)"),
        ({"tid": "int"}, "column tid is int, not bigint"),
        ({"jdp_seq": None}, "column jdp_seq is missing: ALTER TABLE [dbo].[jdp_tb_trade] ADD [jdp_seq] bigint NULL"),
    ],
)
def test_drift_tells_what_the_worker_can_not_write_to(found: dict[str, str | None], told: str) -> None:
    problems = drift(TRADES, table(**found))
    assert len(problems) == (1 if told else 0), problems
    assert told in "".join(problems)


def test_drift_tells_of_a_key_that_is_none_and_of_columns_that_must_not_be_empty() -> None:
    found = table() | {"theirs": Column("int", utf8=False, nullable=False, has_default=False, unique=False)}
    found["tid"] = found["tid"]._replace(unique=False)
    assert ["tid may hold a value twice" in drift(TRADES, found)[0], "theirs" in drift(TRADES, found)[1]] == [True] * 2


def test_drift_lets_text_of_a_utf8_collation_pass_where_it_is_long_enough() -> None:
    utf8 = table()["status"]._replace(utf8=True)
    assert not drift(TRADES, table() | {"status": utf8._replace(type="varchar(256)")})
    assert drift(TRADES, table() | {"status": utf8._replace(type="varchar(255)")})


def test_database_that_can_not_be_pushed_to_is_told_with_its_remedy() -> None:
    assert list(database_drift(GOOD)) == []
    level, contained = database_drift(GOOD._replace(level=120, contained=False))
    assert "SET COMPATIBILITY_LEVEL" in level
    assert "SET CONTAINMENT = PARTIAL" in contained


def test_only_forced_delayed_durability_can_lose_a_commit_of_cairns() -> None:
    assert push.weak(GOOD) == push.weak(GOOD._replace(delayed_durability="ALLOWED")) == ()
    assert push.weak(GOOD._replace(delayed_durability="FORCED")) == ("delayed_durability = FORCED (must be DISABLED)",)


def test_missing_is_all_of_it_at_first_and_nothing_once_it_stands() -> None:
    nothing = schema.missing(observe.Schema(GOOD, {}, {}), [TRADES], {"1": "a"})
    assert {"table jdp_cursor", "table jdp_stage_tb_trade", "table jdp_tb_trade", "shops"} <= set(nothing)
    stage = {name: Column(kind, False, True, False, False) for name, kind in staged(TRADES)}
    stage["jdp_staged"] = stage["jdp_row"]._replace(type="datetime2(6)")
    tables = {**{name: {} for name in observe.OWN}, "jdp_tb_trade": table(), stage_name(TRADES): stage}
    stands = observe.Schema(
        GOOD,
        tables,
        {"jdp_tb_trade": frozenset(index.name for index in TRADES.indexes)},
        {"trades": view_digest(TRADES)},
        {"1": "a"},
    )
    assert schema.missing(stands, [TRADES], {"1": "a"}) == ()
    narrower = {**tables, stage_name(TRADES): {**stage, "status": stage["status"]._replace(type="nvarchar(1)")}}
    assert schema.missing(replace(stands, tables=narrower), [TRADES], {"1": "a"}) == ("table jdp_stage_tb_trade",)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (1205, Fault.TRANSIENT),
        (1222, Fault.TRANSIENT),
        (4060, Fault.TRANSIENT),
        (10928, Fault.TRANSIENT),
        (10929, Fault.TRANSIENT),
        (40613, Fault.TRANSIENT),
        (245, Fault.ROW),
        (547, Fault.ROW),
        (2627, Fault.ROW),
        (229, Fault.DESTINATION),
        (208, Fault.DESTINATION),
        (515, Fault.DESTINATION),
        (1105, Fault.DESTINATION),
        (2628, Fault.DESTINATION),
        (8152, Fault.DESTINATION),
        (9002, Fault.DESTINATION),
        (99999, Fault.DESTINATION),
    ],
)
def test_error_is_of_the_kind_that_keeps_records_safe(number: int, kind: Fault) -> None:
    assert kind_of(number) is kind


@pytest.mark.parametrize(
    ("number", "message", "told"),
    [
        (2627, "Cannot insert duplicate key in object 'dbo.t'. The duplicate key value is (it's 7).",
         "Cannot insert duplicate key in object 'dbo.t'. The duplicate key value is …"),
        (2628, "String or binary data would be truncated in table 'd.t', column 'status'. Truncated value: 'it's'.",
         "String or binary data would be truncated in table 'd.t', column 'status'. Truncated value: …"),
        (245, "Conversion failed when converting the nvarchar value 'it's' to data type int.",
         "Conversion failed when converting the nvarchar value …"),
        (229, "The INSERT permission was denied on the object 'jdp_tb_trade', database 'sys_info', schema 'dbo'.",
         "The INSERT permission was denied on the object 'jdp_tb_trade', database 'sys_info', schema 'dbo'."),
    ],
)  # fmt: skip
def test_told_of_an_error_is_no_value_of_the_row(number: int, message: str, told: str) -> None:
    error = pytds.DatabaseError(message)
    error.msg_no = number
    with pytest.raises(WriteError) as found, translated():
        raise error
    assert str(found.value) == told
    assert (fault(found.value), code(found.value)) == (kind_of(number), str(number))


DATABASE = {"engine": "sqlserver", "host": "h", "port": 1433, "database": "sys_info"}
FILES_OF_DATABASE = {"usernameFile": "user", "passwordFile": "password"}


def test_worker_is_told_of_a_missing_driver_and_a_missing_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {**DATABASE, **FILES_OF_DATABASE, "caFile": "ca.crt"}
    assert DatabaseConfig.model_validate(whole).engine == "sqlserver"
    with pytest.raises(ValueError, match="caFile"):
        DatabaseConfig.model_validate({**whole, "caFile": None})
    monkeypatch.setitem(sys.modules, "pytds", None)
    with pytest.raises(ValueError, match=r"pip install 'cairn\[sqlserver\]'"):
        DatabaseConfig.model_validate(whole)


def test_engine_is_known_by_its_name_and_its_driver_loaded_no_sooner() -> None:
    assert type(engine("sqlserver")).__name__ == "SQLServerPush"
    code = "import sys; from cairn.sql.push.engines import engine; engine('mysql'); sys.exit('pytds' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

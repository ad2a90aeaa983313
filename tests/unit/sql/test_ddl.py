# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from pydantic import ValidationError

from cairn.api.dataset import Dataset
from cairn.datasets import shipped
from cairn.sql.facts import ColumnFact
from cairn.sql.push.postgresql.ddl import TAIL_TYPES, drift, printed_type, view_digest
from cairn.sql.quoting import identifier, literal

TRADES = shipped()["trades"]


def columns(**changes: str | None) -> dict[str, ColumnFact]:
    """The table as it should be, but for these types; None leaves a column out."""
    tail = {name: kind.split(" ")[0] for name, kind in TAIL_TYPES.items()}
    kinds = {column.name: column.type for column in TRADES.columns} | tail
    printed: dict[str, str | None] = {name: printed_type(kind) for name, kind in kinds.items()}
    printed |= dict.fromkeys(("jdp_created", "jdp_modified"), "timestamp(6) without time zone")
    return {
        name: ColumnFact(kind, not_null=False, has_default=False, unique=name == "tid")
        for name, kind in (printed | changes).items()
        if kind is not None
    }


def test_drift_of_the_table_as_made_is_none() -> None:
    assert drift(TRADES, columns()) == ()


@pytest.mark.parametrize("kind", ["text", "character varying", "character varying(300)"])
def test_drift_of_a_wider_column_is_none(kind: str) -> None:
    assert drift(TRADES, columns(buyer_nick=kind)) == ()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("buyer_nick", "character varying(8)"),
        ("tid", "integer"),
        ("modified", "text"),
        ("jdp_seq", None),
        ("tid", None),
    ],
)
def test_drift_of_a_column_that_does_not_fit_names_it(name: str, kind: str | None) -> None:
    (problem,) = drift(TRADES, columns(**{name: kind}))
    assert problem.startswith(f"column {name} ")
    assert "ALTER TABLE" in problem


def test_drift_of_a_key_that_is_not_unique_names_it() -> None:
    found = columns()
    found["tid"] = ColumnFact("bigint", not_null=True, has_default=False, unique=False)
    (problem,) = drift(TRADES, found)
    assert problem.endswith('ADD PRIMARY KEY ("tid")')


def test_drift_of_a_foreign_column_is_told_only_where_it_must_be_filled() -> None:
    found = columns(mine="text")
    assert drift(TRADES, found) == ()
    found["mine"] = ColumnFact("text", not_null=True, has_default=False)
    assert "DROP NOT NULL" in drift(TRADES, found)[0]
    found["mine"] = ColumnFact("text", not_null=True, has_default=True)
    assert drift(TRADES, found) == ()


def test_view_digest_changes_with_the_descriptor() -> None:
    fewer = TRADES.model_copy(update={"view": TRADES.view[:-1]})
    assert view_digest(fewer) != view_digest(TRADES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": "nothing"}, "no stored column 'nothing'"),
        ({"key": "status"}, "must be a bigint"),
        ({"modified": "status"}, "must be a timestamp"),
        ({"view": [{"name": "shop_id", "path": ["x"], "type": "text"}]}, "declared twice"),
        ({"view": [{"name": "title"}]}, "no stored column 'title'"),
        ({"view": [{"name": "title", "path": ["title"]}]}, "path and type go together"),
    ],
)
def test_dataset_that_contradicts_itself_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Dataset.model_validate(TRADES.model_dump() | change)


def test_personal_columns_are_marked() -> None:
    marked = {column.name for column in TRADES.view if column.personal}
    assert {"buyer_nick", "receiver_name", "receiver_mobile", "receiver_address"} <= marked
    assert "payment" not in marked


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 64])
def test_identifier_of_what_postgresql_cannot_store_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a PostgreSQL name"):
        identifier(name)


def test_quoting_keeps_quotes_inside() -> None:
    assert identifier('a"b') == '"a""b"'
    assert literal("a'b") == "'a''b'"
    assert literal("a\\'b").strip() == "E'a\\\\''b'"

# SPDX-License-Identifier: Apache-2.0
"""Contracts: what is read of them, and that nothing in somebody else's text gets further than that."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.api.contract import MOST_COLUMNS, Column, ContractError, read, sha256_of

HEAD = """\
apiVersion: v3.1.0
kind: DataContract
id: 6f0c-trade
version: 3.0.0
status: active
name: trade
"""
TRADE = (
    HEAD
    + """\
description: {purpose: orders of a shop}
schema:
- name: trade
  physicalName: platform.trades
  logicalType: object
  properties:
  - name: tid
    logicalType: integer
    required: true
    primaryKey: true
    customProperties: [{property: mask, value: plain}]
  - name: mobile
    physicalName: receiver_mobile
    physicalType: text
    classification: restricted
    description: the receiver's phone
    customProperties:
    - {property: mask, value: partial}
    - {property: origin, value: {any: [thing, else]}}
  - name: month
    physicalName: created
    physicalType: timestamp
    customProperties: [{property: mask, value: bucket}, {property: bucket, value: month}]
  - {name: memo, physicalType: text, classification: Public, customProperties: [{property: mask, value: null}]}
  - {name: hidden, physicalType: text}
"""
)


def _table(properties: str) -> str:
    return HEAD + "schema:\n- name: t\n  properties:\n" + properties


def test_contract_reads_names_types_and_masks() -> None:
    contract = read(TRADE.encode())

    assert (contract.table, contract.source, contract.key) == ("trade", "platform.trades", ("tid",))
    assert contract.columns == (
        Column("tid", "tid", "bigint", required=True, key=True, mask="plain"),
        Column(
            "mobile",
            "receiver_mobile",
            "text",
            description="the receiver's phone",
            classification="restricted",
            mask="partial",
        ),
        Column("month", "created", "timestamp", mask="bucket", bucket="month"),
        Column("memo", "memo", "text", classification="Public", mask="null"),
        Column("hidden", "hidden", "text"),
    )
    assert [column.personal for column in contract.columns] == [None, True, None, False, None]


def test_contract_is_pinned_by_its_very_bytes() -> None:
    data = TRADE.encode()
    assert read(data).sha256 == sha256_of(data) == hashlib.sha256(data).hexdigest()
    assert read(data + b"\n").sha256 != read(data).sha256


def test_contract_key_of_several_columns_has_their_order() -> None:
    text = _table(
        "  - {name: a, physicalType: text, primaryKey: true, primaryKeyPosition: 2}\n"
        "  - {name: b, physicalType: text, primaryKey: true, primaryKeyPosition: 1}\n"
        "  - {name: c, physicalType: text, primaryKeyPosition: -1}\n"
    )
    assert read(text.encode()).key == ("b", "a")


def _prop(more: str) -> str:
    return _table(f"  - {{name: a, {more}}}\n")


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        pytest.param("", 1, "", id="empty"),
        pytest.param("- a\n", 1, "", id="list"),
        pytest.param("a: [1\nb: 2\n", 2, "", id="no-yaml"),
        pytest.param("a: 1\n---\nb: 1\n", 2, "", id="two-documents"),
        pytest.param("a: &x [1]\nb: *x\n", 1, "", id="anchor"),
        pytest.param("a: !!python/object/apply:os.system [id]\n", 1, "", id="tag"),
        pytest.param("a: 1\n<<: {b: 1}\n", 2, "", id="merge"),
        pytest.param("a: 1\nb: 2\na: 3\n", 3, "a", id="key-twice"),
        pytest.param("? [a]\n: 1\n", 1, "", id="key-that-is-a-list"),
        pytest.param("a: " + "[" * 40 + "]" * 40, 1, "", id="deep"),
        pytest.param("a: [" + "1," * 30_000 + "]", 1, "", id="many-values"),
        pytest.param("# " + "x" * 300_000, 1, "", id="long"),
        pytest.param("a: 1\nb: \udcff", 2, "", id="no-utf8"),
        pytest.param("a: \x07", 1, "", id="control-character"),
        pytest.param(HEAD.replace("v3.1.0", "v2.2.2"), 1, "apiVersion", id="version"),
        pytest.param(HEAD.replace("DataContract", "Pod"), 2, "kind", id="kind"),
        pytest.param(HEAD, 1, "schema", id="no-schema"),
        pytest.param(HEAD + "schema: []\n", 7, "schema", id="no-table"),
        pytest.param(HEAD + "schema: [a]\n", 7, "schema[0]", id="table-that-is-a-text"),
        pytest.param(_table("  - {name: a b, physicalType: text}\n"), 10, "schema[0].properties[0].name", id="name"),
        pytest.param(_table("  - {name: a\n"), 11, "", id="unclosed"),
        pytest.param(_prop("physicalType: text; drop table x"), 10, "schema[0].properties[0].physicalType", id="type"),
        pytest.param(_prop("logicalType: time"), 10, "schema[0].properties[0].logicalType", id="logical-type"),
        pytest.param(_prop("description: x"), 10, "schema[0].properties[0].logicalType", id="no-type"),
        pytest.param(_prop("physicalType: text, required: maybe"), 10, "schema[0].properties[0].required", id="flag"),
        pytest.param(
            _prop("physicalType: text, customProperties: [{property: mask, value: rot13}]"),
            10,
            "schema[0].properties[0].customProperties[0].value",
            id="mask",
        ),
        pytest.param(
            _prop("physicalType: json, customProperties: [{property: mask, value: partial}]"),
            10,
            "schema[0].properties[0].customProperties[0].value",
            id="mask-of-another-type",
        ),
        pytest.param(
            _prop("physicalType: date, customProperties: [{property: mask, value: bucket}]"),
            10,
            "schema[0].properties[0].customProperties[0]",
            id="bucket-without-width",
        ),
        pytest.param(
            _prop(
                "physicalType: numeric, customProperties: [{property: mask, value: bucket},"
                " {property: bucket, value: month}]"
            ),
            10,
            "schema[0].properties[0].customProperties[1].value",
            id="month-of-a-number",
        ),
        pytest.param(
            _prop(
                "physicalType: text, customProperties: [{property: mask, value: plain},"
                " {property: mask, value: 'null'}]"
            ),
            10,
            "schema[0].properties[0].customProperties[1]",
            id="two-masks",
        ),
        pytest.param(
            _table("  - {name: a, physicalType: text}\n  - {name: a, physicalType: text}\n"),
            11,
            "schema[0].properties[1].name",
            id="column-twice",
        ),
        pytest.param(
            _table("".join(f"  - {{name: c{i}, physicalType: text}}\n" for i in range(MOST_COLUMNS + 1))),
            10,
            "schema[0].properties",
            id="many-columns",
        ),
    ],
)
def test_contract_error_names_line_and_field(text: str, line: int, field: str) -> None:
    with pytest.raises(ContractError) as caught:
        read(text.encode("utf-8", "surrogateescape"))
    assert (caught.value.line, caught.value.field) == (line, field), str(caught.value)


@pytest.mark.parametrize("name", ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"])
def test_contract_takes_no_column_that_the_server_has_by_itself(name: str) -> None:
    """A table of it could not be made, and rights in that database would never be as they should."""
    with pytest.raises(ContractError, match="a column of the server's own"):
        read(_table(f"  - {{name: {name}, physicalType: text}}\n").encode())


@given(st.binary(max_size=200) | st.text(alphabet="{}[]:,-? \n\t&*!|>'\"#%@`ab1", max_size=80).map(str.encode))
def test_contract_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing else is raised: one vendor's text stops nobody's reconcile."""
    with pytest.raises(ContractError):
        read(data)

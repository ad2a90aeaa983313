# SPDX-License-Identifier: Apache-2.0
"""Manifests are read as kubectl reads them (tests/cluster/test_crds.py compares with kubectl itself)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.cli.loader import LoadError, parse, read, resolved

HEAD = "apiVersion: v1\nkind: Thing\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("2026-11-01", "2026-11-01", id="day"),
        pytest.param("2026-11-01T10:00:00Z", "2026-11-01T10:00:00Z", id="timestamp"),
        pytest.param("03:00", "03:00", id="no-sexagesimals"),
        pytest.param("y", True, id="y-is-true"),
        pytest.param("Off", False, id="off-is-false"),
        pytest.param("nO", "nO", id="odd-case-is-text"),
        pytest.param("~", None, id="tilde"),
        pytest.param("1_000", 1000, id="underscores"),
        pytest.param("017", 15, id="octal"),
        pytest.param("0o17", 15, id="octal-with-o"),
        pytest.param("-0x1f", -31, id="hexadecimal"),
        pytest.param("0b11", 3, id="binary"),
        pytest.param("09", 9, id="nine-is-no-octal"),
        pytest.param("1e3", 1000, id="exponent"),
        pytest.param("1.0", 1, id="whole-float"),
        pytest.param("0.5", 0.5, id="float"),
        pytest.param("16Gi", "16Gi", id="quantity"),
        pytest.param("1.2.3", "1.2.3", id="version"),
        pytest.param("-", "-", id="dash"),
        pytest.param("=", "=", id="equals"),
    ],
)
def test_resolved_of_an_unquoted_scalar_is_what_kubectl_makes_of_it(text: str, value: Any) -> None:
    found = resolved(text)
    assert found == value
    assert type(found) is type(value)


def test_parse_quoted_and_tagged_scalars_stay_text() -> None:
    (document,) = parse(HEAD + "a: '1'\nb: \"on\"\nc: !!str 5\nd: |\n  2026\n")
    assert [document.obj[key] for key in "abcd"] == ["1", "on", "5", "2026\n"]


def test_parse_several_documents_and_lists_are_single_objects_with_their_lines() -> None:
    text = """# a comment
---
kind: One
spec:
  list:
  - a: 1
  - {b: 2,
     c: 3}
---
# nothing here
---
kind: ThingList
items:
- kind: Two
  metadata:
    name: x
- kind: List
  items: [{kind: Three}]
"""
    one, two, three = parse(text, "f.yaml")
    assert [document.obj["kind"] for document in (one, two, three)] == ["One", "Two", "Three"]
    assert one.line(("spec", "list", 1, "c")) == 8
    assert one.line(("spec", "list", 1, "missing", "deeper")) == 7
    assert two.line() == 14
    assert two.line(("metadata", "name")) == 16
    assert three.line(("kind",)) == 18
    assert two.file == "f.yaml"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        pytest.param("kind: A\nspec:\n  x: 1\n  y: 2\n  x: 3\n", 5, "the key 'x' is there twice", id="duplicate-key"),
        pytest.param("on: 1\n'true': 2\n", 2, "the key 'true' is there twice", id="duplicate-after-resolving"),
        pytest.param("kind: A\n  bad: b\n", 2, "no YAML", id="syntax"),
        pytest.param("kind: A\n---\nkind: [\n", 4, "no YAML", id="syntax-in-a-later-document"),
        pytest.param("- a\n- b\n", 1, "no object", id="a-list"),
        pytest.param("\njust words\n", 2, "no object", id="text"),
        pytest.param("a: &x [*x]\n", 1, "an alias that contains itself", id="endless"),
        pytest.param("kind: A\nb: !!binary aGk=\n", 2, "the tag tag:yaml.org,2002:binary", id="tag"),
        pytest.param("? [a]\n: b\n", 1, "a key must be a string", id="key-that-is-a-list"),
        pytest.param("a: " + "[" * 9000 + "]" * 9000, 1, "nested too deep", id="deep"),
        pytest.param("[" * 9000 + "]" * 9000, 1, "nested too deep", id="deep-json"),
        pytest.param("a: {<<: [1]}\n", 1, "<< takes an object", id="merge-of-a-number"),
    ],
)
def test_parse_bad_text_says_file_line_and_why(text: str, line: int, message: str) -> None:
    with pytest.raises(LoadError) as caught:
        parse(text, "f.yaml")
    assert (caught.value.file, caught.value.line) == ("f.yaml", line)
    assert message in caught.value.message


def test_parse_aliases_of_aliases_end_before_memory_does() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(LoadError, match="too many"):
        parse("\n".join(levels))


def test_parse_merge_keys_give_way_to_what_is_written() -> None:
    (document,) = parse("base: &base {a: 1, b: 2}\nother: {<<: *base, b: 3}\n")
    assert document.obj["other"] == {"a": 1, "b": 3}


def test_parse_json_with_tabs_and_surrogates_is_read() -> None:
    (document,) = parse('{\t"kind": "A",\n\t"name": "\\ud83d\\ude00\\/\\u00e9"}')
    assert document.obj == {"kind": "A", "name": "😀/é"}
    assert document.line(("name",)) == 2


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text("aZ0é😀\"\\/ :-#{}[],&*!|>'%@`\n\t~<=."),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text("xyz", min_size=1), values))
def test_parse_any_json_is_what_json_says(obj: dict[str, Any]) -> None:
    (document,) = parse(json.dumps(obj, indent="\t"))
    assert document.obj == obj


def test_read_directories_are_searched_and_kustomizations_left_out(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "b.yaml").write_text("kind: B\n")
    (tmp_path / "deep" / "a.json").write_text('{"kind": "A"}')
    (tmp_path / "kustomization.yaml").write_text("resources: [b.yaml]\n")
    (tmp_path / "notes.txt").write_text("kind: C\n")
    (tmp_path / "wrong.yml").write_text("kind: [\n")
    documents, broken = read([str(tmp_path)])
    assert [document.obj["kind"] for document in documents] == ["B", "A"]
    assert [error.file for error in broken] == [str(tmp_path / "wrong.yml")]


def test_resolved_of_a_number_beyond_all_bounds_is_text() -> None:
    assert resolved("9" * 5000) == "9" * 5000
    assert resolved("1e999") == "1e999"

# SPDX-License-Identifier: Apache-2.0
"""The CRDs: up to date, structural, and with a description on every field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from cairn.api.base import Model
from cairn.api.crd import CRDS, Crd, files
from cairn.api.structural import Schema, structural

ROOT = Path(__file__).resolve().parents[3]
each = pytest.mark.parametrize("crd", CRDS, ids=lambda crd: crd.resource.kind)


def _nodes(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    yield path, schema
    for key, node in schema.get("properties", {}).items():
        yield from _nodes(node, f"{path}.{key}")
    if "items" in schema:
        yield from _nodes(schema["items"], f"{path}[]")


def _written(crd: Crd) -> Schema:
    schema: Schema = crd.manifest()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def test_crds_folder_is_what_the_models_say() -> None:
    there = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "crds").glob("*.yaml")}
    assert there == files(), "run `make crds`"


def _explained(path: str, node: Schema) -> bool:
    """Whether `kubectl explain` shows it by itself: not the entries of a list of scalars, not metadata."""
    return not path.startswith(".metadata") and not (path.endswith("[]") and "properties" not in node)


@each
def test_crd_every_field_has_a_description(crd: Crd) -> None:
    bare = [path for path, node in _nodes(_written(crd)) if not node.get("description") and _explained(path, node)]
    assert bare == []


@each
def test_crd_every_field_has_one_type_and_no_more_than_the_server_knows(crd: Crd) -> None:
    for path, node in _nodes(_written(crd)):
        assert isinstance(node.get("type"), str) or node.get("x-kubernetes-int-or-string"), path
        assert not {"$ref", "anyOf", "const", "title", "x-rules", "additionalProperties"} & set(node), path


@each
def test_crd_status_has_no_defaults_and_is_a_subresource(crd: Crd) -> None:
    version = crd.manifest()["spec"]["versions"][0]
    assert version["subresources"] == {"status": {}}
    assert not [path for path, node in _nodes(_written(crd)["properties"]["status"]) if "default" in node]


@each
def test_crd_printer_columns_point_at_fields(crd: Crd) -> None:
    known = {path for path, _ in _nodes(_written(crd))}
    for column in crd.columns:
        path = re.sub(r'\[\?\(@\.type=="[A-Za-z]+"\)\]', "[]", column.path)  # a condition that may be there
        assert path in known, column.name
    shown = [column["name"] for column in crd.manifest()["spec"]["versions"][0]["additionalPrinterColumns"]]
    assert shown[:2] == ["Ready", "Reason"]
    assert shown[-1] == "Age"


class _Inner(Model):
    """Inner."""

    name: Annotated[str, Field(max_length=9)]


class _Union(Model):
    either: Annotated[int, Field(ge=0)] | _Inner


class _Free(Model):
    labels: dict[str, str]


class _Endless(Model):
    text: str


class _ListOfUnknownMerge(Model):
    items: Annotated[tuple[_Inner, ...], Field(max_length=3)]


class _ListWithoutEnd(Model):
    items: Annotated[tuple[_Inner, ...], Field(json_schema_extra={"x-kubernetes-list-type": "atomic"})]


class _Pair(Model):
    pair: tuple[int, bool]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        pytest.param(_Union, "union of types", id="union"),
        pytest.param(_Free, "free keys", id="map"),
        pytest.param(_Endless, "a string without a limit", id="string"),
        pytest.param(_ListOfUnknownMerge, "server-side apply", id="list-type"),
        pytest.param(_ListWithoutEnd, "a list without a limit", id="list"),
        pytest.param(_Pair, "prefixItems", id="tuple"),
    ],
)
def test_structural_model_that_no_crd_can_say_is_an_error(model: type[Model], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        structural(model)


class _Optional(Model):
    inner: _Inner | None = None
    """What it is for here."""
    number: Annotated[int, Field(gt=0)] = 3


def test_structural_optional_model_is_inlined_and_not_required() -> None:
    assert structural(_Optional) == {
        "type": "object",
        "properties": {
            "inner": {
                "type": "object",
                "description": "What it is for here.",
                "properties": {"name": {"type": "string", "maxLength": 9}},
                "required": ["name"],
            },
            "number": {"type": "integer", "format": "int64", "minimum": 0, "exclusiveMinimum": True, "default": 3},
        },
    }

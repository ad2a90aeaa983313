# SPDX-License-Identifier: Apache-2.0
"""The schema of seller-cloud's values judges specs as the CRDs do, as far as types and patterns go."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from cairn.api.values_schema import SECTIONS, values_schema
from objects.cases import Case, cases

BEYOND = ("entry-twice-in-map-list", "final-newline-in-a-name")
"""What JSON Schema can't say."""

VALIDATOR = jsonschema.Draft7Validator(values_schema())
SECTION_OF = {kind: section for section, (kind, _) in SECTIONS.items()}


def problems(values: dict[str, Any]) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(values)]


def test_values_schema_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(values_schema())
    assert problems({}) == []
    assert problems({"global": {"any": 1}, "databases": {}, "pushes": {}}) == []


@pytest.mark.parametrize(
    "case",
    [case for case in cases("rules", "valid") if case.passes and case.kind in SECTION_OF and "null" not in case.id],
    ids=lambda case: case.id,
)
def test_values_schema_takes_every_spec_that_the_server_takes(case: Case) -> None:
    for obj in case.objects:
        assert problems({SECTION_OF[case.kind]: {"thing": obj["spec"]}}) == []


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in cases("schema")
        if case.kind in SECTION_OF
        and not case.id.endswith(BEYOND)
        and any(finding.path[0] == "spec" for finding in case.findings())
    ],
    ids=lambda case: case.id,
)
def test_values_schema_refuses_wrong_types_and_patterns(case: Case) -> None:
    assert problems({SECTION_OF[case.kind]: {"thing": case.objects[-1]["spec"]}})


@pytest.mark.parametrize("name", ["Shop", "a" * 41, "-a"])
def test_values_schema_refuses_a_name_that_no_object_may_have(name: str) -> None:
    assert problems({"databases": {name: {"version": "17", "planRef": {"name": "db.small"}}}})
    assert problems({"databses": {}})

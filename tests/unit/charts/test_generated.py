# SPDX-License-Identifier: Apache-2.0
"""The charts' files that can be judged without Helm: generated ones are up to date, defaults fit their schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from scripts import chart_crds

TREE = Path(__file__).resolve().parents[3]
CHARTS = TREE / "charts"
NAMES = ("cairn", "seller-cloud")


def schema(chart: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((CHARTS / chart / "values.schema.json").read_text())
    return loaded


def values(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


def test_generated_files_are_up_to_date() -> None:
    assert chart_crds.standing() == chart_crds.generated(), "run `make crds`"


def test_crds_of_the_chart_are_kept_on_uninstall() -> None:
    found = sorted((CHARTS / "cairn" / "files" / "crds").glob("*.yaml"))
    assert len(found) == len(list((TREE / "crds").glob("*.yaml"))) > 0
    for path in found:
        annotations = values(path)["metadata"]["annotations"]
        assert annotations == {"helm.sh/resource-policy": "keep"}, path.name


@pytest.mark.parametrize("chart", NAMES)
def test_schema_is_one_and_takes_the_defaults(chart: str) -> None:
    jsonschema.validators.validator_for(schema(chart)).check_schema(schema(chart))
    jsonschema.validate(values(CHARTS / chart / "values.yaml"), schema(chart))


def test_schema_of_cairn_knows_every_default_and_nothing_else() -> None:
    """A value that the schema knows and values.yaml does not would be one that nobody finds."""
    assert _keys(schema("cairn")) - {("global",)} == _leaves(values(CHARTS / "cairn" / "values.yaml"))


@pytest.mark.parametrize("name", ["values.yaml", "values-peak.yaml"])
def test_example_fits_the_schema(name: str) -> None:
    jsonschema.validate(values(TREE / "examples" / "helm" / name), schema("seller-cloud"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"databases": {"shop-db": {"versionn": "17"}}}, "versionn", id="unknown-field"),
        pytest.param({"databases": {"shop-db": {"version": 17}}}, "17", id="number-for-string"),
        pytest.param({"databases": {"Shop": {"version": "17"}}}, "Shop", id="name"),
        pytest.param({"pushes": {"orders": {"databaseName": "shop", "shops": ["1"]}}}, "databaseRef", id="missing"),
        pytest.param({"machines": {"web": {"image": {"nam": "debian"}}}}, "nam", id="machine"),
        pytest.param({"database": {}}, "database", id="unknown-part"),
    ],
)
def test_schema_of_seller_cloud_refuses(change: dict[str, Any], told: str) -> None:
    problems = jsonschema.Draft7Validator(schema("seller-cloud")).iter_errors(change)
    assert any(told in problem.message for problem in problems)


def test_schema_of_cairn_takes_declared_datasets_and_refuses_wrong_ones() -> None:
    example = values(TREE / "examples" / "helm" / "datasets.yaml")
    validator = jsonschema.Draft202012Validator(schema("cairn")["properties"]["datasets"])
    validator.validate(example["datasets"])
    for wrong in ({"table": "orders"}, {"kei": "x"}, {"key": 1}, {"columns": [{"name": "a", "type": "text"}]}):
        assert list(validator.iter_errors([example["datasets"][0] | wrong])), wrong
    del example["datasets"][0]["key"]
    assert list(validator.iter_errors(example["datasets"]))


def test_rules_table_gives_a_reason_for_each_and_no_wildcard() -> None:
    table = values(CHARTS / "cairn" / "files" / "rbac.yaml")
    assert set(table) == {"cluster", "sellerNamespace", "appNamespace", "images", "own", "pool"}
    for rule in (rule for rules in table.values() for rule in rules):
        assert set(rule) <= {"group", "resources", "names", "verbs", "why"}
        assert rule["why"]
        assert "*" not in (rule["group"], *rule["resources"], *rule["verbs"])


def _keys(node: dict[str, Any], path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Every value that a schema knows; requests and limits of a container are Kubernetes' own."""
    if "properties" not in node or path[-1:] == ("resources",):
        return {path}
    return {key for name, part in node["properties"].items() for key in _keys(part, (*path, name))}


def _leaves(node: Any, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    if not isinstance(node, dict) or not node or path[-1:] == ("resources",):
        return {path}
    return {leaf for key, value in node.items() for leaf in _leaves(value, (*path, key))}

# SPDX-License-Identifier: Apache-2.0
"""Alert rules against the programs they ask about: every metric and every label must be one that is exported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

import cairn.engine.metrics
import cairn.push.janitor
import cairn.tenant.act  # noqa: F401 -- these three register the operator's metrics
from cairn.gateway.metrics import Metrics as GatewayMetrics
from cairn.worker.metrics import Metrics as WorkerMetrics

TREE = Path(__file__).resolve().parents[3]
GROUPS = yaml.safe_load((TREE / "charts/cairn/files/alerts.yaml").read_text())["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
OPERATIONS = (TREE / "docs/operations.md").read_text()
TARGET = {"namespace", "pod", "job", "instance"}
"""Labels that Prometheus adds of its own."""
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def _exported() -> dict[str, set[str]]:
    """Labels by metric, of operator, worker and gateway."""
    worker = WorkerMetrics("seller-2088/orders")
    worker.proof()
    found: dict[str, set[str]] = {}
    for registry in (REGISTRY, worker.registry, GatewayMetrics().registry):
        found |= dict(_of(registry))
    return found


def _of(registry: CollectorRegistry) -> Iterator[tuple[str, set[str]]]:
    for collector in set(registry._collector_to_names):
        if not isinstance(collector, MetricWrapperBase):
            continue  # those of the process and of Python
        for family in collector.describe():
            bucket = {"le"} if family.type == "histogram" else set()
            for suffix in SUFFIXES[family.type]:
                yield family.name + suffix, set(collector._labelnames) | bucket


EXPORTED = _exported()


def _nodes(expr: Any) -> Iterator[Any]:
    yield expr
    for name in ("lhs", "rhs", "expr", "param", "vector_selector"):
        child = getattr(expr, name, None)
        if child is not None:
            yield from _nodes(child)
    for child in getattr(expr, "args", None) or ():
        yield from _nodes(child)


def selectors(text: str) -> list[tuple[str, set[str]]]:
    """Every metric that an expression asks for, with the labels that it matches."""
    nodes = _nodes(promql_parser.parse(text))
    found = [one for one in nodes if isinstance(one, promql_parser.VectorSelector)]
    return [(str(one.name), {match.name for match in one.matchers.matchers}) for one in found]


def problems(text: str) -> list[str]:
    """What an expression asks for that no program exports."""
    asked = selectors(text)
    wrong = [f"{name}: no such metric" for name, _ in asked if name not in EXPORTED]
    known: set[str] = set().union(*(EXPORTED.get(name, set()) for name, _ in asked))
    for name, labels in asked:
        wrong += [f"{name}: no label {label}" for label in sorted(labels - EXPORTED.get(name, set()) - TARGET)]
    for group in re.findall(r"\b(?:by|on|without)\s*\(([^)]*)\)", text):
        named = {label.strip() for label in group.split(",")}
        wrong += [f"{label}: no label of {asked}" for label in sorted(named - known - TARGET)]
    return wrong


def heading(anchor: str) -> bool:
    """Whether docs/operations.md has a heading with this anchor, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", OPERATIONS, re.M)
    return anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_alert_asks_for_what_is_exported_and_leads_to_its_section(rule: dict[str, Any]) -> None:
    assert selectors(rule["expr"]), "asks for nothing"
    assert problems(rule["expr"]) == []
    assert rule["labels"]["severity"] in ("warning", "critical")
    file, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert file == "docs/operations.md"
    assert heading(anchor), anchor
    kept = set(re.findall(r"by \(([^)]*)\)", rule["expr"])[0].split(", ")) if " by (" in rule["expr"] else set()
    assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= kept, "a label that is summed away"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cairn_level_lost > 0", "cairn_level_lost: no such metric"),
        ('cairn_level_unreachable{why="bus"} > 0', "cairn_level_unreachable: no label why"),
        ("sum by (shopp) (cairn_level_lost_records)", "shopp: no label of"),
        ("rate(cairn_push_errors[5m])", "cairn_push_errors: no such metric"),
    ],
)
def test_check_finds_what_is_not_exported(text: str, told: str) -> None:
    assert [one for one in problems(text) if told in one], problems(text)


def test_every_level_has_its_alert() -> None:
    asked = {name for rule in RULES for name, _ in selectors(rule["expr"])}
    assert {name for name in EXPORTED if name.startswith("cairn_level_")} <= asked


def test_no_two_alerts_have_one_name() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names))

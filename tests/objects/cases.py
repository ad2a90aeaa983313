# SPDX-License-Identifier: Apache-2.0
"""The objects beside this file, as cases: rules/<kind>/<rule>.{pass,refuse}.yaml, schema/ (all refused), valid/.

A file of two documents is a change: the first object stands, the second is what it is changed to.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cairn.api.crd import BY_KIND
from cairn.api.resources import Obj
from cairn.api.rules import Rule
from cairn.api.structural import Schema
from cairn.api.validate import Finding, findings
from cairn.cli.loader import parse

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """One file."""

    path: Path

    @property
    def id(self) -> str:
        return str(self.path.relative_to(HERE)).removesuffix(".yaml")

    @property
    def passes(self) -> bool:
        return self.path.parent.name == "valid" or self.path.name.endswith(".pass.yaml")

    @property
    def rule(self) -> str:
        """Name of the rule it is about; empty for those of schema/ and valid/."""
        return self.path.name.split(".")[0] if self.path.parent.parent.name == "rules" else ""

    @property
    def kind(self) -> str:
        kind: str = self.objects[-1]["kind"]
        return kind

    @property
    def objects(self) -> list[Obj]:
        return [document.obj for document in parse(self.path.read_text(encoding="utf-8"), self.id)]

    def findings(self) -> list[Finding]:
        """What the Python twins say."""
        *before, new = self.objects
        return findings(BY_KIND[self.kind].schema(), new, before[0] if before else None)


def cases(*folders: str) -> list[Case]:
    """All cases of some of the folders."""
    return [Case(path) for folder in folders for path in sorted((HERE / folder).rglob("*.yaml"))]


def declared() -> dict[tuple[str, str], Rule]:
    """Every rule by kind and name. A name stands for one rule of a kind."""
    found: dict[tuple[str, str], Rule] = {}
    for kind, crd in BY_KIND.items():
        for rule in _below(crd.schema()):
            assert (kind, rule.name) not in found, f"{kind} has two rules {rule.name}"
            found[kind, rule.name] = rule
    return found


def _below(schema: Schema) -> list[Rule]:
    nodes = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return [*schema.get("x-rules", ()), *(rule for node in nodes for rule in _below(node))]

# SPDX-License-Identifier: Apache-2.0
"""Rules by their Python twins. tests/cluster/test_crds.py puts the same objects to the real API server."""

from __future__ import annotations

import pytest

from cairn.api.validate import dotted
from objects.cases import Case, cases, declared


def test_rules_each_has_an_object_that_passes_and_one_that_is_refused() -> None:
    shown = {(case.kind, case.rule, case.passes) for case in cases("rules")}
    wanted = {(kind, rule, passes) for kind, rule in declared() for passes in (True, False)}
    assert shown == wanted


def test_rules_of_change_are_shown_by_a_change() -> None:
    for case in cases("rules"):
        rule = declared()[case.kind, case.rule]
        assert len(case.objects) == (2 if rule.transition else 1), case.id


@pytest.mark.parametrize("case", cases("rules", "schema", "valid"), ids=lambda case: case.id)
def test_findings_of_an_example_are_its_rule_alone(case: Case) -> None:
    found = case.findings()
    if case.passes:
        assert found == []
    elif case.rule:
        (finding,) = found
        rule = declared()[case.kind, case.rule]
        assert dotted(finding.path).endswith(rule.field)
        assert finding.message.startswith(rule.message.split("{")[0])
    else:
        assert found


@pytest.mark.parametrize("case", cases("schema"), ids=lambda case: case.id)
def test_findings_of_a_wrong_object_name_the_field(case: Case) -> None:
    for finding in case.findings():
        assert dotted(finding.path[:2]) in finding.message


def test_message_of_a_change_shows_both_values() -> None:
    (case,) = (case for case in cases("rules") if case.id.endswith("storage-never-shrinks.refuse"))
    (finding,) = case.findings()
    assert finding.message == (
        "spec.storage.size can't shrink from 10Gi to 9999Mi, since a volume only grows: restore the old size or ask"
        " for more"
    )


def test_message_of_every_rule_names_its_field_and_a_remedy() -> None:
    for (kind, name), rule in declared().items():
        assert rule.message.startswith(("spec", "metadata.name")), (kind, name)
        assert ":" in rule.message, (kind, name)
        assert not rule.message.endswith("."), (kind, name)

# SPDX-License-Identifier: Apache-2.0
"""The catalogue of mutants keeps up with the code: every text stands where it says, every test exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from mutants.catalogue import MUTANTS, Mutant

TREE = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_can_be_built_and_its_test_exists(mutant: Mutant) -> None:
    for name, old, _ in mutant.edits:
        assert (TREE / name).read_text().count(old) == 1, f"{name}: {old!r}"
    file, _, test = mutant.test.partition("::")
    assert f"def {test.partition('[')[0]}(" in (TREE / file).read_text()

# SPDX-License-Identifier: Apache-2.0
"""What the documentation says about the code is true as far as a machine can tell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cairn.api.conditions import Reason

TREE = Path(__file__).resolve().parents[3]
PAGES = [TREE / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted((TREE / "docs").rglob("*.md")) + sorted((TREE / "examples").rglob("*.md"))


def test_operations_explains_every_reason_once() -> None:
    explained = re.findall(r"^\| `(\w+)` \|", (TREE / "docs" / "operations.md").read_text(), re.MULTILINE)

    assert sorted(explained) == sorted(Reason)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TREE)))
def test_page_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    dead = [link for link in links if "://" not in link and not (page.parent / link).exists()]

    assert not dead


def test_decisions_are_all_in_their_index() -> None:
    folder = TREE / "docs" / "decisions"
    index = (folder / "README.md").read_text()

    assert [path.name for path in sorted(folder.glob("0*.md")) if f"({path.name})" not in index] == []


def test_readme_test_command_is_make_test() -> None:
    assert re.search(r"^make test( |$)", (TREE / "README.md").read_text(), re.MULTILINE)

# SPDX-License-Identifier: Apache-2.0
"""The texts that programs on other engines copy: each parses, and docs/reading.md shows exactly these."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import pytest
import sqlglot

from cairn.reader.statements import Source, statements

DOCS = Path(__file__).resolve().parents[3] / "docs" / "reading.md"
TRADES = {
    "postgresql": "sys_info.jdp_tb_trade",
    "mysql": "sys_info.jdp_tb_trade",
    "sqlserver": "sys_info.dbo.jdp_tb_trade",
}
DIALECTS = {"postgresql": "postgres", "mysql": "mysql", "sqlserver": "tsql"}


@pytest.mark.parametrize("engine", TRADES)
def test_statements_stand_in_the_documentation_and_parse(engine: str) -> None:
    shown = DOCS.read_text()
    for text in astuple(statements(engine, Source(TRADES[engine], "tid", "jdp_tb_trade", "erp"))):
        assert f"\n{text};\n" in shown
        parsed = sqlglot.parse(text.replace("%s", "1").replace("$", "@p"), read=DIALECTS[engine])
        assert parsed
        assert not any(isinstance(one, sqlglot.exp.Command) for one in parsed)


def test_statements_of_an_engine_that_is_none_name_those_there_are() -> None:
    with pytest.raises(ValueError, match="postgresql, mysql, sqlserver"):
        statements("oracle", Source("a.b", "c", "b", "d"))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"key": "tid; --"}, "key"),
        ({"relation": "a.b c"}, "relation"),
        ({"cursors": ""}, "cursors"),
        ({"table": "x'"}, "table"),
        ({"limit": 0}, "limit"),
    ],
)
def test_source_with_a_bad_name_says_which(change: dict[str, object], named: str) -> None:
    given: dict[str, object] = {"relation": "a.b", "key": "tid", "table": "b", "cursors": "erp"}
    with pytest.raises(ValueError, match=f"^{named}: "):
        Source(**given | change)  # type: ignore[arg-type]

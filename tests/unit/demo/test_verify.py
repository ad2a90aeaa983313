# SPDX-License-Identifier: Apache-2.0
"""The oracle's judgement on logs and rows made by hand: each fault must show, and only where it is."""

from __future__ import annotations

import ast
from pathlib import Path

import demo
import pytest
from demo.log import Answer, Entry
from demo.verify import Row, Tables, Verdict, compare, percentile, report

DAY1, DAY2 = "2026-11-01 00:00:00", "2026-11-02 00:00:00"
OLD, NEW = Entry(1, DAY1, "aa", "generated"), Entry(1, DAY2, "bb", "generated")
POISON = Entry(9, DAY1, "ff", "poison")


def answers(*entries: Entry, at: float = 100.0) -> list[Answer]:
    return [Answer(at + number, "trades", 1, (one,), ()) for number, one in enumerate(entries)]


def tables(*rows: tuple[int, Row]) -> Tables:
    return {"trades": dict(rows), "refunds": {}}


def judged(*entries: Entry, rows: Tables, quarantine: set[str] | None = None) -> Verdict:
    return compare(answers(*entries), rows, quarantine or set())


def test_compare_newest_version_stands_is_good() -> None:
    verdict = judged(NEW, OLD, NEW, POISON, rows=tables((1, Row(DAY2, "bb", 101.5))), quarantine={"ff"})

    assert verdict.good
    assert (verdict.accepted, verdict.landed, verdict.quarantined) == (4, 3, 1)
    assert verdict.freshness == [1.5]
    assert verdict.seconds == 1.5


@pytest.mark.parametrize(
    ("rows", "quarantine", "fault", "count"),
    [
        pytest.param(tables(), set(), "lost", 2, id="no-row"),
        pytest.param(tables((1, Row(DAY1, "aa", 101.0))), set(), "stale", 1, id="older-version"),
        pytest.param(tables((1, Row(DAY2, "cc", 101.0))), set(), "stale", 1, id="other-bytes"),
        pytest.param(tables((1, Row(DAY2, "bb", 101.0, count=3))), set(), "duplicates", 2, id="same-key-three-times"),
        pytest.param(tables((1, Row("2026-12-01 00:00:00", "dd", 1.0))), set(), "unknown", 1, id="never-sent"),
        pytest.param(tables((1, Row(DAY2, "bb", 101.0))), {"aa"}, "good_in_quarantine", 1, id="good-in-quarantine"),
    ],
)
def test_compare_fault_in_the_database_turns_red(rows: Tables, quarantine: set[str], fault: str, count: int) -> None:
    verdict = judged(OLD, NEW, rows=rows, quarantine=quarantine)

    assert not verdict.good
    assert getattr(verdict, fault) == count
    assert verdict.examples


def test_compare_poison_accepted_but_nowhere_is_lost() -> None:
    verdict = judged(Entry(None, "", "ee", "poison"), rows=tables())

    assert verdict.lost == 1


def test_compare_nothing_accepted_is_not_good() -> None:
    assert not judged(rows=tables()).good


def test_compare_every_accepted_record_is_accounted_for_once() -> None:
    verdict = judged(OLD, NEW, Entry(2, DAY1, "x", "real"), POISON, rows=tables((1, Row(DAY1, "aa", 1.0))))

    assert verdict.accepted == verdict.landed + verdict.lost + verdict.stale + verdict.quarantined


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        pytest.param(tables((1, Row(DAY2, "bb", 900.0))), (1, 0), id="stands"),
        pytest.param(tables((1, Row(DAY1, "aa", 101.0))), (0, 1), id="what-was-pushed-stands"),
        pytest.param(tables((1, Row(DAY2, "cc", 101.0))), (0, 1), id="other-bytes"),
        pytest.param(tables(), (0, 1), id="no-row"),
    ],
)
def test_compare_what_was_never_pushed_must_stand_as_the_platform_has_it(rows: Tables, counts: tuple[int, int]) -> None:
    held = answers(NEW._replace(kind="unpushed"))

    verdict = compare(answers(OLD), rows, set(), held)

    assert (verdict.unpushed, verdict.not_brought) == counts
    assert verdict.good == (counts == (1, 0))
    assert 900.0 not in verdict.freshness


def test_compare_history_is_counted_by_itself() -> None:
    rows = tables((1, Row(DAY1, "aa", 101.0)), (7, Row(DAY1, "hh", 1.0)))

    verdict = compare(answers(OLD), rows, set(), answers(Entry(7, DAY1, "hh", "history")))

    assert verdict.good
    assert (verdict.history, verdict.unpushed, verdict.first_202) == (1, 0, 100.0)


def test_report_has_exactly_the_agreed_keys() -> None:
    numbers = report(judged(NEW, rows=tables((1, Row(DAY2, "bb", 102.0)))), kills=3)

    assert numbers == {
        "accepted": 1, "landed": 1, "lost": 0, "stale": 0, "duplicates": 0, "quarantined": 0,
        "history": 0, "unpushed": 0, "not_brought": 0,
        "rate_per_s": 0, "freshness_p99_s": 2.0, "kills": 3, "seconds": 2.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        pytest.param([], 0.99, 0.0, id="nothing"),
        pytest.param([5.0], 0.99, 5.0, id="one"),
        pytest.param([float(n) for n in range(1, 101)], 0.99, 99.0, id="hundred"),
        pytest.param([float(n) for n in range(1, 101)], 0.5, 50.0, id="median"),
    ],
)
def test_percentile_is_the_nearest_rank(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == expected


OUTSIDE = [path for path in sorted(Path(demo.__file__).parent.glob("*.py")) if path.stem != "clocked"]
"""All of the demo but the operator's own entry, which runs in the operator's image."""


@pytest.mark.parametrize("source", OUTSIDE, ids=lambda path: path.stem)
def test_demo_imports_nothing_of_cairn(source: Path) -> None:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])

    assert "cairn" not in names
    assert names.isdisjoint({"importlib", "runpy"})

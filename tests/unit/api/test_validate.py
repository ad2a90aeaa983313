# SPDX-License-Identifier: Apache-2.0
"""The validator is total: whatever stands in a manifest, it says what is wrong and never breaks."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cairn.api.crd import BY_KIND
from cairn.api.resources import Obj
from cairn.api.validate import IN_WORDS, Path, defaulted, dotted, findings
from objects.cases import cases

SAMPLES = [obj for case in cases("rules", "valid") for obj in case.objects]
SOUND = [obj for case in cases("rules", "valid") if case.passes for obj in case.objects]
JUNK: list[Any] = [
    None,
    True,
    0,
    -1,
    2.5,
    "",
    "x",
    "kube-system",
    "1Gi",
    [],
    {},
    [None],
    [{}],
    ["a", "a"],
    {"name": 5},
    {"x": {}},
]


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _paths(item, (*path, key))


def _broken(obj: Obj, path: Path, junk: Any) -> Obj:
    obj = copy.deepcopy(obj)
    inner: Any = obj
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = junk
    return obj


@st.composite
def broken(draw: st.DrawFn) -> Obj:
    """A sound object with one value replaced by something else."""
    obj = draw(st.sampled_from(SAMPLES))
    path = draw(st.sampled_from([path for path in _paths(obj) if path and path != ("kind",)]))
    return _broken(obj, path, draw(st.sampled_from(JUNK)))


@given(broken(), broken())
def test_findings_of_anything_are_findings_and_no_exception(new: Obj, old: Obj) -> None:
    schema = BY_KIND[new["kind"]].schema()
    for finding in findings(schema, new, old if old["kind"] == new["kind"] else None):
        assert finding.message
        assert dotted(finding.path[:1]) in finding.message


@given(st.sampled_from(SOUND))
def test_defaulted_twice_is_defaulted_once(obj: Obj) -> None:
    schema = BY_KIND[obj["kind"]].schema()
    once = defaulted(schema, obj)
    assert defaulted(schema, once) == once
    assert BY_KIND[obj["kind"]].model.model_validate(once).metadata.name == obj["metadata"]["name"]


def test_findings_of_a_change_from_an_unsound_object_judge_the_new_one_alone() -> None:
    (sound,) = (case.objects[0] for case in cases("rules") if case.id.endswith("storage-never-shrinks.pass"))
    unsound = _broken(sound, ("spec", "databases"), 5)
    assert findings(BY_KIND["SellerRDS"].schema(), sound, unsound) == []


def test_patterns_said_in_words_are_all_in_some_schema() -> None:
    def patterns(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from (node["pattern"],) if isinstance(node.get("pattern"), str) else ()
            yield from (one for value in node.values() for one in patterns(value))

    used = {pattern for kind in BY_KIND.values() for pattern in patterns(kind.schema())}
    assert sorted(set(IN_WORDS) - used) == []

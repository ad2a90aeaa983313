# SPDX-License-Identifier: Apache-2.0
"""Quantities mean what the API server reads: many at once in a pod template that is never made."""

from __future__ import annotations

import random
from collections.abc import Iterable
from decimal import Decimal

import pytest

from cairn.api import quantity
from cairn.api.resources import Resource
from cluster.caller import Caller

PODTEMPLATE = Resource("", "v1", "PodTemplate", "podtemplates")
CHANCE = random.Random(4)


def _written(numbers: tuple[str, ...], suffixes: tuple[str, ...]) -> list[str]:
    more = [f"{CHANCE.randrange(10**6)}{CHANCE.choice(suffixes)}" for _ in range(60)]
    return [number + suffix for number in numbers for suffix in suffixes] + more


@pytest.mark.parametrize(
    ("resource", "written"),
    [
        pytest.param(
            "cpu",
            _written(("0", "1", "25", "1.25", "007", "999", "1000"), ("", "k", "e3", "e2", "e-1")),
            id="cpu",
        ),
        pytest.param(
            "memory",
            _written(("1", ".5", "1.25", "007", "1024", "1536"), ("k", "M", "G", "T", "Ki", "Mi", "Gi", "e3", "e7")),
            id="memory",
        ),
    ],
)
def test_canonical_of_any_quantity_is_taken_by_the_server_as_it_is(
    admin: Caller, resource: str, written: list[str]
) -> None:
    assert printed(admin, resource, written) == printed(admin, resource, map(quantity.canonical, written), exactly=True)


def printed(admin: Caller, resource: str, texts: Iterable[str], *, exactly: bool = False) -> list[Decimal]:
    """The numbers that the server reads; `exactly`: and it changed no spelling."""
    written = list(texts)
    containers = [
        {"name": f"c{index}", "image": "none", "resources": {"requests": {resource: text}}}
        for index, text in enumerate(written)
    ]
    template = {"spec": {"containers": containers}}
    body = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "any"}, "template": template}
    answer = admin.create(f"{PODTEMPLATE.path('default')}?dryRun=All", body)
    assert answer.ok, answer.message
    found = [one["resources"]["requests"][resource] for one in answer.body["template"]["spec"]["containers"]]
    assert found == written or not exactly
    return [quantity.parse(text) for text in found]

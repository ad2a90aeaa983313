# SPDX-License-Identifier: Apache-2.0
"""The datasets that ship with Cairn, one descriptor per file beside this one, and those that a platform declares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import yaml

from cairn.api.dataset import Dataset


@cache
def shipped() -> Mapping[str, Dataset]:
    """Every shipped descriptor, by name."""
    found = {}
    for file in sorted(files(__name__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".yaml"):
            dataset = Dataset.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
            found[dataset.name] = dataset
    return MappingProxyType(found)


def known(declared: Iterable[Dataset]) -> Mapping[str, Dataset]:
    """Those that ship and those declared. ValueError that begins with the field where two clash."""
    found = dict(shipped())
    tables = {one.table: one.name for one in found.values()}
    indexes = {index.name: one.name for one in found.values() for index in one.indexes}
    for at, one in enumerate(declared):
        here = f"datasets[{at}]"
        if one.name in found:
            there = "ships with Cairn" if one.name in shipped() else "is declared twice"
            raise ValueError(f"{here}.name: {one.name} {there}: choose another name")
        if other := tables.get(one.table):
            raise ValueError(f"{here}.table: {one.table} is that of {other}: choose another")
        if taken := sorted({index.name for index in one.indexes} & indexes.keys()):
            raise ValueError(f"{here}.indexes: {taken[0]} is an index of {indexes[taken[0]]}: choose another name")
        if one.order is not None:
            raise ValueError(f"{here}.order: {_orders()} holds the orders: leave it out")
        found[one.name] = one
        tables[one.table] = one.name
        indexes |= {index.name: one.name for index in one.indexes}
    return MappingProxyType(dict(sorted(found.items())))


def _orders() -> str:
    return next(one.name for one in shipped().values() if one.order is not None)

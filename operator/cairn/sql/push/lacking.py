# SPDX-License-Identifier: Apache-2.0
"""What a database still lacks for pushed data, and what in it was changed. Pure, and the same for every engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

from cairn.api.dataset import Dataset

Columns = TypeVar("Columns")
Columns_co = TypeVar("Columns_co", covariant=True)


class Seen(Protocol[Columns_co]):
    """A look at sys_info and platform. tables: facts of columns, by table; views: digest by name; shops: nick by id."""

    @property
    def tables(self) -> Mapping[str, Columns_co]: ...
    @property
    def indexes(self) -> Mapping[str, frozenset[str]]: ...
    @property
    def views(self) -> Mapping[str, str]: ...
    @property
    def shops(self) -> Mapping[str, str]: ...


def lacking(
    seen: Seen[object], datasets: Iterable[Dataset], shops: Mapping[str, str], digest: Callable[[Dataset], str]
) -> Iterator[str]:
    """In words. digest: of a dataset's view as this engine would make it."""
    for dataset in datasets:
        if dataset.table not in seen.tables:
            yield f"table {dataset.table}"
        elif gone := sorted({index.name for index in dataset.indexes} - seen.indexes.get(dataset.table, frozenset())):
            yield f"indexes {', '.join(gone)}"
        if seen.views.get(dataset.name) != digest(dataset):
            yield f"view platform.{dataset.name}"
    if any(seen.shops.get(shop) != nick for shop, nick in shops.items()):
        yield "shops"


def changed(
    seen: Seen[Columns], datasets: Iterable[Dataset], drift: Callable[[Dataset, Columns], Iterable[str]]
) -> tuple[str, ...]:
    """What keeps the worker from writing, each with the statement that mends it. drift: of one table."""
    return tuple(
        f"{dataset.table}: {problem}"
        for dataset in datasets
        if dataset.table in seen.tables
        for problem in drift(dataset, seen.tables[dataset.table])
    )

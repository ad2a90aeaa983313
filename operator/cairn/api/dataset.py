# SPDX-License-Identifier: Apache-2.0
"""What a dataset is: its table, key, owner, versions, indexes and columns, as data. No engine's SQL is spoken here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""A name that needs no quoting in any engine."""

Member = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f]+$")]
"""A member of a JSON object."""

INDEXED = 700
"""Most characters in an index: MySQL takes 3,072 bytes, four a character."""

TAIL = ("jdp_hashcode", "jdp_response", "jdp_created", "jdp_modified", "jdp_version", "jdp_seq")
"""Columns that every pushed table ends with, in stored order: four of the platform, then two of Cairn."""

ALWAYS_SHOWN = ("shop_id", "jdp_modified", "jdp_seq")
"""Columns that every view has besides those of its descriptor."""


ViewType = Literal["text", "bigint", "numeric", "timestamp", "boolean", "json"]


STORED = 12_000
"""Most characters in a row's varchars: MySQL takes 65,535 bytes, four a character."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StoredColumn(_Frozen):
    """A column that is taken out of the record when it is written; read from the record's member of the same name."""

    name: Name
    type: Annotated[str, StringConstraints(pattern=r"^(bigint|int|timestamp|varchar\([1-9][0-9]{0,3}\))$")]

    @property
    def length(self) -> int | None:
        """How many characters fit, for varchar."""
        match = re.fullmatch(r"varchar\((\d+)\)", self.type)
        return int(match[1]) if match else None


class Index(_Frozen):
    """A secondary index, by the name that sellers' software and its tuning guides know."""

    name: Name
    columns: tuple[Name, ...] = Field(min_length=1, max_length=8)


class ViewColumn(_Frozen):
    """A column of the view `platform.<dataset>`.

    path: members from the record down; without it the column is the stored one of this name
    personal: says something about a buyer: never shared unmasked without consent
    """

    name: Name
    type: ViewType | None = None
    path: tuple[Member, ...] | None = Field(default=None, min_length=1, max_length=8)
    personal: bool = False

    @model_validator(mode="after")
    def _typed(self) -> Self:
        if (self.path is None) != (self.type is None):
            raise ValueError(f"view column {self.name}: path and type go together (neither: the stored column)")
        return self


class BuyerColumns(_Frozen):
    """Which columns of the view tell whose record it is: a buyer within one shop, a member across shops, a nick."""

    ouid: Name | None = None
    omid: Name | None = None
    nick: Name | None = None


class Dataset(_Frozen):
    """One kind of record that the platform pushes.

    envelope: members that lead from the top of the record to the object that holds the columns
    key, owner, created, modified: names of stored columns; `owner` holds the shop's nick
    deleted: the stored column that is 1 for what was taken away at the platform; 0 where the record doesn't say
    expires: records are events, and a subscription's retention may take old ones out; others are state, and stay
    order: the view's column with the order's number, in the one dataset that holds orders
    buyer: by what rows of it join with those of apps, and by what a buyer is left out of shared views
    """

    name: Annotated[Name, StringConstraints(max_length=40)]
    table: Annotated[Name, StringConstraints(pattern=r"^jdp_(tb|fx|jx|tm)_[a-z0-9_]+$", max_length=50)]
    envelope: tuple[Member, ...] = Field(min_length=1, max_length=8)
    key: Name
    owner: Name
    created: Name
    modified: Name
    deleted: Name | None = None
    expires: bool = False
    order: Name | None = None
    buyer: BuyerColumns = BuyerColumns()
    columns: tuple[StoredColumn, ...] = Field(min_length=1, max_length=64)
    indexes: tuple[Index, ...] = Field(max_length=16)
    view: tuple[ViewColumn, ...] = Field(max_length=200)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Every column of the table, in stored order: the delete flag stands where sellers' software knows it."""
        first = tuple(column.name for column in self.columns if column.name != self.deleted)
        flag = () if self.deleted is None else (self.deleted,)
        return (*first, *TAIL[:2], *flag, *TAIL[2:])

    def column(self, name: str) -> StoredColumn:
        return next(column for column in self.columns if column.name == name)

    @property
    def shown(self) -> dict[str, ViewType]:
        """Every column of the view `platform.<name>`, and its type."""
        found: dict[str, ViewType] = {"shop_id": "text", "jdp_modified": "timestamp", "jdp_seq": "bigint"}
        found |= {column.name: column.type or _shown_as(self.column(column.name).type) for column in self.view}
        return found

    @property
    def personal(self) -> frozenset[str]:
        """Columns of the view that say something about a buyer."""
        return frozenset(column.name for column in self.view if column.personal)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if problem := next(_problems(self), ""):
            raise ValueError(problem)
        return self


def _problems(dataset: Dataset) -> Iterator[str]:
    """What contradicts itself, each beginning with the field."""
    stored = {column.name: column.type for column in dataset.columns}
    yield from _twice("columns", (*(column.name for column in dataset.columns), *TAIL))
    yield from _twice("indexes", tuple(index.name for index in dataset.indexes))
    yield from _twice("view", (*(column.name for column in dataset.view), *ALWAYS_SHOWN))
    for field, name in (("key", dataset.key), ("created", dataset.created), ("modified", dataset.modified)):
        kind = "bigint" if field == "key" else "timestamp"
        if name not in stored:
            yield f"{field}: no stored column {name!r}: declare it under columns"
        elif stored[name] != kind:
            yield f"{field}: {name!r} is a {stored[name]}: it must be a {kind}"
    if not stored.get(dataset.owner, "varchar").startswith("varchar"):
        yield f"owner: {dataset.owner!r} is a {stored[dataset.owner]}: it must be a varchar, it holds the shop's nick"
    if dataset.owner not in stored:
        yield f"owner: no stored column {dataset.owner!r}: declare it under columns"
    if dataset.deleted is not None and stored.get(dataset.deleted) != "int":
        yield f"deleted: {dataset.deleted!r} must be a stored column of type int"
    if sum(column.length or 0 for column in dataset.columns) > STORED:
        yield f"columns: more than {STORED} characters in all, too many for MySQL: show them by a path in view"
    for name in stored:
        if name.startswith(("jdp_", "cairn_")) and name != dataset.deleted:
            yield f"columns: {name!r}: names that begin with jdp_ or cairn_ are Cairn's"
    for column in dataset.view:
        if column.path is None and column.name not in (*stored, *TAIL):
            yield f"view: no stored column {column.name!r}: give it path and type, or declare it under columns"
    yield from _indexes(dataset, stored)
    shown = {column.name for column in dataset.view} | set(ALWAYS_SHOWN)
    for field, seen in (("order", dataset.order), *((f"buyer.{key}", name) for key, name in dataset.buyer)):
        if seen is not None and seen not in shown:
            yield f"{field}: no view column {seen!r}: declare it under view"


def _indexes(dataset: Dataset, stored: Mapping[str, str]) -> Iterator[str]:
    for index in dataset.indexes:
        for name in index.columns:
            if name not in dataset.column_names:
                yield f"indexes: {index.name}: no stored column {name!r}"
            if name == "jdp_response":
                yield f"indexes: {index.name}: jdp_response holds whole records: no engine indexes that"
        if sum(column.length or 0 for column in dataset.columns if column.name in index.columns) > INDEXED:
            yield f"indexes: {index.name}: more than {INDEXED} characters, which not every engine takes"
    for name, why in (("jdp_seq", "readers follow by it"), (dataset.modified, "the proof counts by it")):
        if not any(index.columns[0] == name for index in dataset.indexes):
            yield f"indexes: none begins with {name}: {why}"


def _shown_as(stored: str) -> ViewType:
    if stored in ("bigint", "int"):
        return "bigint"
    return "timestamp" if stored == "timestamp" else "text"


def _twice(field: str, names: tuple[str, ...]) -> Iterator[str]:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        yield f"{field}: declared twice, or always there: {', '.join(twice)}"

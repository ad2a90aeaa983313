# SPDX-License-Identifier: Apache-2.0
"""What a dataset is: its table, key, owner, versions, indexes and columns, as data. No engine's SQL is spoken here."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""A name that needs no quoting in any engine."""

TAIL = ("jdp_hashcode", "jdp_response", "jdp_created", "jdp_modified", "jdp_version", "jdp_seq")
"""Columns that every pushed table ends with, in stored order: four of the platform, then two of Cairn."""

ALWAYS_SHOWN = ("shop_id", "jdp_modified", "jdp_seq")
"""Columns that every view has besides those of its descriptor."""


ViewType = Literal["text", "bigint", "numeric", "timestamp", "boolean", "json"]


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
    columns: tuple[Name, ...] = Field(min_length=1)


class ViewColumn(_Frozen):
    """A column of the view `platform.<dataset>`.

    path: members from the record down; without it the column is the stored one of this name
    personal: says something about a buyer: never shared unmasked without consent
    """

    name: Name
    type: ViewType | None = None
    path: tuple[str, ...] | None = Field(default=None, min_length=1)
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
    order: the view's column with the order's number, in the one dataset that holds orders
    buyer: by what rows of it join with those of apps, and by what a buyer is left out of shared views
    """

    name: Name
    table: Name
    envelope: tuple[str, ...] = Field(min_length=1)
    key: Name
    owner: Name
    created: Name
    modified: Name
    order: Name | None = None
    buyer: BuyerColumns = BuyerColumns()
    columns: tuple[StoredColumn, ...]
    indexes: tuple[Index, ...]
    view: tuple[ViewColumn, ...]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Every column of the table, in stored order."""
        return tuple(column.name for column in self.columns) + TAIL

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
        names = self.column_names
        _unique("column", names)
        _unique("index", tuple(index.name for index in self.indexes))
        _unique("view column", (*(column.name for column in self.view), *ALWAYS_SHOWN))
        shown = tuple(column.name for column in self.view if column.path is None)
        indexed = tuple(name for index in self.indexes for name in index.columns)
        for name in (self.key, self.owner, self.created, self.modified, *shown, *indexed):
            if name not in names:
                raise ValueError(f"dataset {self.name}: no stored column {name!r}")
        for seen in (self.order, self.buyer.ouid, self.buyer.omid, self.buyer.nick):
            if seen is not None and seen not in self.shown:
                raise ValueError(f"dataset {self.name}: no view column {seen!r}")
        if self.column(self.key).type != "bigint":
            raise ValueError(f"dataset {self.name}: key {self.key!r} must be a bigint")
        for name in (self.created, self.modified):
            if self.column(name).type != "timestamp":
                raise ValueError(f"dataset {self.name}: {name!r} must be a timestamp")
        return self


def _shown_as(stored: str) -> ViewType:
    if stored in ("bigint", "int"):
        return "bigint"
    return "timestamp" if stored == "timestamp" else "text"


def _unique(what: str, names: tuple[str, ...]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what} declared twice: {', '.join(twice)}")

# SPDX-License-Identifier: Apache-2.0
"""Data contracts: the part of the Open Data Contract Standard 3.1 that Cairn reads, from bytes. Pure.

A contract is somebody else's text. Names and types are from allow-lists, sizes are bounded, aliases and tags are
refused, and nothing in it is ever evaluated. What is not read here has no effect: a column without a mask rule does not
exist for an app.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from cairn.api.contract_yaml import ContractError, Node, document

__all__ = ["KEY", "Column", "ColumnType", "Contract", "ContractError", "KeyType", "MaskKind", "read", "sha256_of"]

KEY = "contract.yaml"
"""The ConfigMap's key that holds a contract."""
MaskKind = Literal["plain", "bucket", "partial", "hmac-shared", "hmac", "null"]
"""How a value may be shown, the laxest first."""
ColumnType = Literal["text", "bigint", "numeric", "timestamp", "boolean", "json", "date"]
KeyType = Literal["tid", "ouid", "omid"]
"""By what rows of different apps join: an order, a buyer within one shop, a member across shops."""

MOST_COLUMNS = 200
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")
_TABLE = re.compile(r"([a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?\.)?[a-z][a-z0-9_]{0,62}\Z")
_SERVERS_OWN = ("tableoid", "cmax", "xmax", "cmin", "xmin", "ctid")
"""Columns that each table of PostgreSQL has already."""
_VERSION = re.compile(r"v3\.1\.[0-9]{1,3}\Z")
_LOGICAL: Mapping[str, ColumnType] = {
    "string": "text",
    "integer": "bigint",
    "number": "numeric",
    "timestamp": "timestamp",
    "boolean": "boolean",
    "date": "date",
    "object": "json",
    "array": "json",
}
_MASKS_OF: Mapping[MaskKind, tuple[ColumnType, ...]] = {
    "partial": ("text",),
    "bucket": ("timestamp", "date", "bigint", "numeric"),
    "hmac": ("text", "bigint"),
    "hmac-shared": ("text", "bigint"),
}
"""What a mask can be made of; the others suit every type."""
_OPEN = ("public", "internal")


@dataclass(frozen=True, slots=True)
class Column:
    """One property.

    name: as the reader sees it; source: the column behind it (physicalName)
    mask: the laxest way in which it may be shown; None: to nobody
    bucket: of mask bucket: day, month, or a whole number
    personal: whether it says something about a person, by its classification; None where it has none
    """

    name: str
    source: str
    type: ColumnType
    required: bool = False
    key: bool = False
    description: str = ""
    classification: str = ""
    mask: MaskKind | None = None
    bucket: str = ""

    @property
    def personal(self) -> bool | None:
        return None if not self.classification else self.classification.lower() not in _OPEN


@dataclass(frozen=True, slots=True)
class Contract:
    """What a contract says of its one table.

    sha256: of its bytes, as `sha256sum contract.yaml` prints it
    table: the table's name; source: what it is made from (physicalName), such as platform.trades
    key: columns that tell rows apart, in their order
    """

    sha256: str
    id: str
    version: str
    status: str
    name: str
    table: str
    source: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


def sha256_of(data: bytes) -> str:
    """The hash by which requests and grants pin a contract."""
    return hashlib.sha256(data).hexdigest()


def read(data: bytes) -> Contract:
    """The contract in these bytes. ContractError names line and field of what is not as it must be."""
    root = document(data)
    root.one_of("kind", ("DataContract",))
    version = root.text("apiVersion")
    if not _VERSION.match(version):
        raise root.at("apiVersion").error(f"{version!r} is not read here: use v3.1.0")
    tables = root.items("schema")
    if len(tables) != 1:
        raise root.at("schema").error(f"has {len(tables)} tables: a contract of Cairn's has one; split it")
    table = tables[0]
    name = table.matching("name", _NAME, "lower case letters, digits and _, a letter first, at most 63")
    source = table.matching("physicalName", _TABLE, "a table, such as platform.trades", default=name)
    properties = table.items("properties")
    if not 0 < len(properties) <= MOST_COLUMNS:
        raise table.at("properties").error(f"has {len(properties)} columns: 1 to {MOST_COLUMNS} are possible")
    read_ = [_column(one) for one in properties]
    columns = tuple(column for column, _ in read_)
    _once(properties, [column.name for column in columns])
    ordered = sorted((position, column.name) for column, position in read_ if column.key)
    return Contract(
        sha256=sha256_of(data),
        id=root.text("id"),
        version=root.text("version"),
        status=root.text("status"),
        name=root.text("name"),
        table=name,
        source=source,
        columns=columns,
        key=tuple(name for _, name in ordered),
    )


def _column(node: Node) -> tuple[Column, int]:
    """A column, and its position in the key."""
    words = "lower case letters, digits and _, a letter first, at most 63"
    name = node.matching("name", _NAME, words)
    if name in _SERVERS_OWN:
        raise node.at("name").error(f"{name} is a column of the server's own: name it otherwise")
    type_ = _type(node)
    custom = _custom(node)
    column = Column(
        name=name,
        source=node.matching("physicalName", _NAME, words, default=name),
        type=type_,
        required=node.flag("required"),
        key=node.flag("primaryKey"),
        description=node.text("description", default=""),
        classification=node.text("classification", default=""),
        mask=_mask(custom.get("mask"), type_),
        bucket=_bucket(custom, type_),
    )
    return column, node.number("primaryKeyPosition", default=MOST_COLUMNS) if column.key else 0


def _type(node: Node) -> ColumnType:
    if node.has("physicalType"):
        return node.one_of("physicalType", get_args(ColumnType))
    return _LOGICAL[node.one_of("logicalType", tuple(_LOGICAL))]


def _custom(node: Node) -> dict[str, Node]:
    """Values of the properties of Cairn's, each as the entry that holds it."""
    found: dict[str, Node] = {}
    for entry in node.items("customProperties") if node.has("customProperties") else ():
        name = entry.text("property")
        if name in ("mask", "bucket"):
            if name in found:
                raise entry.error(f"{name} is there twice: remove one")
            found[name] = entry
    return found


def _mask(entry: Node | None, type_: ColumnType) -> MaskKind | None:
    if entry is None:
        return None
    if entry.is_null("value"):  # what `value: null` without quotes is to YAML
        return "null"
    mask: MaskKind = entry.one_of("value", get_args(MaskKind))
    possible = _MASKS_OF.get(mask)
    if possible and type_ not in possible:
        raise entry.at("value").error(f"{mask} is no mask for {type_}, only for {', '.join(possible)}")
    return mask


def _bucket(custom: Mapping[str, Node], type_: ColumnType) -> str:
    mask, entry = custom.get("mask"), custom.get("bucket")
    if mask is None or mask.is_null("value") or mask.text("value") != "bucket":
        if entry is not None:
            raise entry.error("bucket is for the mask bucket: add the mask, or remove it")
        return ""
    if entry is None:
        raise mask.error("the mask bucket needs a property bucket: day or month, or a whole number")
    if type_ in ("timestamp", "date"):
        return entry.one_of("value", ("day", "month"))
    return str(entry.number("value", at_least=1))


def _once(nodes: tuple[Node, ...], names: list[str]) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise nodes[index].at("name").error(f"{name!r} is there twice: remove one")
